/* operator_norm.c - batch norm that was not folded into a convolution: a factor and a sum for each channel,
 * found once. Inputs: x, gamma, beta, mean, variance, the four constant. */
#include "operators.h"

#include <math.h>

enum { X, GAMMA, BETA, MEAN, VARIANCE };

struct norm {
    float *factor, *shift; /* (channels) */
};

static void infer(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, X);
    if (x->rank < 1) {
        graph_fail(shapes->builder, MODEL_CORRUPT, "a batch norm of a single number");
        return;
    }
    for (uint32_t i = GAMMA; i <= VARIANCE; i++) {
        if (!input_is_vector(shapes, i, x->size[x->rank - 1]))
            return;
        if (!graph_is_constant(shapes->builder, shapes->node->inputs[i])) {
            graph_fail(shapes->builder, MODEL_UNSUPPORTED,
                       "a batch norm whose parameters are computed in each run, want constants");
            return;
        }
    }
    *shapes->ret = *x;
}

static model_status prepare(struct operator_prepare *prepare)
{
    struct graph *graph = prepare->graph;
    const struct graph_node *node = prepare->node;
    const struct graph_shape *x = input_shape(graph, node, X);
    const size_t n = (size_t)x->size[x->rank - 1];
    const float *parts[VARIANCE + 1] = {NULL};
    struct norm *norm = kernels_allocate(graph->kernels, sizeof *norm);
    for (uint32_t i = GAMMA; i <= VARIANCE; i++)
        if ((parts[i] = graph_numbers(graph, node->inputs[i])) == NULL)
            return kernels_no_memory(prepare->err, "a batch norm");
    if (norm == NULL ||
        (norm->factor = kernels_allocate(graph->kernels, n * sizeof *norm->factor)) == NULL ||
        (norm->shift = kernels_allocate(graph->kernels, n * sizeof *norm->shift)) == NULL)
        return kernels_no_memory(prepare->err, "a batch norm");
    for (size_t i = 0; i < n; i++) {
        const double variance = (double)parts[VARIANCE][i] + node->attributes.norm.eps;
        if (!(variance > 0))
            return kernels_fail(
                prepare->err, MODEL_CORRUPT,
                "layer '%.100s': variance %zu is %g, want 0 or more; " MODEL_CONTRADICTS,
                node->name, i, (double)parts[VARIANCE][i]);
        const double factor = (double)parts[GAMMA][i] / sqrt(variance);
        norm->factor[i] = (float)factor;
        norm->shift[i] = (float)((double)parts[BETA][i] - (double)parts[MEAN][i] * factor);
    }
    prepare->node->prepared = norm;
    return MODEL_OK;
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *shape = input_shape(call->graph, call->node, X);
    const struct norm *norm = call->node->prepared;
    const size_t n = (size_t)shape->size[shape->rank - 1], size = graph_shape_size(shape);
    const float *x = input_data(call, X);
    for (size_t row = 0; row < size; row += n)
        for (size_t i = 0; i < n; i++)
            call->y[row + i] = x[row + i] * norm->factor[i] + norm->shift[i];
}

const struct operator_type operator_norm = {
    .name = "a batch norm",
    .min_inputs = 5,
    .max_inputs = 5,
    .in_place = true,
    .prepared = true,
    .weights =
        {[GAMMA] = "weight", [BETA] = "bias", [MEAN] = "running_mean", [VARIANCE] = "running_var"},
    .infer = infer,
    .prepare = prepare,
    .run = run};

/* ---- layer norm: of rows, with computed parameters too */

static void infer_rows(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, X);
    if (x->rank < 1) {
        graph_fail(shapes->builder, MODEL_CORRUPT, "a layer norm of a single number");
        return;
    }
    if (input_is_vector(shapes, GAMMA, x->size[x->rank - 1]) &&
        input_is_vector(shapes, BETA, x->size[x->rank - 1]))
        *shapes->ret = *x;
}

static void run_rows(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, X);
    const struct layer_norm norm = {.gamma = input_data(call, GAMMA),
                                    .beta = input_data(call, BETA),
                                    .width = (size_t)x->size[x->rank - 1],
                                    .eps = (float)call->node->attributes.norm.eps};
    layer_norm_rows(call->graph->kernels, &norm, input_data(call, X), call->y,
                    graph_shape_size(x) / norm.width);
}

const struct operator_type operator_layer_norm = {.name = "a layer norm",
                                                  .min_inputs = 3,
                                                  .max_inputs = 3,
                                                  .in_place = true,
                                                  .infer = infer_rows,
                                                  .run = run_rows};
