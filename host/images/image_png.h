/* image_png.h - PNG files, by libpng, which image_png.c alone knows. */
#ifndef IMAGE_PNG_H
#define IMAGE_PNG_H

#include "image.h"

/* Decodes a whole file in memory: every colour type and depth, interlaced too; an animation gives its
 * default picture. As Pillow's convert("RGB"): alpha and tRNS are dropped, 16 bits of colour lose
 * their lower half, 16 bits of gray are cut at 255, a palette's missing entries are a gray ramp, no
 * gamma. MODEL_INVALID_ARGUMENT: damaged, truncated anywhere before IEND, or over a limit.
 * [any-thread] */
model_status image_png_decode(const uint8_t *data, size_t size_bytes, struct image *ret,
                              struct model_error *err);

#endif
