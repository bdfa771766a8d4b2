/* graph_services.c - see graph_services.h. */
#include "graph_services.h"

#include "graph_passes.h"
#include "graph_shared.h"

#include <stdlib.h>
#include <string.h>

#define NODE_BYTES  4 /* of "node" */
#define VALUE_BYTES 5 /* of "value" */

/* Node 17 of "node17.weight", and what follows its point; NULL: it is no such name. */
static const struct graph_node *find_node(const struct graph *graph, const char *name,
                                          const char **ret_weight)
{
    char *end = NULL;
    if (graph == NULL || strncmp(name, "node", NODE_BYTES) != 0)
        return NULL;
    const unsigned long node = strtoul(name + NODE_BYTES, &end, 10);
    if (end == name + NODE_BYTES || *end != '.' || node >= graph->n_nodes)
        return NULL;
    *ret_weight = end + 1;
    return &graph->nodes[node];
}

/* The value behind the name of a weight, or GRAPH_NONE. */
static uint32_t find_value(const struct graph *graph, const char *name)
{
    const char *weight = NULL;
    const struct graph_node *node = find_node(graph, name, &weight);
    for (uint32_t i = 0; node != NULL && i < node->n_inputs; i++)
        if (is_weight(operator_of(node->kind), i) &&
            strcmp(weight, operator_of(node->kind)->weights[i]) == 0)
            return node->inputs[i];
    return GRAPH_NONE;
}

static bool is_known(const struct graph *graph, uint32_t value)
{
    return value < graph->n_values &&
           (graph->values[value].constant != NULL || graph->values[value].is_kept);
}

uint32_t graph_services_value(const struct graph *graph, const char *name)
{
    uint32_t value = find_value(graph, name);
    if (strncmp(name, "value", VALUE_BYTES) == 0) {
        char *end = NULL;
        const unsigned long number = strtoul(name + VALUE_BYTES, &end, 10);
        if (end != name + VALUE_BYTES && *end == '\0' && number < graph->n_values)
            value = (uint32_t)number;
    }
    return is_known(graph, value) ? value : GRAPH_NONE;
}

uint32_t graph_services_part(const struct graph *graph, const char *name, size_t i)
{
    const char *prefix = NULL;
    const struct graph_node *node = find_node(graph, name, &prefix);
    if (node == NULL || i >= node->n_inputs || !is_weight(operator_of(node->kind), (uint32_t)i))
        return GRAPH_NONE;
    const char *weight = operator_of(node->kind)->weights[i];
    const size_t n = strlen(prefix);
    const bool begins = strncmp(weight, prefix, n) == 0 && weight[n] == '.';
    return begins && is_known(graph, node->inputs[i]) ? node->inputs[i] : GRAPH_NONE;
}

static model_status tensor_by_name(void *context, const char *name, struct model_tensor *ret)
{
    const struct graph *graph = ((const struct graph_services *)context)->graph;
    const uint32_t value = find_value(graph, name);
    if (value == GRAPH_NONE || !is_known(graph, value))
        return MODEL_NOT_FOUND;
    const struct graph_value *constant = &graph->values[value];
    const int32_t dtype = constant->is_kept ? MODEL_F32 : constant->dtype;
    const void *data = constant->is_kept ? constant->numbers : constant->constant;
    *ret = (struct model_tensor){.struct_size = ret->struct_size,
                                 .name = name,
                                 .data = (void *)(uintptr_t)data,
                                 .size_bytes =
                                     graph_shape_size(&constant->shape) * graph_number_bytes(dtype),
                                 .dtype = dtype,
                                 .rank = constant->shape.rank,
                                 .flags = MODEL_TENSOR_READ_ONLY};
    int64_t step = 1;
    for (uint32_t i = ret->rank; i-- > 0; step *= ret->shape[i]) {
        ret->shape[i] = constant->shape.size[i];
        ret->strides[i] = step;
    }
    return MODEL_OK;
}

static size_t tensor_count(void *context)
{
    (void)context;
    return 0; /* the names are known to nodes only */
}

static model_status tensor_at(void *context, size_t index, struct model_tensor *ret)
{
    (void)context, (void)index, (void)ret;
    return MODEL_NOT_FOUND;
}

