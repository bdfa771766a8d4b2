/* translate_layout.c - layers that move numbers: flatten, reshape, permute, concat, slices, crop, padding,
 * resizing; and reductions along dimensions. */
#include "translate.h"

#include <string.h>

enum { CHANNEL_FIRST, CHANNEL_LAST };

void translate_flatten(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t x = t->inputs[0];
    const int64_t n = map_extent(t, x, MAP_N);
    const int64_t size =
        map_extent(t, x, MAP_C) * map_extent(t, x, MAP_H) * map_extent(t, x, MAP_W);
    const bool planes = read_choice(t, t->layer->params, "mode", 2) == CHANNEL_FIRST;
    t->outputs[0] =
        graph_reshape(&t->builder, planes ? map_to_planes(t, x) : x, 4, (int64_t[]){n, 1, 1, size});
}

/* To [C, H, W], or with the sequence before them. */
void translate_reshape(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const size_t rank = coreml_count(params, "targetShape"), first = rank == 4 ? 1 : 0;
    if (!expects(t, 1, 1, 1))
        return;
    if (rank != 3 && rank != 4) {
        graph_fail(&t->builder, MODEL_CORRUPT, "a targetShape of %zu dimensions, want 3 or 4",
                   rank);
        return;
    }
    const uint32_t x = t->inputs[0];
    const int64_t n = rank == 4 ? coreml_int_at(params, "targetShape", 0) : map_extent(t, x, MAP_N);
    const int64_t c = coreml_int_at(params, "targetShape", first);
    const int64_t h = coreml_int_at(params, "targetShape", first + 1);
    const int64_t w = coreml_int_at(params, "targetShape", first + 2);
    if (read_choice(t, params, "mode", 2) == CHANNEL_LAST)
        t->outputs[0] = graph_reshape(&t->builder, x, 4, (int64_t[]){n, h, w, c});
    else
        t->outputs[0] = map_from_planes(
            t, graph_reshape(&t->builder, map_to_planes(t, x), 4, (int64_t[]){n, c, h, w}));
}

/* axis: which of [sequence, C, H, W] stands at each place. */
void translate_permute(struct translation *t)
{
    static const uint32_t map_of_plane[] = {MAP_N, MAP_C, MAP_H, MAP_W};
    static const uint32_t plane_of_map[] = {0, 2, 3, 1};
    uint32_t order[4];
    if (!expects(t, 1, 1, 1))
        return;
    for (uint32_t i = 0; i < 4; i++) {
        const int64_t axis = int_or(t->layer->params, "axis", plane_of_map[i], -1);
        if (axis < 0 || axis > 3) {
            graph_fail(&t->builder, MODEL_CORRUPT, "an axis of %lld, want four from 0 to 3",
                       (long long)axis);
            return;
        }
        order[i] = map_of_plane[axis];
    }
    t->outputs[0] = graph_transpose(&t->builder, t->inputs[0], order);
}

void translate_concat(struct translation *t)
{
    const bool sequence = coreml_bool(t->layer->params, "sequenceConcat");
    if (expects(t, 1, GRAPH_MAX_INPUTS, 1))
        t->outputs[0] =
            graph_add(&t->builder, GRAPH_CONCAT, (uint32_t)t->layer->n_inputs, t->inputs,
                      &(struct graph_attributes){.along = {sequence ? MAP_N : MAP_C}});
}

/* Indices [begin, end) of each `stride` along one dimension of a map. */
static uint32_t slice_map(struct translation *t, uint32_t x, uint32_t dimension, int64_t begin,
                          int64_t end, int64_t stride)
{
    struct graph_attributes a = {.slice = {.stride = {1, 1, 1, 1}}};
    for (uint32_t i = 0; i < 4; i++)
        a.slice.end[i] = map_extent(t, x, i);
    a.slice.begin[dimension] = begin;
    a.slice.end[dimension] = end;
    a.slice.stride[dimension] = stride;
    return graph_add(&t->builder, GRAPH_SLICE, 1, &x, &a);
}

void translate_split(struct translation *t)
{
    const int64_t n = (int64_t)t->layer->n_outputs;
    if (!expects(t, 1, 1, t->layer->n_outputs))
        return;
    const int64_t channels = map_extent(t, t->inputs[0], MAP_C);
    if (n < 1 || coreml_int(t->layer->params, "nOutputs") != n || channels % n != 0) {
        graph_fail(&t->builder, MODEL_CORRUPT, "%lld channels do not split into %lld outputs",
                   (long long)channels, (long long)n);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        t->outputs[i] =
            slice_map(t, t->inputs[0], MAP_C, i * (channels / n), (i + 1) * (channels / n), 1);
}

void translate_slice(struct translation *t)
{
    static const uint32_t dimensions[] = {MAP_C, MAP_H, MAP_W};
    const coreml_message *params = t->layer->params;
    const uint32_t axis = read_choice(t, params, "axis", 3);
    const int64_t stride = coreml_int(params, "stride");
    int64_t begin = coreml_int(params, "startIndex"), end = coreml_int(params, "endIndex");
    if (!expects(t, 1, 1, 1))
        return;
    const int64_t size = map_extent(t, t->inputs[0], dimensions[axis]);
    /* Negative ones count from the end. */
    begin += begin < 0 ? size : 0;
    end += end < 0 ? size : 0;
    t->outputs[0] =
        slice_map(t, t->inputs[0], dimensions[axis], begin, end, stride != 0 ? stride : 1);
}

/* By amounts, or to the size of a second blob from an offset on. */
void translate_crop(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    int64_t begin[2], end[2];
    if (!expects(t, 1, 2, 1))
        return;
    uint32_t y = t->inputs[0];
    read_borders(params, "cropAmounts", begin, end);
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t size = map_extent(t, y, MAP_H + i);
        if (t->layer->n_inputs == 2) {
            begin[i] = int_or(params, "offset", i, 0);
            end[i] =
                begin[i] > size ? size : size - begin[i] - map_extent(t, t->inputs[1], MAP_H + i);
        }
        y = slice_map(t, y, MAP_H + i, begin[i], end[i] > size ? -1 : size - end[i], 1);
    }
    t->outputs[0] = y;
}

