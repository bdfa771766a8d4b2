/* graph_services.h - the host's services with the constants of a graph in place of the package's weights.
 *
 * Kernels take weights by name. Those of node 17 are "node17.weight", ".bias", ".norm.weight", ".norm.bias",
 * ".norm.running_mean" and ".norm.running_var": its inputs 1 to 6. All else is passed on to the host. It keeps packed
 * weights by all files of the backend, so a reader must number nodes by these alone. */
#ifndef GRAPH_SERVICES_H
#define GRAPH_SERVICES_H

#include "graph.h"

struct graph_services {
    struct model_services table; /* for kernels_create(); its context is this struct */
    const struct model_services *host;
    const struct graph *graph; /* NULL: no weights yet */
};

/* `services` must stay where it is while its table is in use. [create-thread] */
void graph_services_init(struct graph_services *services, const struct model_services *host);

#endif
