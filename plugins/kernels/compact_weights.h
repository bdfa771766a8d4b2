/* compact_weights.h - the weights of a linear in bf16, int8 or int4, packed for this processor's inner loops and,
 * where the layout is the same, for oneDNN. The formats are those of vector_kernels.h. Not for plugins.
 *
 *   bf16   each weight rounded to the nearest
 *   int8   w = scale q, |q| <= 127, a scale for each output feature
 *   int4   w = scale q, -8 <= q <= 7, a scale for each output feature and INT4_GROUP input features
 *
 * x is not rounded for bf16, and to 15 bits (struct fine_row) for the others: few rows wait for the weights to
 * come from memory, so that the better numbers cost nothing. */
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
    struct int8_columns columns; /* int8 */
};

/* Whether the kernels' dtype is for this weight: not for a few output features, which are the last of a model and
 * cost nothing, nor for more input features than fit. */
bool compact_weights_suit(const struct kernels *kernels, const struct linear_source *source);
/* Through packed_blob. [create-thread] */
model_status compact_weights_prepare(struct kernels *kernels, const struct linear_source *source,
                                     struct compact_weights *ret, struct model_error *err);

/* For up to COMPACT_ROWS rows of x in a run: where fine_row() puts them. */
#define COMPACT_ROWS 64
size_t compact_rows_bytes(size_t in_features);
/* Fills `rows` (n_rows) with what x (n_rows, in_features) is for these weights; nothing for bf16. `space` has
 * compact_rows_bytes(), 64-byte aligned. */
void compact_rows_read(const struct kernels *kernels, const struct compact_weights *weights,
                       const float *x, size_t n_rows, void *space, struct fine_row *rows);

/* tile(n_rows, COMPACT_COLUMNS) = x(n_rows, in_features) times one panel. `x` is for bf16, `rows` for the others.
 * n_rows <= PRODUCT_ROWS. */
void compact_panel_product(const struct kernels *kernels, const struct compact_weights *weights,
                           size_t panel, const float *x, const struct fine_row *rows, size_t n_rows,
                           float *tile);

#endif
