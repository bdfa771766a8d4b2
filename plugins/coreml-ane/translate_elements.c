/* translate_elements.c - layers that compute each number by itself, or with the one at its place in another
 * blob: activations, unary functions, arithmetic, scale and bias, softmax. */
#include "translate.h"

#include <math.h>
#include <string.h>

/* Numbers of the choice in ActivationParams. */
static const struct {
    int32_t number;
    enum graph_function function;
    uint8_t parameters; /* how many of alpha and beta its message has */
} activations[] = {{5, MAP_LINEAR, 2},
                   {10, MAP_RELU, 0},
                   {15, MAP_LEAKY_RELU, 1},
                   {20, MAP_THRESHOLDED_RELU, 1},
                   {25, MAP_PRELU, 0},
                   {30, MAP_TANH, 0},
                   {31, MAP_SCALED_TANH, 2},
                   {40, MAP_SIGMOID, 0},
                   {41, MAP_HARD_SIGMOID, 2},
                   {50, MAP_ELU, 1},
                   {60, MAP_SOFTSIGN, 0},
                   {70, MAP_SOFTPLUS, 0},
                   {71, MAP_PARAMETRIC_SOFTPLUS, 0}};

enum { NO_ACTIVATION = sizeof activations / sizeof *activations };

/* The row of an activation; NO_ACTIVATION and an error: it is none. */
static size_t find_activation(struct translation *t, const coreml_message *params)
{
    const int32_t number = coreml_choice_number(params);
    for (size_t i = 0; i < NO_ACTIVATION; i++)
        if (activations[i].number == number)
            return i;
    const int32_t unknown = coreml_unknown_number(params);
    if (unknown != 0)
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "activation %ld is not known", (long)unknown);
    else
        graph_fail(&t->builder, MODEL_CORRUPT, "no activation is given");
    return NO_ACTIVATION;
}

/* How many vectors with a number for each channel the function has. */
static uint32_t n_vectors(enum graph_function function)
{
    return function == MAP_PRELU ? 1 : function == MAP_PARAMETRIC_SOFTPLUS ? 2 : 0;
}

static struct graph_function_of function_of(const coreml_message *params, size_t row)
{
    return (struct graph_function_of){
        .function = activations[row].function,
        .alpha = activations[row].parameters > 0 ? coreml_float(params, "alpha") : 0,
        .beta = activations[row].parameters > 1 ? coreml_float(params, "beta") : 0};
}

struct graph_function_of read_activation(struct translation *t, const coreml_message *params)
{
    const size_t row = find_activation(t, params);
    if (row == NO_ACTIVATION || n_vectors(activations[row].function) > 0) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "an activation by channel in a recurrent layer");
        return (struct graph_function_of){.function = MAP_SIGMOID};
    }
    return function_of(coreml_chosen(params), row);
}

/* Channels are the last dimension of a map, and the third from behind of an exact value. */
static void activate_channels(struct translation *t, const coreml_message *params,
                              const struct graph_attributes *a, uint32_t n)
{
    const struct graph_shape shape = value_shape(t, t->inputs[0]);
    const bool map = blob_is_map(t, t->inputs[0]);
    uint32_t inputs[3] = {t->inputs[0], GRAPH_NONE, GRAPH_NONE};
    if (shape.rank < 3) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "an activation by channel without channels");
        return;
    }
    const int64_t channels = shape.size[map ? MAP_C : shape.rank - 3];
    if (!map)
        inputs[0] = graph_move(&t->builder, inputs[0], shape.rank - 3, shape.rank - 1);
    for (uint32_t k = 0; k < n; k++)
        inputs[1 + k] = add_channel_weights(t, params, k == 0 ? "alpha" : "beta", channels);
    const uint32_t y = graph_add(&t->builder, GRAPH_MAP, 1 + n, inputs, a);
    t->outputs[0] = map ? y : graph_move(&t->builder, y, shape.rank - 1, shape.rank - 3);
}

