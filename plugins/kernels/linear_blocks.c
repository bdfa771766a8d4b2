/* linear_blocks.c - see linear_blocks.h. The first group of rows brings the next block of weights into the second-level
 * cache while it multiplies; the others find theirs there. */
#include "linear_blocks.h"

#define DEPTH_BLOCK 256 /* of in_features: 64 KB of a panel */

bool linear_blocks_suit(const struct kernels *kernels, const struct linear_panels *linear,
                        size_t n_rows)
{
    return kernels->vector->block_product != NULL && linear->packed != NULL &&
           n_rows > PRODUCT_ROWS && n_rows <= BLOCKS_MAX_ROWS;
}

void linear_blocks_expect(struct kernels *kernels, const struct linear_panels *linear)
{
    if (linear->packed != NULL && linear->in_features > kernels->max_packed_features)
        kernels->max_packed_features = linear->in_features;
}

size_t linear_blocks_bytes(const struct kernels *kernels)
{
    return kernels->vector->block_product == NULL
               ? 0
               : BLOCKS_MAX_ROWS * kernels->max_packed_features * sizeof(float);
}

/* Equal groups, as many as must be: 17 rows are 9 and 8. */
static size_t group_rows(size_t n_rows)
{
    const size_t n_groups = (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    return (n_rows + n_groups - 1) / n_groups;
}

size_t linear_blocks_place(size_t n_rows, size_t row)
{
    const size_t n_own = group_rows(n_rows);
    return row / n_own * BLOCK_ROWS + row % n_own;
}

/* In squares, whose lines stay in the first-level cache. */
static void transpose(const float *x, size_t n_rows, size_t in_features, float *group)
{
    for (size_t first = 0; first < in_features; first += BLOCK_ROWS) {
        const size_t end = in_features - first < BLOCK_ROWS ? in_features : first + BLOCK_ROWS;
        for (size_t r = 0; r < BLOCK_ROWS; r++)
            for (size_t k = first; k < end; k++)
                group[k * BLOCK_ROWS + r] = r < n_rows ? x[r * in_features + k] : 0.0f;
    }
}

void linear_blocks_read(const float *x, size_t n_rows, size_t in_features, float *groups)
{
    const size_t n_own = group_rows(n_rows);
    for (size_t first = 0; first < n_rows; first += n_own, groups += in_features * BLOCK_ROWS)
        transpose(x + first * in_features, n_rows - first < n_own ? n_rows - first : n_own,
                  in_features, groups);
}

void linear_blocks_multiply(const struct kernels *kernels, const struct linear_panels *linear,
                            size_t panel, const float *groups, size_t n_rows, float *sums)
{
    const size_t n_own = group_rows(n_rows), in = linear->in_features, columns = linear->columns;
    const float *b = linear->packed + panel * linear->floats_per_panel;
    for (size_t k = 0, depth; k < in; k += depth, b += depth * columns) {
        depth = in - k < DEPTH_BLOCK ? in - k : DEPTH_BLOCK;
        for (size_t first = 0, group = 0; first < n_rows; first += n_own, group++) {
            const size_t n = n_rows - first < n_own ? n_rows - first : n_own;
            kernels->vector->block_product(groups + (group * in + k) * BLOCK_ROWS, n, b, columns,
                                           depth, group == 0 ? b + depth * columns : b,
                                           sums + group * BLOCK_ROWS * columns, k > 0);
        }
    }
}
