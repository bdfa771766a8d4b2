/* test_image_resize.c - resampling, held against digests of Pillow's results. */
#define WANT_RESIZE_TRUTH
#include "image_resize.h"
#include "image_fixture.h"
#include "pillow_truth.h"

static void every_filter_gives_pillows_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof resize_truths / sizeof resize_truths[0]; i++) {
        const struct resize_truth *truth = &resize_truths[i];
        struct image image = IMAGE_INIT, resized = IMAGE_INIT;
        const struct image_box all = {0, 0, truth->to_width, truth->to_height};
        char what[100];
        make_pattern(truth->width, truth->height, &image);
        assert_int_equal(image_resize(&image, truth->to_width, truth->to_height,
                                      (enum image_filter)truth->filter, &all, &resized, NULL),
                         MODEL_OK);
        (void)snprintf(what, sizeof what, "%u x %u to %u x %u by filter %u", truth->width,
                       truth->height, truth->to_width, truth->to_height, truth->filter);
        assert_digest(resized.pixels, (size_t)resized.width * resized.height * 3, truth->sha256,
                      what);
        image_finish(&resized);
        image_finish(&image);
    }
}

static void a_box_is_the_same_part_of_the_whole(void **state)
{
    (void)state;
    const struct image_box all = {0, 0, 40, 25}, box = {7, 11, 20, 9};
    struct image image = IMAGE_INIT, whole = IMAGE_INIT, part = IMAGE_INIT;
    make_pattern(61, 13, &image);
    for (int filter = 0; filter < IMAGE_N_FILTERS; filter++) {
        assert_int_equal(
            image_resize(&image, 40, 25, (enum image_filter)filter, &all, &whole, NULL), MODEL_OK);
        assert_int_equal(image_resize(&image, 40, 25, (enum image_filter)filter, &box, &part, NULL),
                         MODEL_OK);
        for (size_t y = 0; y < 9; y++)
            assert_memory_equal(part.pixels + y * 60, whole.pixels + ((y + 11) * 40 + 7) * 3, 60);
        image_finish(&whole);
        image_finish(&part);
    }
    image_finish(&image);
}

static void a_flat_picture_stays_flat_whatever_the_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1}, {2, 999}, {60000, 1}, {224, 224}};
    for (size_t i = 0; i < 4; i++) {
        struct image image = IMAGE_INIT, resized = IMAGE_INIT;
        const struct image_box all = {0, 0, 31, 17};
        assert_int_equal(image_allocate(sizes[i][0], sizes[i][1], &image, NULL), MODEL_OK);
        memset(image.pixels, 200, (size_t)sizes[i][0] * sizes[i][1] * 3);
        for (int filter = 0; filter < IMAGE_N_FILTERS; filter++) {
            assert_int_equal(
                image_resize(&image, 31, 17, (enum image_filter)filter, &all, &resized, NULL),
                MODEL_OK);
            for (size_t k = 0; k < 31 * 17 * 3; k++)
                assert_int_equal(resized.pixels[k], 200);
            image_finish(&resized);
        }
        image_finish(&image);
    }
}

static void assert_resize_refused(uint32_t in_width, uint32_t in_height, uint32_t width,
                                  uint32_t height, struct image_box box, model_status status,
                                  const char *sentence)
{
    struct image image = IMAGE_INIT, resized = IMAGE_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(image_allocate(in_width, in_height, &image, NULL), MODEL_OK);
    assert_int_equal(image_resize(&image, width, height, IMAGE_BICUBIC, &box, &resized, &err),
                     status);
    assert_string_equal(err.message, sentence);
    assert_null(resized.pixels);
    image_finish(&image);
}

static void sizes_over_the_limits_are_refused(void **state)
{
    (void)state;
    const struct image_box one = {0, 0, 1, 1}, wide = {0, 0, 8192, 16};
    assert_resize_refused(2, 2, 0, 5, one, MODEL_INVALID_ARGUMENT,
                          "it would be resized to 0 x 5 pixels, want sides of 1 to 16777216");
    assert_resize_refused(
        2, 2, 5, 16777217, one, MODEL_INVALID_ARGUMENT,
        "it would be resized to 5 x 16777217 pixels, want sides of 1 to 16777216");
    assert_resize_refused(2, 65535, 8192, 16, wide, MODEL_INVALID_ARGUMENT,
                          "resizing it takes 8192 x 65535 pixels, want at most 89478485 in all");
    assert_resize_refused(2, 2, 20000, 20000, (struct image_box){0, 0, 20000, 20000},
                          MODEL_INVALID_ARGUMENT,
                          "resizing it takes 20000 x 20000 pixels, want at most 89478485 in all");
    assert_resize_refused(2, 2, 5, 5, (struct image_box){3, 0, 3, 1}, MODEL_INTERNAL,
                          "a box of 3 x 1 at (3, 0) is not in 5 x 5");
}

static void the_middle_of_a_long_row_needs_no_room_for_the_row(void **state)
{
    (void)state;
    struct image image = IMAGE_INIT, resized = IMAGE_INIT;
    const struct image_box middle = {7679888, 16, 224, 224};
    assert_int_equal(image_allocate(60000, 1, &image, NULL), MODEL_OK);
    memset(image.pixels + 3 * 29999, 250, 6);
    assert_int_equal(image_resize(&image, 15360000, 256, IMAGE_BILINEAR, &middle, &resized, NULL),
                     MODEL_OK);
    assert_int_equal(resized.pixels[3 * 112], 250);
    image_finish(&resized);
    image_finish(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_filter_gives_pillows_bytes),
        cmocka_unit_test(a_box_is_the_same_part_of_the_whole),
        cmocka_unit_test(a_flat_picture_stays_flat_whatever_the_sizes),
        cmocka_unit_test(sizes_over_the_limits_are_refused),
        cmocka_unit_test(the_middle_of_a_long_row_needs_no_room_for_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
