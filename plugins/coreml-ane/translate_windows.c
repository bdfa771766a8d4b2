/* translate_windows.c - layers with weights or windows: convolution, pooling, inner product, batch norm.
 *
 * "same" padding: as many places as steps fit in, the padding halved, the odd one behind (or before, with
 * TOP_LEFT_HEAVY). */
#include "translate.h"

enum { TOP_LEFT_HEAVY = 1 };

/* total = begin + end. */
static void halve(int64_t total, bool before, int64_t *begin, int64_t *end)
{
    total = total > 0 ? total : 0;
    *begin = before ? total - total / 2 : total / 2;
    *end = total - *begin;
}

/* Along both axes of a map [.., h, w, ..]. */
static void same_padding(struct translation *t, const coreml_message *same,
                         struct graph_window *window)
{
    const bool before = read_choice(t, same, "asymmetryMode", 2) == TOP_LEFT_HEAVY;
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t in = map_extent(t, t->inputs[0], MAP_H + i), stride = window->stride[i];
        const int64_t span = (window->kernel[i] - 1) * window->dilation[i] + 1;
        halve((in + stride - 1) / stride * stride - stride + span - in, before, &window->begin[i],
              &window->end[i]);
    }
}

/* Kernel, stride and dilation, small enough to be computed with. */
static bool read_window(struct translation *t, const coreml_message *params, bool dilated,
                        struct graph_window *ret)
{
    for (uint32_t i = 0; i < 2; i++) {
        ret->kernel[i] = int_or(params, "kernelSize", i, 3);
        ret->stride[i] = int_or(params, "stride", i, 1);
        ret->dilation[i] = dilated ? int_or(params, "dilationFactor", i, 1) : 1;
        const int64_t all[] = {ret->kernel[i], ret->stride[i], ret->dilation[i]};
        for (size_t k = 0; k < 3; k++)
            if (all[k] < 1 || all[k] > 65536) {
                graph_fail(&t->builder, MODEL_CORRUPT,
                           "a kernel, stride or dilation of %lld, want 1 to 65536",
                           (long long)all[k]);
                return false;
            }
    }
    return true;
}

static void transposed_padding(struct translation *t, const coreml_message *params,
                               struct graph_window *window)
{
    const coreml_message *same = coreml_child(params, "same");
    const bool before = read_choice(t, same, "asymmetryMode", 2) == TOP_LEFT_HEAVY;
    read_borders(coreml_child(params, "valid"), "paddingAmounts", window->begin, window->end);
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t in = map_extent(t, t->inputs[0], MAP_H + i), stride = window->stride[i];
        const int64_t full = (in - 1) * stride + window->kernel[i];
        const int64_t wanted = int_or(params, "outputShape", i, same != NULL ? in * stride : 0);
        if (wanted > 0)
            halve(full - wanted, before, &window->begin[i], &window->end[i]);
    }
}

void translate_convolution(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const int64_t groups = coreml_int(params, "nGroups"),
                  out = coreml_int(params, "outputChannels");
    struct graph_attributes a = {.conv = {.transposed = coreml_bool(params, "isDeconvolution")}};
    struct graph_window *window = &a.conv.window;
    uint32_t inputs[] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    if (!expects(t, 1, 1, 1) || !read_window(t, params, !a.conv.transposed, window))
        return;
    const int64_t channels = map_extent(t, t->inputs[0], MAP_C);
    a.conv.groups = groups > 0 ? groups : 1;
    if (channels % a.conv.groups != 0 || out < 1 || out % a.conv.groups != 0) {
        graph_fail(&t->builder, MODEL_CORRUPT, "%lld and %lld channels in %lld groups",
                   (long long)channels, (long long)out, (long long)a.conv.groups);
        return;
    }
    const int64_t each = a.conv.transposed ? channels : channels / a.conv.groups;
    if (!declares(t, "kernelChannels", each))
        return;
    if (a.conv.transposed)
        transposed_padding(t, params, window);
    else if (coreml_child(params, "same") != NULL)
        same_padding(t, coreml_child(params, "same"), window);
    else
        read_borders(coreml_child(params, "valid"), "paddingAmounts", window->begin, window->end);
    const int64_t shape[] = {a.conv.transposed ? channels : out,
                             (a.conv.transposed ? out : channels) / a.conv.groups,
                             window->kernel[0], window->kernel[1]};
    inputs[0] = t->inputs[0];
    inputs[1] = add_weights(t, params, "weights", 4, shape);
    if (coreml_bool(params, "hasBias"))
        inputs[2] = add_weights(t, params, "bias", 1, &out);
    t->outputs[0] = graph_add(&t->builder, GRAPH_CONV, 3, inputs, &a);
}

/* The last window may reach over the edge, as far as it begins before it. */
static void complete_padding(const struct translation *t, const coreml_message *params,
                             struct graph_window *window)
{
    const coreml_message *complete = coreml_child(params, "includeLastPixel");
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t in = map_extent(t, t->inputs[0], MAP_H + i), stride = window->stride[i];
        int64_t pad = int_or(complete, "paddingAmounts", i, 0);
        pad = pad < 0 || pad > 65536 ? 0 : pad;
        const int64_t rest = in + 2 * pad - window->kernel[i];
        int64_t out = (rest > 0 ? (rest + stride - 1) / stride : 0) + 1;
        if (pad > 0 && (out - 1) * stride >= in + pad)
            out--;
        const int64_t end = (out - 1) * stride + window->kernel[i] - in - pad;
        window->begin[i] = pad;
        window->end[i] = end > 0 ? end : 0;
    }
}

