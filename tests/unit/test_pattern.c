/* Tests of searching with patterns. */
#include "tokenizer_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_unicode),
        cmocka_unit_test(look_around_sees_the_text_before),
        cmocka_unit_test(broken_expressions_are_corrupt),
        cmocka_unit_test(a_search_without_end_is_an_error),
        cmocka_unit_test(deep_matches_need_no_deep_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
