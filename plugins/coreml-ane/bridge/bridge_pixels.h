/* bridge_pixels.h - pictures as Core ML takes and gives them, rows of pixels, from and to planes (channels, height, width).
 * Plain C without state, any thread. */
#ifndef BRIDGE_PIXELS_H
#define BRIDGE_PIXELS_H

#include "model_abi.h"

#include <stdbool.h>

enum bridge_form {
    BRIDGE_GREY8,   /* a byte */
    BRIDGE_GREY16F, /* a float16, of any value */
    BRIDGE_BGRA,    /* four bytes */
    BRIDGE_ARGB,
    BRIDGE_N_FORMS
};

struct bridge_picture {
    enum bridge_form form;
    bool is_bgr; /* the planes come as B G R, else R G B */
    size_t height, width;
    size_t row_bytes; /* from one row to the next: at least those of the pixels */
};

/* 1 or 3 planes. */
int64_t bridge_channels(enum bridge_form form);

/* Planes of MODEL_F32 or MODEL_U8, 0 to 255, into pixels: bytes are rounded and cut off, what is no number is 0; float16 is
 * rounded. Colours are opaque. What lies behind the pixels of a row stays. */
void bridge_write_pixels(const struct bridge_picture *picture, int32_t dtype, const void *planes,
                         void *pixels);
void bridge_read_pixels(const struct bridge_picture *picture, const void *pixels, float *planes);

#endif
