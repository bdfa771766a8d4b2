/* describe_features.h - what a model says of its inputs and outputs. */
#ifndef DESCRIBE_FEATURES_H
#define DESCRIBE_FEATURES_H

#include "coreml_ane.h"

/* A tensor of sizes from min to max (rank). Those that differ are dimensions of their own, "picture_2": nothing says that two of a
 * model are the same. [create-thread] */
void describe_tensor(struct spec_list *list, const char *name, int32_t dtype, uint32_t flags,
                     uint32_t rank, const int64_t *min, const int64_t *max);

/* Outputs at default, smallest and largest sizes of the inputs; without bounds where the model cannot be computed for these, or they
 * have none. Behind coreml_ane_find_sizes(). [create-thread] */
struct output_bounds {
    struct graph_shape min[COREML_ANE_MAX_FEATURES], max[COREML_ANE_MAX_FEATURES];
};
model_status describe_bound_outputs(const struct coreml_ane *ane, struct output_bounds *ret,
                                    struct model_error *err);

/* The description of a model that the kernels compute, whose default variant is finished: inputs by what the file allows, outputs
 * by their bounds. [create-thread] */
model_status describe_features(struct coreml_ane *ane, struct model_error *err);

#endif
