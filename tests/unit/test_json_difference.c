/* test_json_difference.c - where two JSON values differ, by RFC 6901's pointers. */
#include "json_difference.h"
#include "testing.h"

static void expect(const char *a, const char *b, const char *want, size_t n_want)
{
    json_node *of_a = NULL, *of_b = NULL, *list = json_new_array();
    size_t n = 99;
    if (a != NULL)
        assert_int_equal(json_parse(a, strlen(a), "a", &of_a, NULL), MODEL_OK);
    if (b != NULL)
        assert_int_equal(json_parse(b, strlen(b), "b", &of_b, NULL), MODEL_OK);
    assert_int_equal(json_difference(of_a, of_b, list, &n, NULL), MODEL_OK);
    char *found = json_print(list, false);
    assert_string_equal(found, want);
    assert_int_equal(n, n_want);
    free(found);
    json_free(list);
    json_free(of_b);
    json_free(of_a);
}

static void equal_values_have_no_differences(void **state)
{
    (void)state;
    expect("{\"a\":[1,2,{\"b\":null}],\"c\":true}", "{\"c\":true,\"a\":[1.0,2,{\"b\":null}]}", "[]",
           0);
    expect(NULL, NULL, "[]", 0);
    expect("1e400", "1e400", "[]", 0);
}

static void each_place_is_told_once(void **state)
{
    (void)state;
    expect("{\"a\":1,\"gone\":{\"x\":1}}", "{\"a\":2,\"new\":\"n\"}",
           "[{\"pointer\":\"/a\",\"change\":\"changed\",\"a\":1,\"b\":2},"
           "{\"pointer\":\"/gone\",\"change\":\"removed\",\"a\":{\"x\":1}},"
           "{\"pointer\":\"/new\",\"change\":\"added\",\"b\":\"n\"}]",
           3);
    expect("[1,[2,3]]", "[1,[2]]", "[{\"pointer\":\"/1/1\",\"change\":\"removed\",\"a\":3}]", 1);
    expect("{\"a/b\":{\"m~n\":\"\"}}", "{\"a/b\":{\"m~n\":null}}",
           "[{\"pointer\":\"/a~1b/m~0n\",\"change\":\"changed\",\"a\":\"\",\"b\":null}]", 1);
    expect("{\"a\":[]}", "{\"a\":{}}",
           "[{\"pointer\":\"/a\",\"change\":\"changed\",\"a\":[],\"b\":{}}]", 1);
    expect("true", "false", "[{\"pointer\":\"\",\"change\":\"changed\",\"a\":true,\"b\":false}]",
           1);
    expect(NULL, "{}", "[{\"pointer\":\"\",\"change\":\"added\",\"b\":{}}]", 1);
    expect("\"1\"", "1", "[{\"pointer\":\"\",\"change\":\"changed\",\"a\":\"1\",\"b\":1}]", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_have_no_differences),
        cmocka_unit_test(each_place_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
