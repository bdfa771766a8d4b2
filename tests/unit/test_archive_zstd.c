/* test_archive_zstd.c - single zstd frames: only what was made, in the size that was declared, comes out. */
#include "archive_zstd.h"
#include "errors.h"
#include "testing.h"

static char text[5000], back[5000];
static uint8_t frame[8000];

static size_t made_frame(void)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "the quick brown fox "[i * i % 20];
    assert_true(archive_zstd_bound(sizeof text) <= sizeof frame);
    assert_int_equal(archive_zstd_compress(text, sizeof text, 3, frame, sizeof frame, &n, NULL),
                     MODEL_OK);
    assert_true(n < sizeof text);
    return n;
}

static void gives_back_what_was_compressed(void **state)
{
    (void)state;
    const size_t n = made_frame();
    assert_int_equal(archive_zstd_decompress(frame, n, back, sizeof back, NULL), MODEL_OK);
    assert_memory_equal(back, text, sizeof text);
}

static void refuses_another_size_and_what_is_not_one_frame(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    const size_t n = made_frame();
    assert_int_equal(archive_zstd_decompress(frame, n, back, 4999, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "a zstd frame says it holds 5000 bytes, the "
                                     "metadata says 4999");
    assert_int_equal(archive_zstd_decompress(frame, n - 1, back, sizeof back, &err), MODEL_CORRUPT);
    assert_int_equal(archive_zstd_decompress(frame, n + 1, back, sizeof back, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "not one zstd frame"));
    assert_int_equal(archive_zstd_decompress("abcdefgh", 8, back, 8, &err), MODEL_CORRUPT);
}

static void finds_changed_bytes(void **state)
{
    (void)state;
    const size_t n = made_frame();
    for (size_t i = 0; i < n; i++) {
        frame[i] ^= 0x10;
        if (archive_zstd_decompress(frame, n, back, sizeof back, NULL) == MODEL_OK)
            assert_memory_equal(back, text, sizeof text); /* a bit that means nothing */
        frame[i] ^= 0x10;
    }
}

/* The flag is cleared and the checksum, which comes last, cut off: a frame that zstd itself would take. */
static void refuses_a_frame_without_a_checksum(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    const size_t n = made_frame();
    frame[4] = (uint8_t)(frame[4] & ~4u);
    assert_int_equal(archive_zstd_decompress(frame, n - 4, back, sizeof back, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "a zstd frame without a checksum");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_was_compressed),
        cmocka_unit_test(refuses_another_size_and_what_is_not_one_frame),
        cmocka_unit_test(refuses_a_frame_without_a_checksum),
        cmocka_unit_test(finds_changed_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
