/* Tests of the WordPiece model. */
#include "tokenizer_fixture.h"

static const struct tokenizer_options plain = {0};

static void the_longest_piece_comes_first(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    assert_tokens(t, "unaffable", NULL, &plain, "un ##aff ##able");
    assert_tokens(t, "una", NULL, &plain, "un ##a");
    assert_tokens(t, "ab", NULL, &plain, "a ##b");
    assert_tokens(t, "hello", NULL, &plain, "hello");
    tokenizer_destroy(t);
}

static void a_word_that_cannot_be_spelled_is_unknown_as_a_whole(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    assert_tokens(t, "unaffz", NULL, &plain, "[UNK]");
    assert_tokens(t, "zun", NULL, &plain, "[UNK]");
    assert_tokens(t, "un z un", NULL, &plain, "un [UNK] un");
    tokenizer_destroy(t);
}

static void long_words_are_unknown_by_characters_not_bytes(void **state)
{
    (void)state;
    struct fixture f = {.model = "{\"type\":\"WordPiece\",\"max_input_chars_per_word\":3,"
                                 "\"vocab\":{" FIXTURE_VOCAB ",\"##\u3042\":34}}"};
    struct tokenizer *t = fixture_load(&f);
    assert_tokens(t, "abb", NULL, &plain, "a ##b ##b");
    assert_tokens(t, "abbb", NULL, &plain, "[UNK]");
    assert_tokens(t, "a\u3042\u3042", NULL, &plain, "a ##\u3042 ##\u3042"); /* 7 bytes */
    tokenizer_destroy(t);
}

static void the_prefix_and_the_unknown_token_may_have_other_names(void **state)
{
    (void)state;
    struct fixture f = {
        .added = "",
        .post_processor = "null",
        .model = "{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"@\",\"unk_token\":"
                 "\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"@b\":2,\"##b\":3}}"};
    struct tokenizer *t = fixture_load(&f);
    assert_tokens(t, "abb z", NULL, &plain, "a @b @b <unk>");
    assert_int_equal(tokenizer_unk_id(t), 0);
    tokenizer_destroy(t);
    f.model = "{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"\",\"unk_token\":"
              "\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2}}";
    t = fixture_load(&f);
    assert_tokens(t, "abba", NULL, &plain, "a b b a");
    tokenizer_destroy(t);
}

static void a_file_without_a_type_is_wordpiece_by_its_settings(void **state)
{
    (void)state;
    struct fixture f = {.model =
                            "{\"max_input_chars_per_word\":100,\"vocab\":{" FIXTURE_VOCAB "}}"};
    struct tokenizer *t = fixture_load(&f);
    assert_tokens(t, "hello", NULL, &plain, "hello");
    tokenizer_destroy(t);
}

static void broken_models_are_refused(void **state)
{
    (void)state;
    struct fixture f = {.model = "{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}"};
    assert_refused(&f, MODEL_CORRUPT,
                   "tokenizer.json: the unknown token '[UNK]' (model.unk_token) is not in "
                   "model.vocab, which has 1 tokens");
    f.model = "{\"type\":\"WordPiece\"}";
    assert_refused(&f, MODEL_CORRUPT, "tokenizer.json: model.vocab is missing, want an object");
    f.model = "{\"type\":\"WordPiece\",\"max_input_chars_per_word\":0,\"vocab\":{}}";
    assert_refused(
        &f, MODEL_CORRUPT,
        "tokenizer.json: model.max_input_chars_per_word is 0, want a whole number from 1 "
        "to 1048576");
    f.model = "{\"type\":\"WordPiece\",\"unk_token\":3,\"vocab\":{}}";
    assert_refused(&f, MODEL_CORRUPT, "tokenizer.json: model.unk_token is a number, want a string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_piece_comes_first),
        cmocka_unit_test(a_word_that_cannot_be_spelled_is_unknown_as_a_whole),
        cmocka_unit_test(long_words_are_unknown_by_characters_not_bytes),
        cmocka_unit_test(the_prefix_and_the_unknown_token_may_have_other_names),
        cmocka_unit_test(a_file_without_a_type_is_wordpiece_by_its_settings),
        cmocka_unit_test(broken_models_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
