/* kernels_internal.h - what the files of libkernels.a know of each other; not for plugins. */
#ifndef KERNELS_INTERNAL_H
#define KERNELS_INTERNAL_H

#include "kernels.h"
#include "vector_kernels.h"

/* What products of weights are computed in; the sums are f32 (and 32-bit integers). */
enum compute_dtype { COMPUTE_F32, COMPUTE_BF16, COMPUTE_INT8, COMPUTE_INT4 };

struct kernels_block; /* a piece of memory of the model */

struct kernels {
    const struct model_services *services;
    const struct vector_kernels *vector; /* of this processor */
    struct linear_backend *backend;      /* of linear_onednn.c or linear_portable.c */
    struct kernels_block *blocks;
    uint64_t memory_bytes;
    uint32_t threads; /* that one run may use */
    enum compute_dtype dtype;
    size_t max_in_features;     /* of all linears with compact weights */
    size_t max_packed_features; /* of inputs of all linears in packed f32 */
    char build_key[64];
};

/* Work on fewer numbers is over before another thread has begun. */
#define MIN_SHARED_NUMBERS 65536

/* n up to a multiple of step. */
static inline size_t filled_up(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

/* Calls body(argument, i) for i in [0, n_items): on the host's threads when there is more than one. */
static inline void kernels_parallel(const struct kernels *kernels, size_t n_items,
                                    void (*body)(void *argument, size_t index), void *argument)
{
    if (kernels->threads > 1 && n_items > 1) {
        kernels->services->parallel_for(kernels->services->context, n_items, body, argument);
        return;
    }
    for (size_t i = 0; i < n_items; i++)
        body(argument, i);
}

/* "int8". */
const char *compute_dtype_name(enum compute_dtype dtype);

/* What kernels have in f32 only says MODEL_UNSUPPORTED for another dtype; `what`: "convolutions". */
model_status kernels_require_f32(const struct kernels *kernels, const char *what,
                                 struct model_error *err);

/* The part of a kernels that the linear implementation keeps; sets build_key. */
model_status linear_backend_create(struct kernels *kernels, struct model_error *err);
void linear_backend_destroy(struct kernels *kernels);

#endif
