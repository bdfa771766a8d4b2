/* test_json_view.c - JSON read, refused, walked, built and printed. */
#include "failing_memory.h"
#include "files.h"
#include "json_fixture.h"

#include <math.h>

/* ---- reading */

static void parse_knows_every_kind(void **state)
{
    (void)state;
    json_node *root = parse("{\"o\":{},\"a\":[1,2,3],\"s\":\"x\",\"n\":-1.5e3,\"t\":true,"
                            "\"f\":false,\"z\":null}");
    assert_true(json_is_object(root));
    assert_int_equal(json_count(root), 7);
    assert_true(json_is_object(json_member(root, "o")));
    assert_true(json_is_array(json_member(root, "a")));
    assert_int_equal(json_count(json_member(root, "a")), 3);
    assert_true(json_is_string(json_member(root, "s")));
    assert_true(json_is_number(json_member(root, "n")));
    assert_true(json_is_bool(json_member(root, "t")));
    assert_true(json_is_bool(json_member(root, "f")));
    assert_true(json_is_null(json_member(root, "z")));
    assert_false(json_is_null(json_member(root, "o")));
    assert_true(json_number_or(json_member(root, "n"), 0) == -1500);
    assert_true(json_bool_or(json_member(root, "t"), false));
    assert_false(json_bool_or(json_member(root, "f"), true));
    json_free(root);
    json_free(NULL);
}

static void parse_takes_white_space_around_and_any_root(void **state)
{
    (void)state;
    json_free(parse(" \t\r\n[1]\n\n "));
    json_node *root = parse("\"alone\"");
    assert_string_equal(json_string_or(root, ""), "alone");
    json_free(root);
    json_free(parse("0"));
}

static void parse_reads_a_text_without_a_terminator(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,\"b\"]}";
    size_t size = sizeof text - 1;
    for (size_t n = 1; n <= size; n++) {
        char *copy = malloc(n); /* the sanitizer sees a read beyond it */
        assert_non_null(copy);
        memcpy(copy, text, n);
        json_node *root = NULL;
        assert_int_equal(json_parse(copy, n, "x", &root, NULL),
                         n == size ? MODEL_OK : MODEL_CORRUPT);
        json_free(root);
        free(copy);
    }
}

static void parse_says_what_is_wrong_and_where(void **state)
{
    (void)state;
    expect_refused("", 0, "config.json: not valid JSON at byte 0");
    expect_refused("{\"a\":1} x", 9, "config.json: text after the JSON value at byte 8");
    expect_refused("{\"a\":1}{", 8, "config.json: text after the JSON value at byte 7");
    expect_refused("[1,tru]", 5, "config.json: not valid JSON at byte 3");
    expect_refused("[1,2", 4, "config.json: not valid JSON at byte 3");
    expect_refused("\"a\xFFz\"", 5, "config.json: not UTF-8 at byte 2");
    expect_refused("[1\0]", 4, "config.json: a zero byte inside the text");
}

static void parse_refuses_a_zero_character_that_would_cut_a_string(void **state)
{
    (void)state;
    static const char *const bad[] = {"\"a\\u0000b\"", "{\"\\u0000\":1}", "[\"\\\\\\u0000\"]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refused(bad[i], strlen(bad[i]),
                       "config.json: a zero character (\\u0000) in a string is not supported");
    json_node *root = parse("[\"\\\\u0000\",\"\\u0001\\\\\"]");
    assert_string_equal(json_string_or(json_path(root, "[0]"), ""), "\\u0000");
    assert_string_equal(json_string_or(json_path(root, "[1]"), ""), "\x01\\");
    json_free(root);
}

static void parse_refuses_what_json_is_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{",         "}",           "[1,]",       "{\"a\"}",  "{\"a\":}",      "{a:1}", "'a'",
        "nul",       "[1 2]",       "{\"a\":1,}", "\"\\x\"",  "\"open",        "-",     "+1",
        "\"\\u12\"", "\"\\ud800\"", "NaN",        "Infinity", "// comment\n1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_node *root = NULL;
        if (json_parse(bad[i], strlen(bad[i]), "x", &root, NULL) != MODEL_CORRUPT)
            fail_msg("%s was taken", bad[i]);
    }
}

