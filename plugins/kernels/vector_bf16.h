/* vector_bf16.h - the inner loops on bfloat16, for one vector size; included by vector_compact.h alone.
 *
 * Pairs of the inner dimension lie together, the first in the lower half: what an instruction of AVX512-BF16
 * multiplies and adds to a number in f32. Without it a pair is two multiplications in f32. */
#ifndef VECTOR_BF16_H
#define VECTOR_BF16_H

#include "vector_kernels.h"
#include "vector_math.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512BF16__) && VECTOR_BYTES == 64
#define HAS_BF16 1
#else
#define HAS_BF16 0
#endif

#define TILE_VECTORS 4 /* of a panel's columns at a time; the panel has a multiple of them */
#define TILE_COLUMNS (TILE_VECTORS * LANES)

ALWAYS vuint u_load(const void *x)
{
    vuint v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* The tile's rows times one of the inner dimension, the first or the second of each pair. */
ALWAYS void bf16_step(vfloat sum[PRODUCT_ROWS][TILE_VECTORS], const float *const rows[PRODUCT_ROWS],
                      size_t k, const uint16_t *b, const bool is_second, const size_t n_tile_rows,
                      const size_t n_vectors)
{
    for (size_t c = 0; c < n_vectors; c++) {
        const vuint pair = u_load(b + 2 * c * LANES);
        const vfloat column = (vfloat)(is_second ? pair & 0xFFFF0000u : pair << 16);
        for (size_t r = 0; r < n_tile_rows; r++)
            sum[r][c] += rows[r][k] * column;
    }
}

/* n_tile_rows and n_vectors are constants after inlining. Rows beyond n_rows repeat the last one and are not
 * stored. */
ALWAYS void bf16_tile(const float *a, size_t lda, size_t n_rows, const uint16_t *b, size_t columns,
                      size_t depth, float *out, size_t ldo, const size_t n_tile_rows,
                      const size_t n_vectors)
{
    vfloat sum[PRODUCT_ROWS][TILE_VECTORS] = {0};
    const float *rows[PRODUCT_ROWS];
    for (size_t r = 0; r < n_tile_rows; r++)
        rows[r] = a + (r < n_rows ? r : n_rows - 1) * lda;
    for (size_t k = 0; k + 1 < depth; k += 2, b += 2 * columns) {
        bf16_step(sum, rows, k, b, false, n_tile_rows, n_vectors);
        bf16_step(sum, rows, k + 1, b, true, n_tile_rows, n_vectors);
    }
    if (depth % 2 != 0)
        bf16_step(sum, rows, depth - 1, b, false, n_tile_rows, n_vectors);
    for (size_t r = 0; r < n_tile_rows; r++)
        for (size_t c = 0; c < n_vectors; c++)
            if (r < n_rows)
                v_store(out + r * ldo + c * LANES, sum[r][c]);
}

ALWAYS void bf16_rows_tile(const float *a, size_t lda, size_t n_rows, const uint16_t *b,
                           size_t columns, size_t depth, float *out, size_t ldo,
                           const size_t n_tile_rows, const size_t n_vectors)
{
    const size_t rest = PRODUCT_COLUMNS / LANES, step = n_vectors * LANES;
    size_t left = columns;
    for (; left >= step; left -= step, b += 2 * step, out += step)
        bf16_tile(a, lda, n_rows, b, columns, depth, out, ldo, n_tile_rows, n_vectors);
    for (; left > 0; left -= PRODUCT_COLUMNS, b += 2 * PRODUCT_COLUMNS, out += PRODUCT_COLUMNS)
        bf16_tile(a, lda, n_rows, b, columns, depth, out, ldo, n_tile_rows, rest);
}

static void bf16_product(const float *a, size_t lda, size_t n_rows, const uint16_t *b,
                         size_t columns, size_t depth, float *out, size_t ldo)
{
    if (n_rows == 1)
        bf16_rows_tile(a, lda, 1, b, columns, depth, out, ldo, 1, TILE_VECTORS);
    else if (n_rows <= SMALL_TILE_ROWS)
        bf16_rows_tile(a, lda, n_rows, b, columns, depth, out, ldo, SMALL_TILE_ROWS,
                       VECTOR_COLUMNS);
    else
        bf16_rows_tile(a, lda, n_rows, b, columns, depth, out, ldo, PRODUCT_ROWS, VECTOR_COLUMNS);
}

/* NaN stays NaN and becomes quiet, as by the instruction: rounding would carry into its sign, or leave infinity. */
ALWAYS uint16_t nearest_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

#if !HAS_BF16
ALWAYS vhalf v_to_bf16(vfloat x)
{
    const vuint bits = (vuint)x, is_nan = (vuint)(x != x);
    const vuint nearest = bits + (~is_nan & (0x7FFFu + ((bits >> 16) & 1u)));
    return __builtin_convertvector(nearest >> 16 | (is_nan & 0x40u), vhalf);
}
#endif

static void to_bf16(const float *x, size_t n, uint16_t *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
#if HAS_BF16
        const __m256bh half = _mm512_cvtneps_pbh((__m512)v_load(x + i));
#else
        const vhalf half = v_to_bf16(v_load(x + i));
#endif
        memcpy(y + i, &half, sizeof half);
    }
    for (; i < n; i++)
        y[i] = nearest_bf16(x[i]);
}

