/* operator_linear.c - products with weights, by the kernels. Inputs: x, weight, bias. */
#include "operators.h"

enum { X, WEIGHT, BIAS };

static void infer(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, X);
    const struct graph_shape *weight = input_shape(shapes->graph, shapes->node, WEIGHT);
    char have[GRAPH_SHAPE_BYTES], of[GRAPH_SHAPE_BYTES];
    if (x->rank < 1 || weight->rank != 2 || weight->size[1] != x->size[x->rank - 1]) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "a product of a value of shape %s has weights of shape %s",
                   graph_shape_text(x, of), graph_shape_text(weight, have));
        return;
    }
    if (!input_is_vector(shapes, BIAS, weight->size[0]))
        return;
    *shapes->ret = *x;
    shapes->ret->size[x->rank - 1] = weight->size[0];
}

static model_status prepare(struct operator_prepare *prepare)
{
    const struct graph_node *node = prepare->node;
    const struct graph_shape *shape = input_shape(prepare->graph, node, WEIGHT);
    char weight[WEIGHT_NAME_BYTES], bias[WEIGHT_NAME_BYTES];
    const struct linear *linear = NULL;
    struct linear_spec spec = {.weights = {weight_name(weight, "%s.weight", prepare->weights)},
                               .n_parts = 1,
                               .in_features = shape->size[1],
                               .out_features = shape->size[0],
                               .activation = node->attributes.linear.activation};
    if (has_input(node, BIAS))
        spec.biases[0] = weight_name(bias, "%s.bias", prepare->weights);
    const model_status status =
        linear_create(prepare->graph->kernels, &spec, &linear, prepare->err);
    prepare->node->prepared = linear;
    return status;
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, X);
    const size_t n_rows = graph_shape_size(x) / (size_t)x->size[x->rank - 1];
    linear_run(call->runner, call->node->prepared, input_data(call, X), n_rows, n_rows, call->y);
}

const struct operator_type operator_linear = {.name = "a product with weights",
                                              .min_inputs = 2,
                                              .max_inputs = 3,
                                              .prepared = true,
                                              .infer = infer,
                                              .prepare = prepare,
                                              .run = run};
