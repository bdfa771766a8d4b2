/* graph_round.c - float16 as hardware without float32 has it, emulated; see graph_passes.h.
 *
 * Inputs, constants and what each node leaves behind are numbers that a float16 can be; inside a node sums are float32, as
 * the accumulators of such hardware are. Nodes that were fused are one, and rounded once. Whole numbers (places,
 * sizes, counters) are kept apart from others there, and are not rounded here. */
#include "graph_passes.h"

/* Kinds that take numbers from one place to another, where they are as they were. */
static const bool only_moves[N_GRAPH_KINDS] = {
    [GRAPH_CONCAT] = true, [GRAPH_RESHAPE] = true, [GRAPH_TRANSPOSE] = true, [GRAPH_SLICE] = true,
    [GRAPH_GATHER] = true, [GRAPH_SELECT] = true,  [GRAPH_BROADCAST] = true};

static bool are_whole(const struct graph *graph, const struct graph_node *node, uint32_t first,
                      uint32_t end)
{
    for (uint32_t i = first; i < end; i++)
        if (!has_input(node, i) || !graph->values[node->inputs[i]].is_whole)
            return false;
    return true;
}

bool graph_makes_whole(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_attributes *a = &node->attributes;
    switch (node->kind) {
    case GRAPH_BINARY:
        return a->binary.function >= BINARY_EQUAL ||
               (a->binary.function != BINARY_DIVIDE && a->binary.function != BINARY_POWER &&
                are_whole(graph, node, 0, 2));
    case GRAPH_MAP:
        return a->map.function == MAP_FROM_INTEGER || a->map.function == MAP_TO_INTEGER ||
               a->map.function == MAP_IS_ZERO;
    case GRAPH_REDUCE:
        return a->reduce.mode == REDUCE_ARGMAX ||
               ((a->reduce.mode == REDUCE_SUM || a->reduce.mode == REDUCE_MAX ||
                 a->reduce.mode == REDUCE_MIN || a->reduce.mode == REDUCE_PRODUCT) &&
                are_whole(graph, node, 0, 1));
    case GRAPH_GATHER:
        return are_whole(graph, node, 0, 1);
    case GRAPH_SELECT:
        return are_whole(graph, node, 1, 3);
    default:
        return only_moves[node->kind] && are_whole(graph, node, 0, node->n_inputs);
    }
}

/* No constant, or one of numbers that need no rounding. */
static bool is_exact(const struct graph_value *value)
{
    return value->constant == NULL || value->is_whole || value->dtype == MODEL_F16;
}

model_status graph_round_constants(struct graph *graph, struct model_error *err)
{
    for (uint32_t v = 0; v < graph->n_values && graph->emulates_f16; v++) {
        struct graph_value *value = &graph->values[v];
        if (is_exact(value) || value->n_uses == 0)
            continue;
        const size_t n = graph_shape_size(&value->shape);
        const float *numbers = graph_numbers(graph, v);
        float *rounded = kernels_allocate(graph->kernels, n * sizeof *rounded);
        if (numbers == NULL || rounded == NULL)
            return kernels_no_memory(err, "the constants in float16");
        round_rows_f16(graph->kernels, numbers, rounded, n);
        value->constant = value->numbers = rounded;
        value->dtype = MODEL_F32;
    }
    return MODEL_OK;
}

void graph_round_result(const struct graph *graph, const struct graph_node *node, float *y)
{
    const struct graph_value *value = &graph->values[node->output];
    if (graph->emulates_f16 && !value->is_whole && !only_moves[node->kind])
        round_rows_f16(graph->kernels, y, y, graph_shape_size(&value->shape));
}
