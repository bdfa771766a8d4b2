/* operator_pool.c - pooling: by the kernels where they have it, else one place after the other. */
#include "operators.h"

#include <math.h>
#include <string.h>

static void infer(struct operator_shapes *shapes)
{
    const struct graph_window *window = &shapes->node->attributes.pool.window;
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    char text[GRAPH_SHAPE_BYTES];
    if (!input_is_map(shapes) || !window_is_sound(shapes, window))
        return;
    *shapes->ret = *x;
    for (uint32_t axis = 0; axis < 2; axis++) {
        const int64_t size = shapes->ret->size[1 + axis];
        const int64_t extent = window_extent(window, axis, size);
        if (extent < 1) {
            graph_fail(shapes->builder, MODEL_CORRUPT,
                       "pooling by %lld x %lld does not fit a map of shape %s",
                       (long long)window->kernel[0], (long long)window->kernel[1],
                       graph_say_map(x, text));
            return;
        }
        /* Each window must touch the map, or there is nothing to take the largest of. */
        if (window->begin[axis] >= window->kernel[axis] ||
            (extent - 1) * window->stride[axis] >= size + window->begin[axis]) {
            graph_fail(shapes->builder, MODEL_CORRUPT,
                       "pooling pads the %s %lld of a map of shape %s by %lld before and %lld "
                       "behind, and a window of %lld would lie in the padding alone",
                       axis == 0 ? "height" : "width", (long long)size, graph_say_map(x, text),
                       (long long)window->begin[axis], (long long)window->end[axis],
                       (long long)window->kernel[axis]);
            return;
        }
        shapes->ret->size[1 + axis] = extent;
    }
}

struct pooling {
    const struct operator_call *call;
    struct map_shape from, to;
    const float *x;
};

static int64_t at_least(int64_t x, int64_t min)
{
    return x < min ? min : x;
}

static int64_t at_most(int64_t x, int64_t max)
{
    return x > max ? max : x;
}

/* One place of the result, from the numbers [top, bottom) x [left, right) of the map. */
static void pool_place(const struct pooling *p, int64_t batch, const int64_t begin[2],
                       const int64_t end[2], size_t full, float *y)
{
    const enum graph_pool mode = p->call->node->attributes.pool.mode;
    const size_t c = (size_t)p->from.channels;
    size_t n = 0;
    for (size_t i = 0; i < c; i++)
        y[i] = mode == POOL_MAX ? -INFINITY : 0;
    for (int64_t r = begin[0]; r < end[0]; r++)
        for (int64_t q = begin[1]; q < end[1]; q++, n++) {
            const float *x = p->x + (size_t)((batch * p->from.height + r) * p->from.width + q) * c;
            if (mode == POOL_MAX)
                for (size_t i = 0; i < c; i++)
                    y[i] = y[i] != y[i] || x[i] <= y[i] ? y[i] : x[i];
            else if (mode == POOL_AVERAGE)
                for (size_t i = 0; i < c; i++)
                    y[i] += x[i];
            else
                for (size_t i = 0; i < c; i++)
                    y[i] += x[i] * x[i];
        }
    const float share = 1.0f / (float)(p->call->node->attributes.pool.inside_only ? n : full);
    for (size_t i = 0; i < c && mode == POOL_AVERAGE; i++)
        y[i] *= share;
    for (size_t i = 0; i < c && mode == POOL_L2; i++)
        y[i] = sqrtf(y[i]);
}

/* One row of the result. */
static void pool_row(void *argument, size_t index)
{
    const struct pooling *p = argument;
    const struct graph_window *w = &p->call->node->attributes.pool.window;
    const int64_t row = (int64_t)index % p->to.height, batch = (int64_t)index / p->to.height;
    float *y = p->call->y + index * (size_t)(p->to.width * p->to.channels);
    int64_t begin[2], end[2];
    begin[0] = row * w->stride[0] - w->begin[0];
    end[0] = at_most(begin[0] + w->kernel[0], p->from.height);
    const int64_t *beyond = p->call->node->attributes.pool.beyond;
    const int64_t bottom = p->from.height + w->end[0] - beyond[0];
    const int64_t rows = at_most(begin[0] + w->kernel[0], bottom) - begin[0];
    begin[0] = at_least(begin[0], 0);
    for (int64_t q = 0; q < p->to.width; q++, y += p->to.channels) {
        const int64_t left = q * w->stride[1] - w->begin[1], right = left + w->kernel[1];
        const int64_t columns = at_most(right, p->from.width + w->end[1] - beyond[1]) - left;
        begin[1] = at_least(left, 0);
        end[1] = at_most(right, p->from.width);
        pool_place(p, batch, begin, end, (size_t)(rows * columns), y);
    }
}

static void run(const struct operator_call *call)
{
    const struct graph_node *node = call->node;
    const struct graph_window *w = &node->attributes.pool.window;
    struct pooling pooling = {.call = call,
                              .from = shape_as_map(input_shape(call->graph, node, 0)),
                              .to = shape_as_map(&call->graph->values[node->output].shape),
                              .x = input_data(call, 0)};
    const struct pool_spec spec = {.kernel_height = w->kernel[0],
                                   .kernel_width = w->kernel[1],
                                   .stride_y = w->stride[0],
                                   .stride_x = w->stride[1],
                                   .padding_y = w->begin[0],
                                   .padding_x = w->begin[1],
                                   .average = node->attributes.pool.mode == POOL_AVERAGE,
                                   .count_inside_only = node->attributes.pool.inside_only};
    struct map_shape same;
    if (node->attributes.pool.mode != POOL_L2 && w->begin[0] == w->end[0] &&
        w->begin[1] == w->end[1] && pool_shape(&spec, pooling.from, &same) &&
        memcmp(&same, &pooling.to, sizeof same) == 0) {
        pool_run(call->graph->kernels, &spec, pooling.x, pooling.from, call->y);
        return;
    }
    operator_parallel(call, (size_t)(pooling.to.batch * pooling.to.height), map_size(pooling.from),
                      pool_row, &pooling);
}

const struct operator_type operator_pool = {
    .name = "pooling", .min_inputs = 1, .max_inputs = 1, .infer = infer, .run = run};
