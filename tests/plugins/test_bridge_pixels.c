/* test_bridge_pixels.c - pictures between planes and rows of pixels (plugins/coreml-ane/bridge/bridge_pixels.c): each form, byte
 * by byte. */
#include "bridge_pixels.h"
#include "testing.h"

#include <math.h>

#define GAP 0xAB

/* 2 x 2 pixels: red, green and blue planes. */
static const uint8_t red_green_blue[] = {1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24};

static struct bridge_picture picture_of(enum bridge_form form, bool is_bgr, size_t row_bytes)
{
    return (struct bridge_picture){form, is_bgr, 2, 2, row_bytes};
}

static void colours_go_where_the_form_has_them(void **state)
{
    (void)state;
    static const struct {
        enum bridge_form form;
        bool is_bgr;
        uint8_t pixels[2][10]; /* two rows with a gap of two bytes */
    } cases[] = {
        {BRIDGE_BGRA,
         false,
         {{21, 11, 1, 255, 22, 12, 2, 255, GAP, GAP}, {23, 13, 3, 255, 24, 14, 4, 255, GAP, GAP}}},
        {BRIDGE_BGRA,
         true,
         {{1, 11, 21, 255, 2, 12, 22, 255, GAP, GAP}, {3, 13, 23, 255, 4, 14, 24, 255, GAP, GAP}}},
        {BRIDGE_ARGB,
         false,
         {{255, 1, 11, 21, 255, 2, 12, 22, GAP, GAP}, {255, 3, 13, 23, 255, 4, 14, 24, GAP, GAP}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct bridge_picture picture = picture_of(cases[i].form, cases[i].is_bgr, 10);
        uint8_t pixels[20];
        float planes[12];
        memset(pixels, GAP, sizeof pixels);
        assert_int_equal(bridge_channels(cases[i].form), 3);
        bridge_write_pixels(&picture, MODEL_U8, red_green_blue, pixels);
        assert_memory_equal(pixels, cases[i].pixels, sizeof pixels);
        bridge_read_pixels(&picture, pixels, planes);
        for (size_t k = 0; k < 12; k++)
            assert_int_equal((int)planes[k], red_green_blue[k]);
    }
}

static void bytes_of_grey_are_rounded_and_cut_off(void **state)
{
    (void)state;
    const struct bridge_picture picture = picture_of(BRIDGE_GREY8, false, 3);
    const float numbers[] = {-3, 0.5f, 254.6f, 1e9f}, nothing[] = {NAN, 0.49f, 255, 127.5f};
    uint8_t pixels[6] = {[2] = GAP, [5] = GAP};
    float planes[4];
    bridge_write_pixels(&picture, MODEL_F32, numbers, pixels);
    assert_memory_equal(pixels, ((const uint8_t[]){0, 1, GAP, 255, 255, GAP}), sizeof pixels);
    bridge_write_pixels(&picture, MODEL_F32, nothing, pixels);
    assert_memory_equal(pixels, ((const uint8_t[]){0, 0, GAP, 255, 128, GAP}), sizeof pixels);
    bridge_read_pixels(&picture, pixels, planes);
    assert_memory_equal(planes, ((const float[]){0, 0, 255, 128}), sizeof planes);
    assert_int_equal(bridge_channels(BRIDGE_GREY8), 1);
}

/* By their bits, as IEEE 754 has them. */
static void halves_of_grey_are_numbers_of_any_value(void **state)
{
    (void)state;
    const struct bridge_picture picture = picture_of(BRIDGE_GREY16F, false, 6);
    const float numbers[] = {-2, 0.5f, 254.5f, 1e9f};
    const uint16_t wanted[] = {0xC000, 0x3800, 0xABAB, 0x5BF4, 0x7C00, 0xABAB};
    const uint8_t bytes[] = {0, 1, 128, 255};
    uint16_t pixels[6];
    float planes[4];
    memset(pixels, GAP, sizeof pixels);
    bridge_write_pixels(&picture, MODEL_F32, numbers, pixels);
    assert_memory_equal(pixels, wanted, sizeof wanted);
    bridge_read_pixels(&picture, pixels, planes);
    assert_memory_equal(planes, ((const float[]){-2, 0.5f, 254.5f, INFINITY}), sizeof planes);
    bridge_write_pixels(&picture, MODEL_U8, bytes, pixels);
    assert_memory_equal(pixels,
                        ((const uint16_t[]){0x0000, 0x3C00, 0xABAB, 0x5800, 0x5BF8, 0xABAB}), 12);
    assert_int_equal(bridge_channels(BRIDGE_GREY16F), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_go_where_the_form_has_them),
        cmocka_unit_test(bytes_of_grey_are_rounded_and_cut_off),
        cmocka_unit_test(halves_of_grey_are_numbers_of_any_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
