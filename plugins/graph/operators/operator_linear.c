/* operator_linear.c - products with weights, by the kernels. Inputs: x, weight, bias, and what is added. */
#include "operators.h"

#include <string.h>

enum { X, WEIGHT, BIAS, RESIDUAL };

static void infer(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, X);
    const struct graph_shape *weight = input_shape(shapes->graph, shapes->node, WEIGHT);
    const uint32_t in = shapes->node->attributes.linear.transposed ? 0 : 1;
    char have[GRAPH_SHAPE_BYTES], of[GRAPH_SHAPE_BYTES];
    if (x->rank < 1 || weight->rank != 2 || weight->size[in] != x->size[x->rank - 1]) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "a product of a value of shape %s has weights of shape %s",
                   graph_shape_text(x, of), graph_shape_text(weight, have));
        return;
    }
    if (!input_is_vector(shapes, BIAS, weight->size[1 - in]))
        return;
    *shapes->ret = *x;
    shapes->ret->size[x->rank - 1] = weight->size[1 - in];
}

static model_status prepare(struct operator_prepare *prepare)
{
    const struct graph_node *node = prepare->node;
    const struct graph_shape *shape = input_shape(prepare->graph, node, WEIGHT);
    const struct graph_attributes *a = &node->attributes;
    const uint32_t n_parts = a->linear.n_parts > 0 ? a->linear.n_parts : 1;
    char names[2 * GRAPH_MAX_PARTS][WEIGHT_NAME_BYTES];
    const struct linear *linear = NULL;
    struct linear_spec spec = {.n_parts = n_parts,
                               .in_features = shape->size[a->linear.transposed ? 0 : 1],
                               .out_features =
                                   shape->size[a->linear.transposed ? 1 : 0] * (int64_t)n_parts,
                               .transposed = a->linear.transposed,
                               .accumulate = a->linear.accumulate,
                               .activation = a->linear.activation};
    for (uint32_t i = 0; i < n_parts; i++) {
        const uint32_t own = (uint32_t)(node - prepare->graph->nodes);
        const uint32_t part = a->linear.n_parts > 0 ? a->linear.parts[i] : own;
        spec.weights[i] = weight_name(names[2 * i], "node%u.weight", part);
        if (has_input(node, BIAS))
            spec.biases[i] = weight_name(names[2 * i + 1], "node%u.bias", part);
    }
    const model_status status =
        linear_create(prepare->graph->kernels, &spec, &linear, prepare->err);
    prepare->node->prepared = linear;
    return status;
}

static void run(const struct operator_call *call)
{
    const struct graph_node *node = call->node;
    const struct graph_shape *x = input_shape(call->graph, node, X);
    const size_t n_rows = graph_shape_size(x) / (size_t)x->size[x->rank - 1];
    const size_t capacity =
        graph_has_room(call->graph, node->inputs[X]) && graph_has_room(call->graph, node->output)
            ? linear_row_capacity(n_rows)
            : n_rows;
    if (node->attributes.linear.accumulate && input_data(call, RESIDUAL) != call->y)
        memcpy(call->y, input_data(call, RESIDUAL),
               graph_shape_size(&call->graph->values[node->output].shape) * sizeof(float));
    linear_run(call->runner, node->prepared, input_data(call, X), n_rows, capacity, call->y);
}

const struct operator_type operator_linear = {.name = "a product with weights",
                                              .min_inputs = 2,
                                              .max_inputs = 4,
                                              .prepared = true,
                                              .weights = {[WEIGHT] = "weight", [BIAS] = "bias"},
                                              .infer = infer,
                                              .prepare = prepare,
                                              .run = run};
