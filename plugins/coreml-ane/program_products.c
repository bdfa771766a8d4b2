/* program_products.c - operations with weights that are no windows: linear, matmul, layer_norm, lstm; see program.h. */
#include "program.h"

#include <string.h>

static uint32_t swap_last(struct program *p, uint32_t x)
{
    const uint32_t rank = shape_of(p, x).rank;
    uint32_t order[MODEL_MAX_RANK] = {0};
    for (uint32_t i = 0; i < rank; i++)
        order[i] = i + 2 < rank ? i : rank == 1 ? 0 : 2 * rank - 3 - i;
    return graph_transpose(&p->builder, x, order);
}

static bool is_constant(const struct program *p, uint32_t value)
{
    const struct graph *graph = p->builder.graph;
    return value < graph->n_values && graph->values[value].constant != NULL;
}

/* Weights that a loop prepares in each turn count as work. */
static bool may_prepare(struct program *p, uint32_t weight)
{
    const struct graph_shape shape = shape_of(p, weight);
    return p->depth == 0 || program_work(p, graph_shape_size(&shape) >> 8);
}

/* transposed: the weight is [in, out]. */
static uint32_t linear(struct program *p, uint32_t x, uint32_t weight, uint32_t bias,
                       bool transposed)
{
    if (!may_prepare(p, weight))
        return GRAPH_NONE;
    return graph_add(&p->builder, GRAPH_LINEAR, 3, (uint32_t[]){x, weight, bias},
                     &(struct graph_attributes){.linear = {.transposed = transposed}});
}

/* x y^T */
static uint32_t product(struct program *p, uint32_t x, uint32_t y)
{
    return graph_add(&p->builder, GRAPH_MATMUL, 2, (uint32_t[]){x, swap_last(p, y)},
                     &(struct graph_attributes){.order = {0}});
}

static void translate_linear(struct program *p)
{
    const uint32_t x = program_input(p, "x"), weight = program_input(p, "weight");
    const uint32_t bias = program_optional(p, "bias");
    if (is_constant(p, weight) && !is_constant(p, x) &&
        (bias == GRAPH_NONE || is_constant(p, bias))) {
        p->outputs[0] = linear(p, x, weight, bias, false);
        return;
    }
    p->outputs[0] = product(p, x, weight);
    if (bias != GRAPH_NONE)
        p->outputs[0] = program_binary(p, BINARY_ADD, p->outputs[0], bias);
}

/* A vector as a matrix of one row, or column. */
static uint32_t as_matrix(struct program *p, uint32_t x, bool row)
{
    const struct graph_shape shape = shape_of(p, x);
    if (shape.rank != 1)
        return x;
    return program_reshape(
        p, x, &(struct graph_shape){2, {row ? 1 : shape.size[0], row ? shape.size[0] : 1}});
}

static void translate_matmul(struct program *p)
{
    const uint32_t first = program_input(p, "x"), second = program_input(p, "y");
    uint32_t x = as_matrix(p, first, true), y = as_matrix(p, second, false);
    const bool turn_y = program_bool(p, "transpose_y", false);
    if (program_bool(p, "transpose_x", false))
        x = swap_last(p, x);
    if (p->builder.status != MODEL_OK)
        return;
    /* Packed weights pay where they are read more often than they are packed: not in each turn of a loop. */
    if (p->depth == 0 && shape_of(p, y).rank == 2 && is_constant(p, y) && !is_constant(p, x))
        p->outputs[0] = linear(p, x, y, GRAPH_NONE, !turn_y);
    else
        p->outputs[0] =
            graph_add(&p->builder, GRAPH_MATMUL, 2, (uint32_t[]){x, turn_y ? swap_last(p, y) : y},
                      &(struct graph_attributes){.order = {0}});
    const bool vector_x = shape_of(p, first).rank == 1, vector_y = shape_of(p, second).rank == 1;
    struct graph_shape shape = shape_of(p, p->outputs[0]);
    if ((!vector_x && !vector_y) || shape.rank < 2)
        return;
    if (vector_y)
        shape.rank--;
    if (vector_x) {
        if (!vector_y)
            shape.size[shape.rank - 2] = shape.size[shape.rank - 1];
        shape.rank--;
    }
    p->outputs[0] = program_reshape(p, p->outputs[0], &shape);
}

/* Over the last dimensions, which become one. */
static void translate_layer_norm(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    const uint32_t axes = program_axes(p, shape.rank), all = (1u << shape.rank) - 1;
    struct graph_shape rows = {2, {1, 1}};
    uint32_t first = 0;
    while (first < shape.rank && (axes >> first & 1) == 0)
        rows.size[0] *= shape.size[first++];
    if (p->builder.status != MODEL_OK || shape.rank == 0 || axes == 0 ||
        axes != (all & ~((1u << first) - 1))) {
        program_fail(p, "along other than the last dimensions");
        return;
    }
    for (uint32_t i = first; i < shape.rank; i++)
        rows.size[1] *= shape.size[i];
    const struct graph_shape row = {1, {rows.size[1]}};
    const uint32_t gamma = program_optional(p, "gamma"), beta = program_optional(p, "beta");
    const uint32_t inputs[] = {program_reshape(p, x, &rows),
                               gamma != GRAPH_NONE ? program_reshape(p, gamma, &row)
                                                   : program_vector(p, (size_t)row.size[0], 1),
                               beta != GRAPH_NONE ? program_reshape(p, beta, &row)
                                                  : program_vector(p, (size_t)row.size[0], 0)};
    const struct graph_attributes a = {.norm = {.eps = (double)program_float(p, "epsilon", 1e-5f)}};
    p->outputs[0] =
        program_reshape(p, graph_add(&p->builder, GRAPH_LAYER_NORM, 3, inputs, &a), &shape);
}

