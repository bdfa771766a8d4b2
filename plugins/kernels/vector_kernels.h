/* vector_kernels.h - the inner loops, compiled once for each instruction set; not for plugins.
 *
 * vector_kernels_body.h holds the code, written with the compiler's vector types. Each of
 * vector_kernels_avx512.c, _avx2.c and _base.c includes it with its own vector size, and the
 * Makefile compiles each with its own -m flags. The table of the best set that the processor has is
 * chosen when a model is created: no ifunc, so the sanitizers and macOS are content, and the tests
 * run every set that the machine has. */
#ifndef VECTOR_KERNELS_H
#define VECTOR_KERNELS_H

#include "row_ops.h"

#define PRODUCT_ROWS    6  /* rows of a in one call of product() */
#define SMALL_TILE_ROWS 4  /* so few do not cost what PRODUCT_ROWS do */
#define PRODUCT_COLUMNS 16 /* columns of b come in multiples of this */
#define BLOCK_ROWS      16 /* rows of a in one call of block_product() */
#define RECURRENT_UNITS 16 /* units of a recurrent layer in one panel of weights */

/* Compact weights lie in panels of COMPACT_COLUMNS output features, zeros behind the last ones; the inner
 * dimension is filled up with zeros, too:
 *   bf16   (depth / 2, columns, 2)
 *   int8   (depth / 4, columns, 4), with a scale for each column
 *   int4   groups of INT4_GROUP of the inner dimension, each: the columns' scales as f16, and nibbles, w + 8,
 *          (4, columns, 4 bytes): the lower half of a byte is of the group's first 16, the upper of the others */
#define COMPACT_COLUMNS   64
#define INT4_GROUP        32
#define INT4_SCALES_BYTES (COMPACT_COLUMNS * 2)
#define INT4_GROUP_BYTES  (INT4_SCALES_BYTES + COMPACT_COLUMNS * INT4_GROUP / 2)
#define COMPACT_DEPTH     64 /* what the inner dimension is filled up to a multiple of */
#define FINE_LARGEST      16383.0f

/* A row of x as integers of 15 bits: x = scale (128 high + low), so that what weights of 8 bits lose is lost
 * at the weights alone. */
struct fine_row {
    int8_t *high, *low;  /* (depth up to a multiple of COMPACT_DEPTH) */
    int32_t *group_sums; /* of 128 high + low, of each INT4_GROUP */
    float scale;
    int32_t high_sum, low_sum;
};

/* Of the columns of int8 weights. */
struct int8_columns {
    const float *scales, *bias;
};

/* What a map reaches to: least <= 0 <= largest, and NaN where a number is not finite. */
struct map_range {
    float least, largest;
};

/* How a map becomes bytes without sign: zero + x factor, rounded to the nearest. */
struct map_code {
    float factor;
    int32_t zero;
};

/* n rounded up to whole groups of columns. */
static inline size_t product_columns(size_t n)
{
    return (n + PRODUCT_COLUMNS - 1) / PRODUCT_COLUMNS * PRODUCT_COLUMNS;
}

/* How many of `left` rows to take at a time, so that 128 are whole tiles. */
static inline size_t product_rows(size_t left)
{
    if (left > PRODUCT_ROWS && left <= 2 * SMALL_TILE_ROWS)
        return SMALL_TILE_ROWS;
    return left < PRODUCT_ROWS ? left : PRODUCT_ROWS;
}

struct vector_kernels {
    const char *name; /* "avx512" */
    bool has_bf16;    /* products of bf16 are faster than those of f32 */

    /* out(n_rows, columns) = a(n_rows, depth) b(depth, columns); the three with row strides lda, ldb,
     * ldo. n_rows <= PRODUCT_ROWS; columns a multiple of PRODUCT_COLUMNS. One row runs as fast as b
     * comes from memory. */
    void (*product)(const float *a, size_t lda, size_t n_rows, const float *b, size_t ldb,
                    size_t depth, float *out, size_t ldo, size_t columns);

    /* out(BLOCK_ROWS, columns) = x^T b, or += if add; x(depth, BLOCK_ROWS), b(depth, columns), columns a multiple of
     * PRODUCT_COLUMNS. Columns of x behind n_rows are 0, and rows of out behind them may be written. Asks for
     * next(depth, columns) to be brought into the cache; it may lie anywhere. NULL: not in this set, whose
     * registers are too few. */
    void (*block_product)(const float *x, size_t n_rows, const float *b, size_t columns,
                          size_t depth, const float *next, float *out, bool add);

    /* y(n_rows) = w(n_rows, depth) x(depth): one row of x, and the weights as a checkpoint holds them,
     * in F32, F16 or BF16. Reads the weights once and in order. */
    void (*dots)(const void *w, int32_t dtype, size_t n_rows, size_t depth, const float *x,
                 float *y);

    /* y(n) = exp(scale (x(n) - max x)); returns the sum of y. n >= 1, scale > 0. */
    float (*exp_row)(const float *x, size_t n, float scale, float *y);
    /* y(n) = scale x + add */
    void (*scale_add)(const float *x, float scale, const float *add, size_t n, float *y);

    void (*layer_norm)(const float *x, const float *gamma, const float *beta, float eps, size_t n,
                       float *y); /* all (n) */

    void (*activate)(enum activation activation, float *x, size_t n); /* in place */
    /* The same where the next product rounds to fewer bits anyway: GELU to 4e-5 and 1e-5 of x. */
    void (*activate_coarse)(enum activation activation, float *x, size_t n);

