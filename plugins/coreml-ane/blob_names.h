/* blob_names.h - the values of a graph by the names that layers use; a name that comes again means the newer
 * value. Keys stay the caller's; memory is that of the kernels. [create-thread] */
#ifndef BLOB_NAMES_H
#define BLOB_NAMES_H

#include "graph.h"

struct blob_names;

/* Room for n names; NULL: no memory. */
struct blob_names *blob_names_create(struct kernels *kernels, size_t n);
/* At most n different ones. */
void blob_names_set(struct blob_names *names, const char *name, uint32_t value);
/* GRAPH_NONE: no such name. */
uint32_t blob_names_find(const struct blob_names *names, const char *name);

#endif
