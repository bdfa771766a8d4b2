/* image.h - a picture in memory, and how large one may be.
 *
 * Whatever a file held - gray, palette, 16 bits, alpha, CMYK - is RGB of 8 bits here, as Pillow's
 * convert("RGB") makes it, and upright: the orientation of EXIF has been applied. */
#ifndef IMAGE_H
#define IMAGE_H

#include "modelhost.h"

/* Checked against a file's header before memory is taken. A decoded picture takes 3 bytes a pixel, so
 * 256 MiB at most; turning one by its EXIF orientation takes as much again, a progressive JPEG up to
 * twice as much while it is read. */
#define IMAGE_MAX_BYTES  (128u << 20) /* of a file */
#define IMAGE_MAX_SIDE   65535u
#define IMAGE_MAX_PIXELS 89478485u /* (1 << 28) / 3 */

struct image {
    uint8_t *pixels; /* (height, width, 3), owned; NULL: none */
    uint32_t width, height;
};

#define IMAGE_INIT                                                                                 \
    {                                                                                              \
        .pixels = NULL                                                                             \
    }

/* MODEL_INVALID_ARGUMENT with the limit, unless width x height is within the limits. `what` is the
 * picture's format: "PNG". */
model_status image_check_size(const char *what, uint64_t width, uint64_t height,
                              struct model_error *err);
/* Memory for a picture within the limits, all black. */
model_status image_allocate(uint32_t width, uint32_t height, struct image *ret,
                            struct model_error *err);
void image_finish(struct image *image);

#endif