/* sum + the products of both numbers of the pairs with those of x. */
ALWAYS vfloat dot2(vfloat sum, vuint pairs, uint32_t x)
{
#if HAS_BF16
    return (vfloat)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int32_t)x),
                                    (__m512bh)pairs);
#else
    const uint32_t parts[2] = {x << 16, x & 0xFFFF0000u};
    float first, second;
    memcpy(&first, &parts[0], sizeof first);
    memcpy(&second, &parts[1], sizeof second);
    return sum + first * (vfloat)(pairs << 16) + second * (vfloat)(pairs & 0xFFFF0000u);
#endif
}

ALWAYS uint32_t pair_load(const uint16_t *x)
{
    uint32_t pair;
    memcpy(&pair, x, sizeof pair);
    return pair;
}

/* As bf16_tile(), with rows of a in bf16. */
ALWAYS void dots_tile(const uint16_t *a, size_t lda, size_t n_rows, const uint16_t *b, size_t ldb,
                      size_t n_pairs, float *out, size_t ldo, const size_t n_tile_rows,
                      const size_t n_vectors)
{
    vfloat sum[PRODUCT_ROWS][TILE_VECTORS] = {0};
    const uint16_t *rows[PRODUCT_ROWS];
    for (size_t r = 0; r < n_tile_rows; r++)
        rows[r] = a + (r < n_rows ? r : n_rows - 1) * lda;
    for (size_t k = 0; k < n_pairs; k++, b += 2 * ldb) {
        vuint pairs[TILE_VECTORS];
        for (size_t c = 0; c < n_vectors; c++)
            pairs[c] = u_load(b + 2 * c * LANES);
        for (size_t r = 0; r < n_tile_rows; r++)
            for (size_t c = 0; c < n_vectors; c++)
                sum[r][c] = dot2(sum[r][c], pairs[c], pair_load(rows[r] + 2 * k));
    }
    for (size_t r = 0; r < n_tile_rows; r++)
        for (size_t c = 0; c < n_vectors; c++)
            if (r < n_rows)
                v_store(out + r * ldo + c * LANES, sum[r][c]);
}

ALWAYS void dots_rows(const uint16_t *a, size_t lda, size_t n_rows, const uint16_t *b, size_t ldb,
                      size_t n_pairs, float *out, size_t ldo, size_t columns,
                      const size_t n_tile_rows, const size_t n_vectors)
{
    const size_t rest = PRODUCT_COLUMNS / LANES, step = n_vectors * LANES;
    for (; columns >= step; columns -= step, b += 2 * step, out += step)
        dots_tile(a, lda, n_rows, b, ldb, n_pairs, out, ldo, n_tile_rows, n_vectors);
    for (; columns > 0;
         columns -= PRODUCT_COLUMNS, b += 2 * PRODUCT_COLUMNS, out += PRODUCT_COLUMNS)
        dots_tile(a, lda, n_rows, b, ldb, n_pairs, out, ldo, n_tile_rows, rest);
}

static void bf16_dots(const uint16_t *a, size_t lda, size_t n_rows, const uint16_t *b, size_t ldb,
                      size_t n_pairs, float *out, size_t ldo, size_t columns)
{
    if (n_rows == 1)
        dots_rows(a, lda, 1, b, ldb, n_pairs, out, ldo, columns, 1, TILE_VECTORS);
    else if (n_rows <= SMALL_TILE_ROWS)
        dots_rows(a, lda, n_rows, b, ldb, n_pairs, out, ldo, columns, SMALL_TILE_ROWS,
                  VECTOR_COLUMNS);
    else
        dots_rows(a, lda, n_rows, b, ldb, n_pairs, out, ldo, columns, PRODUCT_ROWS, VECTOR_COLUMNS);
}

#endif
