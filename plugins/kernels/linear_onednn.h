/* linear_onednn.h - what pack_onednn.c prepares and linear_onednn.c runs, and what convolutions
 * (conv_onednn.h) share with them. Not for plugins. */
#ifndef LINEAR_ONEDNN_H
#define LINEAR_ONEDNN_H

#include "linear_panels.h"
#include "linear_source.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

/* Linears of one shape share their plans. */
struct linear_class {
    int64_t in_features, out_features;
    enum activation activation;
    bool accumulate, view;
    dnnl_memory_desc_t weights;
};

struct linear_backend {
    dnnl_engine_t engine;
    struct linear_class *classes; /* (n_classes) of (class_capacity) */
    uint32_t n_classes, class_capacity;
};

struct linear {
    const void *weights; /* packed, or the package's view (out_features, in_features) */
    const float *bias;   /* (out_features) */
    uint32_t class_index;
    struct linear_class class;
    bool own_few; /* few rows run by linear_panels.h: oneDNN reads the weights at half the speed */
    bool
        own_all; /* and many as well: a view that is not F32, or compact weights that oneDNN does not know */
    struct linear_panels panels; /* if own_few */
};

/* The product y(n_rows, out) = x(n_rows, in) weights(in, out) of a class, with bias, activation and
 * sum; `weights` may leave the layout open. */
dnnl_status_t linear_describe(dnnl_engine_t engine, const struct linear_class *class,
                              const dnnl_memory_desc_t *weights, size_t n_rows,
                              dnnl_primitive_desc_t *ret);
/* Whether oneDNN computes the activation within the product, to the same formula. */
bool linear_fuses(enum activation activation);

/* User's scratchpad; the sum, then the activation where oneDNN has it. */
dnnl_status_t linear_attributes(enum activation activation, bool accumulate,
                                dnnl_primitive_attr_t *ret);
dnnl_status_t linear_reorder(dnnl_engine_t engine, const dnnl_memory_desc_t *plain,
                             const void *source, const dnnl_memory_desc_t *packed,
                             void *destination);
/* A layout in a word: what the library says of it, hashed. */
void linear_layout_name(const dnnl_memory_desc_t *weights, char *name, size_t name_bytes);

/* Multiplications up to which meeting a second thread costs more than it brings, more so when other
 * processes want the processors: a product reads its weights from memory, a convolution from the cache. */
#define LINEAR_SMALL ((size_t)1 << 18)
#define CONV_SMALL   ((size_t)1 << 20)

/* Around making a plan and executing it: leaves small work to the calling thread. What begin returned
 * goes to end. */
static inline int small_work_begin(size_t multiplications, size_t small)
{
    const int threads = omp_get_max_threads();
    if (multiplications < small)
        omp_set_num_threads(1);
    return threads;
}

static inline void small_work_end(int threads)
{
    omp_set_num_threads(threads);
}

#endif
