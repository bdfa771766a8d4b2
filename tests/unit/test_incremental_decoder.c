/* Tests of the incremental decoder: its pieces together are the whole decode. */
#include "tokenizer_fixture.h"

#include "incremental_decoder.h"

static void pieces_together_are_the_whole_text(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    static const int64_t ids[] = {2, 19, 20, 21, 24, 26, 99, 3};
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer whole = BUFFER_INIT(1 << 20);
    struct buffer pieces = BUFFER_INIT(1 << 20);
    struct incremental_decoder decoder;
    assert_int_equal(tokenizer_decode(t, ids, 8, true, &whole, &err), MODEL_OK);
    assert_string_equal(whole.data, "unaffable world!");
    incremental_decoder_init(&decoder, t, true);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(incremental_decoder_push(&decoder, ids[i], &pieces, &err), MODEL_OK);
    assert_int_equal(incremental_decoder_finish(&decoder, &pieces, &err), MODEL_OK);
    assert_string_equal(pieces.data, whole.data);
    buffer_finish(&whole);
    buffer_finish(&pieces);
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_together_are_the_whole_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
