/* route_ending.c - see model_route.h: what the ends of calls say of a backend.
 *
 * The end of a call may change the breaker's state, and comes with the scheduler's lock held, where nothing may be
 * logged and no backend opened. So model_route_end() only notes that (is_unsettled), and model_route_settle() says
 * and does it, without locks: the next call that asks, and whoever has ended one and let go of the lock. */
#include "route_ending.h"
#include "errors.h"
#include "host.h"
#include "loaded_model.h"
#include "request.h"
#include "route_opening.h"
#include "route_text.h"
#include "scheduler.h"
#include "worker_model.h"

#include <stdlib.h>

#define MAX_ENDS 3 /* of a backend's processes in a row */

void route_ending_count_state(const struct modelhost_model *model)
{
    static const enum metric_breaker states[] = {[BREAKER_CLOSED] = STATE_CLOSED,
                                                 [BREAKER_OPEN] = STATE_OPEN,
                                                 [BREAKER_HALF_OPEN] = STATE_HALF_OPEN};
    const enum metric_breaker state = states[model->route->breaker.state];
    metrics_add(model->metrics.series, METRIC_BREAKER_CHANGES, state, 1);
    metrics_set(model->metrics.series, METRIC_BREAKER_STATE, 0, (int64_t)state);
}

/* With the mutex held: and the backend's place may, with it. */
static void note_state(struct modelhost_model *model, int64_t now_ns)
{
    struct model_route *route = model->route;
    if (route->breaker.state == BREAKER_CLOSED)
        demotion_closed(&route->demotion);
    if (route->breaker.state != BREAKER_OPEN || !demotion_opened(&route->demotion, now_ns))
        return;
    route->was_demoted = true;
    atomic_store(&route->demoted_until_ns, route->demotion.until_ns);
    metrics_add(model->metrics.series, METRIC_DEMOTIONS, 0, 1);
}

static void end_ticket(struct modelhost_model *model, struct breaker_ticket *ticket,
                       uint64_t request_id, enum breaker_outcome outcome,
                       const struct model_error *error)
{
    struct model_route *route = model->route;
    const int64_t now_ns = route->chain->now_ns();
    uv_mutex_lock(&route->mutex);
    if (outcome != BREAKER_GOOD && outcome != BREAKER_NEUTRAL && error != NULL)
        (void)error_set(&route->last_failure, MODEL_OK, "%s", error->message);
    if (breaker_end(&route->breaker, ticket, outcome, now_ns)) {
        atomic_store(&route->is_unsettled, true);
        route->changed_by = request_id;
        route_ending_count_state(model);
        note_state(model, now_ns);
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
    if (request->asked == NULL && call->first != request->model)
        loaded_model_retain(request->asked = call->first);
    free(request->fallback_reason); /* of the backend that it waited for */
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

/* A call that does not come back costs its whole deadline, or all that its client would wait, and a process: three are no
 * accident. */
static bool keeps_ending(const struct modelhost_model *model)
{
    return model->load.isolation == MODELHOST_WORKER && worker_model_ends(model->model) >= MAX_ENDS;
}

static enum breaker_outcome outcome_of(const struct modelhost_model *model, model_status status)
{
    enum breaker_outcome outcome = BREAKER_NEUTRAL;
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        if (outcomes[i].status == status)
            outcome = outcomes[i].outcome;
    const bool is_unanswered = outcome == BREAKER_BAD || status == MODEL_CANCELLED;
    return is_unanswered && keeps_ending(model) ? BREAKER_HOPELESS : outcome;
}

void model_route_end(struct modelhost_request *request, model_status status, bool has_run,
                     const struct model_error *error)
{
    if (request->ticket.epoch != 0)
        end_ticket(request->model, &request->ticket, request->id,
                   has_run ? outcome_of(request->model, status) : BREAKER_NEUTRAL, error);
}

void model_route_settle(struct modelhost_model *model)
{
    struct model_route *route = model->route;
    if (!atomic_load_explicit(&route->is_unsettled, memory_order_relaxed) ||
        !atomic_exchange(&route->is_unsettled, false))
        return;
    struct buffer text = BUFFER_INIT(MODEL_ERROR_BYTES), demoted = BUFFER_INIT(MODEL_ERROR_BYTES);
    const int64_t now_ns = route->chain->now_ns();
    uv_mutex_lock(&route->mutex);
    const enum breaker_state state = route->breaker.state;
    const struct log_subject subject = {loaded_model_name(model), route->changed_by};
    if (route->was_demoted)
        route_text_demotion(model->package.backend, &route->demotion, now_ns, &demoted);
    route->was_demoted = false;
    if (state == BREAKER_OPEN)
        route_text_refusal(model->package.backend, &route->breaker, route->last_failure.message,
                           now_ns, &text);
    uv_mutex_unlock(&route->mutex);
    if (state == BREAKER_OPEN) {
        route_want_next(model);
        scheduler_route_waiting(model->host->scheduler, model);
    }
    const struct log_subject before = log_set_subject(subject);
    if (state == BREAKER_OPEN)
        log_write(route->chain->log, MODEL_LOG_WARN, "%s",
                  text.data != NULL ? text.data : model->package.backend);
    else if (state == BREAKER_CLOSED)
        log_write(route->chain->log, MODEL_LOG_WARN, "backend '%s' takes calls again",
                  model->package.backend);
    if (demoted.size > 0)
        log_write(route->chain->log, MODEL_LOG_WARN, "%s", demoted.data);
    (void)log_set_subject(before);
    buffer_finish(&text);
    buffer_finish(&demoted);
}
