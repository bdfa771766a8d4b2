/* operator_binary.c - sums, products and the like of two values, broadcast as numpy does. */
#include "operators.h"

#include <math.h>

struct pairing {
    const struct operator_call *call;
    const struct graph_shape *shape;
    int64_t x_strides[MODEL_MAX_RANK], y_strides[MODEL_MAX_RANK]; /* 0 where it is broadcast */
    size_t inner;                                                 /* the last dimension */
};

static void infer(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    const struct graph_shape *y = input_shape(shapes->graph, shapes->node, 1);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    if (!broadcast_shape(x, y, shapes->ret))
        graph_fail(shapes->builder, MODEL_CORRUPT, "values of shapes %s and %s do not go together",
                   graph_say_shape(shapes->builder, x, first),
                   graph_say_shape(shapes->builder, y, second));
}

static float pair(enum graph_binary function, float x, float y)
{
    switch (function) {
    case BINARY_MULTIPLY:
        return x * y;
    case BINARY_MAX: /* a NaN on either side stays */
        return x != x || x > y ? x : y;
    case BINARY_MIN:
        return x != x || x < y ? x : y;
    case BINARY_SUBTRACT:
        return x - y;
    case BINARY_DIVIDE:
        return x / y;
    case BINARY_FLOOR_DIVIDE:
        return floorf(x / y);
    case BINARY_MODULO:
        return x - y * floorf(x / y);
    case BINARY_POWER:
        return powf(x, y);
    case BINARY_EQUAL:
        return x == y ? 1 : 0;
    case BINARY_LESS:
        return x < y ? 1 : 0;
    case BINARY_LESS_EQUAL:
        return x <= y ? 1 : 0;
    default:
        return x + y;
    }
}

static void pair_row(enum graph_binary function, const float *x, int64_t x_step, const float *y,
                     int64_t y_step, size_t n, float *ret)
{
    if (function == BINARY_ADD && x_step == 1 && y_step == 1)
        for (size_t i = 0; i < n; i++)
            ret[i] = x[i] + y[i];
    else
        for (size_t i = 0; i < n; i++, x += x_step, y += y_step)
            ret[i] = pair(function, *x, *y);
}

static void pair_one(void *argument, size_t index)
{
    const struct pairing *p = argument;
    const uint32_t last = p->shape->rank - 1;
    const float *x = input_data(p->call, 0), *y = input_data(p->call, 1);
    size_t rest = index;
    for (uint32_t i = last; i-- > 0;) {
        const int64_t at = (int64_t)(rest % (size_t)p->shape->size[i]);
        rest /= (size_t)p->shape->size[i];
        x += at * p->x_strides[i];
        y += at * p->y_strides[i];
    }
    pair_row(p->call->node->attributes.binary.function, x, p->x_strides[last], y,
             p->y_strides[last], p->inner, p->call->y + index * p->inner);
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, 0);
    const struct graph_shape *y = input_shape(call->graph, call->node, 1);
    const struct graph_shape *shape = &call->graph->values[call->node->output].shape;
    struct graph_shape flat = {2, {1, (int64_t)graph_shape_size(shape)}};
    struct pairing pairing = {.call = call, .shape = shape};
    if (shape->rank == 0 || graph_shape_equal(x, y)) {
        /* One long row for each of up to 64 threads. */
        for (flat.size[0] = 64; flat.size[1] % flat.size[0] != 0;)
            flat.size[0] /= 2;
        flat.size[1] /= flat.size[0];
        pairing.shape = &flat;
        dense_strides(&flat, pairing.x_strides);
        dense_strides(&flat, pairing.y_strides);
    } else {
        broadcast_strides(x, shape->rank, pairing.x_strides);
        broadcast_strides(y, shape->rank, pairing.y_strides);
    }
    pairing.inner = (size_t)pairing.shape->size[pairing.shape->rank - 1];
    const size_t n = graph_shape_size(shape);
    operator_parallel(call, n / pairing.inner, n, pair_one, &pairing);
}

const struct operator_type operator_binary = {
    .name = "arithmetic", .min_inputs = 2, .max_inputs = 2, .infer = infer, .run = run};
