/* feature_sizes.h - the sizes that a model's inputs may have: one, those between two bounds, or some; and what becomes of
 * an output's. */
#ifndef FEATURE_SIZES_H
#define FEATURE_SIZES_H

#include "coreml_model.h"
#include "graph.h"

struct ane_feature;

struct input_sizes {
    struct graph_shape min, max; /* of the tensor; INT64_MAX: no bound */
    /* (n_permitted, n_dimensions): what the tensor's last dimensions may be beside the default; none: all between */
    const int64_t *permitted;
    size_t n_permitted;
    uint32_t n_dimensions;
};

/* What callers pass: a picture as [1, C, H, W], an array as it is declared; at its default size. */
struct graph_shape input_default_shape(const struct coreml_feature *feature);

/* `input` has its default shape. Permitted sizes are views of the file. */
struct input_sizes feature_sizes_of(const struct ane_feature *input,
                                    const struct coreml_feature *feature);
bool feature_sizes_are_fixed(const struct input_sizes *sizes);

/* Sizes between the bounds: MODEL_INVALID_ARGUMENT and which there are, if they are not permitted. [any-thread] */
model_status feature_sizes_check(const struct input_sizes *sizes, const struct ane_feature *input,
                                 const struct graph_shape *shape, struct model_error *err);

/* The shape of an output that a network makes as `blob`, where at default sizes it makes `usual_blob` as `usual`: its dimensions
 * are those of the blob that they are there, or 1. False: that cannot be told. */
bool output_sizes_like(const struct graph_shape *usual_blob, const struct graph_shape *usual,
                       const struct graph_shape *blob, struct graph_shape *ret);

#endif
