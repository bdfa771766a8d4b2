/* operator_conv.c - convolutions and transposed ones, by the kernels. Those pad both sides alike: where a
 * graph does not, the map is padded, or the result cut, in the node's scratch. */
#include "operators.h"

#include <string.h>

enum { X, WEIGHT, BIAS, GAMMA, BETA, MEAN, VARIANCE, RESIDUAL };

/* Both sides alike along both axes. */
static bool is_even(const struct graph_window *window)
{
    return window->begin[0] == window->end[0] && window->begin[1] == window->end[1];
}

static int64_t transposed_extent(const struct graph_window *w, uint32_t axis, int64_t size)
{
    const int64_t limit = MAP_MAX_SIZE;
    if (w->kernel[axis] < 1 || w->kernel[axis] > limit || w->stride[axis] < 1 ||
        w->stride[axis] > limit || w->begin[axis] < 0 || w->begin[axis] > limit ||
        w->end[axis] < 0 || w->end[axis] > limit || size > limit / w->stride[axis])
        return 0;
    return (size - 1) * w->stride[axis] + w->kernel[axis] - w->begin[axis] - w->end[axis];
}

static void infer(struct operator_shapes *shapes)
{
    const struct graph_node *node = shapes->node;
    const struct graph_window *window = &node->attributes.conv.window;
    const struct graph_shape *x = input_shape(shapes->graph, node, X);
    const struct graph_shape *weight = input_shape(shapes->graph, node, WEIGHT);
    const bool transposed = node->attributes.conv.transposed;
    const int64_t groups = node->attributes.conv.groups;
    char text[GRAPH_SHAPE_BYTES];
    if (!input_is_map(shapes))
        return;
    if (weight->rank != 4 || groups < 1 || groups > INT32_MAX ||
        weight->size[transposed ? 0 : 1] * (transposed ? 1 : groups) != x->size[3] ||
        weight->size[0] % groups != 0 || weight->size[2] != window->kernel[0] ||
        weight->size[3] != window->kernel[1]) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "a convolution of %lld channels in %lld groups has weights of shape %s",
                   (long long)x->size[3], (long long)groups, graph_shape_text(weight, text));
        return;
    }
    const int64_t out = transposed ? weight->size[1] * groups : weight->size[0];
    if (!input_is_vector(shapes, BIAS, out))
        return;
    if (!window_is_sound(shapes, window))
        return;
    *shapes->ret = (struct graph_shape){4, {x->size[0], 0, 0, out}};
    for (uint32_t axis = 0; axis < 2; axis++)
        shapes->ret->size[1 + axis] = transposed
                                          ? transposed_extent(window, axis, x->size[1 + axis])
                                          : window_extent(window, axis, x->size[1 + axis]);
    if (transposed && (window->dilation[0] != 1 || window->dilation[1] != 1))
        graph_fail(shapes->builder, MODEL_UNSUPPORTED,
                   "transposed convolutions are computed without dilation only");
    else if (shapes->ret->size[1] < 1 || shapes->ret->size[2] < 1)
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "a kernel of %lld x %lld does not fit a map of shape %s",
                   (long long)window->kernel[0], (long long)window->kernel[1],
                   graph_say_map(x, text));
}

/* What the kernel reads: x, or the padded x. */
static struct map_shape kernel_input(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_window *window = &node->attributes.conv.window;
    struct map_shape x = shape_as_map(input_shape(graph, node, X));
    if (!node->attributes.conv.transposed && !is_even(window)) {
        x.height += window->begin[0] + window->end[0];
        x.width += window->begin[1] + window->end[1];
    }
    return x;
}

/* What it writes: the result, or what the result is cut from. */
static struct map_shape kernel_output(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_window *window = &node->attributes.conv.window;
    struct map_shape y = shape_as_map(&graph->values[node->output].shape);
    if (node->attributes.conv.transposed && !is_even(window)) {
        y.height += window->begin[0] + window->end[0];
        y.width += window->begin[1] + window->end[1];
    }
    return y;
}

