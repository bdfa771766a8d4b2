/* Tests of the arrays of an encoding: padding and reuse. */
#include "tokenizer_fixture.h"

static const struct tokenizer_options with_special = {.add_special_tokens = true};

static void padding_fills_every_array(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    const struct padding right = {.id = 9, .type_id = 1, .left = false};
    const struct padding left = {.id = 0, .type_id = 0, .left = true};
    assert_int_equal(tokenizer_encode(t, "a", 1, NULL, 0, &with_special, &e, &err), MODEL_OK);
    assert_int_equal(encoding_pad(&e, 4, &right), MODEL_OK);
    assert_int_equal(encoding_pad(&e, 6, &left), MODEL_OK);
    const int64_t ids[] = {0, 0, 2, 5, 3, 9};
    const int64_t types[] = {0, 0, 0, 0, 0, 1};
    const int64_t mask[] = {0, 0, 1, 1, 1, 0};
    const uint8_t special[] = {1, 1, 1, 0, 1, 1};
    const int8_t sequences[] = {-1, -1, -1, 0, -1, -1};
    assert_int_equal(e.n_tokens, 6);
    assert_memory_equal(e.ids, ids, sizeof ids);
    assert_memory_equal(e.type_ids, types, sizeof types);
    assert_memory_equal(e.attention_mask, mask, sizeof mask);
    assert_memory_equal(e.special_mask, special, sizeof special);
    assert_memory_equal(e.sequences, sequences, sizeof sequences);
    assert_int_equal(e.words[3], 0);
    assert_int_equal(e.words[5], -1);
    assert_int_equal(e.spans[3].end, 1);
    assert_int_equal(encoding_pad(&e, 2, &left), MODEL_OK); /* long enough already */
    assert_int_equal(e.n_tokens, 6);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void padding_fills_every_window(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct buffer text = BUFFER_INIT(1 << 10);
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct tokenizer_options options = {
        .truncation = TOKENIZER_ON, .max_tokens = 3, .windows = true};
    const struct padding right = {.id = 0};
    assert_int_equal(tokenizer_encode(t, "a b c d", 7, NULL, 0, &options, &e, &err), MODEL_OK);
    assert_int_equal(e.n_windows, 2);
    assert_int_equal(encoding_pad(&e, 3, &right), MODEL_OK);
    assert_string_equal(window_text(t, &e, 0, &text), "a b c");
    assert_string_equal(window_text(t, &e, 1, &text), "d [PAD] [PAD]");
    buffer_finish(&text);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

/* Nothing moves, so nothing was allocated anew. */
static void a_warm_encoding_keeps_its_memory(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    const char *text = "Hello, w\u00f6rld! \u4e2d unaffable [MASK] x\u302e\u1b44";
    size_t n = strlen(text);
    assert_int_equal(tokenizer_encode(t, text, n, text, n, &with_special, &e, &err), MODEL_OK);
    struct encoding before = e;
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(tokenizer_encode(t, text, n, i % 2 ? text : NULL, i % 2 ? n : 0,
                                          &with_special, &e, &err),
                         MODEL_OK);
    assert_ptr_equal(e.ids, before.ids);
    assert_ptr_equal(e.spans, before.spans);
    assert_ptr_equal(e.windows, before.windows);
    assert_ptr_equal(e.scratch, before.scratch);
    assert_int_equal(e.capacity, before.capacity);
    encoding_finish(&e);
    encoding_finish(&e); /* twice is fine */
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding_fills_every_array),
        cmocka_unit_test(padding_fills_every_window),
        cmocka_unit_test(a_warm_encoding_keeps_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
