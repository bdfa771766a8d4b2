/* test_image.c - how large a picture may be. */
#include "errors.h"
#include "image.h"
#include "testing.h"

static void assert_size(uint64_t width, uint64_t height, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = image_check_size("PNG", width, height, &err);
    assert_int_equal(status, sentence == NULL ? MODEL_OK : MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, sentence != NULL ? sentence : "");
}

static void pictures_up_to_the_limits_are_taken(void **state)
{
    (void)state;
    assert_size(1, 1, NULL);
    assert_size(65535, 1365, NULL);
    assert_size(9459, 9459, NULL);
}

static void larger_pictures_are_refused_with_the_limit(void **state)
{
    (void)state;
    assert_size(0, 5, "the PNG has 0 x 5 pixels, want sides of 1 to 65535");
    assert_size(65536, 1, "the PNG has 65536 x 1 pixels, want sides of 1 to 65535");
    assert_size(1, UINT64_MAX,
                "the PNG has 1 x 18446744073709551615 pixels, want sides of 1 to 65535");
    assert_size(9460, 9460, "the PNG has 9460 x 9460 pixels, want at most 89478485 in all");
    assert_size(65535, 65535, "the PNG has 65535 x 65535 pixels, want at most 89478485 in all");
}

static void a_new_picture_is_black(void **state)
{
    (void)state;
    struct image image = IMAGE_INIT;
    assert_int_equal(image_allocate(3, 2, &image, NULL), MODEL_OK);
    for (size_t i = 0; i < 18; i++)
        assert_int_equal(image.pixels[i], 0);
    image_finish(&image);
    image_finish(&image);
    assert_null(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_up_to_the_limits_are_taken),
        cmocka_unit_test(larger_pictures_are_refused_with_the_limit),
        cmocka_unit_test(a_new_picture_is_black),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
