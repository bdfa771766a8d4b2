/* inspection.h - what `pkgmgr inspect` tells of weights, as JSON. [any-thread] */
#ifndef INSPECTION_H
#define INSPECTION_H

#include "json_view.h"
#include "tensor_statistics.h"
#include "tensor_table.h"

struct inspection_options {
    bool statistics;          /* read all data */
    bool no_tensors, no_tree; /* leave those out: of a million tensors each is seconds */
    statistics_cancelled_fn *cancelled;
    void *context;
};

/* The tensors in the order of tensor_tree_compare(); free() the array. NULL without memory. */
const struct model_tensor **inspection_order(const struct tensor_table *table);

/* Adds to an object: "form", "parameters", "bytes", "dtypes": {"F32": elements}, "tensors": [{"name", "dtype",
 * "shape", "bytes"[, "statistics": {"min", "max", "mean", "std", "nan", "infinite", "zero"}]}], "aliases":
 * {name: name}, "tree" (tensor_tree.h). Without statistics no tensor's data is touched; what has no elements
 * has none. MODEL_CANCELLED. */
model_status inspection_add(json_node *object, const struct tensor_table *table,
                            const struct inspection_options *options, struct model_error *err);

/* The members of "tensors" one by one, so that there is never more than one: `visit` gets it for the length
 * of the call. MODEL_CANCELLED, and what `visit` returns. */
model_status inspection_each(const struct tensor_table *table,
                             const struct inspection_options *options,
                             model_status (*visit)(void *visitor, const json_node *tensor,
                                                   struct model_error *err),
                             void *visitor, struct model_error *err);

#endif
