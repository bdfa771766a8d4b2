/* Tests of tokens that are found in the text itself. */
#include "tokenizer_fixture.h"

static const struct tokenizer_options plain = {0};

#define WITH(tokens)                                                                               \
    &(struct fixture)                                                                              \
    {                                                                                              \
        .added = FIXTURE_SPECIALS "," tokens                                                       \
    }

static void special_tokens_match_as_they_are_written(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    assert_tokens(t, "a[MASK]b [MASK].", NULL, &plain, "a [MASK] b [MASK] .");
    assert_tokens(t, "[mask]", NULL, &plain, "[UNK] [UNK] [UNK]");
    assert_tokens(t, "[MASK[MASK]", NULL, &plain, "[UNK] [UNK] [MASK]");
    tokenizer_destroy(t);
}

static void normalized_tokens_match_in_any_case(void **state)
{
    (void)state;
    struct tokenizer *t =
        fixture_load(WITH(FIXTURE_TOKEN(34, "N\u00e9w", "\"normalized\":true") "," FIXTURE_TOKEN(
            35, "Raw", "\"normalized\":false")));
    assert_tokens(t, "N\u00c9W xnewx", NULL, &plain, "N\u00e9w x N\u00e9w x");
    assert_tokens(t, "Raw raw", NULL, &plain, "Raw [UNK]");
    tokenizer_destroy(t);
}

static void the_leftmost_and_then_the_longest_wins(void **state)
{
    (void)state;
    struct tokenizer *t =
        fixture_load(WITH(FIXTURE_TOKEN(34, "<a>", "\"normalized\":false") "," FIXTURE_TOKEN(
            35, "<a><b>", "\"normalized\":false") "," FIXTURE_TOKEN(36, "><",
                                                                    "\"normalized\":false")));
    assert_tokens(t, "<a><b>", NULL, &plain, "<a><b>");
    assert_tokens(t, "<a><c", NULL, &plain, "<a> [UNK] c");
    tokenizer_destroy(t);
}

static void single_words_stand_alone(void **state)
{
    (void)state;
    struct tokenizer *t =
        fixture_load(WITH(FIXTURE_TOKEN(34, "<w>", "\"single_word\":true,\"normalized\":false")));
    assert_tokens(t, "<w> a<w> <w>b <w>", NULL, &plain,
                  "<w> a [UNK] [UNK] [UNK] [UNK] [UNK] [UNK] b <w>");
    assert_tokens(t, "<w>, .<w>", NULL, &plain, "<w> , . <w>");
    tokenizer_destroy(t);
}

static void stripping_takes_the_white_space_along(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(
        WITH(FIXTURE_TOKEN(34, "<s>", "\"lstrip\":true,\"rstrip\":true,\"normalized\":false")));
    const char *text = "a \u3000<s> \t<s>b";
    assert_int_equal(tokenizer_encode(t, text, strlen(text), NULL, 0, &plain, &e, &err), MODEL_OK);
    assert_int_equal(e.n_tokens, 4);
    assert_int_equal(e.spans[1].start, 1); /* the two spaces before it, and those behind */
    assert_int_equal(e.spans[1].end, 10);
    assert_int_equal(e.spans[2].start, 10);
    assert_int_equal(e.spans[2].end, 13);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void equal_patterns_go_to_the_special_token(void **state)
{
    (void)state;
    struct tokenizer *t =
        fixture_load(WITH(FIXTURE_TOKEN(34, "Foo", "\"normalized\":true") "," FIXTURE_TOKEN(
            35, "foo", "\"normalized\":true,\"special\":true")));
    assert_tokens(t, "FOO", NULL, &plain, "foo");
    tokenizer_destroy(t);
}

static void ids_must_agree_with_the_vocabulary(void **state)
{
    (void)state;
    assert_refused(WITH(FIXTURE_TOKEN(7, "hello", "\"special\":false")), MODEL_CORRUPT,
                   "tokenizer.json: the added token 'hello' has id 7, but 23 in the model's "
                   "vocabulary");
    assert_refused(WITH(FIXTURE_TOKEN(7, "new", "\"special\":false")), MODEL_CORRUPT,
                   "tokenizer.json: the added token 'new' has id 7, which is that of 'c'");
    assert_refused(
        WITH(FIXTURE_TOKEN(40, "new", "\"special\":false")), MODEL_UNSUPPORTED,
        "tokenizer.json: the added token 'new' has id 40, but ids of added tokens must go "
        "on without a gap: want 34");
    assert_refused(WITH(FIXTURE_TOKEN(34, "", "\"special\":false")), MODEL_CORRUPT,
                   "tokenizer.json: a token of added_tokens needs an id and a content of 1 to 4096 "
                   "bytes");
    assert_refused(WITH(FIXTURE_TOKEN(34, "x", "\"special\":1")), MODEL_CORRUPT,
                   "tokenizer.json: added_tokens[].special is a number, want true or false");
    assert_refused(WITH("7"), MODEL_CORRUPT,
                   "tokenizer.json: added_tokens[] is a number, want an object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_tokens_match_as_they_are_written),
        cmocka_unit_test(normalized_tokens_match_in_any_case),
        cmocka_unit_test(the_leftmost_and_then_the_longest_wins),
        cmocka_unit_test(single_words_stand_alone),
        cmocka_unit_test(stripping_takes_the_white_space_along),
        cmocka_unit_test(equal_patterns_go_to_the_special_token),
        cmocka_unit_test(ids_must_agree_with_the_vocabulary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
