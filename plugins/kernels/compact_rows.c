/* compact_rows.c - see compact_rows.h. */
#include "compact_rows.h"

#include <string.h>

#define ROWS_PER_ITEM 8

/* ---- x */

static size_t fine_row_bytes(size_t in_features)
{
    const size_t depth = filled_up(in_features, COMPACT_DEPTH);
    return 2 * depth + filled_up(depth / INT4_GROUP * sizeof(int32_t), 64);
}

/* bf16 takes more than int8. */
static size_t coarse_row_bytes(size_t in_features)
{
    return filled_up(in_features, 4) * sizeof(uint16_t);
}

size_t compact_rows_bytes(size_t in_features)
{
    const size_t fine = PRODUCT_ROWS * fine_row_bytes(in_features);
    const size_t coarse =
        COMPACT_ROWS * (coarse_row_bytes(in_features) + sizeof(float) + sizeof(int32_t));
    return filled_up(fine > coarse ? fine : coarse, 64);
}

static void read_fine(struct compact_rows *rows, char *at)
{
    const size_t in = rows->weights->in_features, depth = filled_up(in, COMPACT_DEPTH);
    if (rows->weights->dtype == COMPUTE_BF16)
        return;
    for (size_t r = 0; r < rows->n_rows; r++, at += fine_row_bytes(in)) {
        struct fine_row *row = &rows->fine[r];
        *row = (struct fine_row){.high = (int8_t *)at,
                                 .low = (int8_t *)at + depth,
                                 .group_sums = (int32_t *)(void *)(at + 2 * depth)};
        memset(row->high + depth - COMPACT_DEPTH, 0, COMPACT_DEPTH);
        memset(row->low + depth - COMPACT_DEPTH, 0, COMPACT_DEPTH);
        rows->kernels->vector->fine_row(rows->x + r * in, in, row);
    }
}

static void read_coarse(const struct compact_rows *rows, size_t row)
{
    const struct vector_kernels *vector = rows->kernels->vector;
    const size_t in = rows->weights->in_features;
    const float *x = rows->x + row * in;
    char *y = rows->coarse + row * rows->coarse_bytes;
    if (rows->weights->dtype == COMPUTE_BF16) {
        vector->to_bf16(x, in, (uint16_t *)(void *)y);
        memset(y + in * sizeof(uint16_t), 0, rows->coarse_bytes - in * sizeof(uint16_t));
    } else {
        rows->scales[row] = vector->coarse_row(x, in, (int8_t *)y, &rows->sums[row]);
        memset(y + in, 0, rows->coarse_bytes - in);
    }
}

static void read_item(void *argument, size_t index)
{
    const struct compact_rows *rows = argument;
    const size_t first = index * ROWS_PER_ITEM, left = rows->n_rows - first;
    for (size_t i = 0; i < ROWS_PER_ITEM && i < left; i++)
        read_coarse(rows, first + i);
}

