/* tensor_blocks.c - see tensor_blocks.h. */
#include "tensor_blocks.h"
#include "dtype.h"

#include <string.h>

static bool is_dense(const struct model_tensor *tensor)
{
    int64_t stride = 1;
    for (uint32_t d = tensor->rank; d-- > 0;) {
        if (tensor->shape[d] != 1 && tensor->strides[d] != stride)
            return false;
        stride *= tensor->shape[d];
    }
    return true;
}

void tensor_blocks_init(struct tensor_blocks *blocks, const struct model_tensor *tensor)
{
    *blocks = (struct tensor_blocks){.tensor = tensor, .left = tensor_elements(tensor)};
    blocks->is_dense = blocks->left == 0 || is_dense(tensor);
}

/* n elements in the innermost dimension, a stride apart. The sizes are written out so that each loop has
 * moves of a constant size. */
static void gather(const uint8_t *from, int64_t stride_bytes, size_t size, size_t n, uint8_t *to)
{
    if ((size_t)stride_bytes == size)
        memcpy(to, from, n * size);
    else if (size == 4)
        for (size_t i = 0; i < n; i++)
            memcpy(to + 4 * i, from + (int64_t)i * stride_bytes, 4);
    else if (size == 2)
        for (size_t i = 0; i < n; i++)
            memcpy(to + 2 * i, from + (int64_t)i * stride_bytes, 2);
    else
        for (size_t i = 0; i < n; i++)
            memcpy(to + size * i, from + (int64_t)i * stride_bytes, size);
}

/* Steps the outer indices after a row has ended. */
static void next_row(struct tensor_blocks *blocks)
{
    const struct model_tensor *tensor = blocks->tensor;
    for (uint32_t d = tensor->rank; d-- > 0;) {
        if (d == tensor->rank - 1)
            blocks->index[d] = 0;
        else if (++blocks->index[d] < tensor->shape[d])
            return;
        else
            blocks->index[d] = 0;
    }
}

static void gather_rows(struct tensor_blocks *blocks, size_t n, uint8_t *to)
{
    const struct model_tensor *tensor = blocks->tensor;
    size_t size = dtype_size_bytes(tensor->dtype);
    uint32_t last = tensor->rank - 1; /* what has no dimension is dense */
    while (n > 0) {
        uint64_t left = (uint64_t)(tensor->shape[last] - blocks->index[last]);
        size_t now = left < n ? (size_t)left : n;
        int64_t at = 0;
        for (uint32_t d = 0; d < tensor->rank; d++)
            at += blocks->index[d] * tensor->strides[d];
        gather((const uint8_t *)tensor->data + at * (int64_t)size,
               tensor->strides[last] * (int64_t)size, size, now, to);
        to += now * size;
        n -= now;
        blocks->index[last] += (int64_t)now;
        if (blocks->index[last] == tensor->shape[last])
            next_row(blocks);
    }
}

const uint8_t *tensor_blocks_next(struct tensor_blocks *blocks, size_t max_elements, void *memory,
                                  size_t *ret_n)
{
    size_t n = blocks->left < max_elements ? (size_t)blocks->left : max_elements;
    const uint8_t *result = memory;
    if (n > 0 && blocks->is_dense)
        result = (const uint8_t *)blocks->tensor->data +
                 blocks->done * dtype_size_bytes(blocks->tensor->dtype);
    else if (n > 0)
        gather_rows(blocks, n, memory);
    blocks->left -= n;
    blocks->done += n;
    *ret_n = n;
    return result;
}
