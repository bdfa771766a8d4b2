/* graph_services.h - the host's services with the constants of a graph in place of the package's weights.
 *
 * Kernels take weights by name: "node17.weight" is an input of node 17, as its operator names it (operators.h). All else is
 * passed on to the host. It keeps packed weights by all files of the backend, so a reader must number nodes by these
 * alone. */
#ifndef GRAPH_SERVICES_H
#define GRAPH_SERVICES_H

#include "graph.h"

struct graph_services {
    struct model_services table; /* for kernels_create(); its context is this struct */
    const struct model_services *host;
    struct graph *graph; /* NULL: no weights yet */
    /* Packed weights that this graph shares with others (graph_shared.h), or NULL: added by the first of the graphs, found
     * there by others. The first one alone asks the host's packed_blob(): others are finished on lanes. */
    struct graph_shared *shared;
    bool is_first;
};

/* The constant behind a name that kernels have: "node17.weight", or "value8"; GRAPH_NONE: there is none. */
uint32_t graph_services_value(const struct graph *graph, const char *name);
/* Weight i of the node whose names begin so ("node17.norm": node17.norm.bias), or GRAPH_NONE. */
uint32_t graph_services_part(const struct graph *graph, const char *name, size_t i);

/* What is packed for the graph can be used by the graphs of others, as long as its kernels live. False: no memory. Before
 * graph_finish() [create-thread] */
bool graph_services_share(struct graph_services *services);
/* Uses what `first` shares, whose graph is finished; then graph_finish() asks nothing of the host but memory. */
void graph_services_join(struct graph_services *services, const struct graph_services *first);

/* `services` must stay where it is while its table is in use. [create-thread] */
void graph_services_init(struct graph_services *services, const struct model_services *host);

#endif
