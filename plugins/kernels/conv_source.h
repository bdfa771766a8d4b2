/* conv_source.h - the weights behind a struct conv_spec: found, checked, with batch norm folded in.
 * Shared by conv_onednn.c, conv_portable.c and conv_winograd.c; not for plugins. [create-thread] */
#ifndef CONV_SOURCE_H
#define CONV_SOURCE_H

#include "kernels_internal.h"
#include "linear_source.h"

#define CONV_KEY_BYTES 1024

enum { CONV_Y, CONV_X, CONV_AXES };

/* All that a result's shape and a plan depend on. */
struct conv_geometry {
    int64_t in, out, groups;
    int64_t kernel[CONV_AXES], stride[CONV_AXES], padding[CONV_AXES], dilation[CONV_AXES];
    int64_t output_padding[CONV_AXES];
    bool transposed, accumulate;
    enum activation activation;
    enum compute_dtype dtype; /* of the product; maps are f32 */
};

struct conv_source {
    struct conv_geometry geometry;
    struct model_tensor weight;
    const char *norm; /* NULL: none */
    double norm_eps;
    const float *scale; /* (out), or NULL: what batch norm multiplies each output channel with */
    const float *bias;  /* (out), with batch norm; lives with the kernels */
};

model_status conv_source_find(struct kernels *kernels, const struct conv_spec *spec,
                              struct conv_source *ret, struct model_error *err);
/* Numbers of the weight. */
size_t conv_source_size(const struct conv_source *source);
/* All of the weight as f32 in its own order, batch norm multiplied in. */
void conv_source_read(const struct conv_source *source, float *ret);
/* The key of a prepared form. */
const char *conv_source_key(const struct kernels *kernels, const struct conv_source *source,
                            const char *layout, char key[CONV_KEY_BYTES]);
/* The prepared form through packed_blob: fill(argument, destination) writes size_bytes of it. */
model_status conv_source_pack(struct kernels *kernels, const struct conv_source *source,
                              const char *layout, size_t size_bytes,
                              model_status (*fill)(void *argument, void *destination),
                              void *argument, const void **ret, struct model_error *err);

bool conv_geometry_shape(const struct conv_geometry *geometry, struct map_shape x,
                         struct map_shape *ret);
/* x -> y: each number of the larger side meets the kernel once. */
size_t conv_multiply_adds(const struct conv_geometry *geometry, struct map_shape x,
                          struct map_shape y);
/* As conv_run() begins: asks the token, checks x. false: do nothing. */
bool conv_begin(struct linear_runner *runner, const struct conv_geometry *geometry,
                struct map_shape x, struct map_shape *ret);

#endif
