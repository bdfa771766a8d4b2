/* inspect_print.h - what `inspect` and `diff` found, as text for people, out of their JSON. Names from
 * files are escaped; lines that the buffer does not hold are missing. Main thread only. */
#ifndef INSPECT_PRINT_H
#define INSPECT_PRINT_H

#include "buffer.h"
#include "tensor_tree.h"

/* Of an inspection (inspection.h with "path", "package"): the summary and an empty line. */
void inspect_summary(const json_node *root, size_t n_tensors, struct buffer *ret);
/* The tree of these tensors, in the order of tensor_tree_compare(), down to `depth` levels. */
void inspect_tree(const struct model_tensor *const *tensors, size_t n_tensors, unsigned depth,
                  struct buffer *ret);
/* The line of a member of "tensors". */
void inspect_line(const json_node *tensor, struct buffer *ret);

/* Of a difference: a line for each place that differs. Nothing when nothing does. */
void diff_text(const json_node *root, struct buffer *ret);

#endif
