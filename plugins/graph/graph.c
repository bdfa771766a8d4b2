/* graph.c - what is asked of a graph everywhere, and its last step of building; see graph.h. */
#include "graph_passes.h"

#include <stdio.h>
#include <stdlib.h>
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

model_status graph_cancelled(const struct graph *graph, struct model_error *err)
{
    const model_status status =
        graph->cancel != NULL ? model_cancel_status(graph->cancel) : MODEL_OK;
    return status == MODEL_OK
               ? status
               : kernels_fail(err, status, "the run was ended while its sizes were prepared");
}

/* What the kernels do not read by name is read as the graph runs; vectors they may read where they are. */
static model_status keep_inputs(struct graph *graph, const struct graph_node *node,
                                struct model_error *err)
{
    const struct operator_type *type = operator_of(node->kind);
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < node->n_inputs && status == MODEL_OK; i++)
        if (has_input(node, i) && (!is_weight(type, i) || input_shape(graph, node, i)->rank <= 1))
            status = graph_keep(graph, node->inputs[i], err);
    return status;
}

static model_status prepare_node(struct graph *graph, uint32_t i, struct model_error *err)
{
    struct graph_node *node = &graph->nodes[i];
    const struct operator_type *type = operator_of(node->kind);
    char weights[WEIGHT_NAME_BYTES];
    model_status status = graph_cancelled(graph, err);
    if (status == MODEL_OK)
        status = keep_inputs(graph, node, err);
    struct operator_prepare prepare = {graph, node, weight_name(weights, "node%u", i), err};
    if (status == MODEL_OK && type->prepare != NULL)
        status = type->prepare(&prepare);
    return status;
}

struct turn {
    uint32_t node;
    size_t weights; /* numbers of its constants */
};

static size_t count_weights(const struct graph *graph, const struct graph_node *node)
{
    size_t n = 0;
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (has_input(node, i) && graph->values[node->inputs[i]].constant != NULL)
            n += graph_shape_size(input_shape(graph, node, i));
    return n;
}

static int compare_turns(const void *first, const void *second)
{
    const struct turn *a = first, *b = second;
    return a->weights != b->weights ? (a->weights < b->weights) - (a->weights > b->weights)
                                    : (a->node > b->node) - (a->node < b->node);
}

/* From the most weights on: as they are packed they are in memory twice, and least else is there at first. */
static model_status prepare_nodes(struct graph *graph, struct model_error *err)
{
    struct turn *turns = kernels_allocate(graph->kernels, (graph->n_nodes + 1) * sizeof *turns);
    model_status status = turns != NULL ? MODEL_OK : kernels_no_memory(err, "the graph's order");
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph->n_nodes && status == MODEL_OK; i++)
        if (!graph->nodes[i].removed)
            turns[n++] = (struct turn){i, count_weights(graph, &graph->nodes[i])};
    if (n > 0)
        qsort(turns, n, sizeof *turns, compare_turns);
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++)
        status = prepare_node(graph, turns[i].node, err);
    kernels_release(graph->kernels, turns);
    return status;
}

model_status graph_finish(struct graph *graph, struct model_error *err)
{
    model_status status = graph_fold(graph, err);
    if (status != MODEL_OK)
        return status;
    if (graph->keeps_apart)
        graph_remove_unread(graph);
    else
        graph_fuse(graph);
    status = graph_round_constants(graph, err);
    for (uint32_t i = 0; i < graph->n_outputs && status == MODEL_OK; i++)
        status = graph_keep(graph, graph->outputs[i], err);
    if (status == MODEL_OK)
        status = prepare_nodes(graph, err);
    if (status != MODEL_OK)
        return status;
    graph_release_constants(graph);
    return graph_plan_create(graph, err);
}
