/* compact_weights.h - the weights of a linear in bf16, int8 or int4, packed for the inner loops; compact_rows.h
 * multiplies by them. The formats are those of vector_kernels.h. Not for plugins.
 *
 *   bf16   each weight rounded to the nearest
 *   int8   w = scale q, |q| <= 127, a scale for each output feature
 *   int4   w = scale q, -8 <= q <= 7, a scale for each output feature and INT4_GROUP input features
 *
 * A scale over a weight that is not finite is NaN. */
#ifndef COMPACT_WEIGHTS_H
#define COMPACT_WEIGHTS_H

#include "linear_source.h"

/* 32-bit sums hold so many products of int8 weights and 15-bit numbers. */
#define COMPACT_MAX_IN_FEATURES 32768

struct compact_weights {
    enum compute_dtype dtype; /* COMPUTE_F32: there are none */
    const void *panels;       /* each of COMPACT_COLUMNS output features, panel_bytes */
    size_t panel_bytes;
    size_t in_features, out_features;
    const float *scales; /* (panels, COMPACT_COLUMNS), of int8 */
};

/* Whether the kernels' dtype is for this weight: not for a few output features, which are the last of a model and
 * cost nothing, nor for more input features than fit. */
bool compact_weights_suit(const struct kernels *kernels, const struct linear_source *source);
/* Through packed_blob. [create-thread] */
model_status compact_weights_prepare(struct kernels *kernels, const struct linear_source *source,
                                     struct compact_weights *ret, struct model_error *err);

#endif
