/* Tests of the vocabulary. */
#include "tokenizer_fixture.h"
#include "vocabulary.h"

static model_status load(const char *json, struct vocabulary *ret, struct model_error *err)
{
    json_node *tree = NULL;
    assert_int_equal(json_parse(json, strlen(json), "v.json", &tree, err), MODEL_OK);
    struct json_place place = {tree, "v.json", "model.vocab"};
    model_status status = vocabulary_load(&place, ret, err);
    json_free(tree); /* tokens are copies */
    return status;
}

static void tokens_and_ids_go_both_ways(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct vocabulary v;
    assert_int_equal(load("{\"b\":2,\"a\":0,\"\":4}", &v, &err), MODEL_OK);
    assert_int_equal(v.n_ids, 5);
    assert_int_equal(vocabulary_find(&v, "b"), 2);
    assert_int_equal(vocabulary_find(&v, "c"), -1);
    assert_int_equal(vocabulary_find(&v, ""), -1);
    assert_string_equal(vocabulary_token(&v, 0), "a");
    assert_null(vocabulary_token(&v, 1));
    assert_null(vocabulary_token(&v, -1));
    assert_null(vocabulary_token(&v, 5));
    vocabulary_finish(&v);
}

static void added_tokens_follow_behind(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct vocabulary v;
    assert_int_equal(load("{\"a\":0,\"b\":1}", &v, &err), MODEL_OK);
    assert_int_equal(vocabulary_add(&v, "new"), MODEL_OK);
    assert_int_equal(vocabulary_id(&v, "new"), 2);
    assert_int_equal(vocabulary_find(&v, "new"), -1); /* not the model's */
    assert_string_equal(vocabulary_token(&v, 2), "new");
    vocabulary_finish(&v);
    assert_int_equal(load("{\"a\":0,\"b\":2}", &v, &err), MODEL_OK);
    assert_int_equal(vocabulary_add(&v, "new"), MODEL_INVALID_ARGUMENT); /* 2 is taken */
    vocabulary_finish(&v);
}

static void broken_vocabularies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *sentence;
    } cases[] = {{"[]", "v.json: model.vocab is an array, want an object"},
                 {"{\"a\":-1}",
                  "v.json: model.vocab['a'] is not an id: want a whole number from 0 to 4194303"},
                 {"{\"a\":1.5}",
                  "v.json: model.vocab['a'] is not an id: want a whole number from 0 to 4194303"},
                 {"{\"a\":4194304}",
                  "v.json: model.vocab['a'] is not an id: want a whole number from 0 to 4194303"},
                 {"{\"a\":\"0\"}",
                  "v.json: model.vocab['a'] is not an id: want a whole number from 0 to 4194303"},
                 {"{\"a\":7,\"b\":7}", "v.json: model.vocab gives id 7 to 'a' and to 'b'"},
                 {"{\"a\":1,\"a\":2}", "v.json: the token 'a' stands twice in model.vocab"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        struct vocabulary v;
        assert_int_equal(load(cases[i].json, &v, &err), MODEL_CORRUPT);
        assert_string_equal(err.message, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_and_ids_go_both_ways),
        cmocka_unit_test(added_tokens_follow_behind),
        cmocka_unit_test(broken_vocabularies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
