/* operator_recurrent.c - recurrent layers of any activations, step by step: an RNN, a GRU, an LSTM with peepholes or
 * a limit. (An LSTM without these is operator_lstm.c.) What a step reads of its input is there as one product, the
 * biases in it. With f, g, o for gate, cell_gate and output:
 *
 *   RNN   h = g(x + h R)
 *   GRU   gates stand as r, n, z: r = f(..), z = f(..), n = g(x_n + r (h R_n + b_n)), where b is added to all that is
 *         h R, or, with reset_first, without b, n = g(x_n + (r h) R_n); h = (1 - z) n + z h
 *   LSTM  gates stand as i, f, o, z: i = f(.. + p_i c), f = f(.. + p_f c), c = f c + i g(..), |c| at most clip,
 *         o = f(.. + p_o c), h = o o(c)
 *
 * The result [s, b, h] has h of each step in the step's place, whichever way it goes; of an LSTM [s + 1, b, h] with
 * the last c behind. */
#include "operators.h"

#include <math.h>
#include <string.h>

enum { GATES, H, C, WEIGHT, VECTORS };

static int64_t n_gates(enum graph_cell cell)
{
    return cell == CELL_LSTM ? 4 : cell == CELL_GRU ? 3 : 1;
}

static void infer(struct operator_shapes *shapes)
{
    const struct graph_node *node = shapes->node;
    const enum graph_cell cell = node->attributes.recurrent.cell;
    const struct graph_shape *gates = input_shape(shapes->graph, node, GATES);
    const struct graph_shape *h = input_shape(shapes->graph, node, H);
    const struct graph_shape *c = input_shape(shapes->graph, node, C);
    const struct graph_shape *weight = input_shape(shapes->graph, node, WEIGHT);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES], third[GRAPH_SHAPE_BYTES];
    if (gates->rank != 3 || h->rank != 2 || weight->rank != 2 || !graph_shape_equal(h, c) ||
        h->size[0] != gates->size[1] || weight->size[0] != h->size[1] ||
        weight->size[1] != gates->size[2] || h->size[1] > MAP_MAX_SIZE ||
        weight->size[1] != n_gates(cell) * h->size[1]) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "a recurrent layer of gates %s with a state of %s and weights of %s",
                   graph_shape_text(gates, first), graph_shape_text(h, second),
                   graph_shape_text(weight, third));
        return;
    }
    if (!input_is_vector(shapes, VECTORS, 3 * h->size[1]))
        return;
    *shapes->ret =
        (struct graph_shape){3, {gates->size[0] + (cell == CELL_LSTM), h->size[0], h->size[1]}};
}

/* Sums of the gates, and a state that was reset. */
static size_t scratch_size(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_shape *weight = input_shape(graph, node, WEIGHT);
    return (size_t)(weight->size[1] + weight->size[0]);
}

/* One item at one step. */
struct step {
    const struct graph_attributes *a;
    const float *x;       /* (gates n) */
    const float *h;       /* (n), of the step before */
    const float *weight;  /* (n, gates n) */
    const float *vectors; /* (3 n), peepholes or b, or NULL */
    float *sums, *reset;  /* (gates n), (n) */
    float *c, *y;         /* (n) */
    size_t n;
};

/* sums = h W, for columns [first, end) of `row` in all. */
static void multiply(const float *restrict h, const float *restrict weight, size_t n, size_t row,
                     size_t first, size_t end, float *restrict sums)
{
    for (size_t j = first; j < end; j++)
        sums[j] = 0;
    for (size_t k = 0; k < n; k++)
        for (size_t j = first; j < end; j++)
            sums[j] += h[k] * weight[k * row + j];
}

static float limited(float x, float limit)
{
    return limit <= 0 ? x : x > limit ? limit : x < -limit ? -limit : x;
}

/* A gate's function of its sum. */
static float gate_of(const struct step *s, const struct graph_function_of *function, float sum)
{
    return function_value(function, limited(sum, s->a->recurrent.limit));
}

static void step_rnn(const struct step *s)
{
    multiply(s->h, s->weight, s->n, s->n, 0, s->n, s->sums);
    for (size_t i = 0; i < s->n; i++)
        s->y[i] = gate_of(s, &s->a->recurrent.cell_gate, s->x[i] + s->sums[i]);
}

