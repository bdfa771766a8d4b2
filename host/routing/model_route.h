/* model_route.h - which backend of a package serves a call, and what its end says of that backend.
 *
 * A struct modelhost_model is one opened backend; its route has the backend's breaker and leads to the next
 * backend, which is opened in the background when it is first needed and stays open as long as this
 * one. The application holds the first of them, or, where the package's first is opened in the background
 * (accelerator_start.h), the second: that one leads to the first, too. */
#ifndef MODEL_ROUTE_H
#define MODEL_ROUTE_H

#include "backend_chain.h"

#include <stdbool.h>

struct model_route;
struct modelhost_request;

/* `position`: which of the chain's backends the model is. */
model_status model_route_create(struct backend_chain *chain, size_t position,
                                struct model_route **ret, struct model_error *err);
/* Its model takes no more calls: what is being opened for it alone is given up. NULL does nothing. */
void model_route_close(struct model_route *route);
/* With its model. Releases the backends in front of it and behind it; NULL does nothing. */
void model_route_destroy(struct model_route *route);
/* Adds what backends there are to a model's description. */
void model_route_describe(const struct modelhost_model *model, json_node *info);
/* Another number whenever that would say something else. */
uint32_t model_route_stamp(const struct modelhost_model *model);
/* Has the chain's first backend opened in the background, to come before this one (accelerator_start.h). Before the first
 * call. */
model_status model_route_start_accelerator(struct modelhost_model *model, struct model_error *err);

/* A call that has found its backend. */
struct routed_call {
    struct modelhost_model *first;   /* that was asked for it */
    struct modelhost_model *serving; /* lives as long as that */
    struct breaker_ticket ticket;
    char *reason; /* why no earlier backend serves; NULL: it is the first */
    int64_t start_ns;
    bool waits; /* the next backend is being opened; `serving` is the one that was asked */
};

/* Finds the backend for a call of `first`, that of the session if options have one. When the next backend
 * is being opened a call that `may_wait` does so until its deadline; of others it is said that they have to: their
 * requests are held (scheduler_held.c). MODEL_BUSY says of
 * each backend why it takes no calls and when it is tried again. [any-thread] */
model_status model_route_begin(struct modelhost_model *first,
                               const struct modelhost_run_options *options, bool may_wait,
                               struct routed_call *ret, struct model_error *err);
/* Whether one of the backends behind `first`, or the next of all, is being opened. */
bool model_route_is_opening(struct modelhost_model *first);
const struct backend_chain *model_route_chain(const struct modelhost_model *model);
/* The rest of the way: the request that was made for it takes it over, or, unless `status` is MODEL_OK,
 * it ends here. Returns `status`. */
model_status model_route_attach(struct routed_call *call, model_status status,
                                struct modelhost_request *request);

/* The answer of a request; `has_run`: the plugin had it. Once, later calls do nothing. Says nothing and
 * opens nothing, so that it may be called with locks held: that is model_route_settle()'s.
 * [any-thread] */
void model_route_end(struct modelhost_request *request, model_status status, bool has_run,
                     const struct model_error *error);
/* Logs a change of state; when the breaker is open has the next backend opened, and finds others for the requests that no lane
 * has taken yet. Without locks; it costs nothing when there is nothing to do. [any-thread] */
void model_route_settle(struct modelhost_model *model);

/* The backend on which something that lasts (a session) should begin. [any-thread] */
struct modelhost_model *model_route_pick(struct modelhost_model *first);
/* The next backend if it is open, or NULL. */
struct modelhost_model *model_route_next(const struct modelhost_model *model);

/* Whether a call of `first` would find a backend now; if not, the sentence says why, and the next backend is being
 * opened: who sends no calls to a model that is not ready must not wait for that. [any-thread] */
bool model_route_is_ready(struct modelhost_model *first, struct model_error *err);

/* How a backend does, for those who count. */
struct route_facts {
    enum breaker_state state;
    int64_t changed_ns;
    uint64_t n_openings; /* of the breaker */
};
struct route_facts model_route_facts(const struct modelhost_model *model);

#endif
