/* scheduler_held.c - requests that wait for a backend: for one to be opened, or because that for whose lane they waited takes no
 * calls any more; see scheduler.h.
 *
 * They are in the queue, with a deadline, a place among max_queue and a handle that cancels, but have no turn. When an
 * opening ends each is routed again, without the mutex, since that may read files: `is_routed` keeps others from
 * doing the same meanwhile, and whoever claims the request in between is right. */
#include "backend_chain.h"
#include "batch_queue.h"
#include "errors.h"
#include "loaded_model.h"
#include "model_route.h"
#include "scheduler.h"
#include "scheduler_loop.h"

#include <stdlib.h>

/* Under the mutex: the next one that is to be looked at in this round. */
static struct modelhost_request *next_held(const struct scheduler *scheduler,
                                           const struct backend_chain *chain, uint64_t round)
{
    struct modelhost_request *request = scheduler->queue.first_held;
    while (request != NULL && (request->is_routed || request->held_round >= round ||
                               model_route_chain(request->model) != chain))
        request = request->next;
    return request;
}

/* The model whose caller it is. */
static struct modelhost_model *first_of(const struct modelhost_request *request)
{
    return request->asked != NULL ? request->asked : request->model;
}

/* Finds the backend and prepares the request for it. */
static model_status route(struct modelhost_request *request, struct routed_call *ret,
                          struct model_error *err)
{
    model_status status = model_route_begin(first_of(request), NULL, false, ret, err);
    if (status != MODEL_OK || ret->waits || ret->serving == request->model)
        return status;
    struct request_job *job = request->job;
    if (request->on_tensors != NULL &&
        (modelhost_description(ret->serving)->capabilities & MODEL_CAN_STREAM) == 0)
        status = error_set(err, MODEL_UNSUPPORTED,
                           "backend '%s', which stands in, emits nothing before its answer "
                           "(MODEL_CAN_STREAM)",
                           ret->serving->package.backend);
    if (status == MODEL_OK && job != NULL && job->rebind != NULL)
        status = job->rebind(job, ret->serving, err);
    return status != MODEL_OK ? model_route_attach(ret, status, NULL) : status;
}

/* Under the mutex, behind route(): it goes on, waits further, or has its answer. What it does not need any more of
 * the call is returned: a reference of a model, or NULL. */
static struct modelhost_model *settle(struct scheduler *scheduler,
                                      struct modelhost_request *request, struct routed_call *call,
                                      model_status status, const struct model_error *err)
{
    struct modelhost_model *before = request->model;
    if (status == MODEL_OK && call->waits)
        return NULL;
    if (status != MODEL_OK) {
        scheduler_give_up(scheduler, request, status, err->message);
        return NULL;
    }
    request_queue_remove(&scheduler->queue, request);
    loaded_model_retain(request->model = call->serving);
    (void)model_route_attach(call, MODEL_OK, request);
    batch_describe(request);
    if (request_queue_add(&scheduler->queue, request) != MODEL_OK) {
        request_queue_hold(&scheduler->queue, request);
        scheduler_give_up(scheduler, request, MODEL_OUT_OF_MEMORY,
                          "out of memory for a place in the queue");
    }
    return before;
}

/* One request, which is_routed and of which a reference is given up here. True: it waits further, for an opening
 * that has ended meanwhile. */
static bool route_one(struct scheduler *scheduler, struct modelhost_request *request)
{
    struct routed_call call = {.serving = NULL};
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_model *let_go = NULL;
    const model_status status = route(request, &call, &err);
    uv_mutex_lock(&scheduler->mutex);
    request->is_routed = false;
    const bool is_held = request->is_held; /* else it has its answer */
    if (is_held)
        let_go = settle(scheduler, request, &call, status, &err);
    const bool waits = request->is_held;
    struct lane *lane = lane_to_wake(scheduler);
    scheduler_unlock(scheduler);
    if (lane != NULL)
        wait_word_post(&lane->work);
    if (!is_held && status == MODEL_OK && !call.waits)
        (void)model_route_attach(&call, MODEL_CANCELLED, NULL);
    const bool again = waits && !model_route_is_opening(first_of(request));
    loaded_model_drop(let_go);
    request_drop(request);
    return again;
}

void scheduler_route_held(struct scheduler *scheduler, const struct backend_chain *chain)
{
    for (bool again = true; again;) {
        again = false;
        uv_mutex_lock(&scheduler->mutex);
        const uint64_t round = ++scheduler->held_round;
        for (struct modelhost_request *request;
             (request = next_held(scheduler, chain, round)) != NULL;) {
            request->held_round = round;
            request->is_routed = true;
            request_retain(request);
            uv_mutex_unlock(&scheduler->mutex);
            again = route_one(scheduler, request) || again;
            uv_mutex_lock(&scheduler->mutex);
        }
        uv_mutex_unlock(&scheduler->mutex);
    }
}

/* What has begun, or belongs to a session, can go on at no other backend. */
static bool may_go_elsewhere(const struct modelhost_request *request)
{
    return !request->is_suspended && request->session == NULL;
}

/* Under the mutex; whether there were any. */
static bool hold_waiting(struct scheduler *scheduler, const struct modelhost_model *model)
{
    bool any = false;
    for (struct request_group *group = model->lane_account.waiting, *next_group = NULL;
         group != NULL; group = next_group) {
        next_group = group->next_of_model; /* the last of its requests closes it */
        for (struct modelhost_request *request = group->first, *next = NULL; request != NULL;
             request = next) {
            next = request->next;
            if (!may_go_elsewhere(request))
                continue;
            request_queue_remove(&scheduler->queue, request);
            request_queue_hold(&scheduler->queue, request);
            any = true;
        }
    }
    return any;
}

void scheduler_route_waiting(struct scheduler *scheduler, const struct modelhost_model *model)
{
    uv_mutex_lock(&scheduler->mutex);
    const bool any = hold_waiting(scheduler, model);
    uv_mutex_unlock(&scheduler->mutex);
    if (any)
        scheduler_route_held(scheduler, model_route_chain(model));
}
