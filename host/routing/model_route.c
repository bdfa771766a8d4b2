/* model_route.c - see model_route.h: the life of a route, and how a call finds its backend; route_ending.c is how calls
 * end. Order of locks: the scheduler's, then a route's; nothing is called with a route's held. */
#include "model_route.h"
#include "clock.h"
#include "errors.h"
#include "host.h"
#include "lane.h"
#include "loaded_model.h"
#include "request.h"
#include "route_ending.h"
#include "route_opening.h"
#include "route_order.h"
#include "route_text.h"
#include "session.h"
#include "worker_model.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WAIT_MS (INT64_MAX / NS_PER_MS / 4)

/* ---- life */

model_status model_route_create(struct backend_chain *chain, size_t position,
                                struct model_route **ret, struct model_error *err)
{
    struct model_route *route = calloc(1, sizeof *route);
    if (route == NULL || uv_mutex_init(&route->mutex) != 0) {
        free(route);
        return error_no_memory(err, "a model");
    }
    const bool has_condition = uv_cond_init(&route->opened) == 0;
    if (!has_condition ||
        breaker_init(&route->breaker, &chain->policy, chain->now_ns(), err) != MODEL_OK) {
        if (has_condition)
            uv_cond_destroy(&route->opened);
        uv_mutex_destroy(&route->mutex);
        free(route);
        return error_no_memory(err, "a model");
    }
    backend_chain_retain(route->chain = chain);
    demotion_init(&route->demotion, &chain->demotion);
    route->position = position;
    route->last_failure.struct_size = offsetof(struct model_error, message) + ROUTE_FAILURE_BYTES;
    *ret = route;
    return MODEL_OK;
}

void model_route_close(struct model_route *route)
{
    if (route != NULL)
        accelerator_start_close(route->accelerator);
}

void model_route_destroy(struct model_route *route)
{
    if (route == NULL)
        return;
    accelerator_start_drop(route->accelerator);
    loaded_model_drop(atomic_load(&route->next));
    breaker_finish(&route->breaker);
    uv_cond_destroy(&route->opened);
    uv_mutex_destroy(&route->mutex);
    backend_chain_drop(route->chain);
    free(route);
}

model_status model_route_start_accelerator(struct modelhost_model *model, struct model_error *err)
{
    return accelerator_start_create(model, &model->route->accelerator, err);
}

const struct backend_chain *model_route_chain(const struct modelhost_model *model)
{
    return model->route != NULL ? model->route->chain : NULL;
}

/* ---- choosing */

static void say_backend(const struct modelhost_model *model, const struct model_error *why,
                        struct buffer *reasons)
{
    (void)buffer_printf(reasons, "%sbackend '%s': %s", reasons->size > 0 ? "; " : "",
                        model->package.backend, why->message);
}

/* Whether the lanes would refuse it, where another backend may serve instead. */
static bool is_stuck(const struct modelhost_model *model, struct buffer *reasons)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (lane_check_model(model, &err) == MODEL_OK)
        return false;
    say_backend(model, &err, reasons);
    return true;
}

/* Whether its workers have ended, and another one is not to be counted on. Calls find that out by themselves,
 * and the breaker from them: this is for where no calls come because of what is said here. */
static bool lacks_workers(const struct modelhost_model *model, struct buffer *reasons)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (model->load.isolation != MODELHOST_WORKER ||
        worker_model_check(model->model, &err) == MODEL_OK)
        return false;
    say_backend(model, &err, reasons);
    return true;
}

/* Lets the call pass, or adds to `reasons` why it does not. */
static bool admit(struct modelhost_model *model, struct routed_call *call, struct buffer *reasons)
{
    model_route_settle(model);
    struct model_route *route = model->route;
    const int64_t now_ns = route->chain->now_ns();
    if (route->chain->order.n_names > 1 && is_stuck(model, reasons))
        return false;
    struct breaker seen;
    char last_failure[ROUTE_FAILURE_BYTES];
    uv_mutex_lock(&route->mutex);
    const enum breaker_state before = route->breaker.state;
    const bool passes = breaker_admit(&route->breaker, now_ns, &call->ticket);
    if (route->breaker.state != before)
        route_ending_count_state(model);
    if (!passes) {
        seen = route->breaker;
        memcpy(last_failure, route->last_failure.message, sizeof last_failure);
    }
    uv_mutex_unlock(&route->mutex);
    if (passes)
        call->serving = model;
    else
        route_text_refusal(model->package.backend, &seen, last_failure, now_ns, reasons);
    return passes;
}

