/* Tests of the BPE model: spelling, unknown characters, fallbacks, and files that lie. */
#include "bpe_fixture.h"

static const char *const merges[] = {"a b", "ab c", "b c", "d d", "dd dd", NULL};

static const struct tokenizer_options plain = {0};

static void the_lowest_rank_merges_first(void **state)
{
    (void)state;
    struct tokenizer *t = bpe_load((struct fixture){0}, merges, "");
    assert_tokens(t, "abc", NULL, &plain, "abc");
    assert_tokens(t, "bcab", NULL, &plain, "bc ab");
    assert_tokens(t, "ddddd", NULL, &plain, "dddd d");
    assert_tokens(t, "", NULL, &plain, "");
    assert_tokens(t, "xabx", NULL, &plain, "x ab x");
    tokenizer_destroy(t);
}

static void a_word_that_is_a_token_may_go_before_merges(void **state)
{
    (void)state;
    static const char *const few[] = {"a b", NULL};
    struct tokenizer *t = bpe_load((struct fixture){0}, few, "\"ignore_merges\":true,");
    assert_tokens(t, "ab", NULL, &plain, "ab");
    assert_tokens(t, "abab", NULL, &plain, "ab ab");
    tokenizer_destroy(t);
}

/* Long words and short ones take different ways; a long word is n times a short one here. */
static void long_words_merge_as_short_ones_do(void **state)
{
    (void)state;
    struct tokenizer *t = bpe_load((struct fixture){0}, merges, "");
    struct encoding e = ENCODING_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(1 << 20);
    for (int i = 0; i < 30000; i++)
        assert_int_equal(buffer_append_text(&text, "abcx"), MODEL_OK);
    assert_int_equal(tokenizer_encode(t, text.data, text.size, NULL, 0, &plain, &e, &err),
                     MODEL_OK);
    assert_int_equal(e.n_tokens, 60000);
    for (size_t i = 0; i < e.n_tokens; i++) {
        assert_string_equal(tokenizer_token(t, e.ids[i]), i % 2 == 0 ? "abc" : "x");
        assert_int_equal(e.spans[i].start, i / 2 * 4 + i % 2 * 3);
    }
    encoding_finish(&e);
    buffer_finish(&text);
    tokenizer_destroy(t);
}

#define CHARS "\"<unk>\":0,\"a\":1,\"b\":2,\"ab\":3,\"<0xC3>\":4,\"<0xA9>\":5,\"##b\":6,\"b</w>\":7"
#define MODEL(settings, merges)                                                                    \
    "{\"type\":\"BPE\"," settings "\"vocab\":{" CHARS "},\"merges\":[" merges "]}"

static struct tokenizer *load_chars(const char *model)
{
    return fixture_load(&(struct fixture){.model = model,
                                          .added = "",
                                          .normalizer = "null",
                                          .pre_tokenizer = "{\"type\":\"WhitespaceSplit\"}",
                                          .post_processor = "null",
                                          .decoder = "null"});
}

static void characters_without_a_token_are_unknown_or_left_out(void **state)
{
    (void)state;
    struct tokenizer *t = load_chars(MODEL("\"unk_token\":\"<unk>\",", "\"a b\""));
    assert_tokens(t, "xyab y", NULL, &plain, "<unk> <unk> ab <unk>");
    assert_spans(t, "\u00e9ab", "<unk>[0-2] ab[2-4]");
    assert_int_equal(tokenizer_unk_id(t), 0);
    tokenizer_destroy(t);
    t = load_chars(MODEL("\"unk_token\":\"<unk>\",\"fuse_unk\":true,", "\"a b\""));
    assert_tokens(t, "xyab y", NULL, &plain, "<unk> ab <unk>");
    tokenizer_destroy(t);
    t = load_chars(MODEL("", "\"a b\""));
    assert_tokens(t, "xyab y", NULL, &plain, "ab");
    tokenizer_destroy(t);
}

static void bytes_stand_in_for_a_character(void **state)
{
    (void)state;
    struct tokenizer *t =
        load_chars(MODEL("\"unk_token\":\"<unk>\",\"byte_fallback\":true,", "\"a b\""));
    assert_tokens(t, "a\u00e9b\u00e8", NULL, &plain, "a <0xC3> <0xA9> b <unk>");
    tokenizer_destroy(t);
}

static void affixes_mark_the_place_in_a_word(void **state)
{
    (void)state;
    struct tokenizer *t = load_chars(MODEL("\"continuing_subword_prefix\":\"##\",", "\"a ##b\""));
    assert_tokens(t, "ab", NULL, &plain, "ab");
    assert_tokens(t, "b", NULL, &plain, "b");
    tokenizer_destroy(t);
    t = load_chars(MODEL("\"end_of_word_suffix\":\"</w>\",", ""));
    assert_tokens(t, "ab bb", NULL, &plain, "a b</w> b b</w>");
    tokenizer_destroy(t);
}

