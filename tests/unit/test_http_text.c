/* test_http_text.c - percent-encoding, queries, ranges and entity tags, by the examples of RFC 3986 and
 * RFC 9110 where they have some. */
#include "errors.h"
#include "http_text.h"
#include "testing.h"

static void check_decoded(const char *text, size_t size_bytes, bool plus, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    char *decoded = NULL;
    model_status status = http_percent_decode(text, size_bytes, plus, &decoded, &err);
    if (want == NULL) {
        assert_int_equal(status, MODEL_INVALID_ARGUMENT);
        assert_null(decoded);
        assert_true(err.message[0] != '\0');
        return;
    }
    assert_int_equal(status, MODEL_OK);
    assert_string_equal(decoded, want);
    free(decoded);
}

static void decode_takes_percents_and_leaves_the_rest(void **state)
{
    (void)state;
    check_decoded("/a/b", 4, false, "/a/b");
    check_decoded("refs%2Fpr%2f1", 13, false, "refs/pr/1");
    check_decoded("a+b%20c", 7, false, "a+b c");
    check_decoded("a+b%2Bc", 7, true, "a b+c");
    check_decoded("%C3%A9", 6, false, "\xC3\xA9");
    check_decoded("", 0, false, "");
    check_decoded("%2541", 5, false, "%41");
}

static void decode_refuses_broken_escapes_and_zero_bytes(void **state)
{
    (void)state;
    check_decoded("%", 1, false, NULL);
    check_decoded("a%4", 3, false, NULL);
    check_decoded("%4g", 3, false, NULL);
    check_decoded("%g4", 3, false, NULL);
    check_decoded("%%41", 4, false, NULL);
    check_decoded("a%00b", 5, false, NULL);
    check_decoded("a\0b", 3, false, NULL);
    check_decoded("%41", 2, false, NULL); /* the text ends before its terminator does */
}

static void encode_is_undone_by_decode(void **state)
{
    (void)state;
    char all[256];
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    struct buffer text = BUFFER_INIT(4096);
    assert_int_equal(http_percent_encode(all, &text), MODEL_OK);
    for (size_t i = 0; i < text.size; i++)
        assert_true(text.data[i] > 0x20 && text.data[i] < 0x7F);
    char *decoded = NULL;
    assert_int_equal(http_percent_decode(text.data, text.size, true, &decoded, NULL), MODEL_OK);
    assert_string_equal(decoded, all);
    free(decoded);
    buffer_clear(&text);
    assert_int_equal(http_percent_encode("a/b c+d", &text), MODEL_OK);
    assert_string_equal(text.data, "a/b%20c%2Bd");
    buffer_finish(&text);
}

static void query_values_are_found_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *query, *name, *want;
    } cases[] = {
        {"a=1&b=2", "b", "2"},
        {"a=1&a=2", "a", "1"},
        {"&&a=1&", "a", "1"},
        {"a", "a", ""},
        {"a=", "a", ""},
        {"a=b=c", "a", "b=c"},
        {"a%20b=x+y", "a b", "x y"},
        {"aa=1", "a", NULL},
        {"", "a", NULL},
        {NULL, "a", NULL},
        {"expand[]=x", "expand[]", "x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *value = NULL;
        model_status status = http_query_value(cases[i].query, cases[i].name, &value, NULL);
        assert_int_equal(status, cases[i].want != NULL ? MODEL_OK : MODEL_NOT_FOUND);
        if (cases[i].want != NULL)
            assert_string_equal(value, cases[i].want);
        free(value);
    }
    char *value = NULL;
    assert_int_equal(http_query_value("a=%zz", "a", &value, NULL), MODEL_INVALID_ARGUMENT);
}

static void lists_are_searched_for_whole_tokens(void **state)
{
    (void)state;
    assert_true(http_list_has("keep-alive, Upgrade", "upgrade"));
    assert_true(http_list_has("close", "close"));
    assert_true(http_list_has(" ,, close ,", "close"));
    assert_false(http_list_has("closed", "close"));
    assert_false(http_list_has("not close", "close"));
    assert_false(http_list_has("", "close"));
}