static void discard_tensor(void *context, const struct model_tensor *tensor)
{
    struct graph *graph = ((const struct graph_services *)context)->graph;
    const uint32_t value = find_value(graph, tensor->name);
    if (value != GRAPH_NONE)
        graph_discard(graph, value);
}

/* ---- the rest is the host's */

static const struct model_services *host_of(void *context)
{
    return ((const struct graph_services *)context)->host;
}

static void *pass_allocate(void *context, size_t size_bytes)
{
    return host_of(context)->allocate(host_of(context)->context, size_bytes);
}

static void pass_release(void *context, void *memory)
{
    host_of(context)->release(host_of(context)->context, memory);
}

static void pass_log(void *context, int32_t level, const char *message)
{
    host_of(context)->log(host_of(context)->context, level, message);
}

static void pass_count(void *context, const char *name, uint64_t delta)
{
    host_of(context)->count(host_of(context)->context, name, delta);
}

static int64_t pass_now_ns(void *context)
{
    return host_of(context)->now_ns(host_of(context)->context);
}

static void pass_parallel_for(void *context, size_t n_items,
                              void (*body)(void *argument, size_t index), void *argument)
{
    host_of(context)->parallel_for(host_of(context)->context, n_items, body, argument);
}

static model_status pass_config_value(void *context, const char *path, struct model_value *ret)
{
    return host_of(context)->config_value(host_of(context)->context, path, ret);
}

/* Of a graph that shares: found, or packed into its own memory. */
static model_status pack_own(const struct graph_services *services, const char *content,
                             size_t size_bytes,
                             model_status (*fill)(void *argument, void *destination),
                             void *argument, const void **ret_data)
{
    const void *shared = graph_shared_find(services->shared, content, size_bytes);
    if (shared != NULL) {
        *ret_data = shared;
        return MODEL_OK;
    }
    void *data = kernels_allocate(services->graph->kernels, size_bytes);
    const model_status status = data != NULL ? fill(argument, data) : MODEL_OUT_OF_MEMORY;
    if (status == MODEL_OK)
        *ret_data = data;
    return status;
}

static model_status packed_blob(void *context, const char *key, size_t size_bytes,
                                model_status (*fill)(void *argument, void *destination),
                                void *argument, const void **ret_data)
{
    const struct graph_services *services = context;
    const struct model_services *host = services->host;
    char content[GRAPH_CONTENT_BYTES];
    const bool shares =
        services->shared != NULL && graph_content_key(services->graph, key, content);
    if (services->shared != NULL && !services->is_first)
        return pack_own(services, shares ? content : "", size_bytes, fill, argument, ret_data);
    const model_status status =
        host->packed_blob(host->context, key, size_bytes, fill, argument, ret_data);
    if (status == MODEL_OK && shares &&
        !graph_shared_add(services->shared, content, size_bytes, *ret_data))
        return MODEL_OUT_OF_MEMORY;
    return status;
}

static void *pass_scratch(void *context, size_t size_bytes)
{
    return host_of(context)->scratch(host_of(context)->context, size_bytes);
}

static const void *pass_get_extension(void *context, const char *id)
{
    return host_of(context)->get_extension(host_of(context)->context, id);
}

void graph_services_init(struct graph_services *services, const struct model_services *host)
{
    *services = (struct graph_services){.table = {.struct_size = sizeof services->table,
                                                  .context = services,
                                                  .allocate = pass_allocate,
                                                  .release = pass_release,
                                                  .log = pass_log,
                                                  .count = pass_count,
                                                  .now_ns = pass_now_ns,
                                                  .parallel_for = pass_parallel_for,
                                                  .config_value = pass_config_value,
                                                  .tensor_by_name = tensor_by_name,
                                                  .tensor_count = tensor_count,
                                                  .tensor_at = tensor_at,
                                                  .discard_tensor = discard_tensor,
                                                  .packed_blob = packed_blob,
                                                  .scratch = pass_scratch,
                                                  .get_extension = pass_get_extension},
                                        .host = host};
}

bool graph_services_share(struct graph_services *services)
{
    services->shared = graph_shared_create(services->graph->kernels);
    services->is_first = services->graph->shares = true;
    return services->shared != NULL;
}

void graph_services_join(struct graph_services *services, const struct graph_services *first)
{
    services->shared = first->shared;
    services->graph->shares = true;
}
