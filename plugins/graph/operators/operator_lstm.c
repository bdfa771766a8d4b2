/* operator_lstm.c - the part of an LSTM layer that goes step by step: what each step reads of its input is
 * there already, as one product. Gates stand as i, f, o, z (Core ML's order); c = f c + i z, h = o tanh(c). The
 * result [s + 1, b, h] has h of each step and the last c behind them. */
#include "operators.h"

#include <math.h>
#include <string.h>

enum { GATES, H, C, WEIGHT };

static void infer(struct operator_shapes *shapes)
{
    const struct graph_shape *gates = input_shape(shapes->graph, shapes->node, GATES);
    const struct graph_shape *h = input_shape(shapes->graph, shapes->node, H);
    const struct graph_shape *c = input_shape(shapes->graph, shapes->node, C);
    const struct graph_shape *weight = input_shape(shapes->graph, shapes->node, WEIGHT);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    if (gates->rank != 3 || h->rank != 2 || weight->rank != 2 || !graph_shape_equal(h, c) ||
        h->size[0] != gates->size[1] || weight->size[0] != h->size[1] ||
        weight->size[1] != gates->size[2] || weight->size[1] != 4 * h->size[1]) {
        graph_fail(shapes->builder, MODEL_CORRUPT, "an LSTM of gates %s with a state of %s",
                   graph_shape_text(gates, first), graph_shape_text(h, second));
        return;
    }
    *shapes->ret = (struct graph_shape){3, {gates->size[0] + 1, h->size[0], h->size[1]}};
}

static size_t scratch_size(const struct graph *graph, const struct graph_node *node)
{
    return (size_t)input_shape(graph, node, WEIGHT)->size[1];
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* sums += h W */
static void add_state(const float *restrict h, const float *restrict weight, size_t n,
                      float *restrict sums)
{
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < 4 * n; j++)
            sums[j] += h[k] * weight[k * 4 * n + j];
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *gates = input_shape(call->graph, call->node, GATES);
    const size_t n_steps = (size_t)gates->size[0], n_items = (size_t)gates->size[1];
    const size_t n = (size_t)gates->size[2] / 4, row = n_items * n;
    const bool reverse = call->node->attributes.lstm.reverse;
    const float *h = input_data(call, H);
    float *c = call->y + n_steps * row, *sums = call->scratch;
    memcpy(c, input_data(call, C), row * sizeof *c);
    for (size_t i = 0; i < n_steps; i++) {
        const size_t step = reverse ? n_steps - 1 - i : i;
        float *y = call->y + step * row;
        for (size_t b = 0; b < n_items; b++) {
            memcpy(sums, input_data(call, GATES) + (step * n_items + b) * 4 * n,
                   4 * n * sizeof *sums);
            add_state(h + b * n, input_data(call, WEIGHT), n, sums);
            for (size_t k = 0; k < n; k++) {
                float *cell = &c[b * n + k];
                *cell = sigmoid(sums[n + k]) * *cell + sigmoid(sums[k]) * tanhf(sums[3 * n + k]);
                y[b * n + k] = sigmoid(sums[2 * n + k]) * tanhf(*cell);
            }
        }
        h = y;
    }
}

const struct operator_type operator_lstm = {.name = "an LSTM",
                                            .min_inputs = 4,
                                            .max_inputs = 4,
                                            .infer = infer,
                                            .scratch_size = scratch_size,
                                            .run = run};
