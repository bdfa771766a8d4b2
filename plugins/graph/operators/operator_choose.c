/* operator_choose.c - what chooses numbers where they stand: select, the band of a matrix; and broadcast. */
#include "operators.h"

/* ---- select */

static void infer_select(struct operator_shapes *shapes)
{
    const struct graph_shape *where = input_shape(shapes->graph, shapes->node, 0);
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 1);
    const struct graph_shape *y = input_shape(shapes->graph, shapes->node, 2);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES], third[GRAPH_SHAPE_BYTES];
    struct graph_shape both;
    if (!broadcast_shape(x, y, &both) || !broadcast_shape(where, &both, shapes->ret))
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "a choice at %s from %s and %s, which do not go together",
                   graph_shape_text(where, first), graph_shape_text(x, second),
                   graph_shape_text(y, third));
}

struct choosing {
    const struct operator_call *call;
    const struct graph_shape *shape;
    int64_t strides[3][MODEL_MAX_RANK];
};

/* One row of the last dimension. */
static void choose_row(void *argument, size_t index)
{
    const struct choosing *c = argument;
    const uint32_t last = c->shape->rank - 1;
    const size_t n = (size_t)c->shape->size[last];
    const float *from[3];
    for (uint32_t k = 0; k < 3; k++) {
        from[k] = input_data(c->call, k);
        size_t rest = index;
        for (uint32_t i = last; i-- > 0; rest /= (size_t)c->shape->size[i])
            from[k] += (int64_t)(rest % (size_t)c->shape->size[i]) * c->strides[k][i];
    }
    float *y = c->call->y + index * n;
    for (size_t i = 0; i < n; i++) {
        y[i] = *from[0] != 0 ? *from[1] : *from[2];
        for (uint32_t k = 0; k < 3; k++)
            from[k] += c->strides[k][last];
    }
}

static void run_select(const struct operator_call *call)
{
    struct graph_shape shape = call->graph->values[call->node->output].shape;
    struct choosing choosing = {.call = call, .shape = &shape};
    if (shape.rank == 0)
        shape = (struct graph_shape){1, {1}};
    for (uint32_t k = 0; k < 3; k++)
        broadcast_strides(input_shape(call->graph, call->node, k), shape.rank, choosing.strides[k]);
    const size_t n = graph_shape_size(&shape);
    operator_parallel(call, n / (size_t)shape.size[shape.rank - 1], n, choose_row, &choosing);
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

/* ---- band */

static void infer_band(struct operator_shapes *shapes)
{
    char text[GRAPH_SHAPE_BYTES];
    *shapes->ret = *input_shape(shapes->graph, shapes->node, 0);
    if (shapes->ret->rank < 2)
        graph_fail(shapes->builder, MODEL_CORRUPT, "a band of %s, want a matrix",
                   graph_shape_text(shapes->ret, text));
}

/* One row of a matrix. */
static void band_row(void *argument, size_t index)
{
    const struct operator_call *call = argument;
    const struct graph_shape *shape = input_shape(call->graph, call->node, 0);
    const int64_t lower = call->node->attributes.band.lower;
    const int64_t upper = call->node->attributes.band.upper;
    const int64_t n = shape->size[shape->rank - 1];
    const int64_t row = (int64_t)index % shape->size[shape->rank - 2];
    const float *x = input_data(call, 0) + index * (size_t)n;
    float *y = call->y + index * (size_t)n;
    for (int64_t i = 0; i < n; i++)
        y[i] = (lower < 0 || row - i <= lower) && (upper < 0 || i - row <= upper) ? x[i] : 0;
}

static void run_band(const struct operator_call *call)
{
    const struct graph_shape *shape = input_shape(call->graph, call->node, 0);
    const size_t size = graph_shape_size(shape);
    struct operator_call copy = *call;
    operator_parallel(call, size / (size_t)shape->size[shape->rank - 1], size, band_row, &copy);
}

const struct operator_type operator_band = {.name = "a band",
                                            .min_inputs = 1,
                                            .max_inputs = 1,
                                            .in_place = true,
                                            .infer = infer_band,
                                            .run = run_band};
