/* graph.c - what is asked of a graph everywhere, and its last step of building; see graph.h. */
#include "graph_passes.h"

#include <stdio.h>
#include <string.h>

size_t graph_shape_size(const struct graph_shape *shape)
{
    size_t n = 1;
    for (uint32_t i = 0; i < shape->rank; i++)
        n *= (size_t)shape->size[i];
    return n;
}

bool graph_shape_equal(const struct graph_shape *a, const struct graph_shape *b)
{
    return a->rank == b->rank && memcmp(a->size, b->size, a->rank * sizeof a->size[0]) == 0;
}

const char *graph_shape_text(const struct graph_shape *shape, char text[GRAPH_SHAPE_BYTES])
{
    size_t used = 0;
    for (uint32_t i = 0; i < shape->rank && i < MODEL_MAX_RANK && used < GRAPH_SHAPE_BYTES; i++) {
        const int n = snprintf(text + used, GRAPH_SHAPE_BYTES - used, "%s%lld", i == 0 ? "[" : ", ",
                               (long long)shape->size[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < GRAPH_SHAPE_BYTES)
        (void)snprintf(text + used, GRAPH_SHAPE_BYTES - used, shape->rank == 0 ? "[]" : "]");
    return text;
}

const float *graph_numbers(struct graph *graph, uint32_t value)
{
    struct graph_value *constant = &graph->values[value];
    if (constant->numbers != NULL)
        return constant->numbers;
    const size_t n = graph_shape_size(&constant->shape);
    float *numbers = kernels_allocate(graph->kernels, n * sizeof *numbers);
    if (numbers != NULL) {
        const struct model_tensor tensor = {.dtype = constant->dtype,
                                            .data = (void *)(uintptr_t)constant->constant};
        weight_read_f32(&tensor, 0, n, numbers);
        constant->numbers = numbers;
    }
    return numbers;
}

/* Weights, and the numbers of constants that nodes read as they run. */
static model_status prepare_nodes(struct graph *graph, struct model_error *err)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        struct graph_node *node = &graph->nodes[i];
        const struct operator_type *type = operator_of(node->kind);
        char weights[WEIGHT_NAME_BYTES];
        if (node->removed)
            continue;
        for (uint32_t k = 0; k < (type->prepared ? 1 : node->n_inputs); k++)
            if (has_input(node, k) && graph->values[node->inputs[k]].constant != NULL &&
                graph_numbers(graph, node->inputs[k]) == NULL)
                return kernels_no_memory(err, "a constant");
        struct operator_prepare prepare = {graph, node, weight_name(weights, "node%u", i), err};
        const model_status status = type->prepare != NULL ? type->prepare(&prepare) : MODEL_OK;
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

model_status graph_finish(struct graph *graph, struct model_error *err)
{
    model_status status = graph_fold(graph, err);
    if (status != MODEL_OK)
        return status;
    graph_fuse(graph);
    status = graph_round_constants(graph, err);
    for (uint32_t i = 0; i < graph->n_outputs && status == MODEL_OK; i++)
        if (graph->values[graph->outputs[i]].constant != NULL &&
            graph_numbers(graph, graph->outputs[i]) == NULL)
            status = kernels_no_memory(err, "a constant");
    if (status == MODEL_OK)
        status = prepare_nodes(graph, err);
    return status == MODEL_OK ? graph_plan_create(graph, err) : status;
}
