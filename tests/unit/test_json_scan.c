/* test_json_scan.c - the strict reader: what it takes, what it refuses and how it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json_scan.h"
#include "store_fixture.h"

static void accepts_every_kind_of_value(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}",       "[]",          "null",      " true ",
                                        "false\n",  "-0",          "1.5e+3",    "0.5E-2",
                                        "\"a\\n\"", "[1,[2,{}]]",  "{\"a\":1}", "12",
                                        "[\"\"]",   "{\"\":null}", "1e9",       "\t[ 1 , 2 ]\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = text_format("%s", texts[i]);
        struct json_scan scan;
        assert_int_equal(json_scan_init(&scan, text, strlen(text), "x", NULL), MODEL_OK);
        assert_int_equal(json_scan_skip(&scan), MODEL_OK);
        assert_int_equal(json_scan_end(&scan), MODEL_OK);
        free(text);
    }
}

static void refuses_what_is_not_json(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[",
                                        "{]",
                                        "[1,]",
                                        "[,1]",
                                        "{\"a\"}",
                                        "{a:1}",
                                        "{,}",
                                        "tru",
                                        "nul",
                                        "-",
                                        "01",
                                        "1.",
                                        ".5",
                                        "1e",
                                        "+1",
                                        "\"",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\ud800\"",
                                        "1 2",
                                        "[1 2]",
                                        "{} {}",
                                        "\"\\udc00\"",
                                        "\"\\u0000\"",
                                        "\"\n\"",
                                        "{\"a\":1,}",
                                        "[1}",
                                        "'a'",
                                        "\"a\\",
                                        "\xff",
                                        "\"\xc3\"",
                                        "{\"a\":}",
                                        "\"\\ud800\\u0041\"",
                                        "--1",
                                        "[1]]",
                                        "Infinity",
                                        "NaN",
                                        "//\n1",
                                        "{\"a\" 1}",
                                        "1e+"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = text_format("%s", texts[i]);
        struct json_scan scan;
        struct model_error err = MODEL_ERROR_INIT;
        model_status status = json_scan_init(&scan, text, strlen(text), "x", &err);
        if (status == MODEL_OK)
            status = json_scan_skip(&scan);
        if (status == MODEL_OK)
            status = json_scan_end(&scan);
        if (status != MODEL_CORRUPT)
            fail_msg("accepted: %s", texts[i]);
        assert_memory_equal(err.message, "x: byte ", 8);
        free(text);
    }
}

static void decodes_strings_in_place(void **state)
{
    (void)state;
    char text[] =
        "[\"plain\", \"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\", \"\"]";
    static const char *const wanted[] = {"plain", "\"\\/\b\f\n\r\t",
                                         "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", ""};
    struct json_scan scan;
    bool first = true, more = false;
    const char *got = NULL;
    assert_int_equal(json_scan_init(&scan, text, strlen(text), "x", NULL), MODEL_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(json_scan_array(&scan, &first, &more), MODEL_OK);
        assert_true(more);
        assert_int_equal(json_scan_string(&scan, &got), MODEL_OK);
        assert_string_equal(got, wanted[i]);
    }
    assert_int_equal(json_scan_array(&scan, &first, &more), MODEL_OK);
    assert_false(more);
}

static void walks_the_members_of_an_object(void **state)
{
    (void)state;
    char text[] = " { \"a\" : 1 , \"b\" : { \"c\" : [ 2 ] } } ";
    struct json_scan scan;
    bool first = true;
    const char *key = NULL;
    uint64_t value = 0;
    assert_int_equal(json_scan_init(&scan, text, strlen(text), "x", NULL), MODEL_OK);
    assert_int_equal(json_scan_object(&scan, &first, &key), MODEL_OK);
    assert_string_equal(key, "a");
    assert_int_equal(json_scan_integer(&scan, &value), MODEL_OK);
    assert_int_equal(value, 1);
    assert_int_equal(json_scan_object(&scan, &first, &key), MODEL_OK);
    assert_string_equal(key, "b");
    assert_int_equal(json_scan_skip(&scan), MODEL_OK);
    assert_int_equal(json_scan_object(&scan, &first, &key), MODEL_OK);
    assert_null(key);
    assert_int_equal(json_scan_end(&scan), MODEL_OK);
}

static void keeps_whole_numbers_exact_and_refuses_others(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
        const char *problem;
    } cases[] = {{"0", 0, NULL},
                 {"9007199254740991", 9007199254740991u, NULL},
                 {"9007199254740992", 0, "x: byte 15: a number over 2^53 - 1"},
                 {"99999999999999999999999999", 0, "x: byte 15: a number over 2^53 - 1"},
                 {"-1", 0, "x: byte 0: want a whole number that is not negative"},
                 {"1.0", 0, "x: byte 1: want a whole number"},
                 {"1e3", 0, "x: byte 1: want a whole number"},
                 {"007", 0, "x: byte 3: not valid JSON, a number that starts with 0"},
                 {"\"1\"", 0, "x: byte 0: want a whole number that is not negative"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = text_format("%s", cases[i].text);
        struct model_error err = MODEL_ERROR_INIT;
        struct json_scan scan;
        uint64_t value = 0;
        assert_int_equal(json_scan_init(&scan, text, strlen(text), "x", &err), MODEL_OK);
        model_status status = json_scan_integer(&scan, &value);
        assert_int_equal(status, cases[i].problem != NULL ? MODEL_CORRUPT : MODEL_OK);
        assert_string_equal(err.message, cases[i].problem != NULL ? cases[i].problem : "");
        assert_int_equal(value, cases[i].value);
        free(text);
    }
}

static void refuses_deep_nesting_without_using_the_stack(void **state)
{
    (void)state;
    size_t depth = 1000000;
    char *text = malloc(depth);
    assert_non_null(text);
    memset(text, '[', depth);
    struct model_error err = MODEL_ERROR_INIT;
    struct json_scan scan;
    assert_int_equal(json_scan_init(&scan, text, depth, "x", &err), MODEL_OK);
    assert_int_equal(json_scan_skip(&scan), MODEL_CORRUPT);
    assert_string_equal(err.message, "x: byte 65: nested too deep");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_kind_of_value),
        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(decodes_strings_in_place),
        cmocka_unit_test(walks_the_members_of_an_object),
        cmocka_unit_test(keeps_whole_numbers_exact_and_refuses_others),
        cmocka_unit_test(refuses_deep_nesting_without_using_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
