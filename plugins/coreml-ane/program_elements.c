/* program_elements.c - operations on each number by itself or on pairs, and reductions; see program.h. */
#include "program.h"

#include <math.h>
#include <string.h>

struct function_row {
    const char *type;
    enum graph_function function;
    float alpha, beta, epsilon; /* what "alpha", "beta" and "epsilon" are when they are not there */
};

static const struct function_row functions[] = {{"relu", MAP_RELU, 0, 0, 0},
                                                {"relu6", MAP_CLIP, 0, 6, 0},
                                                {"leaky_relu", MAP_LEAKY_RELU, 0.01f, 0, 0},
                                                {"clip", MAP_CLIP, -INFINITY, INFINITY, 0},
                                                {"threshold", MAP_CLIP, 0, INFINITY, 0},
                                                {"thresholded_relu", MAP_THRESHOLDED_RELU, 1, 0, 0},
                                                {"sigmoid", MAP_SIGMOID, 0, 0, 0},
                                                {"sigmoid_hard", MAP_HARD_SIGMOID, 0.2f, 0.5f, 0},
                                                {"tanh", MAP_TANH, 0, 0, 0},
                                                {"scaled_tanh", MAP_SCALED_TANH, 1, 1, 0},
                                                {"linear_activation", MAP_LINEAR, 1, 0, 0},
                                                {"elu", MAP_ELU, 1, 0, 0},
                                                {"softsign", MAP_SOFTSIGN, 0, 0, 0},
                                                {"softplus", MAP_SOFTPLUS, 0, 0, 0},
                                                {"silu", MAP_SILU, 0, 0, 0},
                                                {"sqrt", MAP_SQRT, 0, 0, 0},
                                                {"rsqrt", MAP_RSQRT, 0, 0, 1e-12f},
                                                {"inverse", MAP_INVERSE, 0, 0, 1e-4f},
                                                {"square", MAP_POWER, 2, 0, 0},
                                                {"exp", MAP_EXP, 0, 0, 0},
                                                {"log", MAP_LOG, 0, 0, 1e-45f},
                                                {"abs", MAP_ABS, 0, 0, 0},
                                                {"erf", MAP_ERF, 0, 0, 0},
                                                {"floor", MAP_FLOOR, 0, 0, 0},
                                                {"ceil", MAP_CEIL, 0, 0, 0},
                                                {"round", MAP_ROUND, 0, 0, 0},
                                                {"sign", MAP_SIGN, 0, 0, 0},
                                                {"sin", MAP_SIN, 0, 0, 0},
                                                {"cos", MAP_COS, 0, 0, 0},
                                                {"tan", MAP_TAN, 0, 0, 0},
                                                {"asin", MAP_ASIN, 0, 0, 0},
                                                {"acos", MAP_ACOS, 0, 0, 0},
                                                {"atan", MAP_ATAN, 0, 0, 0},
                                                {"sinh", MAP_SINH, 0, 0, 0},
                                                {"cosh", MAP_COSH, 0, 0, 0},
                                                {"asinh", MAP_ASINH, 0, 0, 0},
                                                {"acosh", MAP_ACOSH, 0, 0, 0},
                                                {"atanh", MAP_ATANH, 0, 0, 0},
                                                {"logical_not", MAP_IS_ZERO, 0, 0, 0},
                                                {"identity", MAP_LINEAR, 1, 0, 0}};

static const struct {
    const char *type;
    enum graph_binary function;
} pairs[] = {{"add", BINARY_ADD},
             {"sub", BINARY_SUBTRACT},
             {"mul", BINARY_MULTIPLY},
             {"real_div", BINARY_DIVIDE},
             {"floor_div", BINARY_FLOOR_DIVIDE},
             {"mod", BINARY_MODULO},
             {"pow", BINARY_POWER},
             {"maximum", BINARY_MAX},
             {"minimum", BINARY_MIN},
             {"equal", BINARY_EQUAL},
             {"less", BINARY_LESS},
             {"less_equal", BINARY_LESS_EQUAL},
             {"logical_and", BINARY_MULTIPLY},
             {"logical_or", BINARY_MAX}};

static const struct {
    const char *type;
    enum graph_reduce mode;
} reductions[] = {{"reduce_sum", REDUCE_SUM},
                  {"reduce_mean", REDUCE_MEAN},
                  {"reduce_max", REDUCE_MAX},
                  {"reduce_min", REDUCE_MIN},
                  {"reduce_prod", REDUCE_PRODUCT},
                  {"reduce_l1_norm", REDUCE_L1},
                  {"reduce_l2_norm", REDUCE_L2},
                  {"reduce_log_sum", REDUCE_LOG_SUM},
                  {"reduce_sum_square", REDUCE_SUM_SQUARE}};

