/* test_log.c - lines reach the sink, or do not. */
#include "log.h"
#include "testing.h"
#include "utf8.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_arrives_with_its_level),
        cmocka_unit_test(only_levels_up_to_the_sink_s_pass),
        cmocka_unit_test(a_level_that_is_none_becomes_the_nearest),
        cmocka_unit_test(no_sink_says_nothing),
        cmocka_unit_test(a_long_line_is_cut_at_a_character),
        cmocka_unit_test(a_name_with_a_newline_cannot_forge_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
