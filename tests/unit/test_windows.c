/* Tests of truncation. The lengths and windows wanted are those of the reference library. */
#include "tokenizer_fixture.h"

static struct tokenizer_options limited(int64_t max_tokens, enum truncation_strategy strategy)
{
    return (struct tokenizer_options){.add_special_tokens = true,
                                      .truncation = TOKENIZER_ON,
                                      .max_tokens = max_tokens,
                                      .strategy = strategy};
}

static void one_text_keeps_its_start(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct tokenizer_options o = limited(5, TRUNCATE_LONGEST_FIRST);
    assert_tokens(t, "a b c d e", NULL, &o, "[CLS] a b c [SEP]");
    assert_tokens(t, "a b c", NULL, &o, "[CLS] a b c [SEP]");
    assert_tokens(t, "a unaffable", NULL, &o, "[CLS] a un ##aff [SEP]");
    o = limited(2, TRUNCATE_ONLY_FIRST);
    assert_tokens(t, "a b", NULL, &o, "[CLS] [SEP]");
    tokenizer_destroy(t);
}

static void the_longer_text_loses_first(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct tokenizer_options o = limited(10, TRUNCATE_LONGEST_FIRST); /* 7 for the texts */
    assert_tokens(t, "x y", "a b c d e f g h", &o, "[CLS] x y [SEP] a b c d e [SEP]");
    assert_tokens(t, "a b c d e f g h", "x y", &o, "[CLS] a b c d e [SEP] x y [SEP]");
    assert_tokens(t, "a b c d", "e f g h i j k l", &o, "[CLS] a b c [SEP] e f g h [SEP]");
    assert_tokens(t, "e f g h i j k l", "a b c d", &o, "[CLS] e f g h [SEP] a b c [SEP]");
    assert_tokens(t, "a b c d e f g h i j k l", "a b c d e f g h i j k", &o,
                  "[CLS] a b c [SEP] a b c d [SEP]"); /* both beyond 10: as if equal */
    tokenizer_destroy(t);
}

