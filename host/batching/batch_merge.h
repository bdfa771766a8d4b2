/* batch_merge.h - the inputs of several requests as those of one.
 *
 * Requests of one model are joined along the dimension named "batch". Where the model takes an
 * attention_mask, their lengths along "sequence" may differ: shorter ones are padded with zeros, which the
 * mask hides, and a mask that is missing is made. Everything else must be equal, also the bytes of inputs
 * that have no "batch". Whatever a joint run could give another meaning does not join. [lane-thread] */
#ifndef BATCH_MERGE_H
#define BATCH_MERGE_H

#include "modelhost.h"

#include <stdbool.h>

/* One request as a part of a joint run. The inputs were checked against the description. */
struct batch_member {
    const struct model_tensor *const *inputs; /* (n_inputs) */
    uint32_t n_inputs;
    int64_t n_items;    /* the size of "batch" */
    int64_t length;     /* the size of "sequence"; -1: the inputs have none */
    int64_t first_item; /* in the joint run; set by batch_merge_create() */
};

/* The input of that name, or NULL. */
const struct model_tensor *batch_find_input(const struct model_tensor *const *inputs,
                                            uint32_t n_inputs, const char *name);

/* The model's attention_mask, if it is one that the host can make: I64 along "batch" and "sequence", in either
 * order; else NULL. */
const struct model_tensor_spec *batch_find_mask(const struct model_description *description);

/* Whether all inputs have their items along one dimension "batch", so that requests of the model
 * can be joined at all. */
bool batch_inputs_join(const struct model_description *description);

/* Whether the outputs that a request wants (names NULL: the usual ones) can be taken apart again: each
 * has one "batch", and what else is dynamic has its size from an input. */
bool batch_outputs_join(const struct model_description *description,
                        const char *const *output_names, uint32_t n_output_names);

/* Whether the two can be in one run. Members that all fit the same one fit each other. */
bool batch_members_fit(const struct model_description *description, const struct batch_member *a,
                       const struct batch_member *b);

/* The joint inputs. */
struct batch_merge {
    struct model_tensor *tensors; /* (n_inputs) */
    const struct model_tensor **inputs;
    void **memory; /* (n_inputs), NULL: the first member's is used */
    uint32_t n_inputs;
    int64_t n_items, length;
};

/* Joins members that fit each other, in their order; they must live as long as the merge. */
model_status batch_merge_create(const struct model_description *description,
                                struct batch_member *members, uint32_t n_members,
                                struct batch_merge **ret, struct model_error *err);
/* NULL does nothing. */
void batch_merge_destroy(struct batch_merge *merge);

#endif
