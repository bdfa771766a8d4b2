/* route_ending.h - counting what becomes of a backend's breaker, for who admits calls and who ends them. */
#ifndef ROUTE_ENDING_H
#define ROUTE_ENDING_H

struct modelhost_model;

/* The breaker's state has changed; with the route's mutex held. */
void route_ending_count_state(const struct modelhost_model *model);

#endif
