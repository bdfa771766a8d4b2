/* bridge_layout.h - numbers of an array as Core ML lays it out, to and from dense tensors. Plain C without state, any
 * thread; what knows Apple's types is in bridge_objects.h. */
#ifndef BRIDGE_LAYOUT_H
#define BRIDGE_LAYOUT_H

#include "model_abi.h"

#include <stdbool.h>

enum bridge_type {
    BRIDGE_UNKNOWN = 0,
    BRIDGE_F64,
    BRIDGE_F32,
    BRIDGE_F16,
    BRIDGE_I32,
    BRIDGE_N_TYPES
};

struct bridge_layout {
    enum bridge_type type;
    uint32_t rank;
    int64_t shape[MODEL_MAX_RANK], strides[MODEL_MAX_RANK]; /* in elements */
};

/* How many numbers it has; 0: none, the strides lead out of `bytes`, or its type is not known. */
int64_t bridge_layout_count(const struct bridge_layout *layout, int64_t bytes);

/* From and to dense numbers of dtype MODEL_F32 or MODEL_I32, of which there are as many. `bytes` is the size of `strided`. Whole
 * numbers are cut off at the ends of int32. False: nothing is done, by bridge_layout_count(). */
bool bridge_gather(const struct bridge_layout *layout, const void *strided, int64_t bytes,
                   int32_t dtype, void *dense);
bool bridge_scatter(const struct bridge_layout *layout, void *strided, int64_t bytes, int32_t dtype,
                    const void *dense);

#endif
