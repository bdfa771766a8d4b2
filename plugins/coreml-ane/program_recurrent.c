/* program_recurrent.c - lstm, gru and rnn: the products with what a step reads at once, for all steps, and what goes
 * step by step behind them; see program.h. */
#include "program.h"

#include <string.h>

/* Results of a layer in one direction; c of an LSTM only. */
struct direction {
    uint32_t y, h, c;
};

/* The names of activations, in the order of read_activation(). */
enum { SIGMOID, TANH };

/* "sigmoid" and so on as a function of one number. */
static struct graph_function_of read_activation(struct program *p, const char *name,
                                                uint32_t fallback)
{
    static const char *const names[] = {"sigmoid", "tanh", "relu", NULL};
    static const enum graph_function functions[] = {MAP_SIGMOID, MAP_TANH, MAP_RELU};
    return (struct graph_function_of){.function =
                                          functions[program_choice(p, name, names, fallback)]};
}

/* "weight_ih" and "_back". */
static const char *join_name(char name[32], const char *first, const char *second)
{
    const size_t length = strlen(first);
    memcpy(name, first, length);
    memcpy(name + length, second, strlen(second) + 1);
    return name;
}

/* h, behind it in its order of rows: the state of these items, columns [first, first + n). */
static uint32_t state_of(struct program *p, const char *name, int64_t first, int64_t n)
{
    return program_slice(p, program_input(p, name), 1, first, first + n);
}

/* An LSTM that the faster operator computes. */
static bool is_plain(const struct program *p, const struct graph_attributes *a,
                     const char *peephole)
{
    return a->recurrent.cell == CELL_LSTM && !program_has(p, peephole) && a->recurrent.clip == 0 &&
           a->recurrent.gate.function == MAP_SIGMOID &&
           a->recurrent.cell_gate.function == MAP_TANH && a->recurrent.output.function == MAP_TANH;
}

/* The gates i, f, g, o of weights or a bias whose rows are i, f, o, g; of those in the file, views. */
static void split_gates(struct program *p, uint32_t weight, int64_t n, uint32_t *ret)
{
    static const int64_t places[] = {0, 1, 3, 2};
    const struct graph_shape shape = shape_of(p, weight);
    if (!program_may_prepare(p, weight))
        return;
    if (!program_is_constant(p, weight)) {
        program_fail(p, "whose weights are computed in each run, want constants");
        return;
    }
    if (shape.rank == 0 || shape.size[0] != 4 * n) {
        program_contradicts(p, "whose weights are not of four gates");
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        ret[i] = program_slice(p, weight, 0, places[i] * n, (places[i] + 1) * n);
        (void)program_is_constant(p, ret[i]);
    }
}

/* A plain LSTM in one direction: h of each step, then the last c. */
static uint32_t add_lstm(struct program *p, bool reverse, const char *suffix, int64_t first,
                         int64_t n)
{
    char ih[32], hh[32], bias[32];
    const bool has_bias = program_has(p, join_name(bias, "bias", suffix));
    const uint32_t zeros = has_bias ? GRAPH_NONE : program_vector(p, (size_t)n, 0);
    uint32_t inputs[15] = {program_input(p, "x")};
    for (size_t i = 1; i < 15; i++)
        inputs[i] = zeros;
    split_gates(p, program_input(p, join_name(ih, "weight_ih", suffix)), n, inputs + 1);
    split_gates(p, program_input(p, join_name(hh, "weight_hh", suffix)), n, inputs + 5);
    if (has_bias)
        split_gates(p, program_input(p, bias), n, inputs + 9);
    inputs[13] = state_of(p, "initial_h", first, n);
    inputs[14] = state_of(p, "initial_c", first, n);
    return graph_add(&p->builder, GRAPH_LSTM, 15, inputs,
                     &(struct graph_attributes){.lstm = {.reverse = reverse}});
}

/* Another recurrent layer: what steps read is one product before them. Of a GRU that resets after the product of its
 * state, that product has the bias, and what steps read the other one. */
static uint32_t add_recurrent(struct program *p, const struct graph_attributes *a,
                              const char *suffix, int64_t first, int64_t n)
{
    char ih[32], hh[32], bias[32], peephole[32];
    const bool lstm = a->recurrent.cell == CELL_LSTM;
    const bool after = a->recurrent.cell == CELL_GRU && !a->recurrent.reset_first;
    const uint32_t x = program_input(p, "x");
    const uint32_t weight = program_input(p, join_name(hh, "weight_hh", suffix));
    uint32_t gates = program_linear(
        p, x, program_input(p, join_name(ih, "weight_ih", suffix)),
        program_optional(p, after ? "input_bias" : join_name(bias, "bias", suffix)), false);
    if (!after && program_has(p, "input_bias"))
        gates = program_binary(p, BINARY_ADD, gates, program_input(p, "input_bias"));
    if (shape_of(p, weight).rank != 2 || shape_of(p, x).rank != 3)
        program_contradicts(p, "whose weights are no matrix, or that reads no [s, b, i]");
    else if (!program_is_constant(p, weight))
        program_fail(p, "whose weights are computed in each run, want constants");
    if (p->builder.status != MODEL_OK)
        return GRAPH_NONE;
    const uint32_t h = state_of(p, "initial_h", first, n);
    const uint32_t inputs[] = {gates, h, lstm ? state_of(p, "initial_c", first, n) : h,
                               program_may_prepare(p, weight) ? program_turned(p, weight)
                                                              : GRAPH_NONE,
                               lstm ? program_optional(p, join_name(peephole, "peephole", suffix))
                               : after ? program_optional(p, "bias")
                                       : GRAPH_NONE};
    return graph_add(&p->builder, GRAPH_RECURRENT, 5, inputs, a);
}

