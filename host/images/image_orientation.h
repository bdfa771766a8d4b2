/* image_orientation.h - which way up: the orientation that EXIF gives, and turning a picture by it. */
#ifndef IMAGE_ORIENTATION_H
#define IMAGE_ORIENTATION_H

#include "image.h"

/* The orientation (tag 0x0112) in the first directory of EXIF data, which is a small TIFF file: 1 to 8,
 * and 1 ("as it is") when there is none or the data makes no sense. [any-thread] */
uint32_t image_orientation_read(const uint8_t *exif, size_t size_bytes);

/* Turns and mirrors the picture so that it stands upright. 1 does nothing. */
model_status image_orientation_apply(struct image *image, uint32_t orientation,
                                     struct model_error *err);

#endif