/* Waits while the next backend is being opened; MODEL_DEADLINE when that takes too long. */
static model_status wait_for_next(struct modelhost_model *model,
                                  const struct modelhost_run_options *options, int64_t start_ns,
                                  struct model_error *err)
{
    struct model_route *route = model->route;
    const int64_t timeout_ms = request_timeout_ms(model, options);
    const int64_t timeout_ns =
        timeout_ms > 0 && timeout_ms < MAX_WAIT_MS ? timeout_ms * NS_PER_MS : 0;
    model_status status = MODEL_OK;
    uv_mutex_lock(&route->mutex);
    while (route->next_state == NEXT_OPENING && status == MODEL_OK) {
        const int64_t left_ns = start_ns + timeout_ns - clock_now_ns();
        if (timeout_ns == 0)
            uv_cond_wait(&route->opened, &route->mutex);
        else if (left_ns > 0)
            (void)uv_cond_timedwait(&route->opened, &route->mutex, (uint64_t)left_ns);
        else
            status =
                error_set(err, MODEL_DEADLINE,
                          "deadline passed after %lld ms while backend '%s' was being opened",
                          (long long)timeout_ms, route->chain->order.names[route->position + 1]);
    }
    uv_mutex_unlock(&route->mutex);
    return status;
}

/* No next backend: adds why. */
static void say_no_next(struct modelhost_model *model, struct buffer *reasons)
{
    struct model_route *route = model->route;
    uv_mutex_lock(&route->mutex);
    if (route->next_state == NEXT_OPENING)
        (void)buffer_printf(reasons, "; '%s' is being opened",
                            route->chain->order.names[route->position + 1]);
    else if (route->next_state == NEXT_FAILED)
        backend_chain_say_refused(route->chain, route->position + 1, route->chain->order.n_names,
                                  reasons);
    uv_mutex_unlock(&route->mutex);
}

/* Behind the last backend that is open. */
static model_status refuse(struct modelhost_model *last, struct buffer *reasons,
                           struct model_error *err)
{
    say_no_next(last, reasons);
    return error_set(err, MODEL_BUSY, "no backend takes calls: %s",
                     reasons->data != NULL ? reasons->data : "out of memory");
}

/* Adds why the package's first backends are not among those that are open. */
static void say_missing(const struct modelhost_model *first, struct buffer *reasons)
{
    const struct model_route *route = first->route;
    const size_t first_known = accelerator_start_first_known(route->accelerator);
    backend_chain_say_refused(route->chain, first_known, route->position, reasons);
    if (first_known > 0 && accelerator_start_model(route->accelerator) == NULL)
        (void)buffer_printf(reasons, "backend '%s' is still being loaded",
                            route->chain->order.names[0]);
}

/* The call passes to one of the order: adds of each that is demoted, and would come before it, why. */
static void say_demoted(const struct route_order *order, size_t passed, struct buffer *reasons)
{
    const size_t position = order->models[passed]->route->position;
    for (size_t i = order->n_in_place; i < order->n_models; i++) {
        struct model_route *route = order->models[i]->route;
        if (route->position >= position)
            continue;
        const int64_t now_ns = route->chain->now_ns();
        uv_mutex_lock(&route->mutex);
        const struct demotion demotion = route->demotion;
        uv_mutex_unlock(&route->mutex);
        route_text_demotion(order->models[i]->package.backend, &demotion, now_ns, reasons);
    }
}

/* The first one that lets the call pass, of those that are open. What stands behind one that does not is opened. */
static bool choose_open(struct modelhost_model *first, struct routed_call *call,
                        struct buffer *reasons)
{
    struct route_order order;
    route_order_find(first, &order);
    for (size_t i = 0; i < order.n_models; i++) {
        if (admit(order.models[i], call, reasons)) {
            say_demoted(&order, i, reasons);
            return true;
        }
        route_want_next(order.models[i]);
    }
    return false;
}

static struct modelhost_model *last_open(struct modelhost_model *first)
{
    struct modelhost_model *last = first;
    for (struct modelhost_model *next; (next = model_route_next(last)) != NULL;)
        last = next;
    return last;
}

/* Finds the backend of a call, whose reasons begin with say_missing(). */
static model_status choose(struct modelhost_model *first,
                           const struct modelhost_run_options *options, bool may_wait,
                           struct routed_call *call, struct buffer *reasons,
                           struct model_error *err)
{
    /* The last one is asked for first: one that opens while the others are asked makes another round. */
    for (struct modelhost_model *last = last_open(first); !choose_open(first, call, reasons);
         last = last_open(first)) {
        const bool is_opening = route_is_opening_next(last);
        if (!is_opening && model_route_next(last) == NULL)
            return refuse(last, reasons, err);
        if (is_opening && !may_wait) {
            call->waits = true;
            call->serving = first;
            return MODEL_OK;
        }
        model_status status = wait_for_next(last, options, call->start_ns, err);
        if (status != MODEL_OK)
            return status;
        buffer_clear(reasons);
        say_missing(first, reasons);
    }
    return MODEL_OK;
}

static bool leads_to(const struct modelhost_model *first, const struct modelhost_model *model)
{
    const struct modelhost_model *at = route_order_head(first);
    while (at != NULL && at != model)
        at = route_order_behind(first, at);
    return at != NULL;
}

