/* graph_fold.c - computes once what depends on constants alone; see graph_passes.h. */
#include "graph_passes.h"

/* Numbers that folding may make beyond those that there are: a small file may name large maps. */
#define SPARE_NUMBERS ((size_t)1 << 22)

#define SMALL 64 /* numbers: shapes, places, bounds */

static bool is_constant(const struct graph *graph, const struct graph_node *node)
{
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (has_input(node, i) && graph->values[node->inputs[i]].constant == NULL)
            return false;
    return !operator_of(node->kind)->prepared && operator_of(node->kind)->scratch_size == NULL;
}

static void become_constant(struct graph *graph, struct graph_node *node, const float *numbers)
{
    struct graph_value *value = &graph->values[node->output];
    value->constant = value->numbers = numbers;
    value->is_own = true;
    value->dtype = MODEL_F32;
    value->producer = GRAPH_NONE;
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (has_input(node, i))
            graph->values[node->inputs[i]].n_uses--;
    node->removed = true;
}

/* `data` has room for a pointer to each value. */
static bool fold_node(struct graph *graph, struct graph_node *node, const float **data)
{
    const struct operator_type *type = operator_of(node->kind);
    struct graph_value *value = &graph->values[node->output];
    float *numbers =
        kernels_allocate(graph->kernels, graph_shape_size(&value->shape) * sizeof *numbers);
    if (numbers == NULL)
        return false;
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (has_input(node, i) &&
            (data[node->inputs[i]] = graph_numbers(graph, node->inputs[i])) == NULL)
            return false;
    type->run(&(struct operator_call){.graph = graph, .node = node, .data = data, .y = numbers});
    become_constant(graph, node, numbers);
    return true;
}

bool graph_fold_small(struct graph *graph, struct graph_node *node)
{
    struct graph_value values[GRAPH_MAX_INPUTS + 1];
    uint32_t inputs[GRAPH_MAX_INPUTS];
    const float *data[GRAPH_MAX_INPUTS + 1] = {NULL};
    struct graph_value *value = &graph->values[node->output];
    const size_t size = graph_shape_size(&value->shape);
    if (size > SMALL || !is_constant(graph, node))
        return true;
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        if (!has_input(node, i) || graph_shape_size(input_shape(graph, node, i)) > SMALL)
            return true;
        if ((data[i] = graph_numbers(graph, node->inputs[i])) == NULL)
            return false;
        inputs[i] = i;
        values[i] = graph->values[node->inputs[i]];
    }
    float *numbers = kernels_allocate(graph->kernels, size * sizeof *numbers);
    if (numbers == NULL)
        return false;
    values[node->n_inputs] = *value;
    struct graph alone = {.kernels = graph->kernels, .values = values};
    struct graph_node copy = *node;
    copy.inputs = inputs;
    copy.output = node->n_inputs;
    operator_of(node->kind)
        ->run(&(struct operator_call){.graph = &alone, .node = &copy, .data = data, .y = numbers});
    become_constant(graph, node, numbers);
    return true;
}

model_status graph_fold(struct graph *graph, struct model_error *err)
{
    const struct model_services *services = kernels_services(graph->kernels);
    const float **data =
        services->allocate(services->context, (graph->n_values + 1) * sizeof *data);
    bool folded = data != NULL;
    size_t left = SPARE_NUMBERS;
    for (uint32_t v = 0; v < graph->n_values; v++)
        left += graph->values[v].constant != NULL ? graph_shape_size(&graph->values[v].shape) : 0;
    for (uint32_t i = 0; i < graph->n_nodes && folded; i++) {
        const size_t size = graph_shape_size(&graph->values[graph->nodes[i].output].shape);
        if (graph->nodes[i].removed || !is_constant(graph, &graph->nodes[i]) || size > left)
            continue; /* what is left out is computed in each run */
        left -= size;
        folded = fold_node(graph, &graph->nodes[i], data);
    }
    services->release(services->context, data);
    return folded ? MODEL_OK : kernels_no_memory(err, "the constants of a graph");
}