static size_t scratch_size(const struct graph *graph, const struct graph_node *node)
{
    if (is_even(&node->attributes.conv.window))
        return 0;
    return map_size(node->attributes.conv.transposed ? kernel_output(graph, node)
                                                     : kernel_input(graph, node));
}

static model_status prepare(struct operator_prepare *prepare)
{
    const struct graph_node *node = prepare->node;
    const struct graph_window *window = &node->attributes.conv.window;
    const bool even = is_even(window);
    char weight[WEIGHT_NAME_BYTES], bias[WEIGHT_NAME_BYTES], norm[WEIGHT_NAME_BYTES];
    const struct conv *conv = NULL;
    const struct conv_spec spec = {
        .weight = weight_name(weight, "%s.weight", prepare->weights),
        .bias = has_input(node, BIAS) ? weight_name(bias, "%s.bias", prepare->weights) : NULL,
        .norm = has_input(node, MEAN) ? weight_name(norm, "%s.norm", prepare->weights) : NULL,
        .norm_eps = node->attributes.conv.norm_eps,
        .stride_y = window->stride[0],
        .stride_x = window->stride[1],
        .padding_y = even ? window->begin[0] : 0,
        .padding_x = even ? window->begin[1] : 0,
        .dilation_y = window->dilation[0],
        .dilation_x = window->dilation[1],
        .groups = node->attributes.conv.groups,
        .transposed = node->attributes.conv.transposed,
        .accumulate = node->attributes.conv.accumulate,
        .activation = node->attributes.conv.activation};
    const model_status status = conv_create(prepare->graph->kernels, &spec, &conv, prepare->err);
    prepare->node->prepared = conv;
    return status;
}

static void cut_map(const float *x, struct map_shape from, int64_t top, int64_t left,
                    struct map_shape to, float *y)
{
    const size_t row = (size_t)(to.width * to.channels);
    for (int64_t b = 0; b < to.batch; b++)
        for (int64_t r = 0; r < to.height; r++)
            memcpy(y + (size_t)(b * to.height + r) * row,
                   x + ((b * from.height + r + top) * from.width + left) * from.channels,
                   row * sizeof *y);
}

static void run(const struct operator_call *call)
{
    const struct graph_node *node = call->node;
    const struct graph_window *window = &node->attributes.conv.window;
    const struct map_shape from = kernel_input(call->graph, node);
    const struct map_shape to = kernel_output(call->graph, node);
    const float *x = input_data(call, X);
    if (node->attributes.conv.accumulate && input_data(call, RESIDUAL) != call->y)
        memcpy(call->y, input_data(call, RESIDUAL), map_size(to) * sizeof(float));
    if (is_even(window)) {
        conv_run(call->runner, node->prepared, x, from, call->y);
    } else if (node->attributes.conv.transposed) {
        conv_run(call->runner, node->prepared, x, from, call->scratch);
        cut_map(call->scratch, to, window->begin[0], window->begin[1],
                shape_as_map(&call->graph->values[node->output].shape), call->y);
    } else {
        pad_map(x, shape_as_map(input_shape(call->graph, node, X)), window->begin[0],
                window->begin[1], from, 0, call->scratch);
        conv_run(call->runner, node->prepared, call->scratch, from, call->y);
    }
}

const struct operator_type operator_conv = {.name = "a convolution",
                                            .min_inputs = 2,
                                            .max_inputs = 8,
                                            .prepared = true,
                                            .weights = {[WEIGHT] = "weight",
                                                        [BIAS] = "bias",
                                                        [GAMMA] = "norm.weight",
                                                        [BETA] = "norm.bias",
                                                        [MEAN] = "norm.running_mean",
                                                        [VARIANCE] = "norm.running_var"},
                                            .infer = infer,
                                            .prepare = prepare,
                                            .scratch_size = scratch_size,
                                            .run = run};