    /* Winograd's F(2 x 2, 3 x 3), conv_winograd.h; n a multiple of PRODUCT_COLUMNS.
     * v(16, n with stride) = the transform of the 4 x 4 places d, each (n). */
    void (*winograd_input)(const float *const d[16], size_t n, float *v, size_t stride);
    /* y, 2 x 2 places, each (n) or NULL, = bias(n) + the transform of m(16, n with stride), plus y if
     * accumulate, at least 0 if relu. */
    void (*winograd_output)(const float *m, size_t stride, size_t n, const float *bias,
                            bool accumulate, bool relu, float *const y[4]);
    /* y(n): the largest of each channel over a window of x, whose rows and columns are so many numbers apart; NaN
     * where one of them is. */
    void (*window_largest)(const float *x, size_t n_rows, size_t row, size_t n_columns,
                           size_t column, size_t n, float *y);

    /* out(columns) = a(depth) panel(depth, columns); columns a multiple of RECURRENT_UNITS. */
    void (*panel_row)(const float *a, const float *panel, size_t columns, size_t depth, float *out);
    /* One step of n <= RECURRENT_UNITS units. x and bias: (4 or 3 gates, n) with row stride ld, the input's
     * and the recurrent side's; sums(gates, RECURRENT_UNITS): the recurrent products. c(n) is read and
     * written, before(n) is h of the step before, h(n) is written and may be `before`. */
    void (*lstm_gates)(const float *x, const float *bias, size_t ld, const float *sums, size_t n,
                       float *c, float *h);
    void (*gru_gates)(const float *x, const float *bias, size_t ld, const float *sums, size_t n,
                      const float *before, float *h);

    /* out(n_rows, columns) = a(n_rows, depth) panel; n_rows <= PRODUCT_ROWS, row strides lda, ldo; columns a
     * multiple of PRODUCT_COLUMNS. */
    void (*bf16_product)(const float *a, size_t lda, size_t n_rows, const uint16_t *panel,
                         size_t columns, size_t depth, float *out, size_t ldo);
    /* The same with a in bf16, rows lda numbers apart, n_pairs pairs of each; those of b, (n_pairs, columns, 2), are
     * ldb pairs apart. */
    void (*bf16_dots)(const uint16_t *a, size_t lda, size_t n_rows, const uint16_t *b, size_t ldb,
                      size_t n_pairs, float *out, size_t ldo, size_t columns);
    /* out(COMPACT_COLUMNS) = x panel, the columns' scales left out; depth is the filled-up one. */
    void (*int8_row)(const struct fine_row *x, const int8_t *panel, size_t depth, float *out);
    void (*int4_row)(const struct fine_row *x, const uint8_t *panel, size_t depth, float *out);
    /* The row of x(n); n counts up to a multiple of INT4_GROUP, and zeros are behind it. */
    void (*fine_row)(const float *x, size_t n, struct fine_row *row);
    void (*to_bf16)(const float *x, size_t n, uint16_t *y); /* y(n): the nearest to x(n) */
    /* y(n): the integers nearest to x / scale, at most 127; returns the scale and their sum. */
    float (*coarse_row)(const float *x, size_t n, int8_t *y, int32_t *ret_sum);
    /* out(n_rows, COMPACT_COLUMNS) = a (panel + 128); rows of a lda bytes apart, n_fours fours of each. */
    void (*int8_dots)(const int8_t *a, size_t lda, size_t n_rows, const int8_t *panel,
                      size_t n_fours, int32_t *out);
    /* A panel of int4 as one of int8: each column gets one scale, of which those of its groups are a multiple to
     * 8 bits behind the point. */
    void (*int4_unpack)(const uint8_t *panel, size_t n_groups, int8_t *q, float *scales);
    /* y(n) = scale * (products - 128 sum) * scales + bias, plus y if accumulate: of a row as coarse_row() and
     * int8_dots() give it. */
    void (*int8_finish)(const int32_t *products, const struct int8_columns *columns, float scale,
                        int32_t sum, size_t n, bool accumulate, float *y);
    /* y(n) = sums + bias, plus y if accumulate. */
    void (*bias_finish)(const float *sums, const float *bias, size_t n, bool accumulate, float *y);

    /* Feature maps for int8 weights: what x(n) reaches to; its bytes by a code that keeps them in [0, 255]. */
    struct map_range (*map_range)(const float *x, size_t n);
    void (*map_coarse)(const float *x, size_t n, struct map_code code, uint8_t *y);
    /* y(n_rows, n) = products(n_rows, n) scales(n) + bias(n), plus y if accumulate, at least 0 if relu. The
     * products may lie where y does. */
    void (*map_finish)(const int32_t *products, size_t n_rows, const float *scales,
                       const float *bias, size_t n, bool accumulate, bool relu, float *y);

    /* y(n): of each x(n) the nearest float16, as f32; x and y may be the same. */
    void (*round_f16)(const float *x, size_t n, float *y);
};

/* NULL where this build or processor has not got the set. */
const struct vector_kernels *vector_kernels_bf16(void); /* vnni with products of bf16 */
const struct vector_kernels *vector_kernels_vnni(void); /* AVX-512 with products of bytes */
const struct vector_kernels *vector_kernels_avx512(void);
const struct vector_kernels *vector_kernels_avx2(void);
/* What every processor of the build's kind can do. */
const struct vector_kernels *vector_kernels_base(void);
const struct vector_kernels *vector_kernels_best(void);

#endif
