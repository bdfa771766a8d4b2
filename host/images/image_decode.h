/* image_decode.h - a file in memory becomes a picture, whatever format its first bytes say. */
#ifndef IMAGE_DECODE_H
#define IMAGE_DECODE_H

#include "image.h"

/* PNG or JPEG. MODEL_UNSUPPORTED names the format of others ("GIF is not supported; ..."),
 * MODEL_INVALID_ARGUMENT: empty, damaged, truncated, over a limit of image.h. [any-thread] */
model_status image_decode(const void *data, size_t size_bytes, struct image *ret,
                          struct model_error *err);

#endif
