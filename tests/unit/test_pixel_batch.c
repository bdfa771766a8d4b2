/* test_pixel_batch.c - several pictures become one tensor. */
#include "pixel_batch.h"
#include "failing_memory.h"
#include "image_fixture.h"

static struct modelhost_image image_of(const struct buffer *file)
{
    return (struct modelhost_image){sizeof(struct modelhost_image), file->data, file->size};
}

static void a_batch_is_its_pictures_one_after_the_other(void **state)
{
    (void)state;
    const struct preprocessor p =
        read_config("{\"image_processor_type\":\"ViTImageProcessor\",\"size\":6}");
    struct buffer files[2] = {read_corpus("image_png/rgb8.png"),
                              read_corpus("image_jpeg/rgb420.jpg")};
    const struct modelhost_image images[2] = {image_of(&files[0]), image_of(&files[1])};
    struct pixel_batch both, one;
    assert_int_equal(pixel_batch_init(&p, images, 2, 2, NULL, &both, NULL), MODEL_OK);
    assert_int_equal(both.tensor.rank, 4);
    assert_int_equal(both.tensor.shape[0], 2);
    assert_string_equal(both.tensor.name, "pixel_values");
    assert_int_equal(both.tensor.size_bytes, 2 * 3 * 6 * 6 * 4);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pixel_batch_init(&p, &images[i], 1, 1, NULL, &one, NULL), MODEL_OK);
        assert_memory_equal(one.values, both.values + i * 108, 108 * sizeof(float));
        pixel_batch_finish(&one);
    }
    pixel_batch_finish(&both);
    buffer_finish(&files[0]);
    buffer_finish(&files[1]);
}

static void assert_batch_refused(const char *config, const struct modelhost_image *images,
                                 uint32_t n_images, model_status wanted, const char *sentence)
{
    const struct preprocessor p = read_config(config);
    struct pixel_batch batch = {.values = NULL};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(pixel_batch_init(&p, images, n_images, 2, NULL, &batch, &err), wanted);
    assert_string_equal(err.message, sentence);
    assert_null(batch.values);
}

static void errors_name_the_first_bad_picture(void **state)
{
    (void)state;
    struct buffer file = read_corpus("image_png/rgb8.png");
    struct modelhost_image images[3] = {image_of(&file), image_of(&file), image_of(&file)};
    images[1].size_bytes = 30;
    images[2].size_bytes = 0;
    assert_batch_refused("{\"image_processor_type\":\"ViTImageProcessor\"}", images, 3,
                         MODEL_INVALID_ARGUMENT, "image 2: the PNG ends too early, after 30 bytes");
    assert_batch_refused("{\"image_processor_type\":\"ViTImageProcessor\"}", &images[2], 1,
                         MODEL_INVALID_ARGUMENT, "image 1: it is empty; want a PNG or a JPEG");
    assert_batch_refused("{\"image_processor_type\":\"ViTImageProcessor\"}", images, 0,
                         MODEL_INVALID_ARGUMENT, "0 images, want 1 to 1024");
    buffer_finish(&file);
}

static void pictures_of_one_batch_want_one_size(void **state)
{
    (void)state;
    struct buffer files[2] = {read_corpus("image_png/rgb8.png"),
                              read_corpus("image_png/gray8.png")};
    const struct modelhost_image images[2] = {image_of(&files[0]), image_of(&files[1])};
    assert_batch_refused("{\"image_processor_type\":\"ViTImageProcessor\",\"do_resize\":false}",
                         images, 2, MODEL_INVALID_ARGUMENT,
                         "image 2: it becomes 13 x 6 pixels, the first one 11 x 7; pictures of one "
                         "call want one size, so run them one by one");
    buffer_finish(&files[0]);
    buffer_finish(&files[1]);
}

static void a_batch_over_the_limit_is_refused_before_its_memory_is_taken(void **state)
{
    (void)state;
    struct buffer file = read_corpus("image_png/one_pixel.png");
    const struct modelhost_image images[6] = {image_of(&file), image_of(&file), image_of(&file),
                                              image_of(&file), image_of(&file), image_of(&file)};
    assert_batch_refused("{\"image_processor_type\":\"ViTImageProcessor\",\"size\":4096,"
                         "\"resample\":0}",
                         images, 6, MODEL_INVALID_ARGUMENT,
                         "pixel_values of 6 pictures take 1207959552 bytes, want at most "
                         "1073741824; give fewer");
    buffer_finish(&file);
}

static void a_cancelled_batch_stops(void **state)
{
    (void)state;
    const struct preprocessor p = read_config("{\"image_processor_type\":\"ViTImageProcessor\"}");
    struct buffer file = read_corpus("image_png/one_pixel.png");
    const struct modelhost_image image = image_of(&file);
    const uint32_t cancelled = MODEL_DEADLINE;
    struct pixel_batch batch = {.values = NULL};
    assert_int_equal(pixel_batch_init(&p, &image, 1, 1, &cancelled, &batch, NULL), MODEL_DEADLINE);
    assert_null(batch.values);
    buffer_finish(&file);
}

static void no_memory_anywhere_is_said_and_leaks_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"image_jpeg/exif6.jpg", "image_jpeg/cmyk.jpg",
                                        "image_png/palette4_interlaced.png"};
    const struct preprocessor p = read_config(
        "{\"image_processor_type\":\"CLIPImageProcessor\",\"size\":9,\"crop_size\":12}");
    for (size_t i = 0; i < 3; i++) {
        struct buffer file = read_corpus(names[i]);
        const struct modelhost_image image = image_of(&file);
        int n = 0;
        for (;; n++) {
            struct pixel_batch batch = {.values = NULL};
            failing_memory_after(n);
            model_status status = pixel_batch_init(&p, &image, 1, 1, NULL, &batch, NULL);
            const bool failed = failing_memory_end();
            pixel_batch_finish(&batch);
            assert_int_equal(status, failed ? MODEL_OUT_OF_MEMORY : MODEL_OK);
            if (!failed)
                break;
        }
        assert_true(n >= 10);
        buffer_finish(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_its_pictures_one_after_the_other),
        cmocka_unit_test(errors_name_the_first_bad_picture),
        cmocka_unit_test(pictures_of_one_batch_want_one_size),
        cmocka_unit_test(a_batch_over_the_limit_is_refused_before_its_memory_is_taken),
        cmocka_unit_test(a_cancelled_batch_stops),
        cmocka_unit_test(no_memory_anywhere_is_said_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
