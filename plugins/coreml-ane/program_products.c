/* program_products.c - operations with weights that are no windows: linear, matmul, layer_norm; and those of
 * computed values, einsum and attention; see program.h. */
#include "program.h"

#include <string.h>

bool program_is_constant(struct program *p, uint32_t value)
{
    return graph_is_constant(&p->builder, value);
}

uint32_t program_turned(struct program *p, uint32_t weight)
{
    const struct graph_shape shape = shape_of(p, weight);
    const size_t rows = (size_t)shape.size[0], columns = (size_t)shape.size[1];
    const float *from = graph_known(&p->builder, weight);
    float *to = NULL;
    if (p->builder.status == MODEL_OK && from != NULL)
        to = kernels_allocate(p->builder.graph->kernels, rows * columns * sizeof *to);
    if (to == NULL) {
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for its weights");
        return GRAPH_NONE;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < columns; k++)
            to[k * rows + i] = from[i * columns + k];
    return graph_give_constant(&p->builder, MODEL_F32,
                               &(struct graph_shape){2, {shape.size[1], shape.size[0]}}, to);
}

bool program_may_prepare(struct program *p, uint32_t weight)
{
    const struct graph_shape shape = shape_of(p, weight);
    return p->depth == 0 || program_work(p, graph_shape_size(&shape) >> 8);
}

uint32_t program_linear(struct program *p, uint32_t x, uint32_t weight, uint32_t bias,
                        bool transposed)
{
    if (!program_may_prepare(p, weight))
        return GRAPH_NONE;
    return graph_add(&p->builder, GRAPH_LINEAR, 3, (uint32_t[]){x, weight, bias},
                     &(struct graph_attributes){.linear = {.transposed = transposed}});
}

static void translate_linear(struct program *p)
{
    const uint32_t x = program_input(p, "x"), weight = program_input(p, "weight");
    const uint32_t bias = program_optional(p, "bias");
    if (program_is_constant(p, weight) && !program_is_constant(p, x) &&
        (bias == GRAPH_NONE || program_is_constant(p, bias))) {
        p->outputs[0] = program_linear(p, x, weight, bias, false);
        return;
    }
    p->outputs[0] = graph_matmul(&p->builder, x, weight, false, true);
    if (bias != GRAPH_NONE)
        p->outputs[0] = program_binary(p, BINARY_ADD, p->outputs[0], bias);
}

static void translate_matmul(struct program *p)
{
    const uint32_t x = program_input(p, "x"), y = program_input(p, "y");
    const bool turn_x = program_bool(p, "transpose_x", false);
    const bool turn_y = program_bool(p, "transpose_y", false);
    if (p->builder.status != MODEL_OK)
        return;
    /* Packed weights pay where they are read more often than they are packed: not in each turn of a loop. */
    if (p->depth == 0 && shape_of(p, y).rank == 2 && shape_of(p, x).rank > 1 &&
        program_is_constant(p, y) && !program_is_constant(p, x))
        p->outputs[0] =
            program_linear(p, turn_x ? graph_swap(&p->builder, x) : x, y, GRAPH_NONE, !turn_y);
    else
        p->outputs[0] = graph_matmul(&p->builder, x, y, turn_x, turn_y);
}

/* A factor or sum of these dimensions, as it goes with all of them. */
static uint32_t among(struct program *p, uint32_t value, uint32_t axes, const struct graph_shape *x)
{
    struct graph_shape to = *x;
    for (uint32_t i = 0; i < x->rank; i++)
        to.size[i] = (axes >> i & 1) != 0 ? x->size[i] : 1;
    return program_reshape(p, value, &to);
}

static uint32_t norm_anywhere(struct program *p, uint32_t x, uint32_t axes, float eps)
{
    const struct graph_shape shape = shape_of(p, x);
    uint32_t y = graph_standardize(&p->builder, x, axes, true, eps);
    if (program_has(p, "gamma"))
        y = graph_binary(&p->builder, BINARY_MULTIPLY, y,
                         among(p, program_input(p, "gamma"), axes, &shape));
    if (program_has(p, "beta"))
        y = graph_binary(&p->builder, BINARY_ADD, y,
                         among(p, program_input(p, "beta"), axes, &shape));
    return y;
}

/* Over the last dimensions, which become one, by a kernel. */
static uint32_t norm_last(struct program *p, uint32_t x, uint32_t axes, float eps)
{
    const struct graph_shape shape = shape_of(p, x);
    struct graph_shape rows = {2, {1, 1}};
    for (uint32_t i = 0; i < shape.rank; i++)
        rows.size[axes >> i & 1] *= shape.size[i];
    const struct graph_shape row = {1, {rows.size[1]}};
    const uint32_t gamma = program_optional(p, "gamma"), beta = program_optional(p, "beta");
    const uint32_t inputs[] = {program_reshape(p, x, &rows),
                               gamma != GRAPH_NONE ? program_reshape(p, gamma, &row)
                                                   : program_vector(p, (size_t)row.size[0], 1),
                               beta != GRAPH_NONE ? program_reshape(p, beta, &row)
                                                  : program_vector(p, (size_t)row.size[0], 0)};
    const struct graph_attributes a = {.norm = {.eps = (double)eps}};
    return program_reshape(p, graph_add(&p->builder, GRAPH_LAYER_NORM, 3, inputs, &a), &shape);
}

static void translate_layer_norm(struct program *p)
{
    const uint32_t x = program_input(p, "x"), rank = shape_of(p, x).rank;
    const uint32_t axes = program_axes(p, rank), others = ((1u << rank) - 1) & ~axes;
    const float eps = program_float(p, "epsilon", 1e-5f);
    if (p->builder.status != MODEL_OK || axes == 0) {
        program_contradicts(p, "along no dimension");
        return;
    }
    p->outputs[0] =
        others < (axes & -axes) ? norm_last(p, x, axes, eps) : norm_anywhere(p, x, axes, eps);
}

static void translate_einsum(struct program *p)
{
    const char *equation = program_text(p, "equation", "");
    if (program_count(p, "values") != 2) {
        program_fail(p, "of other than two values");
        return;
    }
    const uint32_t x = program_input_at(p, "values", 0);
    p->outputs[0] = graph_einsum(&p->builder, equation, x, program_input_at(p, "values", 1));
}

static void translate_attention(struct program *p)
{
    const struct graph_attention attention = {.query = program_input(p, "query"),
                                              .key = program_input(p, "key"),
                                              .value = program_input(p, "value"),
                                              .mask = program_optional(p, "attn_mask"),
                                              .truths = program_input_dtype(p, "attn_mask") ==
                                                        COREML_BOOL};
    p->outputs[0] = graph_attention(&p->builder, &attention);
}

bool translate_products(struct program *p)
{
    static const struct program_row rows[] = {
        {"linear", translate_linear},
        {"matmul", translate_matmul},
        {"layer_norm", translate_layer_norm},
        {"einsum", translate_einsum},
        {"scaled_dot_product_attention", translate_attention}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
