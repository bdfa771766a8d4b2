/* image_resample.h - the inner loops of image_resize.c: weighted sums of runs of pixels, and of rows. Weights have 22
 * fraction bits and sums are rounded to bytes, so that the answer is the same whatever order they are made in. */
#ifndef IMAGE_RESAMPLE_H
#define IMAGE_RESAMPLE_H

#include "modelhost.h"

#include <stdbool.h>

#define RESAMPLE_FRACTION_BITS 22
/* What may be read behind the pixels of a row, and is not used. */
#define RESAMPLE_SLACK_BYTES 8

struct run {
    uint32_t first, count; /* input pixels, or rows */
};

/* The weights of each output pixel of one direction. */
struct taps {
    struct run *runs; /* (n) */
    int32_t *weights; /* (n, max_count), below 2^26 each way */
    int32_t *pairs;   /* (n, (max_count + 1) / 2, 2), owned: see taps_pair() */
    uint32_t n, max_count;
};

/* Makes the pairs out of the weights. MODEL_OUT_OF_MEMORY */
model_status taps_pair(struct taps *taps, struct model_error *err);

/* One row: (in_width, 3) -> (columns->n, 3). `has_slack`: RESAMPLE_SLACK_BYTES behind it may be read. */
void resample_row(const uint8_t *from, const struct taps *columns, bool has_slack, uint8_t *to);
/* Row `y` of the output, (n_values), out of the rows from its first one on. */
void resample_column(const uint8_t *from, size_t n_values, const struct taps *rows, uint32_t y,
                     uint8_t *to);

#endif
