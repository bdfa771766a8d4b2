/* batch_split.h - the outputs of a joint run as the results of its members. [lane-thread] */
#ifndef BATCH_SPLIT_H
#define BATCH_SPLIT_H

#include "batch_merge.h"
#include "result.h"

/* Gives a member its items, cut to its own length, out of a joint result: into one that was made by
 * result_create() for the same outputs, which batch_outputs_join() allows. Large tensors that are one piece of the
 * joint one stay where they are, and the joint result lives as long as they are used; others are copied.
 * MODEL_INTERNAL when a tensor does not hold the member's items. */
model_status batch_split(struct modelhost_result *joint, const struct batch_member *member,
                         struct modelhost_result *result, struct model_error *err);

#endif
