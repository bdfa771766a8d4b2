/* test_json_limits.c - what base/json_view.c refuses before it becomes a tree: depth and number of values. */
#include "json_fixture.h"

static char *nested(size_t depth)
{
    char *text = malloc(2 * depth + 1);
    assert_non_null(text);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    return text;
}

static void parse_bounds_the_depth(void **state)
{
    (void)state;
    char *text = nested(JSON_MAX_DEPTH);
    json_free(parse(text));
    free(text);
    text = nested(JSON_MAX_DEPTH + 1);
    expect_refused(text, strlen(text), "config.json: nested deeper than 100 levels");
    free(text);
    text = nested(1000000);
    expect_refused(text, strlen(text), "config.json: nested deeper than 100 levels");
    free(text);
}

static void brackets_inside_strings_are_no_depth(void **state)
{
    (void)state;
    char text[600] = "\"\\\"";
    memset(text + 3, '[', 300);
    memcpy(text + 303, "\\\\\"", 4);
    json_free(parse(text));
}

static void parse_bounds_the_number_of_values(void **state)
{
    static const struct {
        const char *text;
        size_t n_values;
    } cases[] = {
        {"7", 1},
        {"[0,0,0]", 4},
        {"{\"a\":1,\"b\":[1,2]}", 5},
        {"[\"1,2,[3\\\",4\"]", 2},
    };
    struct model_error err = MODEL_ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = cases[i].text;
        json_node *root = NULL;
        assert_int_equal(
            json_parse_limited(text, strlen(text), cases[i].n_values, "t", &root, &err), MODEL_OK);
        json_free(root);
        assert_int_equal(
            json_parse_limited(text, strlen(text), cases[i].n_values - 1, "t", &root, &err),
            MODEL_CORRUPT);
    }
    assert_string_equal(err.message, "t: more than 1 values");
}

static void parse_refuses_a_tree_that_would_fill_the_memory(void **state)
{
    size_t size_bytes = 2 * JSON_MAX_VALUES + 1;
    char *text = malloc(size_bytes);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < size_bytes; i++)
        text[i] = i % 2 == 1 ? '0' : ',';
    text[0] = '[';
    text[size_bytes - 1] = ']';
    expect_refused(text, size_bytes, "config.json: more than 4194304 values");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_bounds_the_depth),
        cmocka_unit_test(brackets_inside_strings_are_no_depth),
        cmocka_unit_test(parse_bounds_the_number_of_values),
        cmocka_unit_test(parse_refuses_a_tree_that_would_fill_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
