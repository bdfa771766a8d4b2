/* operator_reduce.c - sums, means, extremes and positions along dimensions (which stay, with size 1), and
 * softmax along one. */
#include "operators.h"

#include <math.h>
#include <string.h>

#define LANES 64 /* numbers taken at a time, each into a sum of its own */

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

/* ---- what is kept of the numbers so far */

struct lanes {
    _Alignas(64) double kept[LANES];
    size_t n;
};

typedef void take_numbers(struct lanes *restrict lanes, const float *restrict x, size_t n);

static void add(struct lanes *restrict lanes, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lanes->kept[i] += (double)x[i];
}

static void add_squares(struct lanes *restrict lanes, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lanes->kept[i] += (double)x[i] * (double)x[i];
}

static void add_sizes(struct lanes *restrict lanes, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lanes->kept[i] += fabs((double)x[i]);
}

static void multiply(struct lanes *restrict lanes, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lanes->kept[i] *= (double)x[i];
}

/* Extremes: a NaN stays, wherever it comes. (Both tests are of doubles, so that their masks need no conversion.) */
static double larger(double kept, double x)
{
    return ((kept != kept) | (x <= kept)) ? kept : x;
}

static double smaller(double kept, double x)
{
    return ((kept != kept) | (x >= kept)) ? kept : x;
}

static void keep_larger(struct lanes *restrict lanes, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lanes->kept[i] = larger(lanes->kept[i], (double)x[i]);
}

static void keep_smaller(struct lanes *restrict lanes, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lanes->kept[i] = smaller(lanes->kept[i], (double)x[i]);
}

/* The lanes [half, lanes->n) into those before them. */
typedef void join_lanes(struct lanes *lanes, size_t half);

static void join_sums(struct lanes *lanes, size_t half)
{
    for (size_t i = 0; i < lanes->n - half; i++)
        lanes->kept[i] += lanes->kept[half + i];
}

static void join_products(struct lanes *lanes, size_t half)
{
    for (size_t i = 0; i < lanes->n - half; i++)
        lanes->kept[i] *= lanes->kept[half + i];
}

static void join_larger(struct lanes *lanes, size_t half)
{
    for (size_t i = 0; i < lanes->n - half; i++)
        lanes->kept[i] = larger(lanes->kept[i], lanes->kept[half + i]);
}

static void join_smaller(struct lanes *lanes, size_t half)
{
    for (size_t i = 0; i < lanes->n - half; i++)
        lanes->kept[i] = smaller(lanes->kept[i], lanes->kept[half + i]);
}

static const struct {
    double start;
    take_numbers *take;
    join_lanes *join;
} modes[N_GRAPH_REDUCES] = {[REDUCE_SUM] = {0, add, join_sums},
                            [REDUCE_MEAN] = {0, add, join_sums},
                            [REDUCE_PRODUCT] = {1, multiply, join_products},
                            [REDUCE_LOG_SUM] = {0, add, join_sums},
                            [REDUCE_SUM_SQUARE] = {0, add_squares, join_sums},
                            [REDUCE_L1] = {0, add_sizes, join_sums},
                            [REDUCE_L2] = {0, add_squares, join_sums},
                            [REDUCE_MAX] = {-INFINITY, keep_larger, join_larger},
                            [REDUCE_MIN] = {INFINITY, keep_smaller, join_smaller}};

/* ---- lines: numbers side by side that are all reduced, or all kept */

struct reducing {
    const struct operator_call *call;
    enum graph_reduce mode;
    const float *x;
    const struct graph_shape *to;
    int64_t strides[MODEL_MAX_RANK]; /* of x */
    struct graph_shape inside;       /* of the reduced dimensions before the line */
    int64_t steps[MODEL_MAX_RANK];   /* their distances in x */
    uint32_t n_line_axes;            /* the last dimensions, which are the line */
    size_t line;                     /* its numbers */
    size_t n_reduced;                /* numbers that become one */
};

static double reduce_end(const struct reducing *r, double kept)
{
    switch (r->mode) {
    case REDUCE_MEAN:
        return kept / (double)r->n_reduced;
    case REDUCE_LOG_SUM:
        return log(kept + (double)r->call->node->attributes.reduce.epsilon);
    case REDUCE_L2:
        return sqrt(kept);
    default:
        return kept;
    }
}

