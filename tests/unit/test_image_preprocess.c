/* test_image_preprocess.c - pixel values, held against those of the original image processors: digests made
 * with Pillow and numpy, and $SHARED/images/reference.safetensors. */
#define WANT_PROCESS_TRUTH
#include "image_preprocess.h"
#include "image_decode.h"
#include "image_fixture.h"
#include "pillow_truth.h"
#include "weights.h"

static void every_kind_of_processor_gives_the_same_floats(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof process_truths / sizeof process_truths[0]; i++) {
        const struct process_truth *truth = &process_truths[i];
        const struct preprocessor p = read_config(truth->config);
        struct image image = IMAGE_INIT, shaped = IMAGE_INIT;
        make_pattern(truth->width, truth->height, &image);
        assert_int_equal(image_preprocess_shape(&p, &image, &shaped, NULL), MODEL_OK);
        assert_int_equal(p.num_channels, truth->shape[0]);
        assert_int_equal(shaped.height, truth->shape[1]);
        assert_int_equal(shaped.width, truth->shape[2]);
        size_t n = (size_t)p.num_channels * shaped.height * shaped.width;
        float *values = calloc(n, sizeof *values);
        image_preprocess_values(&p, &shaped, values);
        assert_digest(values, n * sizeof *values, truth->sha256, truth->config);
        free(values);
        image_finish(&shaped);
        image_finish(&image);
    }
}

/* As numpy's astype(float16): to nearest, ties to even; the values are normal. */
static uint16_t to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude < 0x38800000) /* below the smallest normal half: scaled by 2^24 */
        return (uint16_t)(sign | (uint32_t)((value < 0 ? -value : value) * 16777216.0f + 0.5f));
    const uint32_t rounded = magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1);
    return (uint16_t)(sign | rounded >> 13);
}

static void compare_with_reference(const struct weights *reference, const char *file,
                                   const char *kind)
{
    char name[64], path[PATH_MAX], config[64];
    struct preprocessor p;
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT, shaped = IMAGE_INIT;
    struct model_tensor want = {.struct_size = sizeof want};
    (void)snprintf(name, sizeof name, "%s/%s", file, kind);
    (void)snprintf(config, sizeof config, "%s_preprocessor_config.json", kind);
    struct buffer text = read_whole(shared_image(config, path));
    p = read_config(text.data);
    struct buffer data = read_whole(shared_image(file, path));
    if (image_decode(data.data, data.size, &image, &err) != MODEL_OK ||
        image_preprocess_shape(&p, &image, &shaped, &err) != MODEL_OK)
        fail_msg("%s: %s", name, err.message);
    assert_int_equal(weights_find(reference, name, &want), MODEL_OK);
    assert_int_equal(want.dtype, MODEL_F16);
    assert_int_equal(want.shape[1], shaped.height);
    assert_int_equal(want.shape[2], shaped.width);
    size_t n = (size_t)3 * shaped.height * shaped.width, n_different = 0;
    float *values = calloc(n, sizeof *values);
    image_preprocess_values(&p, &shaped, values);
    for (size_t i = 0; i < n; i++)
        n_different += to_half(values[i]) != ((const uint16_t *)want.data)[i];
    if (n_different > 0)
        fail_msg("%s: %zu of %zu values differ", name, n_different, n);
    free(values);
    image_finish(&shaped);
    image_finish(&image);
    buffer_finish(&data);
    buffer_finish(&text);
}

static void all_references_are_met_to_the_last_bit(void **state)
{
    (void)state;
    static const char *const files[] = {"gray.jpg",        "gray.png", "palette.png",
                                        "photo.jpg",       "rgb.png",  "rgba.png",
                                        "progressive.jpg", "tiny.png", "tall_small.png"};
    char path[PATH_MAX];
    struct weights *reference = NULL;
    assert_int_equal(
        weights_open_file(shared_image("reference.safetensors", path), &reference, NULL), MODEL_OK);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        compare_with_reference(reference, files[i], "vit");
        compare_with_reference(reference, files[i], "resnet");
    }
    weights_destroy(reference);
}

static void a_row_of_60000_pixels_becomes_a_square(void **state)
{
    (void)state;
    const struct preprocessor p =
        read_config("{\"image_processor_type\":\"ConvNextImageProcessor\",\"size\":224}");
    struct image image = IMAGE_INIT, shaped = IMAGE_INIT;
    assert_int_equal(image_allocate(60000, 1, &image, NULL), MODEL_OK);
    assert_int_equal(image_preprocess_shape(&p, &image, &shaped, NULL), MODEL_OK);
    assert_int_equal(shaped.width, 224);
    assert_int_equal(shaped.height, 224);
    image_finish(&shaped);
    image_finish(&image);
}

static void assert_shape_refused(const char *config, uint32_t width, uint32_t height,
                                 const char *sentence)
{
    const struct preprocessor p = read_config(config);
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT, shaped = IMAGE_INIT;
    assert_int_equal(image_allocate(width, height, &image, NULL), MODEL_OK);
    assert_int_equal(image_preprocess_shape(&p, &image, &shaped, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, sentence);
    assert_null(shaped.pixels);
    image_finish(&image);
}

static void what_would_become_too_large_is_refused(void **state)
{
    (void)state;
    assert_shape_refused("{\"image_processor_type\":\"CLIPImageProcessor\",\"size\":224,"
                         "\"do_center_crop\":false}",
                         60000, 1,
                         "it would become 13440000 x 224 pixels for the model, want sides of at "
                         "most 8192");
    assert_shape_refused("{\"image_processor_type\":\"CLIPImageProcessor\",\"size\":8192}", 60000,
                         1,
                         "with a shortest edge of 8192 its 60000 x 1 pixels would become 491520000 "
                         "long, want at most 16777216");
    assert_shape_refused("{\"image_processor_type\":\"ViTImageProcessor\",\"do_resize\":false}", 1,
                         9000,
                         "it would become 1 x 9000 pixels for the model, want sides of at most "
                         "8192");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_processor_gives_the_same_floats),
        cmocka_unit_test(all_references_are_met_to_the_last_bit),
        cmocka_unit_test(a_row_of_60000_pixels_becomes_a_square),
        cmocka_unit_test(what_would_become_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
