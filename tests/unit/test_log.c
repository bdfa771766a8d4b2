/* test_log.c - lines reach the sink, or do not. */
#include "log.h"
#include "testing.h"
#include "utf8.h"

#include <pthread.h>
#include <time.h>

struct heard {
    int n_lines;
    int32_t level;
    char line[2000];
};

static void hear(void *context, int32_t level, const char *message)
{
    struct heard *heard = context;
    heard->n_lines++;
    heard->level = level;
    (void)snprintf(heard->line, sizeof heard->line, "%s", message);
}

static void a_line_arrives_with_its_level(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = {.level = MODEL_LOG_INFO, .write = hear, .context = &heard};
    log_write(&sink, MODEL_LOG_WARN, "lane %d of %s", 2, "bert");
    assert_int_equal(heard.n_lines, 1);
    assert_int_equal(heard.level, MODEL_LOG_WARN);
    assert_string_equal(heard.line, "lane 2 of bert");
}

static void only_levels_up_to_the_sink_s_pass(void **state)
{
    (void)state;
    for (int32_t limit = MODEL_LOG_ERROR; limit <= MODEL_LOG_DEBUG; limit++) {
        struct heard heard = {0};
        struct log_sink sink = {.level = limit, .write = hear, .context = &heard};
        for (int32_t level = MODEL_LOG_ERROR; level <= MODEL_LOG_DEBUG; level++)
            log_write(&sink, level, "x");
        assert_int_equal(heard.n_lines, limit + 1);
    }
}

static void a_level_that_is_none_becomes_the_nearest(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink quiet = {.level = -1, .write = hear, .context = &heard},
                    sink = {.level = MODEL_LOG_DEBUG, .write = hear, .context = &heard};
    log_write(&quiet, INT32_MIN, "x");
    log_write(&quiet, -1, "x");
    assert_int_equal(heard.n_lines, 0);
    log_write(&sink, INT32_MIN, "x");
    assert_int_equal(heard.n_lines, 1);
    assert_int_equal(heard.level, MODEL_LOG_ERROR);
    log_write(&sink, INT32_MAX, "x");
    assert_int_equal(heard.n_lines, 2);
    assert_int_equal(heard.level, MODEL_LOG_DEBUG);
    sink.level = MODEL_LOG_INFO;
    log_write(&sink, INT32_MAX, "x");
    assert_int_equal(heard.n_lines, 2);
}

static void no_sink_says_nothing(void **state)
{
    (void)state;
    struct log_sink mute = {.level = MODEL_LOG_DEBUG, .write = NULL, .context = NULL};
    log_write(NULL, MODEL_LOG_ERROR, "x");
    log_write(&mute, MODEL_LOG_ERROR, "x");
}

static void a_long_line_is_cut_at_a_character(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = hear, .context = &heard};
    char text[3001] = "";
    for (size_t i = 0; i < 1000; i++)
        memcpy(text + 3 * i, "\xE2\x82\xAC", 4);
    log_write(&sink, MODEL_LOG_INFO, "%s", text);
    assert_int_equal(strlen(heard.line), 999);
    log_write(&sink, MODEL_LOG_INFO, "x%s", text);
    assert_int_equal(strlen(heard.line), 1000);
    assert_int_equal(utf8_valid_prefix(heard.line, 1000), 1000);
}

static void a_name_with_a_newline_cannot_forge_a_line(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = hear, .context = &heard};
    log_write(&sink, MODEL_LOG_INFO, "weight '%s'", "a\nERROR all lost\x1B[2J\x7F\t");
    assert_string_equal(heard.line, "weight 'a ERROR all lost [2J  '");
}

static void bytes_that_are_no_text_become_question_marks(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = hear, .context = &heard};
    log_write(&sink, MODEL_LOG_INFO, "%s", "\xFF caf\xC3\xA9 \xC3");
    assert_string_equal(heard.line, "? caf\xC3\xA9 ?");
}

