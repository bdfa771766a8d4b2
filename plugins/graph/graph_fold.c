/* graph_fold.c - computes once what depends on constants alone; see graph_passes.h and graph_build.h. */
#include "graph_passes.h"

#include <assert.h>

/* Numbers that folding may make beyond those that there are: a small file may name large maps. */
#define SPARE_NUMBERS ((size_t)1 << 22)

#define SMALL 64 /* numbers: shapes, places, bounds */
#define DEEP  64 /* nodes one behind the other that are computed when the last one is asked for */

static bool is_known(const struct graph *graph, uint32_t value)
{
    return graph->values[value].constant != NULL;
}

/* The first input that is not constant, or GRAPH_NONE. */
static uint32_t first_unknown(const struct graph *graph, const struct graph_node *node)
{
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (has_input(node, i) && !is_known(graph, node->inputs[i]))
            return node->inputs[i];
    return GRAPH_NONE;
}

static bool is_foldable(const struct graph_node *node)
{
    return !operator_of(node->kind)->prepared && operator_of(node->kind)->scratch_size == NULL;
}

static void become_constant(struct graph *graph, struct graph_node *node,
                            const struct graph_value *constant)
{
    struct graph_value *value = &graph->values[node->output];
    value->constant = constant->constant;
    value->numbers = constant->dtype == MODEL_F32 ? constant->constant : NULL;
    value->is_own = constant->is_own;
    value->dtype = constant->dtype;
    value->producer = GRAPH_NONE;
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (has_input(node, i))
            graph->values[node->inputs[i]].n_uses--;
    node->removed = true;
}

/* ---- what lies in the file as it is wanted is a view of it, of the same dtype */

/* Whole rows of the first dimension, one behind the other. */
static bool takes_rows(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_shape *x = input_shape(graph, node, 0);
    for (uint32_t i = 0; i < x->rank; i++)
        if (node->attributes.slice.stride[i] != 1 ||
            (i > 0 && graph->values[node->output].shape.size[i] != x->size[i]))
            return false;
    return x->rank > 0;
}

/* Memory of the graph is not shared by values: each gives back its own. */
static bool is_view(const struct graph *graph, const struct graph_node *node)
{
    return (node->kind == GRAPH_RESHAPE ||
            (node->kind == GRAPH_SLICE && takes_rows(graph, node))) &&
           !graph->values[node->inputs[0]].is_own;
}

static void become_view(struct graph *graph, struct graph_node *node)
{
    struct graph_value view = graph->values[node->inputs[0]];
    if (node->kind == GRAPH_SLICE)
        view.constant = (const char *)view.constant +
                        (size_t)node->attributes.slice.begin[0] *
                            (graph_shape_size(&view.shape) / (size_t)view.shape.size[0]) *
                            graph_number_bytes(view.dtype);
    become_constant(graph, node, &view);
}

/* ---- everything else is computed */

/* Alone: a graph of the node, its inputs and its result. */
static void run_alone(struct graph *graph, const struct graph_node *node, float *y)
{
    struct graph_value values[GRAPH_MAX_INPUTS + 1];
    uint32_t inputs[GRAPH_MAX_INPUTS];
    const float *data[GRAPH_MAX_INPUTS + 1] = {NULL};
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        inputs[i] = has_input(node, i) ? i : GRAPH_NONE;
        if (!has_input(node, i))
            continue;
        values[i] = graph->values[node->inputs[i]];
        data[i] = values[i].numbers;
    }
    values[node->n_inputs] = graph->values[node->output];
    struct graph alone = {.kernels = graph->kernels, .values = values};
    struct graph_node copy = *node;
    copy.inputs = inputs;
    copy.output = node->n_inputs;
    operator_of(node->kind)
        ->run(&(struct operator_call){.graph = &alone, .node = &copy, .data = data, .y = y});
}

static_assert(GRAPH_MAX_INPUTS <= 64, "a bit for each input");

/* Its inputs as float32; those that were made for it, and are large, are marked in ret_made. False: no memory. */
static bool read_inputs(struct graph *graph, const struct graph_node *node, uint64_t *ret_made)
{
    *ret_made = 0;
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        if (!has_input(node, i))
            continue;
        if (graph->values[node->inputs[i]].numbers == NULL &&
            graph_shape_size(input_shape(graph, node, i)) > SMALL)
            *ret_made |= (uint64_t)1 << i;
        if (graph_numbers(graph, node->inputs[i]) == NULL)
            return false;
    }
    return true;
}

static bool fold_node(struct graph *graph, struct graph_node *node)
{
    uint64_t made;
    if (is_view(graph, node)) {
        become_view(graph, node);
        return true;
    }
    float *numbers = kernels_allocate(
        graph->kernels, graph_shape_size(&graph->values[node->output].shape) * sizeof *numbers);
    if (numbers == NULL || !read_inputs(graph, node, &made))
        return false;
    run_alone(graph, node, numbers);
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if ((made >> i & 1) != 0) {
            struct graph_value *input = &graph->values[node->inputs[i]];
            kernels_release(graph->kernels, (void *)(uintptr_t)input->numbers);
            input->numbers = NULL;
        }
    become_constant(graph, node,
                    &(struct graph_value){.constant = numbers, .is_own = true, .dtype = MODEL_F32});
    return true;
}

/* Whether there may be so many numbers more as the node makes, which are then counted. */
static bool may_fold(struct graph *graph, const struct graph_node *node)
{
    const size_t size = graph_shape_size(&graph->values[node->output].shape);
    if (is_view(graph, node))
        return true;
    if (size > SPARE_NUMBERS + graph->n_known - graph->n_folded)
        return false;
    graph->n_folded += size;
    return true;
}

bool graph_fold_small(struct graph *graph, struct graph_node *node)
{
    if (graph_shape_size(&graph->values[node->output].shape) > SMALL || !is_foldable(node) ||
        first_unknown(graph, node) != GRAPH_NONE)
        return true;
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (has_input(node, i) && graph_shape_size(input_shape(graph, node, i)) > SMALL)
            return true;
    return fold_node(graph, node);
}

/* Depth first, and each node once: what is computed is constant from then on. */
bool graph_is_constant(struct graph_builder *builder, uint32_t value)
{
    struct graph *graph = builder->graph;
    uint32_t wanted[DEEP] = {value}, n = 1;
    if (builder->status != MODEL_OK || value >= graph->n_values)
        return false;
    while (n > 0) {
        const struct graph_value *last = &graph->values[wanted[n - 1]];
        if (last->constant != NULL) {
            n--;
            continue;
        }
        if (last->producer == GRAPH_NONE)
            return false;
        struct graph_node *node = &graph->nodes[last->producer];
        const uint32_t unknown = first_unknown(graph, node);
        if (!is_foldable(node) || (unknown != GRAPH_NONE ? n == DEEP : !may_fold(graph, node)))
            return false;
        if (unknown != GRAPH_NONE) {
            wanted[n++] = unknown;
        } else if (!fold_node(graph, node)) {
            graph_fail(builder, MODEL_OUT_OF_MEMORY, "no memory for its constants");
            return false;
        }
    }
    return true;
}

model_status graph_fold(struct graph *graph, struct model_error *err)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        struct graph_node *node = &graph->nodes[i];
        if (node->removed || !is_foldable(node) || first_unknown(graph, node) != GRAPH_NONE ||
            !may_fold(graph, node))
            continue; /* what is left out is computed in each run */
        if (!fold_node(graph, node))
            return kernels_no_memory(err, "the constants of a graph");
    }
    graph_release_unread(graph);
    return MODEL_OK;
}
