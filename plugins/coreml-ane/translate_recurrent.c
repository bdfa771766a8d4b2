/* translate_recurrent.c - recurrent layers of a NeuralNetwork, on sequences [s, b, i, 1, 1]: the products with what
 * steps read, and GRAPH_RECURRENT; an LSTM of the usual functions, without peepholes, is GRAPH_LSTM, which is faster.
 * The format limits the sums of gates to 50 on either side, where these functions do not change any more, and c to 50,
 * where its tanh() does not. See translate.h. */
#include "translate.h"

#include <string.h>

#define LIMIT     50.0f
#define FAR       10.0f /* from there on tanh() is 1 */
#define MAX_GATES 4

/* One direction of a layer. Gates are in the order of the operator. */
struct recurrence {
    struct graph_attributes a;
    const coreml_message *message; /* that has the weights */
    const char *input[MAX_GATES], *recursion[MAX_GATES], *bias[MAX_GATES]; /* fields */
    uint32_t n_gates;
    bool has_bias, forget_bias, peepholes;
    int64_t in, out;
};

/* x [s, b, i] of the input; h and c are further inputs. */
static uint32_t read_sequence(struct translation *t, int64_t in)
{
    const struct graph_shape shape = value_shape(t, t->inputs[0]);
    char text[GRAPH_SHAPE_BYTES];
    if (shape.rank != 5 || shape.size[2] * shape.size[3] * shape.size[4] != in) {
        graph_fail(&t->builder, MODEL_CORRUPT,
                   "a sequence of shape %s, want [steps, batch, %lld, 1, 1]",
                   graph_shape_text(&shape, text), (long long)in);
        return GRAPH_NONE;
    }
    return graph_reshape(&t->builder, t->inputs[0], 3,
                         (int64_t[]){shape.size[0], shape.size[1], in});
}

/* Input i [1, b, h, 1, 1] as [b, h], 0 when there is none. */
static uint32_t read_state(struct translation *t, size_t i, const struct graph_shape *state)
{
    return i < t->layer->n_inputs
               ? graph_shape_to(&t->builder, t->inputs[i], state)
               : graph_broadcast(&t->builder, graph_add_scalar(&t->builder, 0), state);
}

/* Vectors and matrices of the gates, one behind the other along `axis`. */
static uint32_t join_gates(struct translation *t, const struct recurrence *r,
                           const char *const fields[MAX_GATES], uint32_t rank, int64_t in)
{
    uint32_t parts[MAX_GATES];
    for (uint32_t g = 0; g < r->n_gates; g++) {
        parts[g] = add_weights(t, r->message, fields[g], rank, (int64_t[]){r->out, in});
        if (rank == 2)
            parts[g] = graph_swap(&t->builder, parts[g]);
    }
    return graph_concat(&t->builder, r->n_gates, parts, rank - 1);
}

/* The biases of all gates; with forgetBias 1 more for the second one. */
static uint32_t read_biases(struct translation *t, const struct recurrence *r)
{
    uint32_t bias = r->has_bias ? join_gates(t, r, r->bias, 1, 0) : GRAPH_NONE;
    if (r->forget_bias) {
        const struct graph_shape all = {1, {r->out * r->n_gates}};
        const uint32_t gate =
            graph_scaled(&t->builder, graph_range(&t->builder, r->n_gates), 1, -1);
        const uint32_t one = graph_map(&t->builder, gate, MAP_IS_ZERO, 0, 0);
        const uint32_t each = graph_broadcast(&t->builder, graph_expand(&t->builder, one, 2u),
                                              &(struct graph_shape){2, {r->n_gates, r->out}});
        const uint32_t more = graph_shape_to(&t->builder, each, &all);
        bias = bias == GRAPH_NONE ? more : graph_binary(&t->builder, BINARY_ADD, bias, more);
    }
    return bias;
}

/* An LSTM that the faster operator computes. */
static bool is_plain(const struct recurrence *r)
{
    const struct graph_attributes *a = &r->a;
    return a->recurrent.cell == CELL_LSTM && !r->peepholes && !a->recurrent.coupled &&
           a->recurrent.clip >= FAR && a->recurrent.gate.function == MAP_SIGMOID &&
           a->recurrent.cell_gate.function == MAP_TANH && a->recurrent.output.function == MAP_TANH;
}

/* Its steps: weights and biases stand by gates, i, f, g, o. */
static uint32_t run_plain(struct translation *t, const struct recurrence *r, uint32_t x, uint32_t h,
                          uint32_t c)
{
    static const uint32_t order[MAX_GATES] = {0, 1, 3, 2};
    uint32_t inputs[1 + 3 * MAX_GATES + 2] = {x};
    for (uint32_t g = 0; g < MAX_GATES; g++) {
        const uint32_t from = order[g];
        uint32_t *const gate = inputs + 1 + g;
        gate[0] = add_weights(t, r->message, r->input[from], 2, (int64_t[]){r->out, r->in});
        gate[MAX_GATES] =
            add_weights(t, r->message, r->recursion[from], 2, (int64_t[]){r->out, r->out});
        gate[2 * MAX_GATES] = r->has_bias ? add_weights(t, r->message, r->bias[from], 1, &r->out)
                                          : add_vector(t, r->out, 0);
        if (r->forget_bias && from == 1)
            gate[2 * MAX_GATES] = graph_scaled(&t->builder, gate[2 * MAX_GATES], 1, 1);
    }
    inputs[1 + 3 * MAX_GATES] = h;
    inputs[2 + 3 * MAX_GATES] = c;
    return graph_add(&t->builder, GRAPH_LSTM, 3 + 3 * MAX_GATES, inputs,
                     &(struct graph_attributes){.lstm = {.reverse = r->a.recurrent.reverse,
                                                         .c_limit = r->a.recurrent.clip}});
}

