/* translate_exact.c - layers of specification 4 and later that compute on exact values: reductions, products,
 * embeddings, norms, choices, constants; see translate.h. */
#include "translate.h"

#include <string.h>

/* All, if the layer names none or says so. */
static uint32_t reduction_axes(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const uint32_t rank = value_shape(t, t->inputs[0]).rank;
    return coreml_bool(params, "reduceAll") || coreml_count(params, "axes") == 0
               ? (1u << rank) - 1
               : value_axes(t, "axes", rank);
}

static void keep_or_drop(struct translation *t, uint32_t y, uint32_t axes, bool keep)
{
    t->outputs[0] = keep ? y : graph_drop(&t->builder, y, axes);
}

void exact_reduce(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t axes = reduction_axes(t);
    keep_or_drop(t, graph_reduce(&t->builder, t->inputs[0], (enum graph_reduce)t->argument, axes),
                 axes, coreml_bool(t->layer->params, "keepDims"));
}

void exact_log_sum_exp(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t axes = reduction_axes(t);
    keep_or_drop(t, graph_log_sum_exp(&t->builder, t->inputs[0], axes), axes,
                 coreml_bool(t->layer->params, "keepDims"));
}

static uint32_t axis_of(struct translation *t)
{
    return value_axis(t, coreml_int(t->layer->params, "axis"), value_shape(t, t->inputs[0]).rank);
}

/* argument: 1 for the largest, -1 for the smallest. */
void exact_argmax(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t axes = 1u << axis_of(t);
    const uint32_t x = graph_scaled(&t->builder, t->inputs[0], (float)t->argument, 0);
    keep_or_drop(t, graph_reduce(&t->builder, x, REDUCE_ARGMAX, axes), axes,
                 !coreml_bool(t->layer->params, "removeDim"));
}

void exact_softmax(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        t->outputs[0] = graph_softmax(&t->builder, t->inputs[0], axis_of(t));
}

/* ---- products */

/* x W + b with the layer's own weights [in, out], which lie as [out, in]. */
static uint32_t own_product(struct translation *t, uint32_t x)
{
    const coreml_message *params = t->layer->params;
    const int64_t in = coreml_int(params, "weightMatrixFirstDimension");
    const int64_t out = coreml_int(params, "weightMatrixSecondDimension");
    const bool turn = coreml_bool(params, "transposeB");
    if (turn || coreml_bool(params, "transposeA")) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "a product with turned weights");
        return GRAPH_NONE;
    }
    const uint32_t weight = add_weights(t, params, "weights", 2, (int64_t[]){out, in});
    const uint32_t bias =
        coreml_bool(params, "hasBias") ? add_weights(t, params, "bias", 1, &out) : GRAPH_NONE;
    return graph_add(&t->builder, GRAPH_LINEAR, 3, (uint32_t[]){x, weight, bias},
                     &(struct graph_attributes){.linear = {.activation = ACTIVATION_NONE}});
}

void exact_matmul(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (!expects(t, 1, 2, 1))
        return;
    t->outputs[0] = t->layer->n_inputs == 1 ? own_product(t, t->inputs[0])
                                            : graph_matmul(&t->builder, t->inputs[0], t->inputs[1],
                                                           coreml_bool(params, "transposeA"),
                                                           coreml_bool(params, "transposeB"));
}

/* Columns of weights [size, places], where x [.., 1] or [.., 1, 1, 1] says; argument: the dimension that becomes
 * `size`. */
void exact_embedding(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const bool old = t->argument == -3;
    const int64_t places = coreml_int(params, old ? "inputDim" : "vocabSize");
    const int64_t size = coreml_int(params, old ? "outputChannels" : "embeddingSize");
    struct graph_shape shape;
    if (!expects(t, 1, 1, 1))
        return;
    shape = value_shape(t, t->inputs[0]);
    const int64_t n = (int64_t)graph_shape_size(&shape);
    const uint32_t axis = value_axis(t, t->argument, shape.rank);
    uint32_t weight = add_weights(t, params, "weights", 2, (int64_t[]){size, places});
    if (t->builder.status != MODEL_OK)
        return;
    for (uint32_t i = axis; i < shape.rank; i++)
        if (shape.size[i] != 1) {
            char text[GRAPH_SHAPE_BYTES];
            graph_fail(&t->builder, MODEL_CORRUPT, "an embedding of places of shape %s",
                       graph_shape_text(&shape, text));
            return;
        }
    weight = graph_swap(&t->builder, weight);
    uint32_t y = graph_gather(&t->builder, weight, graph_reshape(&t->builder, t->inputs[0], 1, &n),
                              PLACES_AXIS, 0, 0);
    if (coreml_bool(params, "hasBias"))
        y = graph_binary(&t->builder, BINARY_ADD, y, add_weights(t, params, "bias", 1, &size));
    shape.size[axis] = size;
    t->outputs[0] = graph_shape_to(&t->builder, y, &shape);
}

