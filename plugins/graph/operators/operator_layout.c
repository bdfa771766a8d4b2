/* operator_layout.c - what moves numbers without computing: reshape, transpose, concatenation, slices, padding. */
#include "operators.h"

#include <string.h>

static void fail_shape(struct operator_shapes *shapes, const char *what)
{
    char text[GRAPH_SHAPE_BYTES];
    graph_fail(shapes->builder, MODEL_CORRUPT, "%s a value of shape %s: %s",
               operator_of(shapes->node->kind)->name,
               graph_say_shape(shapes->builder, input_shape(shapes->graph, shapes->node, 0), text),
               what);
}

/* ---- reshape: the plan makes both values one memory, and nothing runs */

static void infer_reshape(struct operator_shapes *shapes)
{
    const struct graph_shape *to = &shapes->node->attributes.reshape;
    int64_t n = 1;
    for (uint32_t i = 0; i < to->rank && n > 0; i++)
        n = to->size[i] < 1 || to->size[i] > MAP_MAX_SIZE / n ? 0 : n * to->size[i];
    if (n < 1 || (size_t)n != graph_shape_size(input_shape(shapes->graph, shapes->node, 0))) {
        char text[GRAPH_SHAPE_BYTES];
        fail_shape(shapes, graph_say_shape(shapes->builder, to, text));
        return;
    }
    *shapes->ret = *to;
}

static void run_reshape(const struct operator_call *call)
{
    const float *x = input_data(call, 0);
    if (x != call->y)
        memcpy(call->y, x, graph_shape_size(input_shape(call->graph, call->node, 0)) * sizeof *x);
}

const struct operator_type operator_reshape = {.name = "reshaping",
                                               .min_inputs = 1,
                                               .max_inputs = 1,
                                               .in_place = true,
                                               .infer = infer_reshape,
                                               .run = run_reshape};

/* ---- transpose */

static void infer_transpose(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    uint32_t seen = 0;
    shapes->ret->rank = x->rank;
    for (uint32_t i = 0; i < x->rank; i++) {
        const uint32_t from = shapes->node->attributes.order[i];
        if (from >= x->rank || (seen >> from & 1) != 0) {
            fail_shape(shapes, "an order that is none");
            return;
        }
        seen |= 1u << from;
        shapes->ret->size[i] = x->size[from];
    }
}

static void run_transpose(const struct operator_call *call)
{
    static const uint32_t from_planes[] = {0, 2, 3, 1}, to_planes[] = {0, 3, 1, 2};
    const struct graph_shape *x = input_shape(call->graph, call->node, 0);
    const struct graph_shape *y = &call->graph->values[call->node->output].shape;
    const uint32_t *order = call->node->attributes.order;
    const float *data = input_data(call, 0);
    if (x->rank == 4 && memcmp(order, from_planes, sizeof from_planes) == 0) {
        feature_map_from_planes(call->graph->kernels, data, shape_as_map(y), call->y);
        return;
    }
    if (x->rank == 4 && memcmp(order, to_planes, sizeof to_planes) == 0) {
        feature_map_to_planes(call->graph->kernels, data, shape_as_map(x), call->y);
        return;
    }
    int64_t own[MODEL_MAX_RANK], strides[MODEL_MAX_RANK] = {0};
    dense_strides(x, own);
    for (uint32_t i = 0; i < x->rank; i++)
        strides[i] = own[order[i]];
    strided_copy(call, y, data, strides, call->y);
}

const struct operator_type operator_transpose = {.name = "transposing",
                                                 .min_inputs = 1,
                                                 .max_inputs = 1,
                                                 .infer = infer_transpose,
                                                 .run = run_transpose};

/* ---- concatenation */

static void infer_concat(struct operator_shapes *shapes)
{
    const struct graph_node *node = shapes->node;
    const uint32_t axis = node->attributes.along.axis;
    *shapes->ret = *input_shape(shapes->graph, node, 0);
    if (axis >= shapes->ret->rank) {
        fail_shape(shapes, "there is no such dimension");
        return;
    }
    for (uint32_t k = 1; k < node->n_inputs; k++) {
        const struct graph_shape *x = input_shape(shapes->graph, node, k);
        struct graph_shape same = *x;
        if (x->rank == shapes->ret->rank)
            same.size[axis] = shapes->ret->size[axis];
        if (!graph_shape_equal(&same, shapes->ret)) {
            char text[GRAPH_SHAPE_BYTES];
            fail_shape(shapes, graph_say_shape(shapes->builder, x, text));
            return;
        }
        shapes->ret->size[axis] += x->size[axis];
    }
}

