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
};

/* `services` must stay where it is while its table is in use. [create-thread] */
void graph_services_init(struct graph_services *services, const struct model_services *host);

#endif
