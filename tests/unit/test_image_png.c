/* test_image_png.c - PNG files as Pillow decodes them, and damaged ones refused. */
#define WANT_PNG_TRUTH
#include "image_png.h"
#include "image_fixture.h"
#include "pillow_truth.h"

static void every_kind_of_png_decodes_as_in_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof png_truths / sizeof png_truths[0]; i++) {
        const struct decode_truth *truth = &png_truths[i];
        struct buffer file = read_corpus(truth->file);
        struct image image = IMAGE_INIT;
        struct model_error err = MODEL_ERROR_INIT;
        if (decode_exact(image_png_decode, file.data, file.size, &image, &err) != MODEL_OK)
            fail_msg("%s: %s", truth->file, err.message);
        assert_int_equal(image.width, truth->width);
        assert_int_equal(image.height, truth->height);
        assert_digest(image.pixels, (size_t)image.width * image.height * 3, truth->sha256,
                      truth->file);
        image_finish(&image);
        buffer_finish(&file);
    }
}

static void gray_of_16_bits_is_cut_at_255(void **state)
{
    (void)state;
    struct buffer png = BUFFER_INIT(4096);
    const uint8_t row[] = {0, 0, 100, 0, 255, 1, 0, 255, 255};
    struct image image = IMAGE_INIT;
    append_ihdr(&png, 4, 1, 16, 0);
    append_idat(&png, row, sizeof row);
    append_chunk(&png, "IEND", NULL, 0);
    assert_int_equal(decode_exact(image_png_decode, png.data, png.size, &image, NULL), MODEL_OK);
    const uint8_t want[] = {100, 100, 100, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    assert_memory_equal(image.pixels, want, sizeof want);
    image_finish(&image);
    buffer_finish(&png);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof png_truths / sizeof png_truths[0]; i++) {
        struct buffer file = read_corpus(png_truths[i].file);
        assert_truncations_refused(image_png_decode, &file, file.size, 1);
        buffer_finish(&file);
    }
}

static void a_photo_cut_at_every_kilobyte_is_refused(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct buffer file = read_whole(shared_image("tall_small.png", path));
    assert_truncations_refused(image_png_decode, &file, file.size, 1024);
    assert_refused(image_png_decode, file.data, 10240, MODEL_INVALID_ARGUMENT,
                   "the PNG ends too early, after 10240 bytes");
    buffer_finish(&file);
}

static void a_changed_byte_is_refused_by_its_checksum(void **state)
{
    (void)state;
    struct buffer file = read_corpus("image_png/rgb8.png");
    file.data[file.size - 20] ^= 1; /* the end of the pixels */
    assert_refused(image_png_decode, file.data, file.size, MODEL_INVALID_ARGUMENT,
                   "the PNG is damaged: IDAT: incorrect data check");
    file.data[file.size - 20] ^= 1;
    file.data[file.size - 13] ^= 1;
    assert_refused(image_png_decode, file.data, file.size, MODEL_INVALID_ARGUMENT,
                   "the PNG is damaged: IDAT: CRC error");
    buffer_finish(&file);
}

static void assert_header_refused(uint32_t width, uint32_t height, const char *sentence)
{
    struct buffer png = BUFFER_INIT(4096);
    const uint8_t row[] = {0, 1};
    append_ihdr(&png, width, height, 8, 0);
    append_idat(&png, row, sizeof row);
    append_chunk(&png, "IEND", NULL, 0);
    assert_refused(image_png_decode, png.data, png.size, MODEL_INVALID_ARGUMENT, sentence);
    buffer_finish(&png);
}

static void absurd_sizes_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    assert_header_refused(100000, 1, "the PNG has 100000 x 1 pixels, want sides of 1 to 65535");
    assert_header_refused(20000, 20000,
                          "the PNG has 20000 x 20000 pixels, want at most 89478485 in all");
    assert_header_refused(0x7FFFFFFF, 0x7FFFFFFF,
                          "the PNG has 2147483647 x 2147483647 pixels, want sides of 1 to 65535");
    assert_header_refused(0, 1, "the PNG is damaged: Invalid IHDR data");
    assert_header_refused(0xFFFFFFFFu, 1, "the PNG is damaged: PNG unsigned integer out of range");
    assert_header_refused(9000, 9000,
                          "the PNG says that it has 9000 x 9000 pixels, but 70 bytes cannot hold "
                          "them");
    assert_header_refused(5, 5, "the PNG is damaged: Not enough image data");
}

static void a_palette_picture_without_palette_is_refused(void **state)
{
    (void)state;
    struct buffer png = BUFFER_INIT(4096);
    const uint8_t row[] = {0, 1};
    append_ihdr(&png, 1, 1, 8, 3);
    append_idat(&png, row, sizeof row);
    append_chunk(&png, "IEND", NULL, 0);
    assert_refused(image_png_decode, png.data, png.size, MODEL_INVALID_ARGUMENT,
                   "the PNG is damaged: IDAT: Missing PLTE before IDAT");
    buffer_finish(&png);
}

static void a_row_of_60000_pixels_is_taken(void **state)
{
    (void)state;
    struct buffer png = BUFFER_INIT(80000);
    uint8_t *row = calloc(60001, 1);
    struct image image = IMAGE_INIT;
    row[60000] = 7;
    append_ihdr(&png, 60000, 1, 8, 0);
    append_idat(&png, row, 60001);
    append_chunk(&png, "IEND", NULL, 0);
    assert_int_equal(decode_exact(image_png_decode, png.data, png.size, &image, NULL), MODEL_OK);
    assert_int_equal(image.width, 60000);
    assert_int_equal(image.pixels[179999], 7);
    image_finish(&image);
    buffer_finish(&png);
    free(row);
}

static void a_chunk_larger_than_the_file_takes_no_memory(void **state)
{
    (void)state;
    struct buffer png = BUFFER_INIT(4096);
    append_ihdr(&png, 1, 1, 8, 0);
    append_u32(&png, 0x70000000);
    assert_int_equal(buffer_append(&png, "eXIfII*", 7), MODEL_OK);
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT;
    assert_int_equal(decode_exact(image_png_decode, png.data, png.size, &image, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_true(strlen(err.message) > 20);
    buffer_finish(&png);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_png_decodes_as_in_pillow),
        cmocka_unit_test(gray_of_16_bits_is_cut_at_255),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_photo_cut_at_every_kilobyte_is_refused),
        cmocka_unit_test(a_changed_byte_is_refused_by_its_checksum),
        cmocka_unit_test(absurd_sizes_are_refused_before_memory_is_taken),
        cmocka_unit_test(a_palette_picture_without_palette_is_refused),
        cmocka_unit_test(a_row_of_60000_pixels_is_taken),
        cmocka_unit_test(a_chunk_larger_than_the_file_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