/* Steps [s, b, h] (and c behind them), from the states that are inputs `h` and `c`. */
static uint32_t run_recurrence(struct translation *t, const struct recurrence *r, uint32_t x,
                               size_t h, size_t c)
{
    static const char *const peepholes[] = {"inputGatePeepholeVector", "forgetGatePeepholeVector",
                                            "outputGatePeepholeVector"};
    const struct graph_shape shape = value_shape(t, x), state = {2, {shape.size[1], r->out}};
    uint32_t inputs[5];
    if (t->builder.status != MODEL_OK || r->out < 1 || r->out > MAP_MAX_SIZE / 16) {
        graph_fail(&t->builder, MODEL_CORRUPT, "a state of %lld numbers", (long long)r->out);
        return GRAPH_NONE;
    }
    if (is_plain(r))
        return run_plain(t, r, x, read_state(t, h, &state), read_state(t, c, &state));
    const uint32_t bias = read_biases(t, r);
    inputs[0] = graph_matmul(&t->builder, x, join_gates(t, r, r->input, 2, r->in), false, false);
    if (bias != GRAPH_NONE)
        inputs[0] = graph_binary(&t->builder, BINARY_ADD, inputs[0], bias);
    inputs[1] = read_state(t, h, &state);
    inputs[2] = read_state(t, c, &state);
    inputs[3] = join_gates(t, r, r->recursion, 2, r->out);
    inputs[4] = GRAPH_NONE;
    if (r->peepholes) {
        uint32_t parts[3];
        for (uint32_t i = 0; i < 3; i++)
            parts[i] = add_weights(t, r->message, peepholes[i], 1, &r->out);
        inputs[4] = graph_concat(&t->builder, 3, parts, 0);
    }
    return graph_add(&t->builder, GRAPH_RECURRENT, 5, inputs, &r->a);
}

/* One step of [s, b, h]. */
static uint32_t step_of(struct translation *t, uint32_t steps, int64_t i)
{
    return graph_slice(&t->builder, steps, 0, i, i + 1);
}

/* [s, b, h] as the layer's output i, [s, b, h, 1, 1]. */
static void set_sequence(struct translation *t, size_t i, uint32_t y)
{
    struct graph_shape shape = value_shape(t, y);
    if (i >= t->layer->n_outputs || t->builder.status != MODEL_OK)
        return;
    shape.size[3] = shape.size[4] = 1;
    shape.rank = 5;
    t->outputs[i] = graph_shape_to(&t->builder, y, &shape);
}

/* Steps of a layer with one state: all of them or the last, and the last. */
static void finish(struct translation *t, const struct recurrence *r, uint32_t steps)
{
    const int64_t n = value_shape(t, steps).size[0];
    if (t->builder.status != MODEL_OK)
        return;
    const uint32_t last = step_of(t, steps, r->a.recurrent.reverse ? 0 : n - 1);
    set_sequence(t, 0, coreml_bool(t->layer->params, "sequenceOutput") ? steps : last);
    set_sequence(t, 1, last);
}

static bool read_sizes(struct translation *t, struct recurrence *r, size_t n_states)
{
    const coreml_message *params = t->layer->params;
    r->message = params;
    r->in = coreml_int(params, "inputVectorSize");
    r->out = coreml_int(params, "outputVectorSize");
    const size_t n_outputs = t->layer->n_outputs;
    return expects(t, 1, 1 + n_states, n_outputs >= 1 && n_outputs <= 1 + n_states ? n_outputs : 1);
}

void translate_simple_recurrent(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    struct recurrence r = {.n_gates = 1,
                           .input = {"weightMatrix"},
                           .recursion = {"recursionMatrix"},
                           .bias = {"biasVector"},
                           .has_bias = coreml_bool(params, "hasBiasVector")};
    if (!read_sizes(t, &r, 1))
        return;
    r.a = (struct graph_attributes){
        .recurrent = {.cell = CELL_RNN,
                      .reverse = coreml_bool(params, "reverseInput"),
                      .limit = LIMIT,
                      .cell_gate = read_activation(t, coreml_child(params, "activation"))}};
    finish(t, &r, run_recurrence(t, &r, read_sequence(t, r.in), 1, 1));
}

/* Activation i of the list; an error when it is too short. */
static struct graph_function_of activation_at(struct translation *t, const char *field, size_t i)
{
    const coreml_message *params = t->layer->params;
    return read_activation(t, i < coreml_count(params, field) ? coreml_child_at(params, field, i)
                                                              : NULL);
}