/* ---- lstm */

struct direction {
    uint32_t y, h, c;
};

/* The gates i, f, g, o of weights or a bias whose rows are i, f, o, g: views of its parts. */
static void split_gates(struct program *p, uint32_t weight, int64_t n, uint32_t *ret)
{
    static const size_t places[] = {0, 1, 3, 2};
    struct graph_shape shape = shape_of(p, weight);
    if (!may_prepare(p, weight))
        return;
    if (!is_constant(p, weight) || shape.rank == 0 || shape.size[0] != 4 * n) {
        program_fail(p, "whose weights are no constants of four gates");
        return;
    }
    const struct graph_value value = p->builder.graph->values[weight];
    shape.size[0] = n;
    p->builder.graph->values[weight].n_uses++; /* by the views: it stays as long as any constant */
    const size_t gate_bytes = graph_shape_size(&shape) * (value.dtype == MODEL_F32 ? 4 : 2);
    for (size_t i = 0; i < 4; i++)
        ret[i] = graph_add_constant(&p->builder, value.dtype, &shape,
                                    (const char *)value.constant + places[i] * gate_bytes);
}

/* The layer in one direction: weights named with `suffix`, the state from `first` of its last dimension on. */
static struct direction run_direction(struct program *p, const char *suffix, bool reverse,
                                      int64_t first, int64_t n)
{
    char ih[32] = "weight_ih", hh[32] = "weight_hh", bias[32] = "bias";
    const size_t length = strlen(suffix) + 1;
    memcpy(ih + 9, suffix, length);
    memcpy(hh + 9, suffix, length);
    memcpy(bias + 4, suffix, length);
    const uint32_t zeros = program_has(p, bias) ? GRAPH_NONE : program_vector(p, (size_t)n, 0);
    uint32_t inputs[15] = {program_input(p, "x")};
    for (size_t i = 1; i < 15; i++)
        inputs[i] = zeros;
    split_gates(p, program_input(p, ih), n, inputs + 1);
    split_gates(p, program_input(p, hh), n, inputs + 5);
    if (program_has(p, bias))
        split_gates(p, program_input(p, bias), n, inputs + 9);
    inputs[13] = program_slice(p, program_input(p, "initial_h"), 1, first, first + n);
    inputs[14] = program_slice(p, program_input(p, "initial_c"), 1, first, first + n);
    const struct graph_attributes a = {.lstm = {.reverse = reverse}};
    const uint32_t all = graph_add(&p->builder, GRAPH_LSTM, 15, inputs, &a);
    const struct graph_shape shape = shape_of(p, all);
    const int64_t steps = shape.size[0] - 1, last = reverse ? 0 : steps - 1;
    const struct graph_shape state = {2, {shape.size[1], shape.size[2]}};
    return (struct direction){
        program_slice(p, all, 0, 0, steps),
        program_reshape(p, program_slice(p, all, 0, last, last + 1), &state),
        program_reshape(p, program_slice(p, all, 0, steps, steps + 1), &state)};
}

static void translate_lstm(struct program *p)
{
    const char *name = program_text(p, "direction", "forward");
    const bool both = strcmp(name, "bidirectional") == 0, reverse = strcmp(name, "reverse") == 0;
    const uint32_t h = program_input(p, "initial_h");
    if (program_has(p, "peephole") || program_has(p, "clip") || shape_of(p, h).rank != 2 ||
        strcmp(program_text(p, "recurrent_activation", "sigmoid"), "sigmoid") != 0 ||
        strcmp(program_text(p, "cell_activation", "tanh"), "tanh") != 0 ||
        strcmp(program_text(p, "activation", "tanh"), "tanh") != 0 || p->operation->n_outputs > 3) {
        program_fail(p, "with peepholes, a clip or other activations");
        return;
    }
    const int64_t n = shape_of(p, h).size[1] / (both ? 2 : 1);
    struct direction out = run_direction(p, "", reverse, 0, n);
    if (both) {
        const struct direction back = run_direction(p, "_back", true, n, n);
        out.y = program_concat(p, 2, (uint32_t[]){out.y, back.y}, 2);
        out.h = program_concat(p, 2, (uint32_t[]){out.h, back.h}, 1);
        out.c = program_concat(p, 2, (uint32_t[]){out.c, back.c}, 1);
    }
    const struct graph_shape last = {3,
                                     {1, shape_of(p, out.h).size[0], shape_of(p, out.h).size[1]}};
    p->outputs[0] =
        program_bool(p, "output_sequence", false) ? out.y : program_reshape(p, out.h, &last);
    p->outputs[1] = out.h;
    p->outputs[2] = out.c;
}

bool translate_products(struct program *p)
{
    static const struct program_row rows[] = {{"linear", translate_linear},
                                              {"matmul", translate_matmul},
                                              {"layer_norm", translate_layer_norm},
                                              {"lstm", translate_lstm}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
