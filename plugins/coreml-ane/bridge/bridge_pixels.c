/* bridge_pixels.c - see bridge_pixels.h. */
#include "bridge_pixels.h"
#include "bridge_half.h"

#include <string.h>

static const struct {
    int64_t channels;
    size_t pixel_bytes;
    size_t place[3]; /* in a pixel: of red, green and blue, or of grey */
    bool is_half;
} forms[BRIDGE_N_FORMS] = {[BRIDGE_GREY8] = {1, 1, {0}, false},
                           [BRIDGE_GREY16F] = {1, 2, {0}, true},
                           [BRIDGE_BGRA] = {3, 4, {2, 1, 0}, false},
                           [BRIDGE_ARGB] = {3, 4, {1, 2, 3}, false}};

int64_t bridge_channels(enum bridge_form form)
{
    return forms[form].channels;
}

static size_t place_of(const struct bridge_picture *picture, size_t channel)
{
    const size_t last = (size_t)forms[picture->form].channels - 1;
    return forms[picture->form].place[picture->is_bgr ? last - channel : channel];
}

static uint8_t to_byte(float x)
{
    return x >= 255.0f ? 255 : x > 0.0f ? (uint8_t)(x + 0.5f) : 0;
}

static void put(uint8_t *to, bool is_half, float x)
{
    const bridge_half rounded = (bridge_half)x;
    if (is_half)
        memcpy(to, &rounded, sizeof rounded);
    else
        *to = to_byte(x);
}

static float get(const uint8_t *from, bool is_half)
{
    bridge_half x;
    if (!is_half)
        return *from;
    memcpy(&x, from, sizeof x);
    return (float)x;
}

void bridge_write_pixels(const struct bridge_picture *picture, int32_t dtype, const void *planes,
                         void *pixels)
{
    const size_t pixel_bytes = forms[picture->form].pixel_bytes, width = picture->width;
    const bool is_half = forms[picture->form].is_half;
    size_t i = 0;
    for (size_t row = 0; row < picture->height; row++)
        memset((uint8_t *)pixels + row * picture->row_bytes, 255, width * pixel_bytes);
    for (size_t channel = 0; channel < (size_t)forms[picture->form].channels; channel++)
        for (size_t row = 0; row < picture->height; row++) {
            uint8_t *to = (uint8_t *)pixels + row * picture->row_bytes + place_of(picture, channel);
            for (size_t column = 0; column < width; column++, i++)
                put(to + column * pixel_bytes, is_half,
                    dtype == MODEL_U8 ? ((const uint8_t *)planes)[i] : ((const float *)planes)[i]);
        }
}

void bridge_read_pixels(const struct bridge_picture *picture, const void *pixels, float *planes)
{
    const size_t pixel_bytes = forms[picture->form].pixel_bytes;
    for (size_t channel = 0; channel < (size_t)forms[picture->form].channels; channel++)
        for (size_t row = 0; row < picture->height; row++) {
            const uint8_t *from =
                (const uint8_t *)pixels + row * picture->row_bytes + place_of(picture, channel);
            for (size_t column = 0; column < picture->width; column++)
                *planes++ = get(from + column * pixel_bytes, forms[picture->form].is_half);
        }
}
