/* operator_places.c - numbers by their places: gather takes them out of x, scatter puts y into x or joins both.
 * A place outside is the one at the end that is nearer: a run has no other answer to it. Constant ones are refused. */
#include "operators.h"

#include <string.h>

enum { X, PLACES, UPDATES };

#define CHUNK 4096 /* numbers that one thread takes at a time */

/* Rows of `width` numbers that lie together both in x and in what is taken or put. */
struct places {
    const struct graph_shape *x, *shape; /* shape: of the places */
    enum graph_places form;
    uint32_t axis, batch;
    size_t n_rows, width;
    size_t n_each;  /* places for each index before them: of the axis, or points of a batch */
    size_t n_outer; /* along an axis: indices between the batch and the axis */
    size_t block;   /* of points: numbers of x for each batch */
};

static size_t product(const struct graph_shape *shape, uint32_t first, uint32_t end)
{
    size_t n = 1;
    for (uint32_t i = first; i < end; i++)
        n *= (size_t)shape->size[i];
    return n;
}

static struct places places_of(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_attributes *a = &node->attributes;
    struct places p = {.x = input_shape(graph, node, X),
                       .shape = input_shape(graph, node, PLACES),
                       .form = a->places.form,
                       .axis = a->places.axis,
                       .batch = a->places.batch};
    const size_t n = graph_shape_size(p.shape);
    if (p.form == PLACES_POINT) {
        const uint32_t depth = (uint32_t)p.shape->size[p.shape->rank - 1];
        p.n_rows = n / depth;
        p.n_each = p.n_rows / product(p.shape, 0, p.batch);
        p.width = product(p.x, p.batch + depth, p.x->rank);
        p.block = product(p.x, p.batch, p.x->rank);
    } else if (p.form == PLACES_ALONG) {
        p.n_rows = n;
        p.n_each = (size_t)p.shape->size[p.axis];
        p.width = 1;
    } else {
        p.n_each = product(p.shape, p.batch, p.shape->rank);
        p.n_outer = product(p.x, p.batch, p.axis);
        p.n_rows = product(p.x, 0, p.axis) * p.n_each;
        p.width = product(p.x, p.axis + 1, p.x->rank);
    }
    return p;
}

/* ---- shapes */

static void append(struct graph_shape *shape, const struct graph_shape *from, uint32_t first,
                   uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        if (shape->rank < MODEL_MAX_RANK)
            shape->size[shape->rank] = from->size[i];
        shape->rank++; /* too many are refused */
    }
}

/* x and places go together. */
static bool fit(const struct graph_attributes *a, const struct graph_shape *x,
                const struct graph_shape *places)
{
    const uint32_t axis = a->places.axis, batch = a->places.batch;
    if (batch > x->rank || batch > places->rank)
        return false;
    for (uint32_t i = 0; i < batch; i++)
        if (x->size[i] != places->size[i])
            return false;
    if (a->places.form == PLACES_POINT)
        return batch < places->rank && places->size[places->rank - 1] <= x->rank - batch;
    if (axis >= x->rank || batch > axis)
        return false;
    for (uint32_t i = 0; a->places.form == PLACES_ALONG && i < x->rank; i++)
        if (places->rank != x->rank || (i != axis && x->size[i] != places->size[i]))
            return false;
    return true;
}

/* Of what stands at the places; false and a failure: they do not go together. */
static bool taken_shape(struct operator_shapes *shapes, struct graph_shape *ret)
{
    const struct graph_attributes *a = &shapes->node->attributes;
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, X);
    const struct graph_shape *places = input_shape(shapes->graph, shapes->node, PLACES);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    bool good = fit(a, x, places);
    *ret = (struct graph_shape){.rank = 0};
    if (good && a->places.form == PLACES_ALONG) {
        *ret = *places;
    } else if (good && a->places.form == PLACES_POINT) {
        const uint32_t depth = (uint32_t)places->size[places->rank - 1];
        append(ret, places, 0, places->rank - 1);
        append(ret, x, a->places.batch + depth, x->rank);
    } else if (good) {
        append(ret, x, 0, a->places.axis);
        append(ret, places, a->places.batch, places->rank);
        append(ret, x, a->places.axis + 1, x->rank);
    }
    good = good && ret->rank <= MODEL_MAX_RANK;
    if (!good)
        graph_fail(
            shapes->builder, MODEL_CORRUPT,
            "places of shape %s in a value of shape %s, along dimension %u with %u in common",
            graph_shape_text(places, second), graph_shape_text(x, first), a->places.axis,
            a->places.batch);
    return good;
}

/* Constant places are in the dimension that they count, from its end where they are negative; or a failure. */
static bool are_inside(struct operator_shapes *shapes)
{
    const struct graph_attributes *a = &shapes->node->attributes;
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, X);
    const struct graph_value *places = &shapes->graph->values[shapes->node->inputs[PLACES]];
    const bool are_points = a->places.form == PLACES_POINT;
    const size_t depth = are_points ? (size_t)places->shape.size[places->shape.rank - 1] : 1;
    const size_t n = places->numbers != NULL ? graph_shape_size(&places->shape) : 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t axis = are_points ? a->places.batch + (uint32_t)(i % depth) : a->places.axis;
        const float size = (float)x->size[axis];
        if (places->numbers[i] >= -size && places->numbers[i] < size)
            continue;
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "%s at place %g of dimension %u, want %lld to %lld",
                   operator_of(shapes->node->kind)->name, (double)places->numbers[i], axis,
                   -(long long)x->size[axis], (long long)x->size[axis] - 1);
        return false;
    }
    return true;
}