/* The layer in one direction: weights named with `suffix`, states from column `first` on. */
static struct direction run_direction(struct program *p, const struct graph_attributes *a,
                                      const char *suffix, int64_t first, int64_t n)
{
    char peephole[32];
    const bool lstm = a->recurrent.cell == CELL_LSTM;
    const uint32_t all = is_plain(p, a, join_name(peephole, "peephole", suffix))
                             ? add_lstm(p, a->recurrent.reverse, suffix, first, n)
                             : add_recurrent(p, a, suffix, first, n);
    const struct graph_shape shape = shape_of(p, all);
    if (p->builder.status != MODEL_OK)
        return (struct direction){GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    const int64_t steps = shape.size[0] - lstm, last = a->recurrent.reverse ? 0 : steps - 1;
    const struct graph_shape state = {2, {shape.size[1], shape.size[2]}};
    return (struct direction){
        lstm ? program_slice(p, all, 0, 0, steps) : all,
        program_reshape(p, program_slice(p, all, 0, last, last + 1), &state),
        lstm ? program_reshape(p, program_slice(p, all, 0, steps, steps + 1), &state) : GRAPH_NONE};
}

/* y, or its last step as a sequence of one; h; c. */
static void set_outputs(struct program *p, const struct direction *out)
{
    struct graph_shape last = shape_of(p, out->h);
    memmove(last.size + 1, last.size, last.rank * sizeof last.size[0]);
    last.rank++;
    last.size[0] = 1;
    p->outputs[0] =
        program_bool(p, "output_sequence", false) ? out->y : program_reshape(p, out->h, &last);
    p->outputs[1] = out->h;
    p->outputs[2] = out->c;
}

static bool read_direction(struct program *p, bool *ret_both, bool *ret_reverse)
{
    enum { FORWARD, REVERSE, BIDIRECTIONAL };
    static const char *const names[] = {"forward", "reverse", "bidirectional", NULL};
    const uint32_t direction = program_choice(p, "direction", names, FORWARD);
    *ret_both = direction == BIDIRECTIONAL;
    *ret_reverse = direction == REVERSE;
    if (shape_of(p, program_input(p, "initial_h")).rank != 2)
        program_contradicts(p, "with a state that is no [b, h]");
    return p->builder.status == MODEL_OK;
}

static void translate_lstm(struct program *p)
{
    bool both, reverse;
    struct graph_attributes a = {
        .recurrent = {.cell = CELL_LSTM,
                      .gate = read_activation(p, "recurrent_activation", SIGMOID),
                      .cell_gate = read_activation(p, "cell_activation", TANH),
                      .output = read_activation(p, "activation", TANH),
                      .clip = program_float(p, "clip", 0)}};
    if (!read_direction(p, &both, &reverse))
        return;
    a.recurrent.reverse = reverse;
    const int64_t n = shape_of(p, program_input(p, "initial_h")).size[1] / (both ? 2 : 1);
    struct direction out = run_direction(p, &a, "", 0, n);
    if (both) {
        a.recurrent.reverse = true;
        const struct direction back = run_direction(p, &a, "_back", n, n);
        out.y = program_concat(p, 2, (uint32_t[]){out.y, back.y}, 2);
        out.h = program_concat(p, 2, (uint32_t[]){out.h, back.h}, 1);
        out.c = program_concat(p, 2, (uint32_t[]){out.c, back.c}, 1);
    }
    set_outputs(p, &out);
}

static void one_direction(struct program *p, struct graph_attributes *a)
{
    bool both;
    if (!read_direction(p, &both, &a->recurrent.reverse))
        return;
    if (both) {
        program_fail(p, "in both directions");
        return;
    }
    const struct direction out =
        run_direction(p, a, "", 0, shape_of(p, program_input(p, "initial_h")).size[1]);
    set_outputs(p, &out);
}

static void translate_gru(struct program *p)
{
    struct graph_attributes a = {
        .recurrent = {.cell = CELL_GRU,
                      .reset_first = !program_bool(p, "reset_after", false),
                      .gate = read_activation(p, "recurrent_activation", SIGMOID),
                      .cell_gate = read_activation(p, "activation", TANH)}};
    one_direction(p, &a);
}

static void translate_rnn(struct program *p)
{
    struct graph_attributes a = {
        .recurrent = {.cell = CELL_RNN, .cell_gate = read_activation(p, "activation", TANH)}};
    one_direction(p, &a);
}

bool translate_program_recurrent(struct program *p)
{
    static const struct program_row rows[] = {
        {"lstm", translate_lstm}, {"gru", translate_gru}, {"rnn", translate_rnn}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