void compact_rows_read(const struct kernels *kernels, const struct compact_weights *weights,
                       const float *x, size_t n_rows, void *space, struct compact_rows *ret)
{
    const size_t in = weights->in_features;
    *ret = (struct compact_rows){.kernels = kernels, .weights = weights, .x = x, .n_rows = n_rows};
    if (n_rows <= PRODUCT_ROWS) {
        read_fine(ret, space);
        return;
    }
    ret->coarse_bytes = weights->dtype == COMPUTE_BF16 ? coarse_row_bytes(in) : filled_up(in, 4);
    ret->scales = space;
    ret->sums = (int32_t *)(void *)(ret->scales + COMPACT_ROWS);
    ret->coarse = (char *)(ret->sums + COMPACT_ROWS);
    const size_t n_items = (n_rows + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM;
    if (n_rows * in >= MIN_SHARED_NUMBERS)
        kernels_parallel(kernels, n_items, read_item, ret);
    else
        for (size_t i = 0; i < n_items; i++)
            read_item(ret, i);
}

/* ---- weights */

static size_t n_groups(size_t in_features)
{
    return filled_up(in_features, INT4_GROUP) / INT4_GROUP;
}

size_t compact_unpacked_bytes(const struct kernels *kernels, size_t in_features)
{
    const size_t depth = n_groups(in_features) * INT4_GROUP;
    return kernels->dtype == COMPUTE_INT4 ? COMPACT_COLUMNS * (depth + sizeof(float)) : 0;
}

struct compact_panel compact_panel_begin(const struct compact_rows *rows, size_t panel,
                                         const float *bias, void *unpacked)
{
    const struct compact_weights *weights = rows->weights;
    struct compact_panel ret = {.bias = bias};
    ret.data = (const char *)weights->panels + panel * weights->panel_bytes;
    if (weights->dtype == COMPUTE_INT8)
        ret.columns = (struct int8_columns){weights->scales + panel * COMPACT_COLUMNS, bias};
    if (weights->dtype == COMPUTE_INT4 && rows->coarse != NULL) {
        float *scales = unpacked;
        int8_t *q = (int8_t *)(scales + COMPACT_COLUMNS);
        rows->kernels->vector->int4_unpack(ret.data, n_groups(weights->in_features), q, scales);
        ret.data = q;
        ret.columns = (struct int8_columns){scales, bias};
    }
    return ret;
}

/* ---- products */

static void multiply_fine(const struct compact_rows *rows, const struct compact_panel *panel,
                          size_t row, size_t n_rows, float *tile)
{
    const struct vector_kernels *vector = rows->kernels->vector;
    const size_t in = rows->weights->in_features;
    if (rows->weights->dtype == COMPUTE_BF16)
        vector->bf16_product(rows->x + row * in, in, n_rows, panel->data, COMPACT_COLUMNS, in, tile,
                             COMPACT_COLUMNS);
    for (size_t r = 0; r < n_rows && rows->weights->dtype == COMPUTE_INT4; r++)
        vector->int4_row(&rows->fine[row + r], panel->data, in, tile + r * COMPACT_COLUMNS);
    for (size_t r = 0; r < n_rows && rows->weights->dtype == COMPUTE_INT8; r++) {
        float *y = tile + r * COMPACT_COLUMNS;
        vector->int8_row(&rows->fine[row + r], panel->data, filled_up(in, 4), y);
        for (size_t c = 0; c < COMPACT_COLUMNS; c++)
            y[c] *= panel->columns.scales[c];
    }
}

static void multiply_bytes(const struct compact_rows *rows, const struct compact_panel *panel,
                           size_t row, size_t n_rows, size_t n_columns, bool accumulate, float *y,
                           size_t ldy)
{
    const struct vector_kernels *vector = rows->kernels->vector;
    int32_t tile[PRODUCT_ROWS * COMPACT_COLUMNS];
    vector->int8_dots((const int8_t *)rows->coarse + row * rows->coarse_bytes, rows->coarse_bytes,
                      n_rows, panel->data, rows->coarse_bytes / 4, tile);
    for (size_t r = 0; r < n_rows; r++)
        vector->int8_finish(tile + r * COMPACT_COLUMNS, &panel->columns, rows->scales[row + r],
                            rows->sums[row + r], n_columns, accumulate, y + r * ldy);
}

/* Fetches what is written when the product is done; it lies in pieces of a few lines, far from each other. */
static void prefetch(float *y, size_t ldy, size_t n_rows, size_t n_columns)
{
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < n_columns; c += 16)
            __builtin_prefetch(y + r * ldy + c, 1);
}

void compact_panel_multiply(const struct compact_rows *rows, const struct compact_panel *panel,
                            size_t row, size_t n_rows, size_t n_columns, bool accumulate, float *y,
                            size_t ldy)
{
    const struct vector_kernels *vector = rows->kernels->vector;
    float tile[PRODUCT_ROWS * COMPACT_COLUMNS];
    prefetch(y, ldy, n_rows, n_columns);
    if (rows->coarse != NULL && rows->weights->dtype != COMPUTE_BF16) {
        multiply_bytes(rows, panel, row, n_rows, n_columns, accumulate, y, ldy);
        return;
    }
    if (rows->coarse != NULL)
        vector->bf16_dots((const uint16_t *)(const void *)(rows->coarse + row * rows->coarse_bytes),
                          rows->coarse_bytes / sizeof(uint16_t), n_rows, panel->data,
                          COMPACT_COLUMNS, (rows->weights->in_features + 1) / 2, tile,
                          COMPACT_COLUMNS, COMPACT_COLUMNS);
    else
        multiply_fine(rows, panel, row, n_rows, tile);
    for (size_t r = 0; r < n_rows; r++)
        vector->bias_finish(tile + r * COMPACT_COLUMNS, panel->bias, n_columns, accumulate,
                            y + r * ldy);
}
