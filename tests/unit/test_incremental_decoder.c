/* Tests of the incremental decoder: its pieces together are the whole decode, and never end inside a
 * character. */
#include "bpe_fixture.h"

#include "incremental_decoder.h"
#include "utf8.h"

static uint64_t state = 88172645463325252u;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % n;
}

static void assert_pieces(const struct tokenizer *t, const int64_t *ids, size_t n, bool skip)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer whole = BUFFER_INIT(1 << 20);
    struct buffer pieces = BUFFER_INIT(1 << 20);
    struct incremental_decoder decoder;
    assert_int_equal(tokenizer_decode(t, ids, n, skip, &whole, &err), MODEL_OK);
    incremental_decoder_init(&decoder, t, skip);
    for (size_t i = 0; i < n; i++) {
        size_t before = pieces.size;
        assert_int_equal(incremental_decoder_push(&decoder, ids[i], &pieces, &err), MODEL_OK);
        if (pieces.size > before)
            assert_int_equal(utf8_valid_prefix(pieces.data + before, pieces.size - before),
                             pieces.size - before);
    }
    assert_int_equal(incremental_decoder_finish(&decoder, &pieces, &err), MODEL_OK);
    assert_int_equal(pieces.size, whole.size);
    if (whole.size > 0)
        assert_memory_equal(pieces.data, whole.data, whole.size);
    buffer_finish(&whole);
    buffer_finish(&pieces);
}

static const char *const merges[] = {"\u00e4 \u00b8", "\u00f0 \u0141", "\u013a \u0122", NULL};

static void pieces_together_are_the_whole_text(void **unused)
{
    (void)unused;
    static const char *const decoders[] = {
        BYTE_LEVEL, "null", "{\"type\":\"WordPiece\",\"prefix\":\"a\",\"cleanup\":true}",
        "{\"type\":\"Sequence\",\"decoders\":[" BYTE_LEVEL
        ",{\"type\":\"Strip\",\"content\":\" \",\"start\":2,\"stop\":2}]}",
        "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}]}"};
    for (size_t d = 0; d < sizeof decoders / sizeof decoders[0]; d++) {
        struct tokenizer *t = bpe_load(
            (struct fixture){.decoder = decoders[d],
                             .added = "{\"id\":259,\"content\":\"<|end|>\",\"special\":true}"},
            merges, "");
        for (size_t round = 0; round < 2000; round++) {
            int64_t ids[40];
            size_t n = below(40);
            for (size_t i = 0; i < n; i++)
                ids[i] = below(3) > 0 ? 0x80 + below(135) : below(262);
            assert_pieces(t, ids, n, round % 2 == 0);
        }
        tokenizer_destroy(t);
    }
}

static void text_comes_as_soon_as_it_is_whole(void **unused)
{
    (void)unused;
    struct tokenizer *t = bpe_load((struct fixture){0}, merges, "");
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(4);
    struct incremental_decoder decoder;
    incremental_decoder_init(&decoder, t, true);
    assert_int_equal(incremental_decoder_push(&decoder, 'a', &text, &err), MODEL_OK);
    assert_string_equal(text.data, "a");
    assert_int_equal(incremental_decoder_push(&decoder, 256, &text, &err), MODEL_OK);
    assert_string_equal(text.data, "a");
    assert_int_equal(incremental_decoder_push(&decoder, 99999, &text, &err), MODEL_OK);
    assert_int_equal(incremental_decoder_push(&decoder, -1, &text, &err), MODEL_OK);
    assert_int_equal(incremental_decoder_push(&decoder, 0xAD, &text, &err), MODEL_OK);
    assert_string_equal(text.data, "a\u4e2d");
    assert_int_equal(incremental_decoder_push(&decoder, 'b', &text, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the text of the tokens is longer than the 4 bytes allowed");
    assert_int_equal(incremental_decoder_finish(&decoder, NULL, NULL), MODEL_OK);
    buffer_finish(&text);
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_together_are_the_whole_text),
        cmocka_unit_test(text_comes_as_soon_as_it_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
