/* route_order.h - in which order calls try the backends of a model that are open. For the routing, and who counts what
 * a model takes. `first` is the model that the application holds. [any-thread] */
#ifndef ROUTE_ORDER_H
#define ROUTE_ORDER_H

#include "backend_order.h"

#include <stdbool.h>

struct modelhost_model;

/* The package's order: the accelerator if it is ready, `first`, and those that were opened behind it. */
struct modelhost_model *route_order_head(const struct modelhost_model *first);
struct modelhost_model *route_order_behind(const struct modelhost_model *first,
                                           const struct modelhost_model *model);

struct route_order {
    struct modelhost_model *models[BACKEND_MAX];
    size_t n_models;
    size_t n_in_place; /* behind so many come those that are demoted */
};

/* The order of calls. Logs that a backend is back in its place: without locks. */
void route_order_find(struct modelhost_model *first, struct route_order *ret);
/* Whether the backend stands behind the others now. */
bool route_order_is_demoted(const struct modelhost_model *model);

#endif
