/* graph_shared.h - packed weights that graphs have in common: the same model, translated for several sizes of its inputs.
 *
 * What kernels pack depends on the numbers of constants and on how they are packed, not on the sizes of maps and
 * rows, and not on the number of a node, which may be another one in another graph. So it is found by content: the key of
 * packed_blob() with each name in it replaced by which constant that is. The first graph fills the table
 * [create-thread]; later ones read it, and pack what it does not have into their own memory. */
#ifndef GRAPH_SHARED_H
#define GRAPH_SHARED_H

#include "graph.h"

struct graph_shared;

/* In the memory of `kernels`, as all that is added. NULL: no memory. */
struct graph_shared *graph_shared_create(struct kernels *kernels);

#define GRAPH_CONTENT_BYTES 4096

/* The key by content of a graph's key ("... node17.weight ..."). A constant that lies in a reader's file is known by its
 * place, another one by a hash of its numbers. False: the key is too long, and then nothing is shared. */
bool graph_content_key(const struct graph *graph, const char *key,
                       char content[GRAPH_CONTENT_BYTES]);

/* False: no memory. [create-thread] */
bool graph_shared_add(struct graph_shared *shared, const char *content, size_t size_bytes,
                      const void *data);
/* NULL: there is none of that size. [any-thread] once the first graph is finished */
const void *graph_shared_find(const struct graph_shared *shared, const char *content,
                              size_t size_bytes);

#endif
