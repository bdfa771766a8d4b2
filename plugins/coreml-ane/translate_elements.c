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

/* Alpha (and beta) for each channel; one number is for all of them. */
static uint32_t channel_weights(struct translation *t, const coreml_message *params,
                                const char *field)
{
    const int64_t n = map_extent(t, t->inputs[0], MAP_C);
    return add_weights(t, params, field, 1, &n);
}

void translate_activation(struct translation *t)
{
    const int32_t number = coreml_choice_number(t->layer->params);
    const coreml_message *params = coreml_chosen(t->layer->params);
    uint32_t inputs[3];
    if (!expects(t, 1, 1, 1))
        return;
    inputs[0] = t->inputs[0];
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        if (activations[i].number != number)
            continue;
        const enum graph_function function = activations[i].function;
        const uint32_t n = function == MAP_PRELU ? 1 : function == MAP_PARAMETRIC_SOFTPLUS ? 2 : 0;
        struct graph_attributes a = {.map = {.function = function, .scale = 1}};
        if (activations[i].parameters > 0)
            a.map.alpha = coreml_float(params, "alpha");
        if (activations[i].parameters > 1)
            a.map.beta = coreml_float(params, "beta");
        for (uint32_t k = 0; k < n; k++)
            inputs[1 + k] = channel_weights(t, params, k == 0 ? "alpha" : "beta");
        t->outputs[0] = graph_add(&t->builder, GRAPH_MAP, 1 + n, inputs, &a);
        return;
    }
    graph_fail(&t->builder, MODEL_UNSUPPORTED, "activation %ld is not known", (long)number);
}

void translate_unary(struct translation *t)
{
    static const enum graph_function functions[] = {MAP_SQRT, MAP_RSQRT, MAP_INVERSE, MAP_POWER,
                                                    MAP_EXP,  MAP_LOG,   MAP_ABS,     MAP_CLIP};
    const coreml_message *params = t->layer->params;
    const int64_t type = coreml_int(params, "type");
    const float scale = coreml_float(params, "scale"), epsilon = coreml_float(params, "epsilon");
    if (!expects(t, 1, 1, 1))
        return;
    if (type < 0 || type > 7) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "a unary function of type %lld, want 0 to 7",
                   (long long)type);
        return;
    }
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
