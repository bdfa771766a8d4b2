/* Tests of translating Oniguruma's expressions (covers host/tokenizers/young_characters.c); what is wanted follows from its manual (RE, Ruby's
 * syntax) and that of PCRE2. */
#include "tokenizer_fixture.h"

#include "pattern_syntax.h"

static const struct json_place place = {NULL, "t.json", "pre_tokenizer"};

static void assert_translated(const char *regex, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(1 << 16);
    if (pattern_translate(regex, &place, &text, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(text.data, want);
    buffer_finish(&text);
}

static void assert_unsupported(const char *regex, const char *construct)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(1 << 16);
    assert_int_equal(pattern_translate(regex, &place, &text, &err), MODEL_UNSUPPORTED);
    char *start =
        text_format("t.json: pre_tokenizer: '%s' in a pattern is not supported", construct);
    assert_memory_equal(err.message, start, strlen(start));
    free(start);
    buffer_finish(&text);
}

static void what_means_the_same_stays(void **state)
{
    (void)state;
    assert_translated("", "");
    assert_translated("'s|'t| ?\\p{Z}+|(?!\\.)a++b*?", "'s|'t| ?\\p{Z}+|(?!\\.)a++b*?");
    assert_translated("(?i:'ll)(?<name>x)\\k<name>", "(?i:'ll)(?<name>x)\\k<name>");
    assert_translated("[^\\r\\n\\p{Z}\\p{Zs}]?[\u4e00-\u9fa5]",
                      "[^\\r\\n\\p{Z}\\p{Zs}]?[\u4e00-\u9fa5]");
    assert_translated("\\p{Zs}{1,3}", "\\p{Zs}{1,3}");
}

static void what_differs_is_spelled_out(void **state)
{
    (void)state;
    assert_translated("\\h+", "[0-9a-fA-F]+");
    assert_translated("[\\h_]\\v", "[0-9a-fA-F_]\\x{b}");
    assert_translated("\\p{Hangul}\\p{^Zs}\\P{Greek}", "\\p{sc:Hangul}\\P{Zs}\\P{sc:Greek}");
    assert_translated("\\p{Sm}[^\\p{Sm}\\P{Sm}]",
                      "[\\p{Sm}\\x{10d8e}-\\x{10d8f}][^\\p{Sm}\\x{10d8e}-\\x{10d8f}\\P{Sm}]");
    assert_translated("\\P{Sm}\\p{^Sm}",
                      "[^\\p{Sm}\\x{10d8e}-\\x{10d8f}][^\\p{Sm}\\x{10d8e}-\\x{10d8f}]");
    assert_translated("(?m:.)", "(?s:.)");
    assert_translated("a{,3}", "a{0,3}");
    assert_translated("x(ab|[c]){2,3}+d", "x(?:(ab|[c]){2,3})+d");
    assert_translated("\\p{Zs}{1,3}+", "(?:\\p{Zs}{1,3})+");
    assert_translated("[a[bc]d]", "[abcd]");
    assert_translated("[]a]", "[\\]a]");
    assert_translated("[\\h-z]", "[0-9a-fA-F\\-z]");
    assert_translated("\\u4e2d\\x41", "\\x{4e2d}\\x{41}");
}

static void other_constructs_are_refused_by_name(void **state)
{
    (void)state;
    assert_unsupported("[a&&b]", "&&");
    assert_unsupported("[a[^b]]", "[..[^");
    assert_unsupported("(?~ab)", "(?~");
    assert_unsupported("(*FAIL)", "(*");
    assert_unsupported("a(?i)b", "(?i");
    assert_unsupported("a\\Kb", "\\K");
    assert_unsupported("\\Qa", "\\Q");
    assert_unsupported("[[:graph:]]", "[:graph:]");
    assert_unsupported("\\p{Script=Han}", "\\p{Script=Han}");
    assert_unsupported("a{2}?", "{2}?");
    assert_unsupported("a\\", "\\");
    assert_unsupported("\\xE9", "\\x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_means_the_same_stays),
        cmocka_unit_test(what_differs_is_spelled_out),
        cmocka_unit_test(other_constructs_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
