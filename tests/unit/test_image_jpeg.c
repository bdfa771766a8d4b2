/* test_image_jpeg.c - JPEG files as Pillow decodes them, and damaged ones refused. */
#define WANT_JPEG_TRUTH
#include "image_jpeg.h"
#include "image_fixture.h"
#include "pillow_truth.h"

static void every_kind_of_jpeg_decodes_as_in_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof jpeg_truths / sizeof jpeg_truths[0]; i++) {
        const struct decode_truth *truth = &jpeg_truths[i];
        struct buffer file = read_corpus(truth->file);
        struct image image = IMAGE_INIT;
        struct model_error err = MODEL_ERROR_INIT;
        if (decode_exact(image_jpeg_decode, file.data, file.size, &image, &err) != MODEL_OK)
            fail_msg("%s: %s", truth->file, err.message);
        assert_int_equal(image.width, truth->width);
        assert_int_equal(image.height, truth->height);
        assert_digest(image.pixels, (size_t)image.width * image.height * 3, truth->sha256,
                      truth->file);
        image_finish(&image);
        buffer_finish(&file);
    }
}

/* The offset behind the end-of-image marker. */
static size_t end_of_image(const struct buffer *file)
{
    for (size_t i = file->size - 1; i > 0; i--)
        if ((uint8_t)file->data[i - 1] == 0xFF && (uint8_t)file->data[i] == 0xD9)
            return i + 1;
    fail_msg("no end of image");
    return 0;
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof jpeg_truths / sizeof jpeg_truths[0]; i++) {
        struct buffer file = read_corpus(jpeg_truths[i].file);
        assert_truncations_refused(image_jpeg_decode, &file, end_of_image(&file), 1);
        buffer_finish(&file);
    }
}

static void photos_cut_at_every_kilobyte_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"photo.jpg", "progressive.jpg", "gray.jpg"};
    for (size_t i = 0; i < 3; i++) {
        char path[PATH_MAX];
        struct buffer file = read_whole(shared_image(names[i], path));
        assert_truncations_refused(image_jpeg_decode, &file, file.size, 1024);
        assert_refused(image_jpeg_decode, file.data, 20480, MODEL_INVALID_ARGUMENT,
                       "the JPEG ends too early, after 20480 bytes");
        assert_refused(image_jpeg_decode, file.data, file.size - 1, MODEL_INVALID_ARGUMENT,
                       i == 0   ? "the JPEG ends too early, after 60460 bytes"
                       : i == 1 ? "the JPEG ends too early, after 40637 bytes"
                                : "the JPEG ends too early, after 38527 bytes");
        buffer_finish(&file);
    }
}

/* Writes another size into the frame header, which follows marker FFC0 or FFC2. */
static void assert_lie_refused(const char *name, uint32_t width, uint32_t height,
                               const char *sentence)
{
    struct buffer file = read_corpus(name);
    size_t at = 2;
    while (((uint8_t)file.data[at + 1] & 0xFD) != 0xC0)
        at += 2u + (size_t)((uint8_t)file.data[at + 2] << 8) + (uint8_t)file.data[at + 3];
    file.data[at + 5] = (char)(height >> 8);
    file.data[at + 6] = (char)height;
    file.data[at + 7] = (char)(width >> 8);
    file.data[at + 8] = (char)width;
    assert_refused(image_jpeg_decode, file.data, file.size, MODEL_INVALID_ARGUMENT, sentence);
    buffer_finish(&file);
}

static void a_header_that_lies_about_the_size_is_refused(void **state)
{
    (void)state;
    assert_lie_refused("image_jpeg/rgb420.jpg", 29, 210,
                       "the JPEG has less data than its 29 x 210 pixels need");
    assert_lie_refused("image_jpeg/progressive.jpg", 290, 21,
                       "the JPEG has less data than its 290 x 21 pixels need");
    assert_lie_refused("image_jpeg/gray.jpg", 9000, 9000,
                       "the JPEG says that it has 9000 x 9000 pixels, but 349 bytes cannot hold "
                       "them");
    assert_lie_refused("image_jpeg/gray.jpg", 60000, 60000,
                       "the JPEG has 60000 x 60000 pixels, want at most 89478485 in all");
    assert_lie_refused("image_jpeg/gray.jpg", 0, 21,
                       "the JPEG is damaged, or of a kind that is not supported: Empty JPEG image "
                       "(DNL not supported)");
    assert_lie_refused("image_jpeg/gray.jpg", 65535, 21,
                       "the JPEG is damaged, or of a kind that is not supported: Maximum supported "
                       "image dimension is 65500 pixels");
}

static void other_kinds_of_jpeg_are_refused_by_name(void **state)
{
    (void)state;
    struct buffer file = read_corpus("image_jpeg/gray.jpg");
    size_t at = 2;
    while (((uint8_t)file.data[at + 1] & 0xFD) != 0xC0)
        at += 2u + (size_t)((uint8_t)file.data[at + 2] << 8) + (uint8_t)file.data[at + 3];
    file.data[at + 4] = 12;
    assert_refused(image_jpeg_decode, file.data, file.size, MODEL_INVALID_ARGUMENT,
                   "the JPEG is damaged, or of a kind that is not supported: Unsupported JPEG data "
                   "precision 12");
    file.data[at + 4] = 8;
    file.data[at + 1] = (char)0xC3;
    assert_refused(image_jpeg_decode, file.data, file.size, MODEL_INVALID_ARGUMENT,
                   "the JPEG is damaged, or of a kind that is not supported: Unsupported JPEG "
                   "process: SOF type 0xc3");
    buffer_finish(&file);
}

static void scans_without_end_are_refused(void **state)
{
    (void)state;
    struct buffer file = read_corpus("image_jpeg/progressive_gray.jpg");
    struct buffer bomb = BUFFER_INIT(1 << 20);
    size_t last = 0, end = end_of_image(&file) - 2;
    for (size_t i = 0; i + 1 < end; i++)
        if ((uint8_t)file.data[i] == 0xFF && (uint8_t)file.data[i + 1] == 0xDA)
            last = i;
    assert_int_equal(buffer_append(&bomb, file.data, end), MODEL_OK);
    for (int i = 0; i < 200; i++)
        assert_int_equal(buffer_append(&bomb, file.data + last, end - last), MODEL_OK);
    assert_int_equal(buffer_append(&bomb, file.data + end, 2), MODEL_OK);
    assert_refused(image_jpeg_decode, bomb.data, bomb.size, MODEL_INVALID_ARGUMENT,
                   "the JPEG has more than 100 scans");
    buffer_finish(&bomb);
    buffer_finish(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_jpeg_decodes_as_in_pillow),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(photos_cut_at_every_kilobyte_are_refused),
        cmocka_unit_test(a_header_that_lies_about_the_size_is_refused),
        cmocka_unit_test(other_kinds_of_jpeg_are_refused_by_name),
        cmocka_unit_test(scans_without_end_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
