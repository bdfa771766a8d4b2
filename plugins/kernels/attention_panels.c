/* attention_panels.c - see attention_panels.h. */
#include "attention_panels.h"

#include <string.h>

#define BLOCK PRODUCT_COLUMNS /* keys that are transposed at a time: a line of the cache */

bool attention_is_bf16(const struct kernels *kernels)
{
    return kernels->dtype != COMPUTE_F32 && kernels->vector->has_bf16;
}

static size_t even(size_t n)
{
    return n + n % 2;
}

size_t attention_keys_bytes(const struct kernels *kernels, size_t head_size, size_t columns)
{
    return attention_is_bf16(kernels) ? even(head_size) * columns * sizeof(uint16_t)
                                      : head_size * columns * sizeof(float);
}

size_t attention_values_bytes(const struct kernels *kernels, size_t head_size, size_t positions)
{
    const size_t columns = product_columns(head_size);
    return attention_is_bf16(kernels) ? even(positions) * columns * sizeof(uint16_t)
                                      : positions * columns * sizeof(float);
}

size_t attention_space_bytes(const struct kernels *kernels, size_t head_size, size_t max_depth)
{
    const size_t keys = BLOCK * even(head_size), values = 2 * product_columns(head_size);
    const size_t rows = PRODUCT_ROWS * even(max_depth > head_size ? max_depth : head_size);
    size_t halves = keys > values ? keys : values;
    halves = rows > halves ? rows : halves;
    return attention_is_bf16(kernels) ? (halves * sizeof(uint16_t) + 63) / 64 * 64 : 0;
}

/* y(even(n)) = x(n). */
static void round_row(const struct kernels *kernels, const float *x, size_t n, uint16_t *y)
{
    kernels->vector->to_bf16(x, n, y);
    if (n % 2 != 0)
        y[n] = 0;
}

/* Blocks of keys, so that both sides stay in the first cache. */
static void put_block_f32(const float *key, size_t stride, size_t n, size_t head_size,
                          size_t columns, float *keys)
{
    for (size_t d = 0; d < head_size; d++)
        for (size_t i = 0; i < n; i++)
            keys[d * columns + i] = key[i * stride + d];
}

static void put_block_bf16(const struct kernels *kernels, const float *key, size_t stride, size_t n,
                           size_t head_size, size_t columns, uint16_t *space, uint16_t *keys)
{
    const size_t width = even(head_size);
    for (size_t i = 0; i < n; i++)
        round_row(kernels, key + i * stride, head_size, space + i * width);
    for (size_t d = 0; d < width; d += 2, keys += 2 * columns)
        for (size_t i = 0; i < n; i++)
            memcpy(keys + 2 * i, space + i * width + d, 2 * sizeof *keys);
}

void attention_put_keys(const struct kernels *kernels, const float *key, size_t stride, size_t n,
                        size_t head_size, size_t columns, size_t first, void *space, void *keys)
{
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t n_block = n - i < BLOCK ? n - i : BLOCK;
        if (attention_is_bf16(kernels))
            put_block_bf16(kernels, key + i * stride, stride, n_block, head_size, columns, space,
                           (uint16_t *)keys + 2 * (first + i));
        else
            put_block_f32(key + i * stride, stride, n_block, head_size, columns,
                          (float *)keys + first + i);
    }
}

/* Row `position` is half of the pairs of its row of them; the first half puts zeros into the second. */
static void put_value_bf16(const struct kernels *kernels, const float *value, size_t head_size,
                           size_t position, uint16_t *space, uint16_t *values)
{
    const size_t columns = product_columns(head_size);
    uint16_t *pairs = values + position / 2 * 2 * columns;
    kernels->vector->to_bf16(value, head_size, space);
    memset(space + head_size, 0, (columns - head_size) * sizeof *space);
    if (position % 2 == 0)
        for (size_t d = 0; d < columns; d++) {
            pairs[2 * d] = space[d];
            pairs[2 * d + 1] = 0;
        }
    else
        for (size_t d = 0; d < columns; d++)
            pairs[2 * d + 1] = space[d];
}

void attention_put_values(const struct kernels *kernels, const float *value, size_t stride,
                          size_t n, size_t head_size, size_t first, void *space, void *values)
{
    const size_t columns = product_columns(head_size);
    for (size_t i = 0; i < n; i++, value += stride) {
        if (attention_is_bf16(kernels)) {
            put_value_bf16(kernels, value, head_size, first + i, space, values);
            continue;
        }
        float *row = (float *)values + (first + i) * columns;
        memcpy(row, value, head_size * sizeof *row);
        memset(row + head_size, 0, (columns - head_size) * sizeof *row);
    }
}

void attention_multiply(const struct kernels *kernels, const struct attention_product *p,
                        void *space)
{
    const size_t width = even(p->depth);
    uint16_t *rows = space;
    if (!attention_is_bf16(kernels)) {
        kernels->vector->product(p->a, p->lda, p->n_rows, p->panel, p->panel_columns, p->depth,
                                 p->out, p->ldo, p->columns);
        return;
    }
    for (size_t r = 0; r < p->n_rows; r++)
        round_row(kernels, p->a + r * p->lda, p->depth, rows + r * width);
    kernels->vector->bf16_dots(rows, width, p->n_rows, p->panel, p->panel_columns, width / 2,
                               p->out, p->ldo, p->columns);
}
