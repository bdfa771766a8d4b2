/* route_opening.c - see route_opening.h. */
#include "route_opening.h"
#include "clock.h"
#include "errors.h"
#include "host.h"
#include "loaded_model.h"

#define RETRY_OPENING_NS (60 * NS_PER_S)

/* Tells those who wait. Drops the reference of the opening. */
static void end_opening(struct modelhost_model *model, struct modelhost_model *next)
{
    struct model_route *route = model->route;
    uv_mutex_lock(&route->mutex);
    atomic_store(&route->next, next);
    route->next_state = next != NULL ? NEXT_OPEN : NEXT_FAILED;
    route->retry_ns = route->chain->now_ns() + RETRY_OPENING_NS;
    uv_cond_broadcast(&route->opened);
    uv_mutex_unlock(&route->mutex);
    if (model->host->scheduler != NULL)
        scheduler_route_held(model->host->scheduler, route->chain);
    loaded_model_drop(model);
}

static void open_next(void *argument)
{
    struct modelhost_model *model = argument;
    struct model_route *route = model->route;
    struct modelhost_model *next = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = backend_chain_open(route->chain, route->position + 1,
                                             modelhost_description(model), &next, &err);
    const struct log_subject before =
        log_set_subject((struct log_subject){loaded_model_name(model), 0});
    if (status == MODEL_OK)
        log_write(route->chain->log, MODEL_LOG_INFO, "backend '%s' is open, to stand in",
                  next->package.backend);
    else
        log_write(route->chain->log, MODEL_LOG_ERROR, "%s", err.message);
    (void)log_set_subject(before);
    end_opening(model, next);
}

static bool has_next(const struct model_route *route)
{
    return !route->is_in_front && route->position + 1 < route->chain->order.n_names;
}

void route_want_next(struct modelhost_model *model)
{
    struct model_route *route = model->route;
    if (!has_next(route))
        return;
    uv_mutex_lock(&route->mutex);
    const bool start =
        route->next_state == NEXT_UNOPENED ||
        (route->next_state == NEXT_FAILED && route->chain->now_ns() >= route->retry_ns);
    if (start)
        route->next_state = NEXT_OPENING;
    uv_mutex_unlock(&route->mutex);
    if (!start)
        return;
    loaded_model_retain(model);
    model_status status = background_start(&route->chain->host->background, open_next, model, NULL);
    if (status == MODEL_CANCELLED)
        end_opening(model, NULL);
    else if (status != MODEL_OK)
        open_next(model); /* no thread to be had: on this one */
}

struct modelhost_model *model_route_next(const struct modelhost_model *model)
{
    return atomic_load(&model->route->next);
}

bool route_is_opening_next(const struct modelhost_model *model)
{
    struct model_route *route = model->route;
    uv_mutex_lock(&route->mutex);
    const bool is_opening = route->next_state == NEXT_OPENING;
    uv_mutex_unlock(&route->mutex);
    return is_opening;
}

bool model_route_is_opening(struct modelhost_model *first)
{
    while (first != NULL && !route_is_opening_next(first))
        first = model_route_next(first);
    return first != NULL;
}