void translate_pooling(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    struct graph_attributes a = {
        .pool = {.inside_only = coreml_bool(params, "avgPoolExcludePadding")}};
    struct graph_window *window = &a.pool.window;
    if (!expects(t, 1, 1, 1) || !read_window(t, params, false, window))
        return;
    a.pool.mode = (enum graph_pool)read_choice(t, params, "type", N_GRAPH_POOLS);
    if (coreml_bool(params, "globalPooling"))
        for (uint32_t i = 0; i < 2; i++) {
            window->kernel[i] = map_extent(t, t->inputs[0], MAP_H + i);
            window->stride[i] = 1;
        }
    else if (coreml_child(params, "same") != NULL)
        same_padding(t, coreml_child(params, "same"), window);
    else if (coreml_child(params, "includeLastPixel") != NULL)
        complete_padding(t, params, window);
    else
        read_borders(coreml_child(params, "valid"), "paddingAmounts", window->begin, window->end);
    t->outputs[0] = graph_add(&t->builder, GRAPH_POOL, 1, t->inputs, &a);
}

/* A product with the layer's weights [out, in] over the last dimension of x. */
static uint32_t inner_product(struct translation *t, uint32_t x, int64_t in, int64_t out)
{
    const coreml_message *params = t->layer->params;
    uint32_t inputs[] = {x, GRAPH_NONE, GRAPH_NONE};
    if (!declares(t, "inputChannels", in))
        return GRAPH_NONE;
    inputs[1] = add_weights(t, params, "weights", 2, (int64_t[]){out, in});
    if (coreml_bool(params, "hasBias"))
        inputs[2] = add_weights(t, params, "bias", 1, &out);
    return graph_add(&t->builder, GRAPH_LINEAR, 3, inputs,
                     &(struct graph_attributes){.linear = {.activation = ACTIVATION_NONE}});
}

void translate_inner_product(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t x = t->inputs[0];
    const struct graph_shape shape = value_shape(t, x);
    const int64_t out = coreml_int(t->layer->params, "outputChannels");
    if (!blob_is_map(t, x)) {
        t->outputs[0] = inner_product(t, x, shape.rank > 0 ? shape.size[shape.rank - 1] : 0, out);
        return;
    }
    const int64_t n = map_extent(t, x, MAP_N);
    const int64_t in = map_extent(t, x, MAP_C) * map_extent(t, x, MAP_H) * map_extent(t, x, MAP_W);
    /* Weights count channels first; a map of one place has no order to speak of. */
    const bool single = map_extent(t, x, MAP_C) == in;
    const uint32_t flat =
        graph_reshape(&t->builder, single ? x : map_to_planes(t, x), 2, (int64_t[]){n, in});
    t->outputs[0] =
        graph_reshape(&t->builder, inner_product(t, flat, in, out), 4, (int64_t[]){n, 1, 1, out});
}

/* Batch norm by the mean and variance of each map itself. */
static void instance_norm(struct translation *t, int64_t n, float eps)
{
    const coreml_message *params = t->layer->params;
    uint32_t y = graph_standardize(&t->builder, t->inputs[0], 1u << MAP_H | 1u << MAP_W, true, eps);
    if (has_weights(params, "gamma"))
        y = graph_binary(&t->builder, BINARY_MULTIPLY, y, add_weights(t, params, "gamma", 1, &n));
    if (has_weights(params, "beta"))
        y = graph_binary(&t->builder, BINARY_ADD, y, add_weights(t, params, "beta", 1, &n));
    t->outputs[0] = y;
}

void translate_batchnorm(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const float eps = coreml_float(params, "epsilon");
    static const char *const fields[] = {"gamma", "beta", "mean", "variance"};
    uint32_t inputs[5];
    if (!expects(t, 1, 1, 1))
        return;
    const int64_t n = map_extent(t, t->inputs[0], MAP_C);
    if (!declares(t, "channels", n))
        return;
    if (coreml_bool(params, "instanceNormalization")) {
        instance_norm(t, n, eps > 0 ? eps : 1e-5f);
        return;
    }
    if (coreml_bool(params, "computeMeanVar")) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED,
                   "batch norm by the mean and variance of a batch is not computed here");
        return;
    }
    inputs[0] = t->inputs[0];
    /* The last first: a file that lacks them asks for no vectors of ones. */
    for (uint32_t i = 4; i-- > 0;)
        inputs[1 + i] = i < 2 && !has_weights(params, fields[i])
                            ? add_vector(t, n, i == 0 ? 1.0f : 0.0f)
                            : add_weights(t, params, fields[i], 1, &n);
    t->outputs[0] =
        graph_add(&t->builder, GRAPH_NORM, 5, inputs,
                  &(struct graph_attributes){.norm = {.eps = eps > 0 ? (double)eps : 1e-5}});
}
