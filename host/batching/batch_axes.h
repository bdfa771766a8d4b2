/* batch_axes.h - where a tensor has its items and its positions, and copying between a tensor of one request
 * and its place in a joint one. No state, any thread. */
#ifndef BATCH_AXES_H
#define BATCH_AXES_H

#include "model_abi.h"

#include <stdbool.h>

#define BATCH_DIMENSION    "batch"
#define SEQUENCE_DIMENSION "sequence"

/* The axis of that name; -1: there is none. */
int batch_axis(const struct model_tensor_spec *spec, const char *name);
/* How many axes have that name. */
uint32_t batch_axis_count(const struct model_tensor_spec *spec, const char *name);

/* Copies the first `size` elements of each axis from one dense tensor to the other, which both hold as many:
 * those behind index from_first of `axis` to those behind index to_first. */
struct batch_box {
    uint32_t rank;
    const int64_t *size; /* (rank) */
    uint32_t axis;
    int64_t from_first, to_first;
};
/* Whether the box is one piece of memory in `from`, and where it begins. */
bool batch_box_is_dense(const struct batch_box *box, const struct model_tensor *from,
                        uint64_t *ret_offset_bytes);
void batch_copy_box(const struct batch_box *box, const struct model_tensor *from,
                    const struct model_tensor *to);

#endif
