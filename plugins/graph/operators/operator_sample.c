/* operator_sample.c - maps looked at in other places than their own: bilinear between four numbers, or the nearest one. What
 * is beyond the edge is a number, or the picture once more; see enum graph_outside. */
#include "operators.h"

#include <math.h>

enum { X, POINTS, IMAGES };

static void infer(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, X);
    const struct graph_shape *points = input_shape(shapes->graph, shapes->node, POINTS);
    char text[GRAPH_SHAPE_BYTES];
    if (!input_is_map(shapes))
        return;
    if (points->rank != 4 || points->size[3] != 2) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "looks at places of shape %s, want [pictures, height, width, 2]",
                   graph_shape_text(points, text));
        return;
    }
    if (input_is_vector(shapes, IMAGES, points->size[0]))
        *shapes->ret = (struct graph_shape){
            4, {points->size[0], points->size[1], points->size[2], x->size[3]}};
}

struct sampling {
    const struct operator_call *call;
    struct map_shape from;
    size_t n_points; /* in a row of the result */
};

/* The place in the picture that stands at `at` when it goes on beyond its edges; NaN is the first. */
static double fold_back(enum graph_outside outside, double at, int64_t size)
{
    const double last = (double)(size - 1);
    const double margin = outside == OUTSIDE_SYMMETRIC ? 0.5 : 0, span = last + 2 * margin;
    if (outside == OUTSIDE_REFLECT || outside == OUTSIDE_SYMMETRIC) {
        at = fabs(fmod(at + margin, 2 * span)); /* there and back again */
        at = (at > span ? 2 * span - at : at) - margin;
    }
    return fmin(fmax(at, 0), last);
}

/* y += share of the number at (row, column), or of what is there instead. */
static void add_neighbour(const struct sampling *s, const float *image, double row, double column,
                          double share, float *y)
{
    const struct map_shape from = s->from;
    const bool is_inside =
        row >= 0 && row < (double)from.height && column >= 0 && column < (double)from.width;
    const float value = s->call->node->attributes.sample.value;
    const float *x = is_inside ? image + ((size_t)row * (size_t)from.width + (size_t)column) *
                                             (size_t)from.channels
                               : NULL;
    for (size_t i = 0; i < (size_t)from.channels && share != 0; i++)
        y[i] += (float)share * (x != NULL ? x[i] : value);
}

static void sample_point(const struct sampling *s, const float *image, const float *point, float *y)
{
    const struct graph_attributes *a = &s->call->node->attributes;
    const enum graph_outside outside = a->sample.outside;
    const double height = (double)s->from.height, width = (double)s->from.width;
    double row = (double)point[0], column = (double)point[1];
    /* How far beyond the last number a point still sees the picture. */
    const double margin = outside == OUTSIDE_VALUE ? 1 : 0;
    const bool sees = row >= -margin && row <= height - 1 + margin && column >= -margin &&
                      column <= width - 1 + margin;
    const bool goes_on = outside != OUTSIDE_VALUE && outside != OUTSIDE_POINT;
    for (size_t i = 0; i < (size_t)s->from.channels; i++)
        y[i] = sees || goes_on ? 0 : a->sample.value;
    if (!sees && !goes_on)
        return;
    if (goes_on) {
        row = fold_back(outside, row, s->from.height);
        column = fold_back(outside, column, s->from.width);
    }
    const double top = a->sample.nearest ? rint(row) : floor(row);
    const double left = a->sample.nearest ? rint(column) : floor(column);
    const double down = a->sample.nearest ? 0 : row - top;
    const double right = a->sample.nearest ? 0 : column - left;
    add_neighbour(s, image, top, left, (1 - down) * (1 - right), y);
    add_neighbour(s, image, top, left + 1, (1 - down) * right, y);
    add_neighbour(s, image, top + 1, left, down * (1 - right), y);
    add_neighbour(s, image, top + 1, left + 1, down * right, y);
}

/* One row of the result. */
static void sample_row(void *argument, size_t index)
{
    const struct sampling *s = argument;
    const struct graph_shape *points = input_shape(s->call->graph, s->call->node, POINTS);
    const size_t channels = (size_t)s->from.channels;
    const size_t image =
        gather_place(input_data(s->call, IMAGES)[index / (size_t)points->size[1]], s->from.batch);
    const float *x =
        input_data(s->call, X) + image * (size_t)s->from.height * (size_t)s->from.width * channels;
    const float *point = input_data(s->call, POINTS) + 2 * index * s->n_points;
    float *y = s->call->y + index * s->n_points * channels;
    for (size_t i = 0; i < s->n_points; i++)
        sample_point(s, x, point + 2 * i, y + i * channels);
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *points = input_shape(call->graph, call->node, POINTS);
    struct sampling sampling = {.call = call,
                                .from = shape_as_map(input_shape(call->graph, call->node, X)),
                                .n_points = (size_t)points->size[2]};
    operator_parallel(call, (size_t)(points->size[0] * points->size[1]),
                      graph_shape_size(&call->graph->values[call->node->output].shape), sample_row,
                      &sampling);
}

const struct operator_type operator_sample = {
    .name = "sampling", .min_inputs = 3, .max_inputs = 3, .infer = infer, .run = run};
