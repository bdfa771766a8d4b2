/* operator_map.c - functions of each number by itself; parametric ones have alpha (and beta) for each channel,
 * the last dimension, as further inputs. What is no number (NaN) stays none. */
#include "operators.h"

#include <math.h>
#include <string.h>

#define CHUNK 16384 /* numbers that one thread takes at a time */

struct mapping {
    const struct operator_call *call;
    const float *x, *alpha, *beta; /* alpha, beta (channels), or NULL */
    size_t n, channels;
};

static uint32_t n_parameters(enum graph_function function)
{
    return function == MAP_PRELU ? 1 : function == MAP_PARAMETRIC_SOFTPLUS ? 2 : 0;
}

static void infer(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    const uint32_t n = n_parameters(shapes->node->attributes.map.function);
    if (shapes->node->n_inputs != n + 1 || (n > 0 && x->rank == 0)) {
        graph_fail(shapes->builder, MODEL_CORRUPT, "a function with %u inputs, want %u",
                   shapes->node->n_inputs, n + 1);
        return;
    }
    for (uint32_t i = 1; i <= n; i++)
        if (!input_is_vector(shapes, i, x->size[x->rank - 1]))
            return;
    *shapes->ret = *x;
}

/* log(1 + exp(x)) without overflow. */
static float softplus(float x)
{
    return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x)));
}

