/* linear_panels.h - products on the inner loops of vector_kernels.h: all of the portable build, and in
 * the other one what oneDNN leaves slow or does not do: few rows, which are as fast as the weights come
 * from memory, and weights that stay as the package holds them. Not for plugins. */
#ifndef LINEAR_PANELS_H
#define LINEAR_PANELS_H

#include "compact_rows.h"

#define PANEL COMPACT_COLUMNS /* the most columns of a panel; a multiple of PRODUCT_COLUMNS */

/* A weight in one of three forms. Packed: panels of `columns` output features, each (in_features,
 * columns), floats_per_panel apart, the last one filled up. A view: (out_features, in_features) in
 * F32, F16 or BF16. Or compact. */
struct linear_panels {
    const float *packed; /* NULL: the view */
    size_t columns, floats_per_panel;
    struct model_tensor view;
    struct compact_weights compact;
    const float *bias; /* (out_features) */
    size_t in_features, out_features;
    enum activation activation;
    bool accumulate;
};

/* Rows up to which a product takes little longer than reading the weights once. */
#define FEW_ROWS PRODUCT_ROWS
/* Whether so few rows are faster here than anywhere else. */
bool linear_panels_suit(const struct kernels *kernels, const struct linear_panels *linear,
                        size_t n_rows);

/* Of one runner: where views are packed during a run of more than FEW_ROWS, and rows of x for compact weights. */
size_t linear_panels_workspace_bytes(const struct kernels *kernels);
/* x(n_rows, in_features) -> y(n_rows, out_features). [lane-thread] */
void linear_panels_run(const struct kernels *kernels, const struct linear_panels *linear,
                       void *workspace, const float *x, size_t n_rows, float *y);

/* (n_columns, depth) with row stride `stride` -> (depth, PANEL), zeros behind n_columns. */
void linear_panels_transpose(const float *x, size_t stride, size_t n_columns, size_t depth,
                             float *panel);

#endif
