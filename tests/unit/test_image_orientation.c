/* test_image_orientation.c - the orientation in EXIF data, and turning by it. */
#include "image_orientation.h"
#include "testing.h"

static const uint8_t little[26] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3,
                                   0,   1,   0,  0, 0, 6, 0, 0, 0, 0, 0,    0,    0};
static const uint8_t big[26] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0,
                                3,   0,   0, 0,  1, 0, 8, 0, 0, 0, 0,    0,    0};

static void both_byte_orders_are_read(void **state)
{
    (void)state;
    assert_int_equal(image_orientation_read(little, sizeof little), 6);
    assert_int_equal(image_orientation_read(big, sizeof big), 8);
}

static void nonsense_means_as_it_is(void **state)
{
    (void)state;
    uint8_t exif[sizeof little];
    for (size_t n = 0; n < 22; n++) { /* the value ends at 22; the entry must be whole */
        uint8_t *exact = malloc(n + 1);
        memcpy(exact, little, n);
        assert_int_equal(image_orientation_read(exact, n), 1);
        free(exact);
    }
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{0, 'M'}, {0, 'X'}, {2, 43}, {4, 255}, {7, 255},
                   {10, 0},  {12, 2},  {14, 2}, {18, 0},  {18, 9}};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        memcpy(exif, little, sizeof exif);
        exif[changes[i].at] = changes[i].value;
        assert_int_equal(image_orientation_read(exif, sizeof exif), 1);
    }
}

/* a b     A 2 x 3 picture of six pixels, */
/* c d     by the letters in its red      */
/* e f     channel.                       */
static void each_orientation_turns_as_exif_says(void **state)
{
    (void)state;
    static const char *const upright[9] = {"abcdef", "abcdef", "badcfe", "fedcba", "efcdab",
                                           "acebdf", "ecafdb", "fdbeca", "bdface"};
    for (uint32_t orientation = 0; orientation <= 8; orientation++) {
        struct image image = IMAGE_INIT;
        assert_int_equal(image_allocate(2, 3, &image, NULL), MODEL_OK);
        for (size_t i = 0; i < 6; i++)
            memset(image.pixels + 3 * i, "abcdef"[i], 3);
        assert_int_equal(image_orientation_apply(&image, orientation, NULL), MODEL_OK);
        assert_int_equal(image.width, orientation < 5 ? 2 : 3);
        assert_int_equal(image.height, orientation < 5 ? 3 : 2);
        for (size_t i = 0; i < 18; i++)
            assert_int_equal(image.pixels[i], upright[orientation][i / 3]);
        image_finish(&image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_byte_orders_are_read),
        cmocka_unit_test(nonsense_means_as_it_is),
        cmocka_unit_test(each_orientation_turns_as_exif_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
