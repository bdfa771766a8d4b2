/* route_opening.h - the state of a model's route, and how the backend behind it gets opened: in the background,
 * once, by whoever wants it first. For model_route.c. [any-thread] */
#ifndef ROUTE_OPENING_H
#define ROUTE_OPENING_H

#include "accelerator_start.h"
#include "breaker.h"
#include "demotion.h"
#include "model_route.h"

#include <stdatomic.h>
#include <uv.h>

enum next_state { NEXT_UNOPENED, NEXT_OPENING, NEXT_OPEN, NEXT_FAILED };

struct model_route {
    struct backend_chain *chain; /* holds a reference */
    size_t position;
    struct accelerator_start *accelerator; /* before the first call; NULL: none */
    bool is_in_front;                      /* it is one: what is behind it is its owner's route */
    struct modelhost_model *_Atomic next;  /* holds a reference; set once */
    _Atomic int64_t demoted_until_ns;      /* 0: it is in its place */

    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t opened; /* next_state is not NEXT_OPENING any more */
    struct breaker breaker;
    struct demotion demotion;
    bool was_demoted;                /* and model_route_settle() is to say so */
    struct model_error last_failure; /* of ROUTE_FAILURE_BYTES */
    uint64_t changed_by;             /* the request whose end changed the breaker's state */
    enum next_state next_state;
    int64_t retry_ns; /* NEXT_FAILED: when it may be tried again */
    atomic_bool
        is_unsettled; /* the breaker's state has changed, and model_route_settle() is to say so */
};

/* Has the next backend opened, unless it is, or is being, or failed to be a moment ago. */
void route_want_next(struct modelhost_model *model);
bool route_is_opening_next(const struct modelhost_model *model);

#endif
