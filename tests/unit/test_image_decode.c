/* test_image_decode.c - formats by their first bytes. */
#include "image_decode.h"
#include "image_fixture.h"

static model_status decode(const uint8_t *data, size_t size_bytes, struct image *ret,
                           struct model_error *err)
{
    return image_decode(data, size_bytes, ret, err);
}

static void png_and_jpeg_are_told_by_their_first_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"image_png/rgb8.png", "image_jpeg/rgb420.jpg"};
    for (size_t i = 0; i < 2; i++) {
        struct buffer file = read_corpus(names[i]);
        struct image image = IMAGE_INIT;
        assert_int_equal(decode_exact(decode, file.data, file.size, &image, NULL), MODEL_OK);
        assert_int_equal(image.width, i == 0 ? 11 : 29);
        image_finish(&image);
        buffer_finish(&file);
    }
}

static void other_formats_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *name;
    } formats[] = {{"GIF89a......", "GIF"},         {"RIFF....WEBPVP8 ", "WebP"},
                   {"BM..........", "BMP"},         {"II*\0........", "TIFF"},
                   {"MM\0*........", "TIFF"},       {"....ftypavif", "AVIF"},
                   {"....ftypheic", "HEIC"},        {"\xFF\x0A..........", "JPEG XL"},
                   {"....jP  \r\n..", "JPEG 2000"}, {"%PDF-1.7....", "PDF"}};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char sentence[100];
        (void)snprintf(sentence, sizeof sentence,
                       "%s is not supported; want a PNG or a JPEG: convert it first",
                       formats[i].name);
        assert_refused(decode, formats[i].bytes, 12, MODEL_UNSUPPORTED, sentence);
    }
}

static void unknown_bytes_are_shown(void **state)
{
    (void)state;
    assert_refused(decode, "hello world", 11, MODEL_UNSUPPORTED,
                   "not a picture of a known format (it begins with 68 65 6c 6c 6f 20 77 6f); want "
                   "a PNG or a JPEG");
    assert_refused(decode, "\xFF", 1, MODEL_UNSUPPORTED,
                   "not a picture of a known format (it begins with ff); want a PNG or a JPEG");
    assert_refused(decode, "", 0, MODEL_INVALID_ARGUMENT, "it is empty; want a PNG or a JPEG");
}

static void a_file_over_the_limit_is_not_looked_at(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT;
    assert_int_equal(image_decode("x", (size_t)IMAGE_MAX_BYTES + 1, &image, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "it has 134217729 bytes, want at most 134217728");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_and_jpeg_are_told_by_their_first_bytes),
        cmocka_unit_test(other_formats_are_refused_by_name),
        cmocka_unit_test(unknown_bytes_are_shown),
        cmocka_unit_test(a_file_over_the_limit_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
