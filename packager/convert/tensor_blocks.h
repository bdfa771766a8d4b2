/* tensor_blocks.h - a tensor's elements one behind the other, in row-major order, a block at a time: for
 * tensors with any strides, and larger than memory. Data may lie askew. Pure. [any-thread] */
#ifndef TENSOR_BLOCKS_H
#define TENSOR_BLOCKS_H

#include "modelhost.h"

#include <stdbool.h>

struct tensor_blocks {
    const struct model_tensor *tensor;
    uint64_t left; /* elements still to come */
    bool is_dense; /* the elements lie in this order already */
    uint64_t done;
    int64_t index[MODEL_MAX_RANK]; /* of the next element, when it is not dense */
};

/* From the first element; the tensor must outlive it. */
void tensor_blocks_init(struct tensor_blocks *blocks, const struct model_tensor *tensor);

/* The next up to max_elements: a pointer to them, into the tensor or into memory, which has room for so
 * many; *ret_n is 0 at the end. */
const uint8_t *tensor_blocks_next(struct tensor_blocks *blocks, size_t max_elements, void *memory,
                                  size_t *ret_n);

#endif
