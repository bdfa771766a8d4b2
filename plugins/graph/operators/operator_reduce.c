/* operator_reduce.c - sums, means, extremes and positions along dimensions (which stay, with size 1), and
 * softmax along one. */
#include "operators.h"

#include <math.h>
#include <string.h>

#define COLUMNS 64 /* summed at a time */

static void infer(struct operator_shapes *shapes)
{
    const uint32_t axes = shapes->node->attributes.reduce.axes;
    *shapes->ret = *input_shape(shapes->graph, shapes->node, 0);
    if ((axes >> shapes->ret->rank) != 0 ||
        (shapes->node->attributes.reduce.mode == REDUCE_ARGMAX && (axes & (axes - 1)) != 0)) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "reduces dimensions that a value of rank %u does not have, or finds a "
                   "position in several",
                   shapes->ret->rank);
        return;
    }
    for (uint32_t i = 0; i < shapes->ret->rank; i++)
        if ((axes >> i & 1) != 0)
            shapes->ret->size[i] = 1;
}

struct reducing {
    const struct operator_call *call;
    const float *x;
    const struct graph_shape *to;
    int64_t strides[MODEL_MAX_RANK]; /* of x */
    struct graph_shape inside;       /* of the reduced dimensions alone */
    int64_t steps[MODEL_MAX_RANK];   /* their distances in x */
};

/* What one number adds to the sum so far. */
static double reduce_step(enum graph_reduce mode, double sum, double x)
{
    switch (mode) {
    case REDUCE_PRODUCT:
        return sum * x;
    case REDUCE_SUM_SQUARE:
    case REDUCE_L2:
        return sum + x * x;
    case REDUCE_L1:
        return sum + fabs(x);
    case REDUCE_MAX: /* a NaN stays, wherever it comes */
        return x != x || x > sum ? x : sum;
    case REDUCE_MIN:
        return x != x || x < sum ? x : sum;
    default:
        return sum + x;
    }
}

static double reduce_end(const struct reducing *r, double sum, size_t n)
{
    switch (r->call->node->attributes.reduce.mode) {
    case REDUCE_MEAN:
        return sum / (double)n;
    case REDUCE_LOG_SUM:
        return log(sum + (double)r->call->node->attributes.reduce.epsilon);
    case REDUCE_L2:
        return sqrt(sum);
    default:
        return sum;
    }
}

/* The next number inside, in C order; at[] counts along. */
static const float *step_inside(const struct reducing *r, const float *x, int64_t *at)
{
    for (uint32_t i = r->inside.rank; i-- > 0;) {
        x += r->steps[i];
        if (++at[i] < r->inside.size[i])
            break;
        x -= r->steps[i] * r->inside.size[i];
        at[i] = 0;
    }
    return x;
}

static double reduce_all(const struct reducing *r, const float *x)
{
    const enum graph_reduce mode = r->call->node->attributes.reduce.mode;
    const size_t n = graph_shape_size(&r->inside);
    int64_t at[MODEL_MAX_RANK] = {0};
    double sum = mode == REDUCE_PRODUCT ? 1
                 : mode == REDUCE_MAX   ? -INFINITY
                 : mode == REDUCE_MIN   ? INFINITY
                                        : 0;
    for (size_t k = 0; k < n; k++) {
        sum = reduce_step(mode, sum, (double)*x);
        x = step_inside(r, x, at);
    }
    return reduce_end(r, sum, n);
}

/* The first of equals, or the first NaN. */
static double find_largest(const struct reducing *r, const float *x)
{
    const size_t n = graph_shape_size(&r->inside);
    size_t largest = 0;
    float most = x[0];
    for (size_t k = 1; k < n && most == most; k++) {
        const float one = x[(int64_t)k * r->steps[0]];
        if (!(one <= most)) {
            most = one;
            largest = k;
        }
    }
    return (double)largest;
}

/* Where the numbers begin that the result's index is made of, without its last n_left_out dimensions. */
static const float *begin_of(const struct reducing *r, size_t index, uint32_t n_left_out)
{
    const float *x = r->x;
    for (uint32_t i = r->to->rank - n_left_out; i-- > 0;) {
        x += (int64_t)(index % (size_t)r->to->size[i]) * r->strides[i];
        index /= (size_t)r->to->size[i];
    }
    return x;
}

static void reduce_one(void *argument, size_t index)
{
    const struct reducing *r = argument;
    const float *x = begin_of(r, index, 0);
    const bool position = r->call->node->attributes.reduce.mode == REDUCE_ARGMAX;
    r->call->y[index] = (float)(position && r->inside.rank > 0 ? find_largest(r, x)
                                : position                     ? 0
                                                               : reduce_all(r, x));
}

