/* vector_blocks.h - products of up to BLOCK_ROWS rows with weights that come from memory; included by
 * vector_kernels_body.h alone.
 *
 * While one block of weights is multiplied, the next is asked for line by line, so that multiplying and reading
 * go on side by side. The rows of x lie transposed: one register points at all of them. A tile of 16 x 1 or
 * 12 x 2 vectors needs 32 registers, so only AVX-512 has it. */
#ifndef VECTOR_BLOCKS_H
#define VECTOR_BLOCKS_H

#include "vector_kernels.h"
#include "vector_math.h"

#if VECTOR_BYTES == 64
#define HAS_BLOCKS 1

/* n_tile_rows and n_vectors are constants after inlining. */
ALWAYS void block_tile(const float *x, const float *b, size_t columns, size_t depth,
                       const float *next, float *out, bool add, const size_t n_tile_rows,
                       const size_t n_vectors)
{
    vfloat sum[BLOCK_ROWS][2] = {0};
    if (add)
        for (size_t r = 0; r < n_tile_rows; r++)
            for (size_t c = 0; c < n_vectors; c++)
                sum[r][c] = v_load(out + r * columns + c * LANES);
    for (size_t k = 0; k < depth; k++) {
        vfloat column[2];
        for (size_t c = 0; c < n_vectors; c++) {
            column[c] = v_load(b + k * columns + c * LANES);
            __builtin_prefetch(next + (k * n_vectors + c) * LANES, 0, 2);
        }
        for (size_t r = 0; r < n_tile_rows; r++)
            for (size_t c = 0; c < n_vectors; c++)
                sum[r][c] += x[k * BLOCK_ROWS + r] * column[c];
    }
    for (size_t r = 0; r < n_tile_rows; r++)
        for (size_t c = 0; c < n_vectors; c++)
            v_store(out + r * columns + c * LANES, sum[r][c]);
}

/* The columns of a row of tiles, n_vectors at a time; one may be left. */
ALWAYS void block_columns(const float *x, const float *b, size_t columns, size_t depth,
                          const float *next, float *out, bool add, const size_t n_tile_rows,
                          const size_t n_vectors)
{
    size_t c = 0;
    for (; c + n_vectors * LANES <= columns; c += n_vectors * LANES)
        block_tile(x, b + c, columns, depth, next + c * depth, out + c, add, n_tile_rows,
                   n_vectors);
    if (c < columns)
        block_tile(x, b + c, columns, depth, next + c * depth, out + c, add, n_tile_rows, 1);
}

static void block_product(const float *x, size_t n_rows, const float *b, size_t columns,
                          size_t depth, const float *next, float *out, bool add)
{
    if (n_rows <= 8)
        block_columns(x, b, columns, depth, next, out, add, 8, 2);
    else if (n_rows <= 12)
        block_columns(x, b, columns, depth, next, out, add, 12, 2);
    else
        block_columns(x, b, columns, depth, next, out, add, BLOCK_ROWS, 1);
}
#else
#define HAS_BLOCKS    0
#define block_product NULL
#endif

#endif