static void merges_may_be_pairs(void **state)
{
    (void)state;
    struct tokenizer *t = load_chars(MODEL("", "[\"a\",\"b\"]"));
    assert_tokens(t, "ab", NULL, &plain, "ab");
    tokenizer_destroy(t);
}

#define REFUSED(settings, merges, status, sentence)                                                \
    assert_refused(&(struct fixture){.model = MODEL(settings, merges)}, status,                    \
                   "tokenizer.json: " sentence)

static void files_that_lie_are_refused(void **state)
{
    (void)state;
    REFUSED("", "\"a x\"", MODEL_CORRUPT,
            "merge 1 of model.merges needs the token 'x', which model.vocab lacks");
    REFUSED("", "\"a b\",\"b a\"", MODEL_CORRUPT,
            "merge 2 of model.merges needs the token 'ba', which model.vocab lacks");
    REFUSED("", "\"ab\"", MODEL_CORRUPT,
            "merge 1 of model.merges is not two tokens: want \"a b\" or [\"a\", \"b\"]");
    REFUSED("", "\"a b c\"", MODEL_CORRUPT,
            "merge 1 of model.merges is not two tokens: want \"a b\" or [\"a\", \"b\"]");
    REFUSED("", "[\"a\"]", MODEL_CORRUPT,
            "merge 1 of model.merges is not two tokens: want \"a b\" or [\"a\", \"b\"]");
    REFUSED("", "7", MODEL_CORRUPT,
            "merge 1 of model.merges is not two tokens: want \"a b\" or [\"a\", \"b\"]");
    REFUSED("\"dropout\":0.1,", "", MODEL_UNSUPPORTED,
            "model.dropout is for training: want 0 or null here");
    REFUSED("\"fuse_unk\":1,", "", MODEL_CORRUPT, "model.fuse_unk is a number, want true or false");
    assert_refused(&(struct fixture){.model = "{\"type\":\"BPE\",\"vocab\":{\"a\":1}}"},
                   MODEL_CORRUPT, "tokenizer.json: model.merges is missing, want an array");
    assert_refused(
        &(struct fixture){.model = "{\"type\":\"BPE\",\"vocab\":{\"a\":5000000},\"merges\":[]}"},
        MODEL_CORRUPT,
        "tokenizer.json: model.vocab['a'] is not an id: want a whole number from 0 to 4194303");
}

static void an_unknown_token_that_is_none_is_said_when_it_is_needed(void **state)
{
    (void)state;
    struct tokenizer *t = load_chars(MODEL("\"unk_token\":\"<none>\",", ""));
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    assert_tokens(t, "a b", NULL, &plain, "a b");
    assert_int_equal(tokenizer_encode(t, "x", 1, NULL, 0, &plain, &e, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the text has a character without a token, and the unknown token '<none>' "
                        "of the tokenizer is not in its vocabulary");
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void an_encoding_may_go_from_one_tokenizer_to_another(void **state)
{
    (void)state;
    static const char *const other[] = {"b c", "a bc", NULL};
    static const char *const none[] = {NULL};
    struct tokenizer *tokenizers[] = {bpe_load((struct fixture){0}, merges, ""),
                                      bpe_load((struct fixture){0}, other, ""),
                                      bpe_load((struct fixture){0}, none, "")};
    static const size_t want[] = {1, 1, 3};
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(tokenizer_encode(tokenizers[i % 3], "abc", 3, NULL, 0, &plain, &e, &err),
                         MODEL_OK);
        assert_int_equal(e.n_tokens, want[i % 3]);
    }
    encoding_finish(&e);
    for (size_t i = 0; i < 3; i++)
        tokenizer_destroy(tokenizers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_rank_merges_first),
        cmocka_unit_test(a_word_that_is_a_token_may_go_before_merges),
        cmocka_unit_test(long_words_merge_as_short_ones_do),
        cmocka_unit_test(characters_without_a_token_are_unknown_or_left_out),
        cmocka_unit_test(bytes_stand_in_for_a_character),
        cmocka_unit_test(affixes_mark_the_place_in_a_word),
        cmocka_unit_test(merges_may_be_pairs),
        cmocka_unit_test(files_that_lie_are_refused),
        cmocka_unit_test(an_unknown_token_that_is_none_is_said_when_it_is_needed),
        cmocka_unit_test(an_encoding_may_go_from_one_tokenizer_to_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
