/* program_norms.c - norms of what is read, activations with a number for each channel, and numbers of fewer bits;
 * see program.h. */
#include "program.h"

#include <string.h>

static void translate_instance_norm(struct program *p)
{
    const uint32_t x = program_input(p, "x"), gamma = program_optional(p, "gamma");
    const uint32_t beta = program_optional(p, "beta");
    p->outputs[0] =
        graph_instance_norm(&p->builder, x, gamma, beta, program_float(p, "epsilon", 1e-5f));
}

static void translate_l2_norm(struct program *p)
{
    const uint32_t x = program_input(p, "x"), rank = shape_of(p, x).rank;
    if (p->builder.status != MODEL_OK || rank < 3) {
        program_contradicts(p, "of a value of less than three dimensions");
        return;
    }
    p->outputs[0] =
        graph_l2_norm(&p->builder, x, 7u << (rank - 3), program_float(p, "epsilon", 1e-6f));
}

static void translate_local_response_norm(struct program *p)
{
    const uint32_t x = program_input(p, "x"), rank = shape_of(p, x).rank;
    const struct graph_local_norm norm = {.size = program_int(p, "size", 1),
                                          .alpha = program_float(p, "alpha", 1e-4f),
                                          .beta = program_float(p, "beta", 0.75f),
                                          .k = program_float(p, "k", 1)};
    if (rank != 3 && rank != 4)
        program_fail(p, "of a value of other than three or four dimensions");
    const uint32_t map = to_map(p, program_widen(p, x));
    p->outputs[0] = program_narrow(p, from_map(p, graph_local_norm(&p->builder, map, &norm)), rank);
}

/* ---- by channel, which is dimension 1 */

/* The function with these vectors, [c], of a value [n, c, ..]. */
static void by_channel(struct program *p, enum graph_function function, size_t n,
                       const char *const *names)
{
    const struct graph_attributes a = {.map = {.function = function, .scale = 1}};
    const uint32_t x = program_input(p, "x"), rank = shape_of(p, x).rank;
    uint32_t inputs[3] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    if (rank < 2)
        program_contradicts(p, "of a value without channels");
    for (size_t i = 0; i < n; i++)
        inputs[1 + i] = program_input(p, names[i]);
    if (p->builder.status != MODEL_OK)
        return;
    inputs[0] = rank == 4 ? to_map(p, x) : graph_move(&p->builder, x, 1, rank - 1);
    const uint32_t y = graph_add(&p->builder, GRAPH_MAP, (uint32_t)n + 1, inputs, &a);
    p->outputs[0] = rank == 4 ? from_map(p, y) : graph_move(&p->builder, y, rank - 1, 1);
}

static void translate_prelu(struct program *p)
{
    by_channel(p, MAP_PRELU, 1, (const char *const[]){"alpha"});
}

static void translate_softplus_parametric(struct program *p)
{
    by_channel(p, MAP_PARAMETRIC_SOFTPLUS, 2, (const char *const[]){"alpha", "beta"});
}

/* ---- fewer bits */

/* A number, or a vector along "axis" of x. */
static uint32_t along_axis(struct program *p, const char *name, uint32_t x)
{
    const uint32_t value = program_input(p, name), rank = shape_of(p, x).rank;
    if (shape_of(p, value).rank == 0 || p->builder.status != MODEL_OK)
        return value;
    const uint32_t axis = program_axis(p, "axis", -1, rank);
    if (shape_of(p, value).rank != 1 || shape_of(p, value).size[0] != shape_of(p, x).size[axis])
        program_contradicts(p, "by scales that are neither one nor one for each index of its axis");
    return graph_expand(&p->builder, value, ((1u << rank) - 1) & ~(1u << axis));
}

static void translate_quantize(struct program *p)
{
    const uint32_t x = program_input(p, "input");
    static const char *const dtypes[] = {"int8", "uint8", NULL};
    const bool whole = program_choice(p, "output_dtype", dtypes, PROGRAM_REQUIRED) == 1;
    uint32_t y = program_binary(p, BINARY_DIVIDE, x, along_axis(p, "scale", x));
    y = graph_map(&p->builder, y, MAP_ROUND, 0, 0);
    if (program_has(p, "zero_point"))
        y = program_binary(p, BINARY_ADD, y, along_axis(p, "zero_point", x));
    p->outputs[0] = graph_map(&p->builder, y, MAP_CLIP, whole ? 0 : -128, whole ? 255 : 127);
}

static void translate_dequantize(struct program *p)
{
    const uint32_t input = program_input(p, "input");
    uint32_t x = input;
    if (program_has(p, "zero_point"))
        x = program_binary(p, BINARY_SUBTRACT, x, along_axis(p, "zero_point", input));
    p->outputs[0] = program_binary(p, BINARY_MULTIPLY, x, along_axis(p, "scale", input));
}

bool translate_program_norms(struct program *p)
{
    static const struct program_row rows[] = {
        {"instance_norm", translate_instance_norm},
        {"l2_norm", translate_l2_norm},
        {"local_response_norm", translate_local_response_norm},
        {"prelu", translate_prelu},
        {"softplus_parametric", translate_softplus_parametric},
        {"quantize", translate_quantize},
        {"dequantize", translate_dequantize}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