void translate_activation(struct translation *t)
{
    const coreml_message *params = coreml_chosen(t->layer->params);
    if (!expects(t, 1, 1, 1))
        return;
    const size_t row = find_activation(t, t->layer->params);
    if (row == NO_ACTIVATION)
        return;
    const struct graph_function_of f = function_of(params, row);
    const struct graph_attributes a = {
        .map = {.function = f.function, .alpha = f.alpha, .beta = f.beta, .scale = 1}};
    const uint32_t n = n_vectors(f.function);
    if (n > 0)
        activate_channels(t, params, &a, n);
    else
        t->outputs[0] = graph_add(&t->builder, GRAPH_MAP, 1, t->inputs, &a);
}

/* argument: the function. */
void translate_function(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        t->outputs[0] =
            graph_map(&t->builder, t->inputs[0], (enum graph_function)t->argument, 0, 0);
}

void translate_exp2(struct translation *t)
{
    const struct graph_attributes a = {.map = {.function = MAP_EXP, .scale = 0.693147180559945f}};
    if (expects(t, 1, 1, 1))
        t->outputs[0] = graph_add(&t->builder, GRAPH_MAP, 1, t->inputs, &a);
}

void translate_gelu(struct translation *t)
{
    static const enum graph_function modes[] = {MAP_GELU, MAP_GELU_TANH, MAP_GELU_SIGMOID};
    if (expects(t, 1, 1, 1))
        t->outputs[0] = graph_map(&t->builder, t->inputs[0],
                                  modes[read_choice(t, t->layer->params, "mode", 3)], 0, 0);
}

void translate_clamped_relu(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t x =
        graph_map(&t->builder, t->inputs[0], MAP_LEAKY_RELU, coreml_float(params, "alpha"), 0);
    t->outputs[0] = graph_map(&t->builder, x, MAP_CLIP, -INFINITY, coreml_float(params, "beta"));
}

void translate_unary(struct translation *t)
{
    static const enum graph_function functions[] = {MAP_SQRT, MAP_RSQRT, MAP_INVERSE, MAP_POWER,
                                                    MAP_EXP,  MAP_LOG,   MAP_ABS,     MAP_CLIP};
    const coreml_message *params = t->layer->params;
    const uint32_t type = read_choice(t, params, "type", 8);
    const float scale = coreml_float(params, "scale"), epsilon = coreml_float(params, "epsilon");
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_attributes a = {.map = {.function = functions[type],
                                               .alpha = coreml_float(params, "alpha"),
                                               .beta = INFINITY, /* a threshold is half a clip */
                                               .scale = scale == 0 ? 1 : scale,
                                               .shift = coreml_float(params, "shift"),
                                               .epsilon = epsilon == 0 ? 1e-6f : epsilon}};
    t->outputs[0] = graph_add(&t->builder, GRAPH_MAP, 1, t->inputs, &a);
}

/* All inputs, one after the other. */
static uint32_t combine(struct translation *t, enum graph_binary function)
{
    uint32_t y = t->inputs[0];
    for (size_t i = 1; i < t->layer->n_inputs; i++)
        y = graph_binary(&t->builder, function, y, t->inputs[i]);
    return y;
}

/* argument: the function of two. */
void translate_pair(struct translation *t)
{
    if (expects(t, 2, 2, 1))
        t->outputs[0] = combine(t, (enum graph_binary)t->argument);
}

static uint32_t negated(struct translation *t, uint32_t x)
{
    return graph_map(&t->builder, x, MAP_IS_ZERO, 0, 0);
}

/* With a second input, or the number alpha. argument: equal, not equal, less, less or equal, greater, greater or
 * equal. */
void translate_comparison(struct translation *t)
{
    static const enum graph_binary functions[] = {
        BINARY_EQUAL, BINARY_EQUAL, BINARY_LESS, BINARY_LESS_EQUAL, BINARY_LESS, BINARY_LESS_EQUAL};
    if (!expects(t, 1, 2, 1))
        return;
    const uint32_t x = t->inputs[0];
    const uint32_t y = t->layer->n_inputs == 2
                           ? t->inputs[1]
                           : graph_add_scalar(&t->builder, coreml_float(t->layer->params, "alpha"));
    const bool turned = t->argument > 3;
    const uint32_t made =
        graph_binary(&t->builder, functions[t->argument], turned ? y : x, turned ? x : y);
    t->outputs[0] = t->argument == 1 ? negated(t, made) : made;
}

