/* weights_difference.h - how the tensors of two models differ, as JSON. [any-thread] */
#ifndef WEIGHTS_DIFFERENCE_H
#define WEIGHTS_DIFFERENCE_H

#include "json_view.h"
#include "tensor_statistics.h"
#include "tensor_table.h"

struct difference_options {
    statistics_cancelled_fn *cancelled;
    void *context;
};

/* Adds to an object "added" and "removed": [{"name", "dtype", "shape"}], "changed": [{"name", "a": {"dtype",
 * "shape"}, "b": {...}[, "different", "unlike", "max", "mean", "relative"]}] and "same": a count. Tensors of
 * another element type are changed, also when their values are the same; of another shape they have no
 * figures. A second name of a shared tensor counts as a tensor where the other side has one.
 * *ret_n counts what is not the same. */
model_status weights_difference(const struct tensor_table *a, const struct tensor_table *b,
                                const struct difference_options *options, json_node *object,
                                size_t *ret_n, struct model_error *err);

#endif