void translate_gru(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    struct recurrence r = {
        .n_gates = 3,
        .input = {"resetGateWeightMatrix", "outputGateWeightMatrix", "updateGateWeightMatrix"},
        .recursion = {"resetGateRecursionMatrix", "outputGateRecursionMatrix",
                      "updateGateRecursionMatrix"},
        .bias = {"resetGateBiasVector", "outputGateBiasVector", "updateGateBiasVector"},
        .has_bias = coreml_bool(params, "hasBiasVectors")};
    if (!read_sizes(t, &r, 1))
        return;
    r.a = (struct graph_attributes){.recurrent = {.cell = CELL_GRU,
                                                  .reverse = coreml_bool(params, "reverseInput"),
                                                  .reset_first = true,
                                                  .limit = LIMIT,
                                                  .gate = activation_at(t, "activations", 0),
                                                  .cell_gate = activation_at(t, "activations", 1)}};
    finish(t, &r, run_recurrence(t, &r, read_sequence(t, r.in), 1, 1));
}

/* ---- LSTM: the format's "block input" is the operator's z */

static struct recurrence lstm_of(struct translation *t, const char *activations)
{
    const coreml_message *params = coreml_child(t->layer->params, "params");
    const float clip = coreml_float(params, "cellClipThreshold");
    struct recurrence r = {.n_gates = 4,
                           .input = {"inputGateWeightMatrix", "forgetGateWeightMatrix",
                                     "outputGateWeightMatrix", "blockInputWeightMatrix"},
                           .recursion = {"inputGateRecursionMatrix", "forgetGateRecursionMatrix",
                                         "outputGateRecursionMatrix", "blockInputRecursionMatrix"},
                           .bias = {"inputGateBiasVector", "forgetGateBiasVector",
                                    "outputGateBiasVector", "blockInputBiasVector"},
                           .has_bias = coreml_bool(params, "hasBiasVectors"),
                           .forget_bias = coreml_bool(params, "forgetBias"),
                           .peepholes = coreml_bool(params, "hasPeepholeVectors")};
    r.a = (struct graph_attributes){
        .recurrent = {.cell = CELL_LSTM,
                      .coupled = coreml_bool(params, "coupledInputAndForgetGate"),
                      .limit = LIMIT,
                      .clip = clip > 0 ? clip : LIMIT,
                      .gate = activation_at(t, activations, 0),
                      .cell_gate = activation_at(t, activations, 1),
                      .output = activation_at(t, activations, 2)}};
    return r;
}

void translate_lstm(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    struct recurrence r = lstm_of(t, "activations");
    if (!read_sizes(t, &r, 2))
        return;
    r.message = coreml_child(params, "weightParams");
    r.a.recurrent.reverse = coreml_bool(params, "reverseInput");
    const uint32_t all = run_recurrence(t, &r, read_sequence(t, r.in), 1, 2);
    const int64_t n = value_shape(t, all).size[0] - 1;
    if (t->builder.status != MODEL_OK)
        return;
    const uint32_t last = step_of(t, all, r.a.recurrent.reverse ? 0 : n - 1);
    const bool every = coreml_bool(coreml_child(params, "params"), "sequenceOutput");
    set_sequence(t, 0, every ? graph_slice(&t->builder, all, 0, 0, n) : last);
    set_sequence(t, 1, last);
    set_sequence(t, 2, step_of(t, all, n));
}

/* Outputs: y of both behind each other, then h and c of the first, h and c of the second. */
void translate_bidirectional_lstm(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    struct recurrence both[] = {lstm_of(t, "activationsForwardLSTM"),
                                lstm_of(t, "activationsBackwardLSTM")};
    uint32_t y[2] = {GRAPH_NONE, GRAPH_NONE};
    if (coreml_count(params, "weightParams") != 2)
        graph_fail(&t->builder, MODEL_CORRUPT, "%zu sets of weights, want two",
                   coreml_count(params, "weightParams"));
    for (uint32_t i = 0; i < 2 && t->builder.status == MODEL_OK; i++) {
        struct recurrence *r = &both[i];
        if (!read_sizes(t, r, 4))
            return;
        r->message = coreml_child_at(params, "weightParams", i);
        r->a.recurrent.reverse = i == 1;
        const uint32_t all = run_recurrence(t, r, read_sequence(t, r->in), 1 + 2 * i, 2 + 2 * i);
        const int64_t n = value_shape(t, all).size[0] - 1;
        if (t->builder.status != MODEL_OK)
            return;
        const uint32_t last = step_of(t, all, i == 1 ? 0 : n - 1);
        const bool every = coreml_bool(coreml_child(params, "params"), "sequenceOutput");
        y[i] = every ? graph_slice(&t->builder, all, 0, 0, n) : last;
        set_sequence(t, 1 + 2 * i, last);
        set_sequence(t, 2 + 2 * i, step_of(t, all, n));
    }
    if (t->builder.status == MODEL_OK)
        set_sequence(t, 0, graph_concat(&t->builder, 2, y, 2));
}
