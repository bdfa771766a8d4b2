/* compact_rows.h - rows of x times compact weights. Not for plugins.
 *
 * Up to PRODUCT_ROWS rows wait for the weights to come from memory, so that better numbers cost nothing: x is not
 * rounded for bf16, and to 15 bits (struct fine_row) for the others. More rows are *coarse*: x is rounded to bf16, or
 * to 8 bits with a scale for each row, and panels of int4 are unpacked to int8 one by one, in the second-level
 * cache. */
#ifndef COMPACT_ROWS_H
#define COMPACT_ROWS_H

#include "compact_weights.h"

/* Rows in one struct compact_rows. */
#define COMPACT_ROWS 512

struct compact_rows {
    const struct kernels *kernels;
    const struct compact_weights *weights;
    const float *x; /* (n_rows, in_features) */
    size_t n_rows;
    struct fine_row fine[PRODUCT_ROWS];
    char *coarse; /* (n_rows, coarse_bytes): bf16 or int8; NULL: few rows */
    size_t coarse_bytes;
    float *scales; /* (n_rows), of int8 */
    int32_t *sums;
};

/* What the rows of a linear need, and beside it each thread that multiplies. */
size_t compact_rows_bytes(size_t in_features);
size_t compact_unpacked_bytes(const struct kernels *kernels, size_t in_features);

/* Rounds n_rows <= COMPACT_ROWS rows, on the model's threads. `space` has compact_rows_bytes(), 64-byte aligned, and
 * like x stays as long as `ret` is used. */
void compact_rows_read(const struct kernels *kernels, const struct compact_weights *weights,
                       const float *x, size_t n_rows, void *space, struct compact_rows *ret);

/* A panel, ready for the rows. */
struct compact_panel {
    const void *data;
    struct int8_columns columns; /* of int8, and of int4 that is unpacked */
    const float *bias;           /* (COMPACT_COLUMNS), as many as there are features */
};
/* `unpacked` has compact_unpacked_bytes(), 64-byte aligned. */
struct compact_panel compact_panel_begin(const struct compact_rows *rows, size_t panel,
                                         const float *bias, void *unpacked);

/* y = x panel + bias for rows [row, row + n_rows) and n_columns of the panel, plus y if accumulate; n_rows at most
 * PRODUCT_ROWS, rows of y ldy floats apart. */
void compact_panel_multiply(const struct compact_rows *rows, const struct compact_panel *panel,
                            size_t row, size_t n_rows, size_t n_columns, bool accumulate, float *y,
                            size_t ldy);

#endif
