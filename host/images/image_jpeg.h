/* image_jpeg.h - JPEG files, by libjpeg-turbo, which image_jpeg.c alone knows. */
#ifndef IMAGE_JPEG_H
#define IMAGE_JPEG_H

#include "image.h"

/* Decodes a whole file in memory: baseline and progressive; gray, colour, CMYK and YCCK, whose values
 * count as inverted (Adobe's way), as Pillow takes them. What lies behind the end-of-image marker is
 * not read.
 * MODEL_INVALID_ARGUMENT: damaged, over a limit, or without its end-of-image marker - however little is
 * missing, as Pillow has it - or with less data than its header's pixels need, where Pillow shows gray.
 * Damage that the library mends (it would print a warning) passes, as in Pillow. [any-thread] */
model_status image_jpeg_decode(const uint8_t *data, size_t size_bytes, struct image *ret,
                               struct model_error *err);

#endif
