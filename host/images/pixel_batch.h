/* pixel_batch.h - files in memory become one tensor pixel_values. */
#ifndef PIXEL_BATCH_H
#define PIXEL_BATCH_H

#include "preprocessor.h"

#define PIXEL_BATCH_MAX_IMAGES 1024
#define PIXEL_BATCH_MAX_BYTES  (1u << 30) /* of pixel_values */

struct pixel_batch {
    float *values; /* (n_images, num_channels, height, width), owned */
    int64_t shape[4];
    struct model_tensor tensor; /* "pixel_values" over them */
};

/* Decodes and preprocesses `images`, on at most `threads` threads, the caller's among them. `cancelled` is
 * read between pictures: as soon as it is not 0 it is the status returned; NULL: never. An error names
 * the picture by its place: "image 2: ...". All must come out with one shape. [any-thread] */
model_status pixel_batch_init(const struct preprocessor *preprocessor,
                              const struct modelhost_image *images, uint32_t n_images,
                              uint32_t threads, const uint32_t *cancelled, struct pixel_batch *ret,
                              struct model_error *err);
void pixel_batch_finish(struct pixel_batch *batch);

#endif