/* Over the last dimensions. */
void exact_layer_norm(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const size_t n = coreml_count(params, "normalizedShape");
    struct graph_shape shape, rows = {2, {1, 1}};
    if (!expects(t, 1, 1, 1))
        return;
    shape = value_shape(t, t->inputs[0]);
    for (uint32_t i = 0; i < shape.rank; i++) {
        const bool inside = i + n >= shape.rank;
        rows.size[inside] *= shape.size[i];
        if (n == 0 || n > shape.rank ||
            (inside &&
             coreml_int_at(params, "normalizedShape", i + n - shape.rank) != shape.size[i])) {
            graph_fail(&t->builder, MODEL_CORRUPT,
                       "a layer norm over %zu dimensions that its input does not have", n);
            return;
        }
    }
    const uint32_t inputs[] = {
        graph_shape_to(&t->builder, t->inputs[0], &rows),
        has_weights(params, "gamma") ? add_weights(t, params, "gamma", 1, &rows.size[1])
                                     : add_vector(t, rows.size[1], 1),
        has_weights(params, "beta") ? add_weights(t, params, "beta", 1, &rows.size[1])
                                    : add_vector(t, rows.size[1], 0)};
    const float eps = coreml_float(params, "eps");
    const struct graph_attributes a = {.norm = {.eps = eps > 0 ? (double)eps : 1e-5}};
    t->outputs[0] = graph_shape_to(&t->builder,
                                   graph_add(&t->builder, GRAPH_LAYER_NORM, 3, inputs, &a), &shape);
}

/* ---- choices and constants */

void exact_where(struct translation *t)
{
    if (expects(t, 3, 3, 1))
        t->outputs[0] = graph_select(&t->builder, t->inputs[0], t->inputs[1], t->inputs[2]);
}

/* argument: 0 a band by both numbers, -1 the lower triangle up to diagonal k, 1 the upper from it. */
void exact_band(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t x = t->inputs[0];
    if (t->argument == 0) {
        t->outputs[0] = graph_band(&t->builder, x, coreml_int(params, "numLower"),
                                   coreml_int(params, "numUpper"));
        return;
    }
    /* A triangle beyond the main diagonal is what the other triangle leaves. */
    const int64_t k = coreml_int(params, "k");
    const bool lower = t->argument < 0;
    if (k < -MAP_MAX_SIZE || k > MAP_MAX_SIZE)
        graph_fail(&t->builder, MODEL_CORRUPT, "a triangle from diagonal %lld", (long long)k);
    else if (lower)
        t->outputs[0] = k >= 0 ? graph_band(&t->builder, x, -1, k)
                               : graph_binary(&t->builder, BINARY_SUBTRACT, x,
                                              graph_band(&t->builder, x, -k - 1, -1));
    else
        t->outputs[0] = k <= 0 ? graph_band(&t->builder, x, -k, -1)
                               : graph_binary(&t->builder, BINARY_SUBTRACT, x,
                                              graph_band(&t->builder, x, -1, k - 1));
}

void exact_load_constant(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const size_t rank = coreml_count(params, "shape");
    int64_t size[MODEL_MAX_RANK];
    if (!expects(t, 0, 0, 1))
        return;
    if (rank == 0 || rank > MODEL_MAX_RANK) {
        graph_fail(&t->builder, MODEL_CORRUPT, "a constant of %zu dimensions, want 1 to %d", rank,
                   MODEL_MAX_RANK);
        return;
    }
    for (size_t i = 0; i < rank; i++)
        size[i] = coreml_int_at(params, "shape", i);
    t->outputs[0] = add_weights(t, params, "data", (uint32_t)rank, size);
}

/* start, start + step, and so on below end. */
void exact_range(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const double start = (double)coreml_float(params, "startValue");
    const double step = (double)coreml_float(params, "stepSizeValue");
    const double n = ((double)coreml_float(params, "endValue") - start) / step;
    if (!expects(t, 0, 0, 1))
        return;
    const int64_t whole = n > 0 && n < 1e9 ? (int64_t)n + ((double)(int64_t)n < n) : 0;
    t->outputs[0] =
        graph_scaled(&t->builder, graph_range(&t->builder, whole), (float)step, (float)start);
}

void exact_get_shape(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape shape = value_shape(t, t->inputs[0]);
    float *sizes = NULL;
    if (t->builder.status == MODEL_OK && shape.rank > 0)
        sizes = kernels_allocate(t->builder.graph->kernels, shape.rank * sizeof *sizes);
    if (sizes == NULL) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "the shape of a single number");
        return;
    }
    for (uint32_t i = 0; i < shape.rank; i++)
        sizes[i] = (float)shape.size[i];
    t->outputs[0] = graph_add_constant(&t->builder, MODEL_F32,
                                       &(struct graph_shape){1, {(int64_t)shape.rank}}, sizes);
}
