/* conv_onednn.h - what conv_pack_onednn.c prepares, with layouts from conv_layout_onednn.c, and conv_onednn.c and
 * conv_coarse_onednn.c run. Not for plugins. */
#ifndef CONV_ONEDNN_H
#define CONV_ONEDNN_H

#include "conv_source.h"
#include "conv_winograd.h"
#include "linear_onednn.h"

struct conv {
    struct conv_geometry geometry;
    /* What oneDNN computes: in int8 over a map that has its padding around it, as zero has another byte in each. */
    struct conv_geometry product;
    const struct kernels *kernels;
    const struct winograd *winograd; /* or NULL, and then: */
    const void *weights;             /* in `layout` */
    const float *bias;               /* (out) */
    struct int8_columns columns;     /* int8: the output channels' */
    dnnl_memory_desc_t layout;
};

/* The convolution of maps of shape x; `weights` may leave the layout open. */
dnnl_status_t conv_describe(dnnl_engine_t engine, const struct conv_geometry *geometry,
                            const dnnl_memory_desc_t *weights, struct map_shape x,
                            dnnl_primitive_desc_t *ret);
/* Dimensions of the weights in oneDNN's order, [groups,] out, in, y, x, and the strides that they have in the
 * package; returns how many. */
int conv_weight_dims(const struct conv_geometry *geometry, dnnl_dims_t dims, dnnl_dims_t strides);
/* These dimensions in an open layout. */
dnnl_status_t conv_open_layout(const struct conv_geometry *geometry, dnnl_memory_desc_t *ret);
/* Whether a description has found no better than the reference implementation. */
bool conv_is_slow(dnnl_primitive_desc_t description);
/* A layout that is fast for maps of every size; false: this processor has none for the geometry's dtype. */
bool conv_fast_layout(dnnl_engine_t engine, const struct conv_geometry *geometry,
                      dnnl_memory_desc_t *ret);
/* The same, or else what oneDNN asks for. */
dnnl_status_t conv_choose_layout(dnnl_engine_t engine, const struct conv_geometry *geometry,
                                 dnnl_memory_desc_t *ret);

/* Of a runner, in conv_onednn.c. The plan for maps of `shape`, and, behind its scratch, `more_bytes` of memory that
 * the next call takes back. [lane-thread] */
struct conv_plan;
model_status conv_plan_begin(struct conv_plans *plans, const struct conv *conv,
                             struct map_shape shape, size_t more_bytes, struct conv_plan **ret,
                             void **ret_more, struct model_error *err);
model_status conv_plan_execute(struct conv_plans *plans, const struct conv_plan *plan,
                               const void *x, void *y, struct model_error *err);

/* conv_run() with x and weights in fewer bits, in conv_coarse_onednn.c; shape and result have been checked. */
model_status conv_coarse_run(struct conv_plans *plans, const struct conv *conv, const float *x,
                             struct map_shape shape, float *y, struct map_shape result,
                             struct model_error *err);

#endif
