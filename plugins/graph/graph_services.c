/* graph_services.c - see graph_services.h. */
#include "graph_services.h"

#include "graph_passes.h"

#include <stdlib.h>
#include <string.h>

#define NODE_BYTES 4 /* of "node" */

/* The value behind a name, or GRAPH_NONE. */
static uint32_t find_value(const struct graph *graph, const char *name)
{
    char *end = NULL;
    if (graph == NULL || strncmp(name, "node", NODE_BYTES) != 0)
        return GRAPH_NONE;
    const unsigned long node = strtoul(name + NODE_BYTES, &end, 10);
    if (end == name + NODE_BYTES || *end != '.' || node >= graph->n_nodes)
        return GRAPH_NONE;
    const struct operator_type *type = operator_of(graph->nodes[node].kind);
    for (uint32_t i = 0; i < graph->nodes[node].n_inputs; i++)
        if (is_weight(type, i) && strcmp(end + 1, type->weights[i]) == 0)
            return graph->nodes[node].inputs[i];
    return GRAPH_NONE;
}

static model_status tensor_by_name(void *context, const char *name, struct model_tensor *ret)
{
    const struct graph *graph = ((const struct graph_services *)context)->graph;
    const uint32_t value = find_value(graph, name);
    if (value == GRAPH_NONE ||
        (graph->values[value].constant == NULL && !graph->values[value].is_kept))
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

static model_status pass_packed_blob(void *context, const char *key, size_t size_bytes,
                                     model_status (*fill)(void *argument, void *destination),
                                     void *argument, const void **ret_data)
{
    return host_of(context)->packed_blob(host_of(context)->context, key, size_bytes, fill, argument,
                                         ret_data);
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
                                                  .packed_blob = pass_packed_blob,
                                                  .scratch = pass_scratch,
                                                  .get_extension = pass_get_extension},
                                        .host = host};
}
