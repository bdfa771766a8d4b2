/* Tests of searching with patterns. */
#include "tokenizer_fixture.h"

#include "clock.h"
#include "pattern.h"

static const struct json_place place = {NULL, "t.json", "pre_tokenizer"};

static struct pattern *compiled(const char *regex)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct pattern *pattern = NULL;
    if (pattern_compile(regex, &place, &pattern, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return pattern;
}

/* All matches, each behind the other. */
static void assert_matches(const char *regex, const char *text, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer got = BUFFER_INIT(1 << 16);
    struct pattern_memory memory = {0};
    struct pattern *pattern = compiled(regex);
    bool found = true;
    size_t start = 0;
    size_t end = 0;
    assert_int_equal(buffer_append(&got, "", 0), MODEL_OK);
    for (size_t at = 0; found && at <= strlen(text); at = end) {
        assert_int_equal(
            pattern_find(pattern, &memory, text, strlen(text), at, &found, &start, &end, &err),
            MODEL_OK);
        if (found)
            assert_int_equal(buffer_printf(&got, "%.*s|", (int)(end - start), text + start),
                             MODEL_OK);
        assert_true(!found || end > start);
    }
    assert_string_equal(got.data, want);
    pattern_destroy(pattern);
    pattern_memory_finish(&memory);
    buffer_finish(&got);
}

static void classes_are_those_of_unicode(void **state)
{
    (void)state;
    assert_matches("\\s",
                   "a\xc2\x85"
                   "b\u180ec\u3000",
                   "\xc2\x85|\u3000|");
    assert_matches("\\S+",
                   "a\xc2\x85"
                   "b\u180ec\u3000",
                   "a|b\u180ec|");
    assert_matches("[\\S]+",
                   "a\xc2\x85"
                   "b\u180ec\u3000",
                   "a|b\u180ec|");
    assert_matches("\\w+", "a\u0301_\u00bd\u24b6-x", "a\u0301_\u00bd\u24b6|x|");
    assert_matches("\\bx\\b", "x ax x\u0301 x", "x|x|");
    assert_matches("\\p{N}{1,3}", "12345\u0663", "123|45\u0663|");
    assert_matches("(?i:'s|k)", "'S '\u017f \u212a", "'S|'\u017f|\u212a|");
    assert_matches("\\p{Han}+", "a\u4e2d\u56fd\u3042", "\u4e2d\u56fd|");
    assert_matches("^.|.$", "ab\ncd", "a|b|c|d|");
}

static void look_around_sees_the_text_before(void **state)
{
    (void)state;
    assert_matches("(?<=a)b", "ab bb", "b|");
    assert_matches("\\s+(?!\\S)|\\s+", "a  b ", " | | |");
}

static void broken_expressions_are_corrupt(void **state)
{
    (void)state;
    static const char *const broken[] = {"(", "[a", "a**", "\\p{Nonsense}", "(?<=a+)b", "x{3,2}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        struct pattern *pattern = NULL;
        model_status status = pattern_compile(broken[i], &place, &pattern, &err);
        char *start =
            text_format("t.json: pre_tokenizer: the pattern '%s' does not compile: ", broken[i]);
        assert_int_equal(status, MODEL_CORRUPT);
        assert_memory_equal(err.message, start, strlen(start));
        assert_null(pattern);
        free(start);
    }
}

static void a_search_without_end_is_an_error(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct pattern_memory memory = {0};
    struct pattern *pattern = compiled("(?:a|aa|aaa)+b|((a+)+)+c");
    char text[201];
    bool found;
    size_t start;
    size_t end;
    memset(text, 'a', 200);
    text[200] = '\0';
    assert_int_equal(pattern_find(pattern, &memory, text, 200, 0, &found, &start, &end, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the tokenizer's pattern '(?:a|aa|aaa)+b|((a+)+)+c' cannot be searched for "
                        "at byte 0 of a word: match limit exceeded");
    pattern_destroy(pattern);
    pattern_memory_finish(&memory);
}

static void deep_matches_need_no_deep_stack(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct pattern_memory memory = {0};
    struct pattern *pattern = compiled("(?:(a)|b)+");
    size_t size = 100000;
    char *text = malloc(size);
    bool found = false;
    size_t start = 1;
    size_t end = 0;
    assert_non_null(text);
    memset(text, 'a', size);
    assert_int_equal(pattern_find(pattern, &memory, text, size, 0, &found, &start, &end, &err),
                     MODEL_OK);
    assert_true(found);
    assert_int_equal(start, 0);
    assert_int_equal(end, size);
    free(text);
    pattern_destroy(pattern);
    pattern_memory_finish(&memory);
}

static int64_t fake_ns, fake_step_ns, n_readings;

static int64_t fake_tick(void)
{
    return fake_ns += fake_step_ns;
}

static int64_t fake_used_ns(void)
{
    n_readings++;
    return fake_ns;
}

static const struct pattern_clock fake_clock = {fake_tick, fake_used_ns};

/* Searches n times in a text of 100000 bytes, each search taking each_ns, as the beginning does. */
static model_status search_often(int n, int64_t each_ns, struct model_error *err)
{
    struct pattern_memory memory = {.clock = &fake_clock};
    struct pattern *pattern = compiled("a+");
    bool found;
    size_t start, end;
    model_status status = MODEL_OK;
    fake_ns = 0;
    fake_step_ns = each_ns;
    n_readings = 0;
    pattern_memory_begin(&memory, 100000);
    for (int i = 0; i < n && status == MODEL_OK; i++)
        status = pattern_find(pattern, &memory, "xa", 2, 0, &found, &start, &end, err);
    pattern_destroy(pattern);
    pattern_memory_finish(&memory);
    return status;
}

/* 3 s, and 5 us for each byte. */
static void all_searches_of_a_text_share_a_time(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(search_often(349, 10000000, &err), MODEL_OK);
    assert_int_equal(search_often(350, 10000000, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the tokenizer's pattern 'a+' takes too long: the searches in a text of "
                        "100000 bytes had 3.5 s of processor time; shorten the text, or mend "
                        "tokenizer.json");
    assert_int_equal(search_often(100000, 0, &err), MODEL_OK);
    assert_int_equal(n_readings, 1); /* the dear clock is read when the cheap one has moved */
}

/* One search whose every start reads the whole text: it ends when the time is over, not when it is done. */
static void a_single_search_is_looked_at_while_it_runs(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct pattern_memory memory = {.clock = &fake_clock};
    struct pattern *pattern = compiled("(?:[^x]|y)*x");
    const size_t size = 20000;
    char *text = malloc(size);
    bool found;
    size_t start, end;
    assert_non_null(text);
    memset(text, 'a', size);
    fake_ns = 0;
    fake_step_ns = NS_PER_S;
    assert_int_equal(pattern_find(pattern, &memory, text, size, 0, &found, &start, &end, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "takes too long"));
    free(text);
    pattern_destroy(pattern);
    pattern_memory_finish(&memory);
}

/* Behind the first stretches of starts, on characters of several bytes, at the very end, and empty. */
static void far_matches_are_found(void **state)
{
    (void)state;
    static const size_t at[] = {0, 63, 64, 65, 66, 319, 320, 321, 1000, 2999};
    struct model_error err = MODEL_ERROR_INIT;
    struct pattern_memory memory = {0};
    struct pattern *far = compiled("(?<=.)b|^b"), *last = compiled("\\z"), *none = compiled("c");
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        struct buffer text = BUFFER_INIT(1 << 16);
        bool found = false;
        size_t start = 0, end = 0;
        for (size_t k = 0; k < 3000; k++)
            assert_int_equal(buffer_printf(&text, k == at[i] ? "b" : "\u4e2d"), MODEL_OK);
        assert_int_equal(
            pattern_find(far, &memory, text.data, text.size, 0, &found, &start, &end, &err),
            MODEL_OK);
        assert_true(found && start == 3 * at[i] && end == start + 1);
        assert_int_equal(
            pattern_find(last, &memory, text.data, text.size, 0, &found, &start, &end, &err),
            MODEL_OK);
        assert_true(found && start == text.size && end == text.size);
        assert_int_equal(
            pattern_find(none, &memory, text.data, text.size, 0, &found, &start, &end, &err),
            MODEL_OK);
        assert_false(found);
        buffer_finish(&text);
    }
    pattern_destroy(far);
    pattern_destroy(last);
    pattern_destroy(none);
    pattern_memory_finish(&memory);
}

static void where_a_search_began_stays_where_it_was(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct pattern_memory memory = {0};
    struct pattern *pattern = compiled("\\Ga|b");
    struct buffer text = BUFFER_INIT(1 << 16);
    bool found = false;
    size_t start = 0, end = 0;
    assert_int_equal(buffer_printf(&text, "x%0*db", 999, 0), MODEL_OK);
    memset(text.data + 1, 'a', 999);
    assert_int_equal(
        pattern_find(pattern, &memory, text.data, text.size, 0, &found, &start, &end, &err),
        MODEL_OK);
    assert_true(found && start == 1000);
    buffer_finish(&text);
    pattern_destroy(pattern);
    pattern_memory_finish(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_unicode),
        cmocka_unit_test(look_around_sees_the_text_before),
        cmocka_unit_test(broken_expressions_are_corrupt),
        cmocka_unit_test(a_search_without_end_is_an_error),
        cmocka_unit_test(all_searches_of_a_text_share_a_time),
        cmocka_unit_test(a_single_search_is_looked_at_while_it_runs),
        cmocka_unit_test(far_matches_are_found),
        cmocka_unit_test(where_a_search_began_stays_where_it_was),
        cmocka_unit_test(deep_matches_need_no_deep_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