static void parse_refuses_control_characters_but_white_space(void **state)
{
    (void)state;
    json_node *root = NULL;
    char text[32];
    for (char c = 1; c < 0x20; c++) {
        const bool is_blank = c == '\t' || c == '\n' || c == '\r';
        (void)snprintf(text, sizeof text, "{\"a\":%c1}", c);
        model_status status = json_parse(text, strlen(text), "test", &root, NULL);
        assert_int_equal(status, is_blank ? MODEL_OK : MODEL_CORRUPT);
        if (status == MODEL_OK)
            json_free(root);
        (void)snprintf(text, sizeof text, "{\"a\":\"\\\"%c\"}", c);
        assert_int_equal(json_parse(text, strlen(text), "test", &root, NULL), MODEL_CORRUPT);
    }
    expect_refused("[1,\x01"
                   "2]",
                   5, "config.json: not valid JSON at byte 3, a control character (0x01)");
    assert_int_equal(json_parse("[\"\x7f\"]", 5, "test", &root, NULL), MODEL_OK);
    json_free(root);
}

static void strings_are_decoded(void **state)
{
    (void)state;
    json_node *root = parse("[\"\\u00e9\\uD83D\\ude00\\n\\t\\\"\\\\\\/\", \"\xC3\xA9\"]");
    const json_node *item = json_first(root);
    assert_string_equal(json_string_or(item, ""), "\xC3\xA9\xF0\x9F\x98\x80\n\t\"\\/");
    assert_string_equal(json_string_or(json_next(item), ""), "\xC3\xA9");
    assert_null(json_next(json_next(item)));
    assert_null(json_next(NULL));
    json_free(root);
}

static void parse_file_names_the_file(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char *folder = scratch_dir(), *path = path_join(folder, "config.json");
    char want[PATH_MAX + 100];
    json_node *root = NULL;
    write_file(path, "{\"a\":7}", 7);
    assert_int_equal(json_parse_file(path, 7, &root, &err), MODEL_OK);
    assert_true(json_number_or(json_member(root, "a"), 0) == 7);
    json_free(root);
    assert_int_equal(json_parse_file(path, 6, &root, &err), MODEL_CORRUPT);
    (void)snprintf(want, sizeof want, "%s: 7 bytes, the limit is 6", path);
    assert_string_equal(err.message, want);
    write_file(path, "", 0);
    assert_int_equal(json_parse_file(path, 7, &root, &err), MODEL_CORRUPT);
    (void)snprintf(want, sizeof want, "%s: not valid JSON at byte 0", path);
    assert_string_equal(err.message, want);
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(path);
    free(folder);
}

/* ---- looking up */

static void members_are_found_by_exact_key_only(void **state)
{
    (void)state;
    json_node *root = parse("{\"Key\":1,\"key\":2}");
    assert_true(json_number_or(json_member(root, "key"), 0) == 2);
    assert_true(json_number_or(json_member(root, "Key"), 0) == 1);
    assert_null(json_member(root, "KEY"));
    assert_null(json_member(json_member(root, "key"), "x"));
    assert_string_equal(json_key(json_first(root)), "Key");
    assert_null(json_key(root));
    json_free(root);
}

static void a_missing_node_is_looked_up_in_peace(void **state)
{
    (void)state;
    assert_null(json_member(NULL, "a"));
    assert_null(json_path(NULL, "a.b[0]"));
    assert_null(json_first(NULL));
    assert_null(json_key(NULL));
    assert_int_equal(json_count(NULL), 0);
    assert_true(json_is_null(NULL));
    assert_false(json_is_object(NULL));
    assert_false(json_is_number(NULL));
    assert_string_equal(json_string_or(NULL, "fallback"), "fallback");
    assert_true(json_number_or(NULL, 1.5) == 1.5);
    assert_true(json_bool_or(NULL, true));
}