static float clip(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* What stands in so many bits when x, truncated and limited to what an int32 can be, is stored there. */
static float to_integer(float x, int bits, bool has_sign)
{
    const int64_t whole = x >= 2147483648.0f    ? INT32_MAX
                          : x <= -2147483648.0f ? INT32_MIN
                          : x == x              ? (int64_t)x
                                                : 0;
    const int64_t range = (int64_t)1 << bits, low = whole & (range - 1);
    return (float)(has_sign && low >= range / 2 ? low - range : low);
}

static float round_or_tell(enum graph_function function, float x)
{
    switch (function) {
    case MAP_ERF:
        return erff(x);
    case MAP_FLOOR:
        return floorf(x);
    case MAP_CEIL:
        return ceilf(x);
    case MAP_ROUND:
        return rintf(x);
    case MAP_SIGN:
        return x > 0 ? 1.0f : x < 0 ? -1.0f : x == 0 ? 0.0f : x;
    case MAP_SIN:
        return sinf(x);
    case MAP_COS:
        return cosf(x);
    default:
        return x == 0 ? 1 : 0;
    }
}

static float trigonometry(enum graph_function function, float x)
{
    switch (function) {
    case MAP_TAN:
        return tanf(x);
    case MAP_ASIN:
        return asinf(x);
    case MAP_ACOS:
        return acosf(x);
    case MAP_ATAN:
        return atanf(x);
    case MAP_SINH:
        return sinhf(x);
    case MAP_COSH:
        return coshf(x);
    case MAP_ASINH:
        return asinhf(x);
    case MAP_ACOSH:
        return acoshf(x);
    case MAP_ATANH:
        return atanhf(x);
    default:
        return round_or_tell(function, x);
    }
}

/* Those that are not a loop of their own below. */
static float apply(enum graph_function function, float x, float alpha, float beta, float epsilon)
{
    switch (function) {
    case MAP_THRESHOLDED_RELU:
        return x < alpha ? 0 : x;
    case MAP_SIGMOID: /* this and those below: of scaled numbers */
        return 1 / (1 + expf(-x));
    case MAP_HARD_SIGMOID:
        return clip(alpha * x + beta, 0, 1);
    case MAP_TANH:
        return tanhf(x);
    case MAP_SCALED_TANH:
        return alpha * tanhf(beta * x);
    case MAP_ELU:
        return x > 0 ? x : alpha * expm1f(x);
    case MAP_SOFTSIGN:
        return x / (1 + fabsf(x));
    case MAP_SOFTPLUS:
        return softplus(x);
    case MAP_SQRT:
        return sqrtf(x);
    case MAP_RSQRT:
        return 1 / sqrtf(x + epsilon);
    case MAP_INVERSE:
        return 1 / (x + epsilon);
    case MAP_POWER:
        return powf(x, alpha);
    case MAP_EXP:
        return expf(x);
    case MAP_LOG:
        return logf(x < epsilon ? epsilon : x);
    case MAP_ABS:
        return fabsf(x);
    case MAP_GELU:
        return 0.5f * x * (1 + erff(x * 0.70710678f));
    case MAP_GELU_TANH:
        return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
    case MAP_GELU_SIGMOID:
        return x / (1 + expf(-1.702f * x));
    case MAP_SILU:
        return x / (1 + expf(-x));
    default:
        return trigonometry(function, x);
    }
}

float function_value(const struct graph_function_of *function, float x)
{
    switch (function->function) {
    case MAP_LINEAR:
        return function->alpha * x + function->beta;
    case MAP_RELU:
        return x < 0 ? 0 : x;
    case MAP_LEAKY_RELU:
        return x > 0 ? x : function->alpha * x;
    case MAP_CLIP:
        return clip(x, function->alpha, function->beta);
    default:
        return apply(function->function, x, function->alpha, function->beta, 0);
    }
}

static void map_parametric(const struct mapping *m, size_t first, size_t end)
{
    const enum graph_function function = m->call->node->attributes.map.function;
    float *y = m->call->y;
    for (size_t i = first; i < end; i++) {
        const size_t c = i % m->channels;
        const float x = m->x[i], alpha = m->alpha[c];
        y[i] = function == MAP_PRELU ? (x > 0 ? x : alpha * x) : alpha * softplus(m->beta[c] * x);
    }
}

static void map_plain(const struct mapping *m, size_t first, size_t end)
{
    const struct graph_attributes *a = &m->call->node->attributes;
    const float scale = a->map.scale, shift = a->map.shift, alpha = a->map.alpha;
    const float beta = a->map.beta, epsilon = a->map.epsilon, *x = m->x;
    const enum graph_function function = a->map.function;
    float *y = m->call->y;
    switch (function) {
    case MAP_LINEAR:
        for (size_t i = first; i < end; i++)
            y[i] = alpha * (scale * x[i] + shift) + beta;
        break;
    case MAP_RELU:
        for (size_t i = first; i < end; i++)
            y[i] = scale * x[i] + shift < 0 ? 0 : scale * x[i] + shift;
        break;
    case MAP_LEAKY_RELU:
        for (size_t i = first; i < end; i++) {
            const float v = scale * x[i] + shift;
            y[i] = v > 0 ? v : alpha * v;
        }
        break;
    case MAP_CLIP:
        for (size_t i = first; i < end; i++)
            y[i] = clip(scale * x[i] + shift, alpha, beta);
        break;
    case MAP_FROM_INTEGER:
        for (size_t i = first; i < end; i++) {
            int32_t whole;
            memcpy(&whole, &x[i], sizeof whole);
            y[i] = (float)whole;
        }
        break;
    case MAP_TO_INTEGER:
        for (size_t i = first; i < end; i++)
            y[i] = to_integer(scale * x[i] + shift, (int)alpha, beta != 0);
        break;
    case MAP_TO_HALF:
        round_rows_f16(m->call->graph->kernels, x + first, y + first, end - first);
        break;
    default:
        for (size_t i = first; i < end; i++)
            y[i] = apply(function, scale * x[i] + shift, alpha, beta, epsilon);
    }
}

enum activation activation_of_map(const struct graph_node *map)
{
    static const enum activation activations[N_GRAPH_FUNCTIONS] = {
        [MAP_RELU] = ACTIVATION_RELU,
        [MAP_SIGMOID] = ACTIVATION_SIGMOID,
        [MAP_TANH] = ACTIVATION_TANH,
        [MAP_GELU] = ACTIVATION_GELU,
        [MAP_GELU_TANH] = ACTIVATION_GELU_TANH,
        [MAP_GELU_SIGMOID] = ACTIVATION_QUICK_GELU,
        [MAP_SILU] = ACTIVATION_SILU};
    const struct graph_attributes *a = &map->attributes;
    return map->kind == GRAPH_MAP && a->map.scale == 1 && a->map.shift == 0
               ? activations[a->map.function]
               : ACTIVATION_NONE;
}

static void map_chunk(void *argument, size_t index)
{
    const struct mapping *m = argument;
    const size_t first = index * CHUNK, end = m->n - first < CHUNK ? m->n : first + CHUNK;
    const enum activation activation = activation_of_map(m->call->node);
    if (m->alpha != NULL) {
        map_parametric(m, first, end);
    } else if (activation != ACTIVATION_NONE) {
        if (m->x != m->call->y)
            memcpy(m->call->y + first, m->x + first, (end - first) * sizeof(float));
        activation_rows(m->call->graph->kernels, activation, m->call->y + first, 1, end - first);
    } else {
        map_plain(m, first, end);
    }
}

static void run(const struct operator_call *call)
{
    const struct graph_node *node = call->node;
    const struct graph_shape *shape = input_shape(call->graph, node, 0);
    struct mapping mapping = {.call = call,
                              .x = input_data(call, 0),
                              .alpha = has_input(node, 1) ? input_data(call, 1) : NULL,
                              .beta = has_input(node, 2) ? input_data(call, 2) : NULL,
                              .n = graph_shape_size(shape)};
    mapping.channels = shape->rank > 0 ? (size_t)shape->size[shape->rank - 1] : 1;
    operator_parallel(call, (mapping.n + CHUNK - 1) / CHUNK, mapping.n, map_chunk, &mapping);
}

const struct operator_type operator_map = {.name = "a function",
                                           .min_inputs = 1,
                                           .max_inputs = 3,
                                           .in_place = true,
                                           .infer = infer,
                                           .run = run};