void translate_logical_xor(struct translation *t)
{
    if (!expects(t, 2, 2, 1))
        return;
    const uint32_t x = negated(t, t->inputs[0]), y = negated(t, t->inputs[1]);
    t->outputs[0] = negated(t, graph_binary(&t->builder, BINARY_EQUAL, x, y));
}

void translate_add(struct translation *t)
{
    if (!expects(t, 1, GRAPH_MAX_INPUTS, 1))
        return;
    t->outputs[0] = t->layer->n_inputs > 1 ? combine(t, BINARY_ADD)
                                           : graph_map(&t->builder, t->inputs[0], MAP_LINEAR, 1,
                                                       coreml_float(t->layer->params, "alpha"));
}

void translate_multiply(struct translation *t)
{
    if (!expects(t, 1, GRAPH_MAX_INPUTS, 1))
        return;
    t->outputs[0] = t->layer->n_inputs > 1 ? combine(t, BINARY_MULTIPLY)
                                           : graph_map(&t->builder, t->inputs[0], MAP_LINEAR,
                                                       coreml_float(t->layer->params, "alpha"), 0);
}

void translate_average(struct translation *t)
{
    if (expects(t, 1, GRAPH_MAX_INPUTS, 1))
        t->outputs[0] = graph_map(&t->builder, combine(t, BINARY_ADD), MAP_LINEAR,
                                  1.0f / (float)t->layer->n_inputs, 0);
}

void translate_max(struct translation *t)
{
    if (expects(t, 1, GRAPH_MAX_INPUTS, 1))
        t->outputs[0] = combine(t, BINARY_MAX);
}

void translate_min(struct translation *t)
{
    if (expects(t, 1, GRAPH_MAX_INPUTS, 1))
        t->outputs[0] = combine(t, BINARY_MIN);
}

void translate_softmax(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        t->outputs[0] = graph_add(&t->builder, GRAPH_SOFTMAX, 1, t->inputs,
                                  &(struct graph_attributes){.along = {MAP_C}});
}

void translate_clip(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        t->outputs[0] =
            graph_map(&t->builder, t->inputs[0], MAP_CLIP, coreml_float(t->layer->params, "minVal"),
                      coreml_float(t->layer->params, "maxVal"));
}

void translate_copy(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        t->outputs[0] = t->inputs[0];
}

/* Weights of shape [1], [C], [1, H, W] or [C, H, W], as a map. */
static uint32_t shaped_weights(struct translation *t, const char *shape, const char *field)
{
    const coreml_message *params = t->layer->params;
    const size_t rank = coreml_count(params, shape);
    if (rank != 1 && rank != 3) {
        graph_fail(&t->builder, MODEL_CORRUPT, "%s of %zu dimensions, want 1 or 3", shape, rank);
        return GRAPH_NONE;
    }
    return add_map_weights(t, params, field, int_or(params, shape, 0, 1),
                           int_or(params, shape, 1, 1), int_or(params, shape, 2, 1));
}

void translate_scale(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    t->outputs[0] = graph_binary(&t->builder, BINARY_MULTIPLY, t->inputs[0],
                                 shaped_weights(t, "shapeScale", "scale"));
    if (coreml_bool(t->layer->params, "hasBias"))
        t->outputs[0] = graph_binary(&t->builder, BINARY_ADD, t->outputs[0],
                                     shaped_weights(t, "shapeBias", "bias"));
}

void translate_bias(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        t->outputs[0] =
            graph_binary(&t->builder, BINARY_ADD, t->inputs[0], shaped_weights(t, "shape", "bias"));
}

void translate_load_constant(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (!expects(t, 0, 0, 1))
        return;
    if (coreml_count(params, "shape") != 3) {
        graph_fail(&t->builder, MODEL_CORRUPT, "a constant of %zu dimensions, want 3",
                   coreml_count(params, "shape"));
        return;
    }
    t->outputs[0] =
        add_map_weights(t, params, "data", coreml_int_at(params, "shape", 0),
                        coreml_int_at(params, "shape", 1), coreml_int_at(params, "shape", 2));
}