/* A session has its memory in one backend, and no other can go on with it. */
static model_status choose_of_session(struct modelhost_model *first,
                                      const struct modelhost_session *session,
                                      struct routed_call *call, struct buffer *reasons,
                                      struct model_error *err)
{
    if (!leads_to(first, session->model))
        return error_set(err, MODEL_INVALID_ARGUMENT, "the session is of another model");
    if (!admit(session->model, call, reasons))
        return error_set(err, MODEL_BUSY,
                         "the session cannot go on elsewhere, and its backend takes no calls: %s",
                         reasons->data != NULL ? reasons->data : "out of memory");
    if (session->model != route_order_head(first))
        (void)buffer_printf(reasons, "%sthe session began on backend '%s'",
                            reasons->size > 0 ? "; " : "", session->model->package.backend);
    return MODEL_OK;
}

static const struct modelhost_session *session_of(const struct modelhost_run_options *options)
{
    return options != NULL && MODEL_HAS(struct modelhost_run_options, options, session)
               ? options->session
               : NULL;
}

/* At the backend that should have served. */
static void count_fallback(const struct modelhost_model *first)
{
    const struct modelhost_model *head = route_order_head(first);
    const struct model_route *route = first->route;
    struct metric_series *series = head->metrics.series;
    enum metric_fallback why = route_order_is_demoted(head) ? FALLBACK_DEMOTION : FALLBACK_BREAKER;
    if (head->route->position > 0) {
        series = metrics_series(first->metrics.metrics, loaded_model_name(first),
                                route->chain->order.names[0]);
        why = accelerator_start_first_known(route->accelerator) > 0 ? FALLBACK_LOADING
                                                                    : FALLBACK_LOAD;
    }
    metrics_add(series, METRIC_FALLBACKS, why, 1);
}

model_status model_route_begin(struct modelhost_model *first,
                               const struct modelhost_run_options *options, bool may_wait,
                               struct routed_call *ret, struct model_error *err)
{
    struct buffer reasons = BUFFER_INIT(MODEL_ERROR_BYTES);
    struct routed_call call = {.first = first, .start_ns = clock_now_ns()};
    const struct modelhost_session *session = session_of(options);
    say_missing(first, &reasons);
    model_status status = session != NULL ? choose_of_session(first, session, &call, &reasons, err)
                                          : choose(first, options, may_wait, &call, &reasons, err);
    /* The first of all may serve when it is demoted, too: when the others do not. */
    if (status == MODEL_OK && reasons.size > 0 && !call.waits &&
        (session != NULL || call.serving->route->position > 0)) {
        call.reason = buffer_take(&reasons);
        count_fallback(first);
    }
    buffer_finish(&reasons);
    if (status == MODEL_OK)
        *ret = call;
    return status;
}

struct modelhost_model *model_route_pick(struct modelhost_model *first)
{
    struct route_order order;
    route_order_find(first, &order);
    for (size_t i = 0; i < order.n_models; i++) {
        struct model_route *route = order.models[i]->route;
        const int64_t now_ns = route->chain->now_ns();
        uv_mutex_lock(&route->mutex);
        const bool takes_calls = breaker_would_admit(&route->breaker, now_ns);
        uv_mutex_unlock(&route->mutex);
        if (takes_calls)
            return order.models[i];
    }
    return order.models[0];
}

/* Whether it would take a call, or adds to `reasons` why not. */
static bool would_admit(const struct modelhost_model *model, struct buffer *reasons)
{
    struct model_route *route = model->route;
    const int64_t now_ns = route->chain->now_ns();
    if (is_stuck(model, reasons) || lacks_workers(model, reasons))
        return false;
    uv_mutex_lock(&route->mutex);
    const bool admits = breaker_would_admit(&route->breaker, now_ns);
    if (!admits)
        route_text_refusal(model->package.backend, &route->breaker, route->last_failure.message,
                           now_ns, reasons);
    uv_mutex_unlock(&route->mutex);
    return admits;
}

bool model_route_is_ready(struct modelhost_model *first, struct model_error *err)
{
    struct buffer reasons = BUFFER_INIT(MODEL_ERROR_BYTES);
    struct route_order order;
    bool is_ready = false;
    route_order_find(first, &order);
    say_missing(first, &reasons);
    for (size_t i = 0; i < order.n_models && !is_ready; i++) {
        is_ready = would_admit(order.models[i], &reasons);
        if (!is_ready)
            route_want_next(order.models[i]);
    }
    if (!is_ready) {
        say_no_next(last_open(first), &reasons);
        (void)error_set(err, MODEL_BUSY, "'%s' takes no calls: %s", loaded_model_name(first),
                        reasons.data != NULL ? reasons.data : "out of memory");
    }
    buffer_finish(&reasons);
    return is_ready;
}

struct route_facts model_route_facts(const struct modelhost_model *model)
{
    struct model_route *route = model->route;
    uv_mutex_lock(&route->mutex);
    const struct route_facts facts = {route->breaker.state, route->breaker.changed_ns,
                                      route->breaker.n_openings};
    uv_mutex_unlock(&route->mutex);
    return facts;
}