static void values_with_control_characters_are_not_safe(void **state)
{
    (void)state;
    assert_true(http_value_is_safe("a\tb \xC3\xA9"));
    assert_false(http_value_is_safe("a\r\nX: y"));
    assert_false(http_value_is_safe("a\x7F"));
}

static void ranges_are_those_of_rfc_9110(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t size_bytes;
        enum http_range want;
        uint64_t first, length_bytes;
    } cases[] = {
        {"bytes=0-499", 10000, HTTP_RANGE_PART, 0, 500},
        {"bytes=500-999", 10000, HTTP_RANGE_PART, 500, 500},
        {"bytes=-500", 10000, HTTP_RANGE_PART, 9500, 500},
        {"bytes=9500-", 10000, HTTP_RANGE_PART, 9500, 500},
        {"bytes=0-0", 1, HTTP_RANGE_PART, 0, 1},
        {"bytes=-20000", 10000, HTTP_RANGE_PART, 0, 10000},
        {"bytes=9999-20000", 10000, HTTP_RANGE_PART, 9999, 1},
        {"bytes=0-18446744073709551615", 5, HTTP_RANGE_PART, 0, 5},
        {"Bytes = 1-2 ", 5, HTTP_RANGE_PART, 1, 2},
        {"bytes=10000-", 10000, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 10000, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-0", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=2-1", 10, HTTP_RANGE_NONE, 0, 0},
        {"bytes=0-0,-1", 10, HTTP_RANGE_NONE, 0, 0},
        {"bytes=", 10, HTTP_RANGE_NONE, 0, 0},
        {"bytes=-", 10, HTTP_RANGE_NONE, 0, 0},
        {"bytes=--1", 10, HTTP_RANGE_NONE, 0, 0},
        {"bytes=+1-2", 10, HTTP_RANGE_NONE, 0, 0},
        {"bytes=0x1-2", 10, HTTP_RANGE_NONE, 0, 0},
        {"bytes=18446744073709551616-", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=99999999999999999999999-99999999999999999999999", 10, HTTP_RANGE_UNSATISFIABLE, 0,
         0},
        {"bytes=0-99999999999999999999999", 10, HTTP_RANGE_PART, 0, 10},
        {"bytes=-99999999999999999999999", 10, HTTP_RANGE_PART, 0, 10},
        {"bytes=99999999999999999999999-5", 10, HTTP_RANGE_NONE, 0, 0},
        {"items=0-1", 10, HTTP_RANGE_NONE, 0, 0},
        {NULL, 10, HTTP_RANGE_NONE, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t first = 77, length_bytes = 77;
        assert_int_equal(
            http_range_parse(cases[i].value, cases[i].size_bytes, &first, &length_bytes),
            cases[i].want);
        assert_int_equal(first, cases[i].want == HTTP_RANGE_PART ? cases[i].first : 77);
        assert_int_equal(length_bytes,
                         cases[i].want == HTTP_RANGE_PART ? cases[i].length_bytes : 77);
    }
}

static void tags_are_compared_weakly_in_lists_and_strongly_alone(void **state)
{
    (void)state;
    assert_true(http_etag_listed("\"abc\"", "abc"));
    assert_true(http_etag_listed("W/\"abc\"", "abc"));
    assert_true(http_etag_listed("\"x\", W/\"abc\"", "abc"));
    assert_true(http_etag_listed(" * ", "abc"));
    assert_false(http_etag_listed("abc", "abc"));
    assert_false(http_etag_listed("\"abcd\"", "abc"));
    assert_false(http_etag_listed("", "abc"));
    assert_true(http_etag_is(" \"abc\" ", "abc"));
    assert_false(http_etag_is("W/\"abc\"", "abc"));
    assert_false(http_etag_is("Sat, 29 Oct 1994 19:43:31 GMT", "abc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_takes_percents_and_leaves_the_rest),
        cmocka_unit_test(decode_refuses_broken_escapes_and_zero_bytes),
        cmocka_unit_test(encode_is_undone_by_decode),
        cmocka_unit_test(query_values_are_found_by_name),
        cmocka_unit_test(lists_are_searched_for_whole_tokens),
        cmocka_unit_test(values_with_control_characters_are_not_safe),
        cmocka_unit_test(ranges_are_those_of_rfc_9110),
        cmocka_unit_test(tags_are_compared_weakly_in_lists_and_strongly_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