static void one_side_alone_may_lose(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct tokenizer_options o = limited(8, TRUNCATE_ONLY_SECOND);
    assert_tokens(t, "x y", "a b c d e f", &o, "[CLS] x y [SEP] a b c [SEP]");
    assert_int_equal(tokenizer_encode(t, "a b c d e", 9, "x", 1, &o, &e, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the second text has 1 tokens, too few to cut 1 from it: the other text "
                        "alone fills the 5 tokens that there is room for");
    assert_int_equal(e.n_tokens, 0);
    assert_int_equal(tokenizer_encode(t, "a b c d e f g", 13, NULL, 0, &o, &e, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the truncation only_second needs a pair of texts, but there is one text");
    o = limited(8, TRUNCATE_ONLY_FIRST);
    assert_tokens(t, "a b c d e f", "x y", &o, "[CLS] a b c [SEP] x y [SEP]");
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void assert_windows(const struct tokenizer *t, const char *text, const char *pair,
                           const struct tokenizer_options *options, const char *const *want,
                           size_t n_want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct buffer tokens = BUFFER_INIT(1 << 10);
    assert_int_equal(tokenizer_encode(t, text, strlen(text), pair, pair != NULL ? strlen(pair) : 0,
                                      options, &e, &err),
                     MODEL_OK);
    assert_int_equal(e.n_windows, n_want);
    assert_int_equal(e.truncated, n_want > 1);
    for (size_t i = 0; i < n_want; i++)
        assert_string_equal(window_text(t, &e, i, &tokens), want[i]);
    buffer_finish(&tokens);
    encoding_finish(&e);
}

#define WINDOWS(t, text, pair, options, ...)                                                       \
    do {                                                                                           \
        const char *const want_[] = {__VA_ARGS__};                                                 \
        assert_windows(t, text, pair, options, want_, sizeof want_ / sizeof want_[0]);             \
    } while (0)

static void windows_cover_the_rest_with_a_stride(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct tokenizer_options o = limited(6, TRUNCATE_LONGEST_FIRST);
    o.windows = true;
    WINDOWS(t, "a b", NULL, &o, "[CLS] a b [SEP]");
    WINDOWS(t, "a b c d e f g h i", NULL, &o, "[CLS] a b c d [SEP]", "[CLS] e f g h [SEP]",
            "[CLS] i [SEP]");
    o.stride = 1;
    WINDOWS(t, "a b c d e f", NULL, &o, "[CLS] a b c d [SEP]", "[CLS] d e f [SEP]");
    o = limited(8, TRUNCATE_ONLY_SECOND);
    o.windows = true;
    o.stride = 1;
    WINDOWS(t, "x y", "a b c d e f g h", &o, "[CLS] x y [SEP] a b c [SEP]",
            "[CLS] x y [SEP] c d e [SEP]", "[CLS] x y [SEP] e f g [SEP]",
            "[CLS] x y [SEP] g h [SEP]");
    tokenizer_destroy(t);
}

static void windows_of_both_texts_come_in_the_order_of_the_reference(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct tokenizer_options o = limited(8, TRUNCATE_LONGEST_FIRST);
    o.windows = true;
    WINDOWS(t, "a b c d", "e f g h i", &o, "[CLS] a b [SEP] e f g [SEP]",
            "[CLS] c d [SEP] e f g [SEP]", "[CLS] c d [SEP] h i [SEP]",
            "[CLS] a b [SEP] h i [SEP]");
    tokenizer_destroy(t);
}

static void truncation_on_the_left_keeps_the_end(void **state)
{
    (void)state;
    struct fixture f = {.truncation = "{\"direction\":\"Left\",\"max_length\":6,\"strategy\":"
                                      "\"LongestFirst\",\"stride\":1}"};
    struct tokenizer *t = fixture_load(&f);
    struct tokenizer_options o = {.add_special_tokens = true, .windows = true};
    WINDOWS(t, "g h i j k l", NULL, &o, "[CLS] i j k l [SEP]", "[CLS] g h i [SEP]");
    o.windows = false;
    assert_tokens(t, "g h i j k l", NULL, &o, "[CLS] i j k l [SEP]");
    tokenizer_destroy(t);
}

static void limits_without_room_are_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct tokenizer_options o = limited(2, TRUNCATE_LONGEST_FIRST);
    assert_int_equal(tokenizer_encode(t, "a", 1, "b", 1, &o, &e, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "truncation to 2 tokens leaves no room: the special tokens "
                                     "alone are 3");
    o = limited(0, TRUNCATE_LONGEST_FIRST);
    assert_int_equal(tokenizer_encode(t, "a", 1, NULL, 0, &o, &e, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(
        err.message, "truncation to 0 tokens with a stride of 0: want a positive max_tokens (the "
                     "tokenizer's files name none) and no negative stride");
    o = limited(4, TRUNCATE_LONGEST_FIRST);
    o.stride = 2;
    o.windows = true;
    assert_int_equal(tokenizer_encode(t, "a b c", 5, NULL, 0, &o, &e, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "a stride of 2 tokens needs windows with room for more than 2 tokens of "
                        "text: raise max_tokens or lower the stride");
    encoding_finish(&e);
    tokenizer_destroy(t);
}

/* Two long texts cut into single tokens would make windows by the square. */
static void windows_that_multiply_are_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct tokenizer_options o = limited(2, TRUNCATE_LONGEST_FIRST);
    o.add_special_tokens = false;
    o.windows = true;
    enum { BYTES = 40000 };
    char *text = malloc(BYTES);
    assert_non_null(text);
    for (size_t i = 0; i < BYTES; i++)
        text[i] = i % 2 ? ' ' : 'a';
    assert_int_equal(tokenizer_encode(t, text, BYTES, text, BYTES, &o, &e, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the windows of this text have more than 16777216 tokens in all; take "
                        "larger windows, a smaller stride or a shorter text");
    free(text);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_text_keeps_its_start),
        cmocka_unit_test(the_longer_text_loses_first),
        cmocka_unit_test(one_side_alone_may_lose),
        cmocka_unit_test(windows_cover_the_rest_with_a_stride),
        cmocka_unit_test(windows_of_both_texts_come_in_the_order_of_the_reference),
        cmocka_unit_test(truncation_on_the_left_keeps_the_end),
        cmocka_unit_test(limits_without_room_are_refused),
        cmocka_unit_test(windows_that_multiply_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
