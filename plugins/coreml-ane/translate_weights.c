/* translate_weights.c - weights of layers as constants, and the small helpers of translate.h. */
#include "translate.h"

#include "coreml_weights.h"

#include <string.h>

bool has_weights(const coreml_message *message, const char *field)
{
    struct coreml_weights weights;
    return coreml_weights_read(coreml_child(message, field), field, &weights, NULL) != MODEL_OK ||
           weights.form != COREML_WEIGHTS_NONE;
}

/* Fewer bits than a byte are not counted: what may be a number for each channel is. */
static bool is_single(const coreml_message *message, const char *field, int64_t n)
{
    struct coreml_weights weights;
    return coreml_weights_read(coreml_child(message, field), field, &weights, NULL) == MODEL_OK &&
           coreml_weights_check(&weights, (uint64_t)n, (uint64_t)n, field, NULL) != MODEL_OK &&
           coreml_weights_check(&weights, 1, 1, field, NULL) == MODEL_OK;
}

uint32_t add_channel_weights(struct translation *t, const coreml_message *message,
                             const char *field, int64_t channels)
{
    const int64_t n = is_single(message, field, channels) ? 1 : channels;
    return graph_broadcast(&t->builder, add_weights(t, message, field, 1, &n),
                           &(struct graph_shape){1, {channels}});
}

/* Bounded before it is multiplied; false is an error of the builder. */
static bool is_bounded(struct translation *t, uint32_t rank, const int64_t *size)
{
    int64_t left = MAP_MAX_SIZE;
    for (uint32_t i = 0; i < rank; i++) {
        if (size[i] < 1 || size[i] > left) {
            graph_fail(&t->builder, MODEL_CORRUPT,
                       "weights with a dimension of %lld: that is none, or too many",
                       (long long)size[i]);
            return false;
        }
        left /= size[i];
    }
    return true;
}

/* Numbers that are floats where they stand in the file, which is open until the graph is finished. */
static bool is_view(const struct coreml_weights *weights)
{
    return (weights->form == COREML_WEIGHTS_F32 || weights->form == COREML_WEIGHTS_F16) &&
           (uintptr_t)weights->data % sizeof(float) == 0;
}

uint32_t add_weights(struct translation *t, const coreml_message *message, const char *field,
                     uint32_t rank, const int64_t *size)
{
    struct coreml_weights weights;
    struct graph_shape shape = {.rank = rank};
    if (t->builder.status != MODEL_OK || !is_bounded(t, rank, size))
        return GRAPH_NONE;
    memcpy(shape.size, size, rank * sizeof *size);
    const size_t n = graph_shape_size(&shape);
    t->builder.status = coreml_weights_read(coreml_child(message, field), t->builder.layer,
                                            &weights, t->builder.err);
    /* Checked before memory is asked for: a small file may name large weights. */
    if (t->builder.status == MODEL_OK)
        t->builder.status =
            coreml_weights_check(&weights, n, (uint64_t)size[0], t->builder.layer, t->builder.err);
    if (t->builder.status != MODEL_OK)
        return GRAPH_NONE;
    if (is_view(&weights))
        return graph_add_constant(&t->builder,
                                  weights.form == COREML_WEIGHTS_F32 ? MODEL_F32 : MODEL_F16,
                                  &shape, weights.data);
    float *data = kernels_allocate(t->builder.graph->kernels, n * sizeof *data);
    if (data == NULL) {
        graph_fail(&t->builder, MODEL_OUT_OF_MEMORY, "no memory for %zu weights", n);
        return GRAPH_NONE;
    }
    t->builder.status = coreml_weights_to_float32(&weights, n, (uint64_t)size[0], t->builder.layer,
                                                  data, t->builder.err);
    return graph_give_constant(&t->builder, MODEL_F32, &shape, data);
}

uint32_t add_map_weights(struct translation *t, const coreml_message *message, const char *field,
                         int64_t channels, int64_t height, int64_t width)
{
    const uint32_t planes = add_weights(t, message, field, 3, (int64_t[]){channels, height, width});
    return map_from_planes(
        t, graph_reshape(&t->builder, planes, 4, (int64_t[]){1, channels, height, width}));
}

uint32_t add_vector(struct translation *t, int64_t n, float number)
{
    float *data = NULL;
    if (t->builder.status == MODEL_OK)
        data = kernels_allocate(t->builder.graph->kernels, (size_t)n * sizeof *data);
    if (data == NULL) {
        graph_fail(&t->builder, MODEL_OUT_OF_MEMORY, "no memory for %lld numbers", (long long)n);
        return GRAPH_NONE;
    }
    for (int64_t i = 0; i < n; i++)
        data[i] = number;
    return graph_give_constant(&t->builder, MODEL_F32, &(struct graph_shape){1, {n}}, data);
}

uint32_t map_to_planes(struct translation *t, uint32_t x)
{
    return graph_transpose(&t->builder, x, (uint32_t[]){MAP_N, MAP_C, MAP_H, MAP_W});
}

uint32_t map_from_planes(struct translation *t, uint32_t x)
{
    return graph_transpose(&t->builder, x, (uint32_t[]){0, 2, 3, 1});
}

int64_t map_extent(const struct translation *t, uint32_t x, uint32_t dimension)
{
    const struct graph_shape shape = graph_shape_of(&t->builder, x);
    return dimension < shape.rank ? shape.size[dimension] : 1;
}

int64_t int_or(const coreml_message *message, const char *field, size_t i, int64_t fallback)
{
    return i < coreml_count(message, field) ? coreml_int_at(message, field, i) : fallback;
}

uint32_t read_choice(struct translation *t, const coreml_message *message, const char *field,
                     uint32_t n)
{
    const int64_t number = coreml_int(message, field);
    if (number >= 0 && number < (int64_t)n)
        return (uint32_t)number;
    graph_fail(&t->builder, MODEL_UNSUPPORTED, "'%s' whose %s is %lld, want 0 to %u",
               t->layer->kind_name, field, (long long)number, n - 1);
    return 0;
}

void read_borders(const coreml_message *message, const char *field, int64_t begin[2],
                  int64_t end[2])
{
    const coreml_message *borders = coreml_child(message, field);
    for (size_t i = 0; i < 2; i++) {
        const coreml_message *edges = i < coreml_count(borders, "borderAmounts")
                                          ? coreml_child_at(borders, "borderAmounts", i)
                                          : NULL;
        begin[i] = coreml_int(edges, "startEdgeSize");
        end[i] = coreml_int(edges, "endEdgeSize");
    }
}

bool declares(struct translation *t, const char *field, int64_t found)
{
    const int64_t declared = coreml_int(t->layer->params, field);
    if (declared == 0 || declared == found)
        return true;
    graph_fail(&t->builder, MODEL_CORRUPT, "'%s' whose %s is %lld, and its input has %lld",
               t->layer->kind_name, field, (long long)declared, (long long)found);
    return false;
}

bool expects(struct translation *t, size_t min_inputs, size_t max_inputs, size_t n_outputs)
{
    const struct coreml_layer *layer = t->layer;
    if (layer->n_inputs >= min_inputs && layer->n_inputs <= max_inputs &&
        layer->n_outputs == n_outputs)
        return true;
    graph_fail(&t->builder, MODEL_UNSUPPORTED,
               "%s with %zu inputs and %zu outputs, want %zu to %zu and %zu", layer->kind_name,
               layer->n_inputs, layer->n_outputs, min_inputs, max_inputs, n_outputs);
    return false;
}
