/* route_describing.c - see model_route.h: what a model's description says of its backends. Takes no lock, so that it may be
 * asked for with a model's held. */
#include "loaded_model.h"
#include "route_opening.h"
#include "route_order.h"

void model_route_describe(const struct modelhost_model *model, json_node *info)
{
    static const char *const states[] = {[ACCELERATOR_LOADING] = "loading",
                                         [ACCELERATOR_READY] = "ready",
                                         [ACCELERATOR_REFUSED] = "refused"};
    const struct model_route *route = model->route;
    backend_chain_describe(route->chain, accelerator_start_first_known(route->accelerator),
                           route->position, model->package.backend, info);
    json_node *demoted = json_add_array(info, "demoted_backends");
    for (const struct modelhost_model *at = route_order_head(model); at != NULL;
         at = route_order_behind(model, at))
        if (route_order_is_demoted(at))
            (void)json_add_string(demoted, NULL, at->package.backend);
    if (route->accelerator == NULL)
        return;
    json_node *accelerator = json_add_object(info, "accelerator");
    (void)json_add_string(accelerator, "backend", route->chain->order.names[0]);
    (void)json_add_string(accelerator, "state",
                          states[accelerator_start_state(route->accelerator)]);
}

uint32_t model_route_stamp(const struct modelhost_model *model)
{
    const struct accelerator_start *accelerator = model->route->accelerator;
    uint32_t stamp = accelerator != NULL ? 1 + (uint32_t)accelerator_start_state(accelerator) : 0;
    for (const struct modelhost_model *at = route_order_head(model); at != NULL;
         at = route_order_behind(model, at))
        if (route_order_is_demoted(at))
            stamp |= 1u << (4 + at->route->position);
    return stamp;
}