static void run_concat(const struct operator_call *call)
{
    const struct graph_node *node = call->node;
    const struct graph_shape *to = &call->graph->values[node->output].shape;
    size_t inner = 1, at = 0;
    for (uint32_t i = node->attributes.along.axis; i < to->rank; i++)
        inner *= (size_t)to->size[i];
    const size_t outer = graph_shape_size(to) / inner;
    for (uint32_t k = 0; k < node->n_inputs; k++) {
        const float *x = input_data(call, k);
        const size_t width = graph_shape_size(input_shape(call->graph, node, k)) / outer;
        for (size_t i = 0; i < outer; i++)
            memcpy(call->y + i * inner + at, x + i * width, width * sizeof *x);
        at += width;
    }
}

const struct operator_type operator_concat = {.name = "joining",
                                              .min_inputs = 1,
                                              .max_inputs = GRAPH_MAX_INPUTS,
                                              .infer = infer_concat,
                                              .run = run_concat};

/* ---- slices */

static void infer_slice(struct operator_shapes *shapes)
{
    const struct graph_attributes *a = &shapes->node->attributes;
    *shapes->ret = *input_shape(shapes->graph, shapes->node, 0);
    for (uint32_t i = 0; i < shapes->ret->rank; i++) {
        const bool back = a->slice.stride[i] < 0;
        const int64_t size = shapes->ret->size[i], stride = a->slice.stride[i];
        const int64_t begin = a->slice.begin[i], end = a->slice.end[i];
        const bool inside = back ? end >= -1 && end < begin && begin < size
                                 : begin >= 0 && begin < end && end <= size;
        if (!inside || stride == 0) {
            fail_shape(shapes, "a slice outside it, or empty");
            return;
        }
        /* Divided before it is turned: the smallest stride has no positive twin. */
        shapes->ret->size[i] = (back ? (end - begin + 1) / stride : (end - begin - 1) / stride) + 1;
    }
}

static void run_slice(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, 0);
    const struct graph_attributes *a = &call->node->attributes;
    const float *data = input_data(call, 0);
    int64_t strides[MODEL_MAX_RANK] = {0};
    dense_strides(x, strides);
    for (uint32_t i = 0; i < x->rank; i++) {
        data += a->slice.begin[i] * strides[i];
        /* A single index has no neighbour, and its stride may be anything. */
        strides[i] *=
            call->graph->values[call->node->output].shape.size[i] > 1 ? a->slice.stride[i] : 1;
    }
    strided_copy(call, &call->graph->values[call->node->output].shape, data, strides, call->y);
}

const struct operator_type operator_slice = {
    .name = "slicing", .min_inputs = 1, .max_inputs = 1, .infer = infer_slice, .run = run_slice};

/* ---- padding of maps */

static void infer_pad(struct operator_shapes *shapes)
{
    const struct graph_attributes *a = &shapes->node->attributes;
    if (!input_is_map(shapes))
        return;
    *shapes->ret = *input_shape(shapes->graph, shapes->node, 0);
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t size = shapes->ret->size[1 + i], begin = a->pad.begin[i], end = a->pad.end[i];
        const int64_t limit = a->pad.mode == PAD_REFLECT ? size - 1 : MAP_MAX_SIZE;
        if (begin < 0 || end < 0 || begin > limit || end > limit) {
            fail_shape(shapes, "more than there is to reflect, or than fits");
            return;
        }
        shapes->ret->size[1 + i] += begin + end;
    }
}

/* Which place of a row of n stands at i, before 0 and behind n too. */
static int64_t source_of(enum graph_pad mode, int64_t i, int64_t n)
{
    if (mode == PAD_REFLECT)
        return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void run_pad(const struct operator_call *call)
{
    const struct graph_attributes *a = &call->node->attributes;
    const struct map_shape from = shape_as_map(input_shape(call->graph, call->node, 0));
    const struct map_shape to = shape_as_map(&call->graph->values[call->node->output].shape);
    const float *x = input_data(call, 0);
    float *y = call->y;
    if (a->pad.mode == PAD_CONSTANT) {
        pad_map(x, from, a->pad.begin[0], a->pad.begin[1], to, a->pad.value, y);
        return;
    }
    for (int64_t b = 0; b < to.batch; b++)
        for (int64_t r = 0; r < to.height; r++) {
            const int64_t row = source_of(a->pad.mode, r - a->pad.begin[0], from.height);
            for (int64_t q = 0; q < to.width; q++, y += to.channels)
                memcpy(y,
                       x + ((b * from.height + row) * from.width +
                            source_of(a->pad.mode, q - a->pad.begin[1], from.width)) *
                               from.channels,
                       (size_t)from.channels * sizeof *y);
        }
}

const struct operator_type operator_pad = {
    .name = "padding", .min_inputs = 1, .max_inputs = 1, .infer = infer_pad, .run = run_pad};