/* ---- sums of columns: the last dimension stays, and its numbers lie side by side */

static bool sums_columns(const struct reducing *r, uint32_t axes)
{
    const enum graph_reduce mode = r->call->node->attributes.reduce.mode;
    return (mode == REDUCE_SUM || mode == REDUCE_MEAN) && r->to->rank > 0 &&
           (axes >> (r->to->rank - 1) & 1) == 0;
}

static size_t count_columns(const struct reducing *r)
{
    return (size_t)r->to->size[r->to->rank - 1];
}

static size_t count_blocks(const struct reducing *r)
{
    return (count_columns(r) + COLUMNS - 1) / COLUMNS;
}

static void sum_block(void *argument, size_t index)
{
    const struct reducing *r = argument;
    const size_t row = index / count_blocks(r), first = index % count_blocks(r) * COLUMNS;
    const size_t left = count_columns(r) - first, n_columns = left < COLUMNS ? left : COLUMNS;
    const size_t n = graph_shape_size(&r->inside);
    const float *x = begin_of(r, row, 1) + first;
    float *y = r->call->y + row * count_columns(r) + first;
    int64_t at[MODEL_MAX_RANK] = {0};
    double sums[COLUMNS] = {0};
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < n_columns; i++)
            sums[i] += (double)x[i];
        x = step_inside(r, x, at);
    }
    for (size_t i = 0; i < n_columns; i++)
        y[i] = (float)reduce_end(r, sums[i], n);
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *from = input_shape(call->graph, call->node, 0);
    const uint32_t axes = call->node->attributes.reduce.axes;
    struct reducing reducing = {.call = call,
                                .x = input_data(call, 0),
                                .to = &call->graph->values[call->node->output].shape};
    dense_strides(from, reducing.strides);
    for (uint32_t i = 0; i < from->rank; i++)
        if ((axes >> i & 1) != 0) {
            reducing.inside.size[reducing.inside.rank] = from->size[i];
            reducing.steps[reducing.inside.rank++] = reducing.strides[i];
        }
    const size_t size = graph_shape_size(reducing.to);
    if (sums_columns(&reducing, axes))
        operator_parallel(call, size / count_columns(&reducing) * count_blocks(&reducing),
                          graph_shape_size(from), sum_block, &reducing);
    else
        operator_parallel(call, size, graph_shape_size(from), reduce_one, &reducing);
}

const struct operator_type operator_reduce = {
    .name = "a reduction", .min_inputs = 1, .max_inputs = 1, .infer = infer, .run = run};

static void infer_softmax(struct operator_shapes *shapes)
{
    *shapes->ret = *input_shape(shapes->graph, shapes->node, 0);
    if (shapes->node->attributes.along.axis >= shapes->ret->rank)
        graph_fail(shapes->builder, MODEL_CORRUPT, "softmax along dimension %u of %u",
                   shapes->node->attributes.along.axis, shapes->ret->rank);
}

/* n numbers, `step` apart. */
static void softmax_line(const float *x, float *y, size_t n, size_t step)
{
    float largest = x[0];
    double sum = 0;
    for (size_t i = 1; i < n; i++)
        largest = x[i * step] > largest ? x[i * step] : largest;
    for (size_t i = 0; i < n; i++) {
        y[i * step] = expf(x[i * step] - largest);
        sum += (double)y[i * step];
    }
    for (size_t i = 0; i < n; i++)
        y[i * step] = (float)((double)y[i * step] / sum);
}

static void run_softmax(const struct operator_call *call)
{
    const struct graph_shape *shape = input_shape(call->graph, call->node, 0);
    const uint32_t axis = call->node->attributes.along.axis;
    const size_t n = (size_t)shape->size[axis], size = graph_shape_size(shape);
    const float *x = input_data(call, 0);
    int64_t strides[MODEL_MAX_RANK];
    dense_strides(shape, strides);
    const size_t step = (size_t)strides[axis];
    if (step == 1) {
        softmax_rows(call->graph->kernels, x, call->y, size / n, n);
        return;
    }
    for (size_t block = 0; block < size; block += n * step)
        for (size_t i = 0; i < step; i++)
            softmax_line(x + block + i, call->y + block + i, n, step);
}

const struct operator_type operator_softmax = {.name = "softmax",
                                               .min_inputs = 1,
                                               .max_inputs = 1,
                                               .in_place = true,
                                               .infer = infer_softmax,
                                               .run = run_softmax};
