/* operator_choose.c - what takes numbers from places: gather, select, broadcast. */
#include "operators.h"

#include <string.h>

/* ---- gather */

static void infer_gather(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    const struct graph_shape *places = input_shape(shapes->graph, shapes->node, 1);
    const uint32_t axis = shapes->node->attributes.along.axis;
    if (axis >= x->rank || x->rank + places->rank > MODEL_MAX_RANK + 1) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "gathers along dimension %u of %u, at places of %u dimensions", axis, x->rank,
                   places->rank);
        return;
    }
    for (uint32_t i = 0; i < axis; i++)
        shapes->ret->size[shapes->ret->rank++] = x->size[i];
    for (uint32_t i = 0; i < places->rank; i++)
        shapes->ret->size[shapes->ret->rank++] = places->size[i];
    for (uint32_t i = axis + 1; i < x->rank; i++)
        shapes->ret->size[shapes->ret->rank++] = x->size[i];
}

/* Places outside are those at the end that is nearer: a run has no other answer to them. */
size_t gather_place(float place, int64_t size)
{
    const double from_start = (double)place < 0 ? (double)place + (double)size : (double)place;
    return from_start >= (double)size ? (size_t)size - 1 : from_start >= 0 ? (size_t)from_start : 0;
}

static void run_gather(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, 0);
    const uint32_t axis = call->node->attributes.along.axis;
    const size_t n_places = graph_shape_size(input_shape(call->graph, call->node, 1));
    const float *data = input_data(call, 0), *places = input_data(call, 1);
    float *y = call->y;
    size_t outer = 1, inner = 1;
    for (uint32_t i = 0; i < x->rank; i++) {
        outer *= i < axis ? (size_t)x->size[i] : 1;
        inner *= i > axis ? (size_t)x->size[i] : 1;
    }
    for (size_t o = 0; o < outer; o++, data += (size_t)x->size[axis] * inner)
        for (size_t i = 0; i < n_places; i++, y += inner)
            memcpy(y, data + gather_place(places[i], x->size[axis]) * inner, inner * sizeof *y);
}

const struct operator_type operator_gather = {.name = "gathering",
                                              .min_inputs = 2,
                                              .max_inputs = 2,
                                              .infer = infer_gather,
                                              .run = run_gather};

/* ---- select */

static void infer_select(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    for (uint32_t i = 1; i < 3; i++)
        if (!graph_shape_equal(x, input_shape(shapes->graph, shapes->node, i))) {
            graph_fail(shapes->builder, MODEL_CORRUPT, "chooses at %s from %s",
                       graph_shape_text(x, first),
                       graph_shape_text(input_shape(shapes->graph, shapes->node, i), second));
            return;
        }
    *shapes->ret = *x;
}

static void run_select(const struct operator_call *call)
{
    const float *where = input_data(call, 0), *x = input_data(call, 1), *y = input_data(call, 2);
    const size_t n = graph_shape_size(input_shape(call->graph, call->node, 0));
    for (size_t i = 0; i < n; i++)
        call->y[i] = where[i] != 0 ? x[i] : y[i];
}

const struct operator_type operator_select = {
    .name = "a choice", .min_inputs = 3, .max_inputs = 3, .infer = infer_select, .run = run_select};

/* ---- broadcast */

static void infer_broadcast(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    const struct graph_shape *to = &shapes->node->attributes.reshape;
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    bool fits = to->rank >= x->rank && to->rank <= MODEL_MAX_RANK;
    for (uint32_t i = 0; fits && i < x->rank; i++)
        fits = x->size[i] == 1 || x->size[i] == to->size[to->rank - x->rank + i];
    if (!fits) {
        graph_fail(shapes->builder, MODEL_CORRUPT, "%s does not become %s",
                   graph_shape_text(x, first), graph_shape_text(to, second));
        return;
    }
    *shapes->ret = *to;
}

static void run_broadcast(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, 0);
    const struct graph_shape *to = &call->graph->values[call->node->output].shape;
    int64_t own[MODEL_MAX_RANK], strides[MODEL_MAX_RANK] = {0};
    dense_strides(x, own);
    for (uint32_t i = 0; i < x->rank; i++)
        strides[to->rank - x->rank + i] = x->size[i] == 1 ? 0 : own[i];
    strided_copy(call, to, input_data(call, 0), strides, call->y);
}

const struct operator_type operator_broadcast = {.name = "broadcasting",
                                                 .min_inputs = 1,
                                                 .max_inputs = 1,
                                                 .infer = infer_broadcast,
                                                 .run = run_broadcast};