static void infer_gather(struct operator_shapes *shapes)
{
    struct graph_shape taken;
    if (taken_shape(shapes, &taken) && are_inside(shapes))
        *shapes->ret = taken;
}

static void infer_scatter(struct operator_shapes *shapes)
{
    const struct graph_shape *updates = input_shape(shapes->graph, shapes->node, UPDATES);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    struct graph_shape taken;
    if (!taken_shape(shapes, &taken) || !are_inside(shapes))
        return;
    if (!graph_shape_equal(updates, &taken)) {
        graph_fail(shapes->builder, MODEL_CORRUPT, "puts %s at places for %s",
                   graph_shape_text(updates, first), graph_shape_text(&taken, second));
        return;
    }
    *shapes->ret = *input_shape(shapes->graph, shapes->node, X);
}

/* ---- rows */

size_t gather_place(float place, int64_t size)
{
    const double from_start = (double)place < 0 ? (double)place + (double)size : (double)place;
    return from_start >= (double)size ? (size_t)size - 1 : from_start >= 0 ? (size_t)from_start : 0;
}

/* Where the row begins in x. */
static size_t row_offset(const struct places *p, const float *at, size_t row)
{
    if (p->form == PLACES_POINT) {
        const uint32_t depth = (uint32_t)p->shape->size[p->shape->rank - 1];
        size_t offset = row / p->n_each, step = p->width;
        offset *= p->block;
        for (uint32_t i = depth; i-- > 0;) {
            const int64_t size = p->x->size[p->batch + i];
            offset += gather_place(at[row * depth + i], size) * step;
            step *= (size_t)size;
        }
        return offset;
    }
    const int64_t size = p->x->size[p->axis];
    if (p->form == PLACES_ALONG) {
        const size_t inner = product(p->x, p->axis + 1, p->x->rank);
        const size_t outer = row / (p->n_each * inner);
        return (outer * (size_t)size + gather_place(at[row], size)) * inner + row % inner;
    }
    const size_t outer = row / p->n_each, batch = outer / p->n_outer;
    const float place = at[batch * p->n_each + row % p->n_each];
    return (outer * (size_t)size + gather_place(place, size)) * p->width;
}

struct gathering {
    const struct operator_call *call;
    struct places places;
    size_t n_together; /* rows that one thread takes at a time */
};

static void gather_rows(void *argument, size_t index)
{
    const struct gathering *g = argument;
    const struct places *p = &g->places;
    const float *x = input_data(g->call, X), *at = input_data(g->call, PLACES);
    const size_t first = index * g->n_together;
    for (size_t row = first; row < p->n_rows && row < first + g->n_together; row++)
        memcpy(g->call->y + row * p->width, x + row_offset(p, at, row), p->width * sizeof *x);
}

static void run_gather(const struct operator_call *call)
{
    struct gathering g = {.call = call, .places = places_of(call->graph, call->node)};
    g.n_together = CHUNK / g.places.width + 1;
    operator_parallel(call, (g.places.n_rows + g.n_together - 1) / g.n_together,
                      g.places.n_rows * g.places.width, gather_rows, &g);
}

const struct operator_type operator_gather = {.name = "gathering",
                                              .min_inputs = 2,
                                              .max_inputs = 2,
                                              .infer = infer_gather,
                                              .run = run_gather};

static float join(enum graph_scatter mode, float x, float y)
{
    switch (mode) {
    case SCATTER_ADD:
        return x + y;
    case SCATTER_SUBTRACT:
        return x - y;
    case SCATTER_MULTIPLY:
        return x * y;
    case SCATTER_DIVIDE:
        return x / y;
    case SCATTER_MAX:
        return x != x || x > y ? x : y;
    case SCATTER_MIN:
        return x != x || x < y ? x : y;
    default:
        return y;
    }
}

/* In the order of the places: the last one at a place stays. */
static void run_scatter(const struct operator_call *call)
{
    const struct places p = places_of(call->graph, call->node);
    const float *x = input_data(call, X), *at = input_data(call, PLACES);
    const float *updates = input_data(call, UPDATES);
    if (x != call->y)
        memcpy(call->y, x, graph_shape_size(p.x) * sizeof *x);
    for (size_t row = 0; row < p.n_rows; row++, updates += p.width) {
        float *y = call->y + row_offset(&p, at, row);
        for (size_t i = 0; i < p.width; i++)
            y[i] = join(call->node->attributes.places.mode, y[i], updates[i]);
    }
}

const struct operator_type operator_scatter = {.name = "scattering",
                                               .min_inputs = 3,
                                               .max_inputs = 3,
                                               .in_place = true,
                                               .infer = infer_scatter,
                                               .run = run_scatter};