static void a_line_says_its_model_and_request(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = hear, .context = &heard};
    struct log_subject before = log_set_subject((struct log_subject){"ns/bert", 42});
    assert_null(before.model);
    log_write(&sink, MODEL_LOG_INFO, "slow");
    assert_string_equal(heard.line, "ns/bert: request 42: slow");
    (void)log_set_subject((struct log_subject){"ns/bert", 0});
    log_write(&sink, MODEL_LOG_INFO, "loaded");
    assert_string_equal(heard.line, "ns/bert: loaded");
    (void)log_set_subject((struct log_subject){NULL, UINT64_MAX});
    log_write(&sink, MODEL_LOG_INFO, "odd");
    assert_string_equal(heard.line, "request 18446744073709551615: odd");
    assert_int_equal(log_set_subject(before).request_id, UINT64_MAX);
    log_write(&sink, MODEL_LOG_INFO, "plain");
    assert_string_equal(heard.line, "plain");
}

static void a_long_line_with_a_subject_is_cut_as_well(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = hear, .context = &heard};
    char text[3001] = "";
    for (size_t i = 0; i < 1000; i++)
        memcpy(text + 3 * i, "\xE2\x82\xAC", 4);
    (void)log_set_subject((struct log_subject){"m", 0});
    log_write(&sink, MODEL_LOG_INFO, "%s", text);
    (void)log_set_subject((struct log_subject){NULL, 0});
    assert_int_equal(strlen(heard.line), 999);
    assert_int_equal(utf8_valid_prefix(heard.line, 999), 999);
}

static struct modelhost_log_record recorded;
static char recorded_line[1001];

static void keep_record(void *context, const struct modelhost_log_record *record)
{
    *(int *)context += 1;
    recorded = *record;
    (void)snprintf(recorded_line, sizeof recorded_line, "%s", record->message);
}

static void a_record_has_the_parts_instead_of_the_text(void **state)
{
    (void)state;
    int n = 0;
    struct log_sink sink = {
        .level = MODEL_LOG_INFO, .write = hear, .context = &n, .record = keep_record};
    const time_t earliest = time(NULL);
    (void)log_set_subject((struct log_subject){"ns/bert", 42});
    log_write(&sink, MODEL_LOG_DEBUG, "not heard");
    log_write(&sink, MODEL_LOG_WARN, "slow: %d ms", 7);
    (void)log_set_subject((struct log_subject){NULL, 0});
    assert_int_equal(n, 1);
    assert_int_equal(recorded.struct_size, sizeof recorded);
    assert_int_equal(recorded.level, MODEL_LOG_WARN);
    assert_int_equal(recorded.request_id, 42);
    assert_string_equal(recorded.model, "ns/bert");
    assert_string_equal(recorded_line, "slow: 7 ms");
    assert_true(recorded.time_ns / 1000000000 >= earliest);
    assert_true(recorded.time_ns / 1000000000 <= time(NULL));
}

static void *say_elsewhere(void *argument)
{
    log_write(argument, MODEL_LOG_INFO, "elsewhere");
    return NULL;
}

static void a_subject_is_that_of_one_thread(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = hear, .context = &heard};
    pthread_t thread;
    (void)log_set_subject((struct log_subject){"m", 1});
    assert_int_equal(pthread_create(&thread, NULL, say_elsewhere, &sink), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)log_set_subject((struct log_subject){NULL, 0});
    assert_string_equal(heard.line, "elsewhere");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_arrives_with_its_level),
        cmocka_unit_test(only_levels_up_to_the_sink_s_pass),
        cmocka_unit_test(a_level_that_is_none_becomes_the_nearest),
        cmocka_unit_test(no_sink_says_nothing),
        cmocka_unit_test(a_long_line_is_cut_at_a_character),
        cmocka_unit_test(a_name_with_a_newline_cannot_forge_a_line),
        cmocka_unit_test(bytes_that_are_no_text_become_question_marks),
        cmocka_unit_test(a_line_says_its_model_and_request),
        cmocka_unit_test(a_long_line_with_a_subject_is_cut_as_well),
        cmocka_unit_test(a_record_has_the_parts_instead_of_the_text),
        cmocka_unit_test(a_subject_is_that_of_one_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