/* The next line inside, in C order; at[] counts along. */
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

/* Where the numbers begin that the result's index is made of, without the dimensions of the line. */
static const float *begin_of(const struct reducing *r, size_t index)
{
    const float *x = r->x;
    for (uint32_t i = r->to->rank - r->n_line_axes; i-- > 0;) {
        x += (int64_t)(index % (size_t)r->to->size[i]) * r->strides[i];
        index /= (size_t)r->to->size[i];
    }
    return x;
}

/* Of n numbers from x on and of those behind them in the lines inside, each LANES numbers of a line. */
static void take_lines(const struct reducing *r, const float *x, size_t n, struct lanes *lanes)
{
    const size_t n_lines = graph_shape_size(&r->inside);
    int64_t at[MODEL_MAX_RANK] = {0};
    lanes->n = n < LANES ? n : LANES;
    for (size_t i = 0; i < lanes->n; i++)
        lanes->kept[i] = modes[r->mode].start;
    for (size_t k = 0; k < n_lines; k++) {
        for (size_t i = 0; i < n; i += LANES)
            modes[r->mode].take(lanes, x + i, n - i < LANES ? n - i : LANES);
        x = step_inside(r, x, at);
    }
}

/* The line is reduced to one number. */
static void reduce_line(void *argument, size_t index)
{
    const struct reducing *r = argument;
    struct lanes lanes;
    take_lines(r, begin_of(r, index), r->line, &lanes);
    for (size_t half; lanes.n > 1; lanes.n = half) {
        half = (lanes.n + 1) / 2;
        modes[r->mode].join(&lanes, half);
    }
    r->call->y[index] = (float)reduce_end(r, lanes.kept[0]);
}

static size_t count_blocks(const struct reducing *r)
{
    return (r->line + LANES - 1) / LANES;
}

/* The line stays: LANES of its numbers. */
static void reduce_block(void *argument, size_t index)
{
    const struct reducing *r = argument;
    const size_t row = index / count_blocks(r), first = index % count_blocks(r) * LANES;
    const size_t left = r->line - first;
    struct lanes lanes;
    take_lines(r, begin_of(r, row) + first, left < LANES ? left : LANES, &lanes);
    for (size_t i = 0; i < lanes.n; i++)
        r->call->y[row * r->line + first + i] = (float)reduce_end(r, lanes.kept[i]);
}

/* ---- positions */

/* The first of equals, or the first NaN. */
static void find_largest(void *argument, size_t index)
{
    const struct reducing *r = argument;
    const float *x = begin_of(r, index);
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
    r->call->y[index] = (float)largest;
}

/* ---- all */

static bool is_reduced(const struct operator_call *call, uint32_t axis)
{
    return (call->node->attributes.reduce.axes >> axis & 1) != 0;
}

/* The last dimensions that are like the last one. */
static void find_line(struct reducing *r, const struct graph_shape *from)
{
    const uint32_t rank = from->rank;
    r->line = 1;
    for (uint32_t i = rank; i-- > 0 && is_reduced(r->call, i) == is_reduced(r->call, rank - 1);) {
        r->line *= (size_t)from->size[i];
        r->n_line_axes++;
    }
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *from = input_shape(call->graph, call->node, 0);
    struct reducing r = {.call = call,
                         .mode = call->node->attributes.reduce.mode,
                         .x = input_data(call, 0),
                         .to = &call->graph->values[call->node->output].shape};
    const size_t n = graph_shape_size(from), size = graph_shape_size(r.to);
    r.n_reduced = n / size;
    dense_strides(from, r.strides);
    if (r.mode != REDUCE_ARGMAX)
        find_line(&r, from);
    for (uint32_t i = 0; i < from->rank - r.n_line_axes; i++)
        if (is_reduced(call, i)) {
            r.inside.size[r.inside.rank] = from->size[i];
            r.steps[r.inside.rank++] = r.strides[i];
        }
    if (r.mode == REDUCE_ARGMAX)
        operator_parallel(call, size, n, find_largest, &r);
    else if (from->rank == 0 || is_reduced(call, from->rank - 1))
        operator_parallel(call, size, n, reduce_line, &r);
    else
        operator_parallel(call, size / r.line * count_blocks(&r), n, reduce_block, &r);
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
