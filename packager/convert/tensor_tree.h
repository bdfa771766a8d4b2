/* tensor_tree.h - tensors by the dotted prefixes of their names, with sums: "bert.encoder" has 192 tensors
 * of 85 million elements. Numbers in names count as numbers: layer.2 comes before layer.10.
 * Pure. [any-thread] */
#ifndef TENSOR_TREE_H
#define TENSOR_TREE_H

#include "json_view.h"

/* Sorts names so; for qsort() of pointers to tensors. */
int tensor_tree_compare(const void *a, const void *b);

#define TENSOR_TREE_MAX_DEPTH 40

/* A line of the tree: a branch, or a leaf, which is one tensor. */
struct tensor_branch {
    const char *name; /* (name_bytes), not terminated: what is behind its parent's dot */
    size_t name_bytes, n_tensors;
    uint64_t elements, size_bytes;
    unsigned depth; /* 0: at the top */
    bool is_leaf;
};
/* Calls visit for each line above max_depth, parents before their children. False when visit() says so. Tensors
 * in the order of tensor_tree_compare(). */
bool tensor_tree_walk(const struct model_tensor *const *tensors, size_t n, unsigned max_depth,
                      bool (*visit)(void *context, const struct tensor_branch *branch),
                      void *context);

/* Adds "tree": [{"name", "tensors", "parameters", "bytes", "children": [...]}] of these tensors, in the order
 * of tensor_tree_compare(). A tensor is a leaf, without "children"; "name" is the part behind its parent's
 * dot. Nested at most TENSOR_TREE_MAX_DEPTH deep: what lies deeper is a leaf of a longer name.
 * MODEL_OUT_OF_MEMORY. */
model_status tensor_tree_add(json_node *parent, const struct model_tensor *const *tensors, size_t n,
                             struct model_error *err);

#endif
