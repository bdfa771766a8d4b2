/* model_route.c - see model_route.h. Order of locks: the scheduler's, then a route's; nothing is called with
 * a route's held.
 *
 * The end of a call may change the breaker's state, and comes with the scheduler's lock held, where nothing may be
 * logged and no backend opened. So model_route_end() only notes that (is_unsettled), and model_route_settle() says
 * and does it, without locks: the next call that asks, and whoever has ended one and let go of the lock. */
#include "model_route.h"
#include "clock.h"
#include "errors.h"
#include "host.h"
#include "lane.h"
#include "loaded_model.h"
#include "request.h"
#include "route_opening.h"
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
    route->position = position;
    route->last_failure.struct_size = offsetof(struct model_error, message) + ROUTE_FAILURE_BYTES;
    *ret = route;
    return MODEL_OK;
}

void model_route_destroy(struct model_route *route)
{
    if (route == NULL)
        return;
    loaded_model_drop(route->next);
    breaker_finish(&route->breaker);
    uv_cond_destroy(&route->opened);
    uv_mutex_destroy(&route->mutex);
    backend_chain_drop(route->chain);
    free(route);
}

void model_route_describe(const struct modelhost_model *model, json_node *info)
{
    const struct model_route *route = model->route;
    backend_chain_describe(route->chain, route->position, model->package.backend, info);
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

/* With the mutex held: the breaker's state has changed. */
static void count_state(const struct modelhost_model *model)
{
    static const enum metric_breaker states[] = {[BREAKER_CLOSED] = STATE_CLOSED,
                                                 [BREAKER_OPEN] = STATE_OPEN,
                                                 [BREAKER_HALF_OPEN] = STATE_HALF_OPEN};
    const enum metric_breaker state = states[model->route->breaker.state];
    metrics_add(model->metrics.series, METRIC_BREAKER_CHANGES, state, 1);
    metrics_set(model->metrics.series, METRIC_BREAKER_STATE, 0, (int64_t)state);
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
        count_state(model);
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

/* Behind the last backend that is open: the call waits for the one that is being opened, or is refused. */
static model_status end_of_chain(struct modelhost_model *first, struct modelhost_model *last,
                                 bool is_opening, struct routed_call *call, struct buffer *reasons,
                                 struct model_error *err)
{
    if (is_opening) {
        call->waits = true;
        call->serving = first;
        return MODEL_OK;
    }
    say_no_next(last, reasons);
    return error_set(err, MODEL_BUSY, "no backend takes calls: %s",
                     reasons->data != NULL ? reasons->data : "out of memory");
}

/* The first backend from `first` on that lets the call pass. */
static model_status choose(struct modelhost_model *first,
                           const struct modelhost_run_options *options, bool may_wait,
                           struct routed_call *call, struct buffer *reasons,
                           struct model_error *err)
{
    struct modelhost_model *model = first;
    while (!admit(model, call, reasons)) {
        route_want_next(model);
        if (may_wait) {
            model_status status = wait_for_next(model, options, call->start_ns, err);
            if (status != MODEL_OK)
                return status;
        }
        /* Asked before the next one is looked at: it may be open by then, and is not missed. */
        const bool is_opening = !may_wait && route_is_opening_next(model);
        struct modelhost_model *next = model_route_next(model);
        if (next == NULL)
            return end_of_chain(first, model, is_opening, call, reasons, err);
        model = next;
    }
    return MODEL_OK;
}

static bool leads_to(struct modelhost_model *first, const struct modelhost_model *model)
{
    while (first != NULL && first != model)
        first = model_route_next(first);
    return first != NULL;
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
    if (session->model != first)
        (void)buffer_printf(reasons, "the session began on backend '%s'",
                            session->model->package.backend);
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
    const struct backend_chain *chain = first->route->chain;
    if (first->route->position == 0)
        metrics_add(first->metrics.series, METRIC_FALLBACKS, FALLBACK_BREAKER, 1);
    else
        metrics_add(
            metrics_series(first->metrics.metrics, loaded_model_name(first), chain->order.names[0]),
            METRIC_FALLBACKS, FALLBACK_LOAD, 1);
}

model_status model_route_begin(struct modelhost_model *first,
                               const struct modelhost_run_options *options, bool may_wait,
                               struct routed_call *ret, struct model_error *err)
{
    struct buffer reasons = BUFFER_INIT(MODEL_ERROR_BYTES);
    struct routed_call call = {.start_ns = clock_now_ns()};
    const struct modelhost_session *session = session_of(options);
    const struct model_route *route = first->route;
    if (route->position > 0)
        backend_chain_say_refused(route->chain, 0, route->position, &reasons);
    model_status status = session != NULL ? choose_of_session(first, session, &call, &reasons, err)
                                          : choose(first, options, may_wait, &call, &reasons, err);
    if (status == MODEL_OK && reasons.size > 0 && !call.waits) {
        call.reason = buffer_take(&reasons);
        count_fallback(first);
    }
    buffer_finish(&reasons);
    if (status == MODEL_OK)
        *ret = call;
    return status;
}

static void end_ticket(struct modelhost_model *model, struct breaker_ticket *ticket,
                       uint64_t request_id, enum breaker_outcome outcome,
                       const struct model_error *error)
{
    struct model_route *route = model->route;
    const int64_t now_ns = route->chain->now_ns();
    uv_mutex_lock(&route->mutex);
    if (outcome == BREAKER_BAD && error != NULL)
        (void)error_set(&route->last_failure, MODEL_OK, "%s", error->message);
    if (breaker_end(&route->breaker, ticket, outcome, now_ns)) {
        atomic_store(&route->is_unsettled, true);
        route->changed_by = request_id;
        count_state(model);
    }
    uv_mutex_unlock(&route->mutex);
}

static void log_fallback(const struct modelhost_request *request)
{
    const struct log_subject before = log_set_subject(request_subject(request));
    log_write(request->model->log, MODEL_LOG_DEBUG, "backend '%s' serves: %s",
              request->model->package.backend, request->fallback_reason);
    (void)log_set_subject(before);
}

model_status model_route_attach(struct routed_call *call, model_status status,
                                struct modelhost_request *request)
{
    if (status != MODEL_OK && call->waits)
        return status;
    if (status != MODEL_OK) {
        end_ticket(call->serving, &call->ticket, 0, BREAKER_NEUTRAL, NULL);
        free(call->reason);
        return status;
    }
    request->ticket = call->ticket;
    request->waits_for_backend = call->waits;
    request->fallback_reason = call->reason;
    if (call->reason != NULL)
        log_fallback(request);
    if (request->submitted_ns > call->start_ns) /* waiting for a backend is part of it */
        request_count_from(request, call->start_ns);
    return MODEL_OK;
}

/* ---- how calls end */

/* What a status says of the backend. What is not here says nothing. */
static const struct {
    model_status status;
    enum breaker_outcome outcome;
} outcomes[] = {
    {MODEL_OK, BREAKER_GOOD},           {MODEL_CORRUPT, BREAKER_BAD},
    {MODEL_OUT_OF_MEMORY, BREAKER_BAD}, {MODEL_IO, BREAKER_BAD},
    {MODEL_DEADLINE, BREAKER_BAD},      {MODEL_INTERNAL, BREAKER_BAD},
    {MODEL_ABI_MISMATCH, BREAKER_BAD},  {MODELHOST_CRASHED, BREAKER_BAD},
};

static enum breaker_outcome outcome_of(model_status status)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        if (outcomes[i].status == status)
            return outcomes[i].outcome;
    return BREAKER_NEUTRAL;
}

void model_route_end(struct modelhost_request *request, model_status status, bool has_run,
                     const struct model_error *error)
{
    if (request->ticket.epoch != 0)
        end_ticket(request->model, &request->ticket, request->id,
                   has_run ? outcome_of(status) : BREAKER_NEUTRAL, error);
}

void model_route_settle(struct modelhost_model *model)
{
    struct model_route *route = model->route;
    if (!atomic_load_explicit(&route->is_unsettled, memory_order_relaxed) ||
        !atomic_exchange(&route->is_unsettled, false))
        return;
    struct buffer text = BUFFER_INIT(MODEL_ERROR_BYTES);
    const int64_t now_ns = route->chain->now_ns();
    uv_mutex_lock(&route->mutex);
    const enum breaker_state state = route->breaker.state;
    const struct log_subject subject = {loaded_model_name(model), route->changed_by};
    if (state == BREAKER_OPEN)
        route_text_refusal(model->package.backend, &route->breaker, route->last_failure.message,
                           now_ns, &text);
    uv_mutex_unlock(&route->mutex);
    if (state == BREAKER_OPEN)
        route_want_next(model);
    const struct log_subject before = log_set_subject(subject);
    if (state == BREAKER_OPEN)
        log_write(route->chain->log, MODEL_LOG_WARN, "%s",
                  text.data != NULL ? text.data : model->package.backend);
    else if (state == BREAKER_CLOSED)
        log_write(route->chain->log, MODEL_LOG_WARN, "backend '%s' takes calls again",
                  model->package.backend);
    (void)log_set_subject(before);
    buffer_finish(&text);
}

struct modelhost_model *model_route_pick(struct modelhost_model *first)
{
    for (struct modelhost_model *model = first; model != NULL; model = model_route_next(model)) {
        struct model_route *route = model->route;
        const int64_t now_ns = route->chain->now_ns();
        uv_mutex_lock(&route->mutex);
        const bool takes_calls = breaker_would_admit(&route->breaker, now_ns);
        uv_mutex_unlock(&route->mutex);
        if (takes_calls)
            return model;
    }
    return first;
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
    struct modelhost_model *model = first;
    while (model != NULL && !would_admit(model, &reasons)) {
        route_want_next(model);
        struct modelhost_model *next = model_route_next(model);
        if (next == NULL)
            say_no_next(model, &reasons);
        model = next;
    }
    if (model == NULL)
        (void)error_set(err, MODEL_BUSY, "'%s' takes no calls: %s", loaded_model_name(first),
                        reasons.data != NULL ? reasons.data : "out of memory");
    buffer_finish(&reasons);
    return model != NULL;
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
