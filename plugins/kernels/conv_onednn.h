/* conv_onednn.h - what conv_pack_onednn.c prepares and conv_onednn.c runs. Not for plugins. */
#ifndef CONV_ONEDNN_H
#define CONV_ONEDNN_H

#include "conv_source.h"
#include "conv_winograd.h"
#include "linear_onednn.h"

struct conv {
    struct conv_geometry geometry;
    const struct kernels *kernels;
    const struct winograd *winograd; /* or NULL, and then: */
    const void *weights;             /* in `layout` */
    const float *bias;               /* (out) */
    dnnl_memory_desc_t layout;
};

/* The convolution of maps of shape x; `weights` may leave the layout open. */
dnnl_status_t conv_describe(dnnl_engine_t engine, const struct conv_geometry *geometry,
                            const dnnl_memory_desc_t *weights, struct map_shape x,
                            dnnl_primitive_desc_t *ret);
/* The weights' dimensions, [groups,] out, in, y, x as oneDNN wants them, in an open layout. */
dnnl_status_t conv_open_layout(const struct conv_geometry *geometry, dnnl_memory_desc_t *ret);
/* Whether a description has found no better than the reference implementation. */
bool conv_is_slow(dnnl_primitive_desc_t description);

#endif