static void paths_walk_members_and_items(void **state)
{
    (void)state;
    json_node *root = parse("{\"a\":{\"b\":[10,[20,{\"c\":30}]]},\"\":5,\"x.y\":6}");
    assert_true(json_number_or(json_path(root, "a.b[0]"), 0) == 10);
    assert_true(json_number_or(json_path(root, "a.b[1][0]"), 0) == 20);
    assert_true(json_number_or(json_path(root, "a.b[1][1].c"), 0) == 30);
    assert_ptr_equal(json_path(root, ""), root);
    static const char *const absent[] = {"b",
                                         "a.b[2]",
                                         "a.b[-1]",
                                         "a.b[x]",
                                         "a.b[0",
                                         "a.b[]",
                                         "a[0]",
                                         "[0]",
                                         "a.b.c",
                                         "a.b[0].c",
                                         "a.b[99999999999999999999]",
                                         "x.y"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (json_path(root, absent[i]) != NULL)
            fail_msg("%s was found", absent[i]);
    json_free(root);
}

static void another_kind_gives_the_fallback(void **state)
{
    (void)state;
    json_node *root = parse("[\"1\",1,null,true]");
    const json_node *text = json_first(root), *number = json_next(text);
    const json_node *null = json_next(number), *truth = json_next(null);
    assert_true(json_number_or(text, -1) == -1);
    assert_string_equal(json_string_or(number, "no"), "no");
    assert_true(json_bool_or(number, true));
    assert_false(json_bool_or(null, false));
    assert_true(json_number_or(truth, -1) == -1);
    json_free(root);
}

static void integers_are_whole_exact_and_in_range(void **state)
{
    (void)state;
    json_node *root = parse("[0, -3, 9007199254740992, 2.5, 1e300, \"7\", 1e2, -9007199254740992,"
                            " 9007199254740994]");
    static const int64_t want[] = {0, -3, 9007199254740992, -1, -1, -1, 100, -9007199254740992, -1};
    static const bool whole[] = {true, true, true, false, false, false, true, true, false};
    const json_node *item = json_first(root);
    for (size_t i = 0; item != NULL; i++, item = json_next(item)) {
        int64_t value = -1;
        assert_int_equal(json_integer(item, INT64_MIN, INT64_MAX, &value), whole[i]);
        assert_true(value == want[i]);
    }
    int64_t value = 42;
    const json_node *three = json_next(json_first(root));
    assert_false(json_integer(three, -2, 10, &value));
    assert_false(json_integer(three, -10, -4, &value));
    assert_false(json_integer(NULL, 0, 1, &value));
    assert_true(value == 42);
    assert_true(json_integer(three, -3, -3, &value));
    assert_true(value == -3);
    json_free(root);
}

static void a_key_that_stands_twice_is_named(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    json_node *root = parse("{\"a\":1,\"b\":2,\"A\":3}");
    assert_int_equal(json_check_unique_keys(root, "header", &err), MODEL_OK);
    json_free(root);
    root = parse("{\"a\":1,\"b\":2,\"a\":3}");
    assert_int_equal(json_check_unique_keys(root, "header", &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "header: the key 'a' stands twice");
    failing_memory_after(0);
    assert_int_equal(json_check_unique_keys(root, "header", &err), MODEL_OUT_OF_MEMORY);
    assert_true(failing_memory_end());
    json_free(root);
}

static void what_is_no_object_has_no_keys_that_stand_twice(void **state)
{
    (void)state;
    json_node *root = parse("[1,1]");
    assert_int_equal(json_check_unique_keys(root, "x", NULL), MODEL_OK);
    assert_int_equal(json_check_unique_keys(json_first(root), "x", NULL), MODEL_OK);
    assert_int_equal(json_check_unique_keys(NULL, "x", NULL), MODEL_OK);
    json_free(root);
}

/* ---- writing */

static void expect_text(json_node *root, bool pretty, const char *want)
{
    char *text = json_print(root, pretty);
    assert_string_equal(text, want);
    free(text);
    json_free(root);
}

static void a_tree_is_built_and_printed(void **state)
{
    (void)state;
    json_node *root = json_new_object();
    json_node *list = json_add_array(root, "list");
    assert_non_null(json_add_number(list, NULL, 1));
    assert_non_null(json_add_string(list, NULL, "a\"b\n\xC3\xA9"));
    assert_non_null(json_add_text(list, NULL, "texture", 4));
    assert_non_null(json_add_text(list, NULL, "", 0));
    assert_non_null(json_add_null(list, NULL));
    assert_non_null(json_add_bool(json_add_object(root, "o"), "yes", true));
    expect_text(root, false,
                "{\"list\":[1,\"a\\\"b\\n\xC3\xA9\",\"text\",\"\",null],\"o\":{\"yes\":true}}");
}

static void pretty_print_ends_with_a_newline(void **state)
{
    (void)state;
    json_node *root = json_new_object();
    assert_non_null(json_add_number(root, "n", 2));
    expect_text(root, true, "{\n\t\"n\":\t2\n}\n");
}

static void numbers_survive_printing_and_reading(void **state)
{
    (void)state;
    static const double numbers[] = {0,
                                     1,
                                     -1,
                                     440473133,
                                     4294967296.0,
                                     1e15,
                                     0.1,
                                     1.0 / 3,
                                     9007199254740991.0,
                                     9007199254740992.0,
                                     1e-7,
                                     1e300,
                                     -2.5e-10,
                                     3.4028234663852886e38};
    json_node *root = json_new_array();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_non_null(json_add_number(root, NULL, numbers[i]));
    char *text = json_print(root, false);
    json_free(root);
    root = parse(text);
    const json_node *item = json_first(root);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++, item = json_next(item))
        assert_true(json_number_or(item, NAN) == numbers[i]);
    json_free(root);
    free(text);
}

static void a_number_of_a_built_tree_is_read_like_one_of_a_text(void **state)
{
    (void)state;
    json_node *root = json_new_array();
    const json_node *third = json_add_number(root, NULL, 1.0 / 3);
    const json_node *large = json_add_number(root, NULL, 9007199254740991.0);
    int64_t value = 0;
    assert_true(json_is_number(third));
    assert_true(json_number_or(third, 0) == 1.0 / 3);
    assert_true(json_integer(large, 0, INT64_MAX, &value));
    assert_true(value == 9007199254740991);
    json_node *copy = json_new_array();
    assert_true(json_number_or(json_add_copy(copy, NULL, third), 0) == 1.0 / 3);
    json_free(copy);
    json_free(root);
}

static void what_is_no_number_is_printed_as_null(void **state)
{
    (void)state;
    json_node *root = json_new_array();
    assert_non_null(json_add_number(root, NULL, (double)NAN));
    assert_non_null(json_add_number(root, NULL, (double)INFINITY));
    expect_text(root, false, "[null,null]");
}

static void a_zero_byte_in_a_text_becomes_the_replacement_character(void **state)
{
    (void)state;
    json_node *root = json_new_array();
    assert_non_null(json_add_text(root, NULL, "a\0b\0\0", 5));
    assert_non_null(json_add_text(root, NULL, "\0", 1));
    expect_text(root, false,
                "[\"a\xEF\xBF\xBD"
                "b\xEF\xBF\xBD\xEF\xBF\xBD\",\"\xEF\xBF\xBD\"]");
}

static void adding_to_nothing_gives_nothing_and_leaks_nothing(void **state)
{
    (void)state;
    assert_null(json_add_object(NULL, "a"));
    assert_null(json_add_string(json_add_array(NULL, "a"), NULL, "b"));
    assert_null(json_add_tree(NULL, "t", parse("[1]")));
    json_node *root = json_new_object();
    assert_null(json_add_tree(root, "t", NULL));
    assert_null(json_add_copy(root, "t", NULL));
    expect_text(root, false, "{}");
}

static void trees_are_moved_and_copied(void **state)
{
    (void)state;
    json_node *source = parse("{\"a\":[1,{\"b\":2}]}");
    json_node *root = json_new_object();
    assert_non_null(json_add_copy(root, "copy", json_member(source, "a")));
    assert_ptr_equal(json_add_tree(root, "moved", source), source);
    expect_text(root, false, "{\"copy\":[1,{\"b\":2}],\"moved\":{\"a\":[1,{\"b\":2}]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_knows_every_kind),
        cmocka_unit_test(parse_takes_white_space_around_and_any_root),
        cmocka_unit_test(parse_reads_a_text_without_a_terminator),
        cmocka_unit_test(parse_says_what_is_wrong_and_where),
        cmocka_unit_test(parse_refuses_a_zero_character_that_would_cut_a_string),
        cmocka_unit_test(parse_refuses_what_json_is_not),
        cmocka_unit_test(parse_refuses_control_characters_but_white_space),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(parse_file_names_the_file),
        cmocka_unit_test(members_are_found_by_exact_key_only),
        cmocka_unit_test(a_missing_node_is_looked_up_in_peace),
        cmocka_unit_test(paths_walk_members_and_items),
        cmocka_unit_test(another_kind_gives_the_fallback),
        cmocka_unit_test(integers_are_whole_exact_and_in_range),
        cmocka_unit_test(a_key_that_stands_twice_is_named),
        cmocka_unit_test(what_is_no_object_has_no_keys_that_stand_twice),
        cmocka_unit_test(a_tree_is_built_and_printed),
        cmocka_unit_test(pretty_print_ends_with_a_newline),
        cmocka_unit_test(numbers_survive_printing_and_reading),
        cmocka_unit_test(a_number_of_a_built_tree_is_read_like_one_of_a_text),
        cmocka_unit_test(what_is_no_number_is_printed_as_null),
        cmocka_unit_test(a_zero_byte_in_a_text_becomes_the_replacement_character),
        cmocka_unit_test(adding_to_nothing_gives_nothing_and_leaks_nothing),
        cmocka_unit_test(trees_are_moved_and_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