void translate_padding(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    struct graph_attributes a = {.pad = {.mode = PAD_CONSTANT}};
    if (!expects(t, 1, 1, 1))
        return;
    if (coreml_child(params, "reflection") != NULL)
        a.pad.mode = PAD_REFLECT;
    else if (coreml_child(params, "replication") != NULL)
        a.pad.mode = PAD_REPLICATE;
    else
        a.pad.value = coreml_float(coreml_child(params, "constant"), "value");
    read_borders(params, "paddingAmounts", a.pad.begin, a.pad.end);
    t->outputs[0] = graph_add(&t->builder, GRAPH_PAD, 1, t->inputs, &a);
}

static void resize(struct translation *t, enum graph_resize mode, const int64_t size[2])
{
    t->outputs[0] =
        graph_add(&t->builder, GRAPH_RESIZE, 1, t->inputs,
                  &(struct graph_attributes){.resize = {.mode = mode, .size = {size[0], size[1]}}});
}

void translate_upsample(struct translation *t)
{
    static const enum graph_resize modes[] = {RESIZE_UPSAMPLE, RESIZE_ALIGN_CORNERS,
                                              RESIZE_HALF_PIXEL};
    const coreml_message *params = t->layer->params;
    const uint32_t linear = read_choice(t, params, "linearUpsampleMode", 3);
    const bool nearest = read_choice(t, params, "mode", 2) == 0;
    int64_t size[2];
    if (!expects(t, 1, 1, 1))
        return;
    if (coreml_count(params, "fractionalScalingFactor") > 0) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "upsampling by a fraction is not computed");
        return;
    }
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t factor = int_or(params, "scalingFactor", i, 1);
        size[i] =
            factor < 1 || factor > 65536 ? 0 : factor * map_extent(t, t->inputs[0], MAP_H + i);
    }
    resize(t, nearest ? RESIZE_NEAREST : modes[linear], size);
}

void translate_resize_bilinear(struct translation *t)
{
    static const enum graph_resize modes[] = {RESIZE_ALIGN_CORNERS, RESIZE_ALIGN_MIDDLE,
                                              RESIZE_UPSAMPLE};
    const coreml_message *params = t->layer->params;
    const int64_t size[] = {int_or(params, "targetSize", 0, 1), int_or(params, "targetSize", 1, 1)};
    if (expects(t, 1, 1, 1))
        resize(t, modes[read_choice(t, coreml_child(params, "mode"), "samplingMethod", 3)], size);
}

/* Boxes of a picture, each resized by itself; what is outside the picture is 0. */
void exact_crop_resize(struct translation *t)
{
    static const enum graph_resize modes[] = {RESIZE_ALIGN_CORNERS, RESIZE_ALIGN_MIDDLE,
                                              RESIZE_UPSAMPLE, RESIZE_OFFSET};
    const coreml_message *params = t->layer->params;
    const coreml_message *sampling = coreml_child(params, "mode");
    const coreml_message *form = coreml_child(params, "boxIndicesMode");
    const float scale = coreml_float(params, "spatialScale");
    if (!expects(t, 2, 2, 1))
        return;
    const struct graph_boxes how = {
        .form = (enum graph_box_form)read_choice(t, form, "boxMode", 4),
        .mode = modes[read_choice(t, sampling, "samplingMethod", 4)],
        .normalized = coreml_bool(params, "normalizedCoordinates"),
        .scale = scale != 0 ? scale : 1,
        .size = {int_or(params, "targetSize", 0, 1), int_or(params, "targetSize", 1, 1)}};
    t->outputs[0] = graph_crop_boxes(&t->builder, blob_map(t, t->inputs[0]), t->inputs[1], &how,
                                     &(struct graph_sampling){.outside = OUTSIDE_POINT});
}

void translate_reduce(struct translation *t)
{
    static const uint32_t dimensions[] = {1u << MAP_C | 1u << MAP_H | 1u << MAP_W,
                                          1u << MAP_H | 1u << MAP_W, 1u << MAP_C, 1u << MAP_H,
                                          1u << MAP_W};
    const coreml_message *params = t->layer->params;
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t mode = read_choice(t, params, "mode", N_GRAPH_REDUCES);
    const struct graph_attributes a = {
        .reduce = {.mode = (enum graph_reduce)mode,
                   .axes = dimensions[read_choice(t, params, "axis", 5)],
                   .epsilon = coreml_float(params, "epsilon")}};
    t->outputs[0] = graph_add(&t->builder, GRAPH_REDUCE, 1, t->inputs, &a);
}