static void step_gru(const struct step *s)
{
    const size_t n = s->n;
    const struct graph_function_of *gate = &s->a->recurrent.gate;
    const bool reset_first = s->a->recurrent.reset_first;
    multiply(s->h, s->weight, n, 3 * n, 0, 3 * n, s->sums);
    for (size_t i = 0; i < 3 * n && s->vectors != NULL; i++)
        s->sums[i] += s->vectors[i];
    for (size_t i = 0; i < n; i++)
        s->reset[i] = gate_of(s, gate, s->x[i] + s->sums[i]);
    for (size_t i = 0; i < n && !reset_first; i++)
        s->sums[n + i] *= s->reset[i];
    for (size_t i = 0; i < n && reset_first; i++)
        s->reset[i] *= s->h[i];
    if (reset_first)
        multiply(s->reset, s->weight, n, 3 * n, n, 2 * n, s->sums);
    for (size_t i = 0; i < n; i++) {
        const float z = gate_of(s, gate, s->x[2 * n + i] + s->sums[2 * n + i]);
        const float new = gate_of(s, &s->a->recurrent.cell_gate, s->x[n + i] + s->sums[n + i]);
        s->y[i] = (1 - z) * new + z * s->h[i];
    }
}

static void step_lstm(const struct step *s)
{
    const size_t n = s->n;
    const struct graph_function_of *gate = &s->a->recurrent.gate;
    const float *p = s->vectors;
    multiply(s->h, s->weight, n, 4 * n, 0, 4 * n, s->sums);
    for (size_t k = 0; k < 4 * n; k++)
        s->sums[k] += s->x[k];
    for (size_t k = 0; k < n; k++) {
        const float c = s->c[k];
        const float in = gate_of(s, gate, s->sums[k] + (p != NULL ? p[k] * c : 0));
        const float keep = s->a->recurrent.coupled
                               ? 1 - in
                               : gate_of(s, gate, s->sums[n + k] + (p != NULL ? p[n + k] * c : 0));
        const float z = gate_of(s, &s->a->recurrent.cell_gate, s->sums[3 * n + k]);
        s->c[k] = limited(keep * c + in * z, s->a->recurrent.clip);
        const float out =
            gate_of(s, gate, s->sums[2 * n + k] + (p != NULL ? p[2 * n + k] * s->c[k] : 0));
        s->y[k] = out * function_value(&s->a->recurrent.output, s->c[k]);
    }
}

static void run(const struct operator_call *call)
{
    static void (*const steps[])(const struct step *) = {
        [CELL_RNN] = step_rnn, [CELL_GRU] = step_gru, [CELL_LSTM] = step_lstm};
    const struct graph_attributes *a = &call->node->attributes;
    const struct graph_shape *gates = input_shape(call->graph, call->node, GATES);
    const struct graph_shape *state = input_shape(call->graph, call->node, H);
    const size_t n_steps = (size_t)gates->size[0], n_items = (size_t)gates->size[1];
    const size_t n = (size_t)state->size[1], width = (size_t)gates->size[2], row = n_items * n;
    const float *h = input_data(call, H);
    float *c = call->y + n_steps * row;
    if (a->recurrent.cell == CELL_LSTM)
        memcpy(c, input_data(call, C), row * sizeof *c);
    for (size_t i = 0; i < n_steps; i++) {
        const size_t step = a->recurrent.reverse ? n_steps - 1 - i : i;
        float *y = call->y + step * row;
        for (size_t b = 0; b < n_items; b++)
            steps[a->recurrent.cell](&(struct step){
                .a = a,
                .x = input_data(call, GATES) + (step * n_items + b) * width,
                .h = h + b * n,
                .weight = input_data(call, WEIGHT),
                .vectors = has_input(call->node, VECTORS) ? input_data(call, VECTORS) : NULL,
                .sums = call->scratch,
                .reset = call->scratch + width,
                .c = a->recurrent.cell == CELL_LSTM ? c + b * n : NULL,
                .y = y + b * n,
                .n = n});
        h = y;
    }
}

const struct operator_type operator_recurrent = {.name = "a recurrent layer",
                                                 .min_inputs = 4,
                                                 .max_inputs = 5,
                                                 .infer = infer,
                                                 .scratch_size = scratch_size,
                                                 .run = run};
