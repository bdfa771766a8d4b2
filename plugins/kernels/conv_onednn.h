/* conv_onednn.h - what conv_pack_onednn.c prepares, with layouts from conv_layout_onednn.c, and conv_onednn.c and
 * conv_coarse_onednn.c run. Not for plugins. */
#ifndef CONV_ONEDNN_H
#define CONV_ONEDNN_H

#include "conv_source.h"
#include "conv_winograd.h"
#include "linear_onednn.h"

/* Of the output channels of int8 weights. */
struct conv_columns {
    const float *scales, *bias;
    const int32_t *sums; /* of the weights */
};

struct conv {
    struct conv_geometry geometry;
    struct conv_geometry
        product; /* what oneDNN computes: pointwise ones in bf16 and int8 have no stride left */
    const struct kernels *kernels;
    const struct winograd *winograd; /* or NULL, and then: */
    const void *weights;             /* in `layout` */
    const float *bias;               /* (out) */
    struct conv_columns columns;     /* int8: the output channels' */
    dnnl_memory_desc_t layout;
};

/* Whether each place of the result comes from one place of x, so that the places may as well lie in one row: then
 * what is fast does not depend on the size of the map. f32 maps stay as they are. */
static inline bool conv_is_pointwise(const struct conv_geometry *g)
{
    return g->dtype != COMPUTE_F32 && g->kernel[CONV_Y] * g->kernel[CONV_X] == 1 &&
           g->padding[CONV_Y] + g->padding[CONV_X] == 0;
}

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

/* Of a runner, in conv_onednn.c: memory, whose contents stay when it grows, until the next call of any convolution;
 * the plan for maps of `shape`, which may have the padding around them; the plan run, with scratch of its size.
 * [lane-thread] */
struct conv_plan;
model_status conv_plans_scratch(struct conv_plans *plans, size_t size_bytes, void **ret,
                                struct model_error *err);
model_status conv_plan_find(struct conv_plans *plans, const struct conv *conv,
                            struct map_shape shape, bool is_padded, struct conv_plan **ret,
                            struct model_error *err);
size_t conv_plan_scratch_bytes(const struct conv_plan *plan);
model_status conv_plan_execute(struct conv_plans *plans, const struct conv_plan *plan,
                               const void *x, void *y, void *scratch, struct model_error *err);

/* conv_run() with x and weights in fewer bits, in conv_coarse_onednn.c; shape and result have been checked. */
model_status conv_coarse_run(struct conv_plans *plans, const struct conv *conv, const float *x,
                             struct map_shape shape, float *y, struct map_shape result,
                             struct model_error *err);

#endif
