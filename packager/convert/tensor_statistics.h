/* tensor_statistics.h - what the elements of a tensor are like, and how two tensors differ. Elements are
 * compared as doubles; memory is a few blocks, whatever the size. Pure. [any-thread] */
#ifndef TENSOR_STATISTICS_H
#define TENSOR_STATISTICS_H

#include "modelhost.h"

#include <stdbool.h>

struct tensor_statistics {
    uint64_t n; /* elements */
    uint64_t n_nan, n_infinite, n_zero;
    double min, max, mean,
        std; /* of the finite elements, std of the population; 0 when there are none */
};

/* What is asked between two blocks; NULL: nothing. True ends the work with MODEL_CANCELLED. */
typedef bool statistics_cancelled_fn(void *context);

/* MODEL_OUT_OF_MEMORY, MODEL_CANCELLED. */
model_status tensor_statistics(const struct model_tensor *tensor,
                               statistics_cancelled_fn *cancelled, void *context,
                               struct tensor_statistics *ret, struct model_error *err);

struct tensor_difference {
    uint64_t n;           /* elements of each */
    uint64_t n_different; /* pairs with another value; two NaN are the same, 0 and -0 too */
    uint64_t n_unlike;    /* of these, with a NaN or infinity in one: they are in no figure below */
    double max, mean;     /* of the absolute differences */
    double relative;      /* sum of the absolute differences / sum of the absolute values of a */
};

/* Both have the same shape; element types may differ. */
model_status tensor_difference(const struct model_tensor *a, const struct model_tensor *b,
                               statistics_cancelled_fn *cancelled, void *context,
                               struct tensor_difference *ret, struct model_error *err);

#endif
