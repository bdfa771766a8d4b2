/* inspect_print.h - what `inspect` and `diff` found, as text for people, out of their JSON. Names from
 * files are escaped; lines that the buffer does not hold are missing. Main thread only. */
#ifndef INSPECT_PRINT_H
#define INSPECT_PRINT_H

#include "buffer.h"
#include "json_view.h"

/* Of an inspection (inspection.h with "path", "package"): the summary, then the tree down to `depth` levels,
 * or all tensors. */
void inspect_text(const json_node *root, bool all_tensors, int64_t depth, struct buffer *ret);

/* Of a difference: a line for each place that differs. Nothing when nothing does. */
void diff_text(const json_node *root, struct buffer *ret);

#endif
