/* graph_run.c - one run of a finished graph: node after node, in the block that the plan laid out. */
#include "graph_passes.h"

#include <string.h>

uint64_t graph_run_bytes(const struct graph *graph)
{
    return graph->plan->size_bytes;
}

/* The input as it is, or a copy in the block where its numbers have to be others. */
static const float *take_input(const struct graph *graph, uint32_t value,
                               const struct graph_input *input, float *copy)
{
    const size_t n = graph_shape_size(&graph->values[value].shape);
    if (input->dtype == MODEL_U8) {
        const uint8_t *bytes = input->data;
        for (size_t i = 0; i < n; i++)
            copy[i] = bytes[i];
        return copy;
    }
    if (!graph->emulates_f16 || graph->values[value].is_whole)
        return input->data;
    round_rows_f16(graph->kernels, input->data, copy, n);
    return copy;
}

/* Where each value is: the caller's memory, the block, or a constant. */
static void find_data(const struct graph *graph, char *block, const struct graph_input *inputs,
                      float *const *outputs, float **data)
{
    const struct graph_plan *plan = graph->plan;
    for (uint32_t v = 0; v < graph->n_values; v++)
        data[v] = plan->offsets[v] != GRAPH_NO_OFFSET
                      ? (float *)(void *)(block + plan->offsets[v])
                      : (float *)(uintptr_t)graph->values[v].numbers;
    for (uint32_t i = 0; i < graph->n_inputs; i++)
        data[graph->inputs[i]] = (float *)(uintptr_t)take_input(graph, graph->inputs[i], &inputs[i],
                                                                data[graph->inputs[i]]);
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        if (outputs[i] != NULL && graph->values[graph->outputs[i]].producer != GRAPH_NONE)
            data[graph->outputs[i]] = outputs[i];
    for (uint32_t v = 0; v < graph->n_values; v++)
        if (plan->same[v] != GRAPH_NONE)
            data[v] = data[plan->same[v]]; /* made earlier, so it has its place already */
}

/* Outputs that no node writes, or that are wanted twice. */
static void copy_outputs(const struct graph *graph, float *const *outputs, float **data)
{
    for (uint32_t i = 0; i < graph->n_outputs; i++) {
        const uint32_t value = graph->outputs[i];
        if (outputs[i] != NULL && outputs[i] != data[value])
            memcpy(outputs[i], data[value],
                   graph_shape_size(&graph->values[value].shape) * sizeof(float));
    }
}

model_status graph_run(const struct graph *graph, struct linear_runner *runner,
                       const struct model_cancel *cancel, const struct graph_input *inputs,
                       float *const *outputs, struct model_error *err)
{
    const struct model_services *services = kernels_services(graph->kernels);
    const struct graph_plan *plan = graph->plan;
    char *block = services->scratch(services->context, plan->size_bytes);
    if (block == NULL)
        return kernels_no_memory(err, "a run of the graph");
    float **data = (float **)(void *)block;
    find_data(graph, block, inputs, outputs, data);
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct graph_node *node = &graph->nodes[i];
        if (node->removed || plan->same[node->output] != GRAPH_NONE)
            continue;
        model_status status = model_cancel_status(cancel);
        if (status != MODEL_OK)
            return kernels_fail(err, status, "the run was ended at layer '%.100s'", node->name);
        operator_of(node->kind)
            ->run(&(struct operator_call){.graph = graph,
                                          .node = node,
                                          .runner = runner,
                                          .data = (const float *const *)data,
                                          .y = data[node->output],
                                          .scratch =
                                              (float *)(void *)(block + plan->scratch_offset)});
        status = linear_runner_status(runner);
        if (status != MODEL_OK)
            return status;
        graph_round_result(graph, node, data[node->output]);
    }
    copy_outputs(graph, outputs, data);
    return MODEL_OK;
}
