/* image_resize.h - resampling as Pillow's Image.resize() does it, bit for bit. */
#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H

#include "image.h"

/* Longer sides are refused. A picture of 60,000 x 1 may become 15,360,000 x 256 of which the middle is
 * taken: only what is taken is computed, whatever the whole would measure. */
#define IMAGE_MAX_RESIZED_SIDE (1 << 24)

/* The numbers are Pillow's, as preprocessor_config.json has them in "resample". */
enum image_filter {
    IMAGE_NEAREST = 0,
    IMAGE_LANCZOS = 1,
    IMAGE_BILINEAR = 2,
    IMAGE_BICUBIC = 3,
    IMAGE_BOX = 4,
    IMAGE_HAMMING = 5,
    IMAGE_N_FILTERS
};

/* A part of the resized picture. */
struct image_box {
    uint32_t left, top, width, height;
};

/* Resizes the whole picture to width x height and gives the box of it, which must lie inside.
 * Follows Pillow: the filter stretches with the reduction (antialiasing), rows first, then columns,
 * 8 bits between, weights of 22 fraction bits. MODEL_INVALID_ARGUMENT: a side of 0 or over the limit, or
 * more pixels on the way than IMAGE_MAX_PIXELS. [any-thread] */
model_status image_resize(const struct image *image, uint32_t width, uint32_t height,
                          enum image_filter filter, const struct image_box *box, struct image *ret,
                          struct model_error *err);

#endif
