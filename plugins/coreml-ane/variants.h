/* variants.h - a model for several sizes of its inputs.
 *
 * Shapes are fixed in a graph, so each set of sizes has a graph of its own: a variant. That of the default sizes is made with
 * the model. Another one is translated out of the open file on the lane whose call brings its sizes, one at a time; what was
 * packed for the default sizes is shared (graph_shared.h). MAX_VARIANTS of them stay: a new one takes the place of
 * the one that nobody runs and that was used least recently, and where all are running it lives for its call only.
 * Looking up a variant takes no lock. */
#ifndef VARIANTS_H
#define VARIANTS_H

#include "coreml_ane.h"

#define MAX_VARIANTS 8

struct ane_variants;

/* For a model whose default variant is finished and whose file stays open. NULL: no memory. [create-thread] */
struct ane_variants *variants_create(const struct coreml_ane *ane, uint32_t threads);
void variants_destroy(struct ane_variants *variants); /* NULL does nothing. Nobody runs any. */

/* Inputs and outputs of the model at these sizes (n_inputs of the default variant), which must be within the bounds;
 * nothing is prepared. [create-thread] */
model_status variants_infer(const struct ane_variants *variants, const struct graph_shape *sizes,
                            struct ane_variant *ret, struct model_error *err);

/* What a call runs, and with what. */
struct variant_use {
    const struct ane_variant *variant;
    struct linear_runner *runner;
    struct sized_variant *sized; /* NULL: the default one */
    struct variant_runner *taken;
};

/* The variant for the inputs of the call, made if need be: after the token is raised that ends with its status.
 * MODEL_INVALID_ARGUMENT: sizes that are not permitted, or that the model cannot be computed for. [lane-thread] */
model_status variants_take(struct ane_variants *variants, const struct model_call *call,
                           struct variant_use *ret, struct model_error *err);
void variants_leave(const struct ane_variants *variants, const struct variant_use *use);

#endif