/* On the map, if there is one. */
static uint32_t apply(struct program *p, uint32_t x, const struct graph_attributes *a)
{
    const uint32_t map = map_of(p, x);
    return map != GRAPH_NONE ? from_map(p, graph_add(&p->builder, GRAPH_MAP, 1, &map, a))
                             : graph_add(&p->builder, GRAPH_MAP, 1, &x, a);
}

static uint32_t apply_function(struct program *p, uint32_t x, enum graph_function function,
                               float alpha, float beta)
{
    return apply(p, x,
                 &(struct graph_attributes){
                     .map = {.function = function, .alpha = alpha, .beta = beta, .scale = 1}});
}

/* A function gives what it takes: nothing makes whole numbers of its floats. */
static void check_dtype(struct program *p)
{
    const int32_t x = program_input_dtype(p, "x"), y = p->operation->outputs[0].type.dtype;
    if (x != 0 && !program_are_alike(x, y))
        graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' of %s that is declared as %s",
                   p->operation->type, coreml_dtype_name(x), coreml_dtype_name(y));
}

static bool translate_function(struct program *p)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const struct function_row *row = &functions[i];
        if (strcmp(row->type, p->operation->type) != 0)
            continue;
        check_dtype(p);
        struct graph_attributes a = {
            .map = {.function = row->function, .alpha = row->alpha, .beta = row->beta, .scale = 1}};
        a.map.alpha = program_float(p, "alpha", row->alpha);
        a.map.beta = program_float(p, "beta", row->beta);
        a.map.epsilon = program_float(p, "epsilon", row->epsilon);
        if (row->function == MAP_LOG) { /* added, not a limit */
            a.map.shift = a.map.epsilon;
            a.map.epsilon = 0;
        }
        p->outputs[0] = apply(p, program_input(p, "x"), &a);
        return true;
    }
    return false;
}

static bool translate_pair(struct program *p)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strcmp(pairs[i].type, p->operation->type) == 0) {
            const uint32_t x = program_input(p, "x");
            p->outputs[0] = program_binary(p, pairs[i].function, x, program_input(p, "y"));
            return true;
        }
    return false;
}

/* The dimensions of a map, by bits, for those of the value. */
static uint32_t axes_of_map(uint32_t axes)
{
    return (axes & 1) | (axes >> 1 & 1) << 3 | (axes >> 2 & 1) << 1 | (axes >> 3 & 1) << 2;
}

static uint32_t reduce(struct program *p, enum graph_reduce mode, uint32_t axes)
{
    const uint32_t x = program_input(p, "x"), map = map_of(p, x);
    struct graph_attributes a = {.reduce = {.mode = mode, .axes = axes}};
    a.reduce.epsilon = mode == REDUCE_LOG_SUM ? program_float(p, "epsilon", 0) : 0;
    if (map == GRAPH_NONE)
        return graph_add(&p->builder, GRAPH_REDUCE, 1, &x, &a);
    a.reduce.axes = axes_of_map(axes);
    return from_map(p, graph_add(&p->builder, GRAPH_REDUCE, 1, &map, &a));
}

static bool translate_reduction(struct program *p)
{
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
        if (strcmp(reductions[i].type, p->operation->type) == 0) {
            const uint32_t axes = program_axes(p, shape_of(p, program_input(p, "x")).rank);
            const uint32_t y = reduce(p, reductions[i].mode, axes);
            p->outputs[0] =
                program_bool(p, "keep_dims", false) ? y : graph_drop(&p->builder, y, axes);
            return true;
        }
    return false;
}

static void translate_argmax(struct program *p)
{
    const uint32_t axis = program_axis(p, "axis", -1, shape_of(p, program_input(p, "x")).rank);
    const uint32_t y = reduce(p, REDUCE_ARGMAX, 1u << axis);
    p->outputs[0] =
        program_bool(p, "keep_dims", false) ? y : graph_drop(&p->builder, y, 1u << axis);
}

/* The largest of the negated numbers. */
static void translate_argmin(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    const uint32_t axis = program_axis(p, "axis", -1, shape_of(p, x).rank);
    const uint32_t y =
        graph_reduce(&p->builder, graph_scaled(&p->builder, x, -1, 0), REDUCE_ARGMAX, 1u << axis);
    p->outputs[0] =
        program_bool(p, "keep_dims", false) ? y : graph_drop(&p->builder, y, 1u << axis);
}

