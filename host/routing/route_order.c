/* route_order.c - see route_order.h. Takes no lock: each call comes by here. */
#include "route_order.h"
#include "accelerator_start.h"
#include "loaded_model.h"
#include "route_opening.h"

#include <string.h>

struct modelhost_model *route_order_head(const struct modelhost_model *first)
{
    struct modelhost_model *accelerator = accelerator_start_model(first->route->accelerator);
    return accelerator != NULL ? accelerator : (struct modelhost_model *)(uintptr_t)first;
}

struct modelhost_model *route_order_behind(const struct modelhost_model *first,
                                           const struct modelhost_model *model)
{
    return model->route->is_in_front ? (struct modelhost_model *)(uintptr_t)first
                                     : model_route_next(model);
}

bool route_order_is_demoted(const struct modelhost_model *model)
{
    const int64_t until_ns = atomic_load(&model->route->demoted_until_ns);
    return until_ns != 0 && model->route->chain->now_ns() < until_ns;
}

/* It may be demoted no more: the first one who sees that says so. */
static void note_return(struct modelhost_model *model)
{
    struct model_route *route = model->route;
    int64_t until_ns = atomic_load(&route->demoted_until_ns);
    if (until_ns == 0 || route->chain->now_ns() < until_ns ||
        !atomic_compare_exchange_strong(&route->demoted_until_ns, &until_ns, 0))
        return;
    const struct log_subject before =
        log_set_subject((struct log_subject){loaded_model_name(model), 0});
    log_write(route->chain->log, MODEL_LOG_INFO, "backend '%s' is in its place again, on trial",
              model->package.backend);
    (void)log_set_subject(before);
}

void route_order_find(struct modelhost_model *first, struct route_order *ret)
{
    struct modelhost_model *demoted[BACKEND_MAX];
    size_t n_demoted = 0, n_in_place = 0;
    for (struct modelhost_model *model = route_order_head(first); model != NULL;
         model = route_order_behind(first, model)) {
        note_return(model);
        if (route_order_is_demoted(model))
            demoted[n_demoted++] = model;
        else
            ret->models[n_in_place++] = model;
    }
    memcpy(ret->models + n_in_place, demoted, n_demoted * sizeof *demoted);
    ret->n_in_place = n_in_place;
    ret->n_models = n_in_place + n_demoted;
}
