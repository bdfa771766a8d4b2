/* Tests of typed members and their sentences. */
#include "tokenizer_fixture.h"
#include "json_fields.h"

static void members_have_the_type_they_must_have(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    json_node *tree = NULL;
    const char *text = "{\"b\":true,\"s\":\"x\",\"n\":7,\"z\":null,\"f\":1.5,\"a\":[],\"o\":{}}";
    assert_int_equal(json_parse(text, strlen(text), "t", &tree, &err), MODEL_OK);
    struct json_place place = {tree, "t.json", "part"};
    bool flag = false;
    const char *string = "default";
    int64_t number = -1;
    assert_int_equal(json_field_bool(&place, "b", &flag, &err), MODEL_OK);
    assert_true(flag);
    assert_int_equal(json_field_bool(&place, "z", &flag, &err), MODEL_OK);
    assert_int_equal(json_field_bool(&place, "absent", &flag, &err), MODEL_OK);
    assert_true(flag);
    assert_int_equal(json_field_string(&place, "absent", &string, &err), MODEL_OK);
    assert_string_equal(string, "default");
    assert_int_equal(json_field_string(&place, "s", &string, &err), MODEL_OK);
    assert_string_equal(string, "x");
    assert_int_equal(json_field_integer(&place, "n", 0, 7, &number, &err), MODEL_OK);
    assert_int_equal(number, 7);
    assert_int_equal(json_field_bool(&place, "s", &flag, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "t.json: part.s is a string, want true or false");
    assert_int_equal(json_field_string(&place, "n", &string, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "t.json: part.n is a number, want a string");
    assert_int_equal(json_field_integer(&place, "a", 0, 7, &number, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "t.json: part.a is an array, want a whole number");
    assert_int_equal(json_field_integer(&place, "n", 0, 6, &number, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "t.json: part.n is 7, want a whole number from 0 to 6");
    assert_int_equal(json_field_integer(&place, "f", 0, 6, &number, &err), MODEL_CORRUPT);
    struct json_place wrong = {json_member(tree, "s"), "t.json", "part"};
    assert_int_equal(json_want_object(&wrong, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "t.json: part is a string, want an object");
    json_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(members_have_the_type_they_must_have)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