static void translate_log_sum_exp(struct program *p)
{
    const uint32_t x = program_input(p, "x"), axes = program_axes(p, shape_of(p, x).rank);
    const uint32_t y = graph_log_sum_exp(&p->builder, x, axes);
    p->outputs[0] = program_bool(p, "keep_dims", false) ? y : graph_drop(&p->builder, y, axes);
}

static void translate_exp2(struct program *p)
{
    const struct graph_attributes a = {.map = {.function = MAP_EXP, .scale = 0.693147180559945f}};
    p->outputs[0] = apply(p, program_input(p, "x"), &a);
}

static uint32_t is_zero(struct program *p, uint32_t x)
{
    return apply_function(p, x, MAP_IS_ZERO, 0, 0);
}

static void translate_not_equal(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    p->outputs[0] = is_zero(p, program_binary(p, BINARY_EQUAL, x, program_input(p, "y")));
}

static void translate_greater(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    p->outputs[0] = program_binary(p, BINARY_LESS, program_input(p, "y"), x);
}

static void translate_greater_equal(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    p->outputs[0] = program_binary(p, BINARY_LESS_EQUAL, program_input(p, "y"), x);
}

static void translate_logical_xor(struct program *p)
{
    const uint32_t x = is_zero(p, program_input(p, "x"));
    const uint32_t same = program_binary(p, BINARY_EQUAL, x, is_zero(p, program_input(p, "y")));
    p->outputs[0] = is_zero(p, same);
}

static void translate_gelu(struct program *p)
{
    static const char *const modes[] = {"EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION",
                                        NULL};
    static const enum graph_function functions_of[] = {MAP_GELU, MAP_GELU_TANH, MAP_GELU_SIGMOID};
    p->outputs[0] = apply_function(p, program_input(p, "x"),
                                   functions_of[program_choice(p, "mode", modes, 0)], 0, 0);
}

static void translate_clamped_relu(struct program *p)
{
    const uint32_t x =
        apply_function(p, program_input(p, "x"), MAP_LEAKY_RELU, program_float(p, "alpha", 0), 0);
    p->outputs[0] = apply_function(p, x, MAP_CLIP, -INFINITY, program_float(p, "beta", INFINITY));
}

/* Numbers are float32 whatever they are called, but those that their type can be: float16 is rounded, integers are
 * truncated and wrap around, to bool what is not 0 is 1. */
static void translate_cast(struct program *p)
{
    enum { FP32, BOOL };
    static const char *const dtypes[] = {"fp32",   "bool", "fp16",  "int32", "int16",
                                         "uint16", "int8", "uint8", NULL};
    static const struct {
        enum graph_function function;
        float alpha, beta;
    } functions_of[] = {[2] = {MAP_TO_HALF, 0, 0}, {MAP_TO_INTEGER, 32, 1}, {MAP_TO_INTEGER, 16, 1},
                        {MAP_TO_INTEGER, 16, 0},   {MAP_TO_INTEGER, 8, 1},  {MAP_TO_INTEGER, 8, 0}};
    const uint32_t dtype = program_choice(p, "dtype", dtypes, PROGRAM_REQUIRED);
    const uint32_t x = program_input(p, "x");
    if (dtype == FP32)
        p->outputs[0] = x;
    else if (dtype == BOOL)
        p->outputs[0] = is_zero(p, is_zero(p, x));
    else
        p->outputs[0] = apply_function(p, x, functions_of[dtype].function,
                                       functions_of[dtype].alpha, functions_of[dtype].beta);
}

static void translate_select(struct program *p)
{
    const uint32_t condition = program_input(p, "cond"), a = program_input(p, "a");
    p->outputs[0] = program_select(p, condition, a, program_input(p, "b"));
}

static void translate_softmax(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    const struct graph_attributes a = {
        .along = {.axis = program_axis(p, "axis", -1, shape_of(p, x).rank)}};
    p->outputs[0] = graph_add(&p->builder, GRAPH_SOFTMAX, 1, &x, &a);
}

bool translate_elements(struct program *p)
{
    static const struct program_row rows[] = {{"reduce_argmax", translate_argmax},
                                              {"reduce_argmin", translate_argmin},
                                              {"reduce_log_sum_exp", translate_log_sum_exp},
                                              {"exp2", translate_exp2},
                                              {"not_equal", translate_not_equal},
                                              {"greater", translate_greater},
                                              {"greater_equal", translate_greater_equal},
                                              {"logical_xor", translate_logical_xor},
                                              {"gelu", translate_gelu},
                                              {"clamped_relu", translate_clamped_relu},
                                              {"cast", translate_cast},
                                              {"select", translate_select},
                                              {"softmax", translate_softmax}};
    return translate_function(p) || translate_pair(p) || translate_reduction(p) ||
           program_find(p, rows, sizeof rows / sizeof *rows);
}
