/* operator_sort.c - what goes by the order of numbers in a line: positions by size, and running sums. */
#include "operators.h"

#define MAX_POSITION ((int64_t)1 << 24) /* float32 counts so far */

/* ---- sort: the first k in a heap whose root is the last of them, then taken apart from behind */

static void infer_sort(struct operator_shapes *shapes)
{
    const int64_t k = shapes->node->attributes.sort.k;
    *shapes->ret = *input_shape(shapes->graph, shapes->node, 0);
    const int64_t n = shapes->ret->rank > 0 ? shapes->ret->size[shapes->ret->rank - 1] : 0;
    if (k < 1 || k > n || n > MAX_POSITION) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "sorts out %lld of %lld numbers, want 1 to all of at most %lld", (long long)k,
                   (long long)n, (long long)MAX_POSITION);
        return;
    }
    shapes->ret->size[shapes->ret->rank - 1] = k;
}

struct sorting {
    const struct operator_call *call;
    const float *x; /* the line */
    size_t n, k;
    bool ascending;
};

/* Whether position a comes before b; of equals the smaller position. */
static bool before(const struct sorting *s, float a, float b)
{
    const float p = s->x[(size_t)a], q = s->x[(size_t)b];
    if (p == q)
        return a < b;
    return s->ascending ? p < q : p > q;
}

static void sift_down(const struct sorting *s, float *heap, size_t n, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(s, heap[child], heap[child + 1]))
            child++;
        if (!before(s, heap[i], heap[child]))
            return;
        const float position = heap[i];
        heap[i] = heap[child];
        heap[child] = position;
    }
}

static void sort_line(void *argument, size_t index)
{
    struct sorting s = *(const struct sorting *)argument;
    float *heap = s.call->y + index * s.k; /* (k) positions */
    s.x += index * s.n;
    for (size_t i = 0; i < s.k; i++)
        heap[i] = (float)i;
    for (size_t i = s.k / 2; i-- > 0;)
        sift_down(&s, heap, s.k, i);
    for (size_t i = s.k; i < s.n; i++)
        if (before(&s, (float)i, heap[0])) {
            heap[0] = (float)i;
            sift_down(&s, heap, s.k, 0);
        }
    for (size_t end = s.k; end-- > 1;) {
        const float last = heap[0];
        heap[0] = heap[end];
        heap[end] = last;
        sift_down(&s, heap, end, 0);
    }
}

static void run_sort(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, 0);
    struct sorting sorting = {.call = call,
                              .x = input_data(call, 0),
                              .n = (size_t)x->size[x->rank - 1],
                              .k = (size_t)call->node->attributes.sort.k,
                              .ascending = call->node->attributes.sort.ascending};
    const size_t size = graph_shape_size(x);
    operator_parallel(call, size / sorting.n, size, sort_line, &sorting);
}

const struct operator_type operator_sort = {
    .name = "sorting", .min_inputs = 1, .max_inputs = 1, .infer = infer_sort, .run = run_sort};

/* ---- running sums */

static void infer_cumsum(struct operator_shapes *shapes)
{
    *shapes->ret = *input_shape(shapes->graph, shapes->node, 0);
    if (shapes->node->attributes.cumsum.axis >= shapes->ret->rank)
        graph_fail(shapes->builder, MODEL_CORRUPT, "sums along dimension %u of %u",
                   shapes->node->attributes.cumsum.axis, shapes->ret->rank);
}

struct summing {
    const struct operator_call *call;
    size_t n, step; /* of a line: how many numbers, how far apart */
};

static void sum_line(void *argument, size_t index)
{
    const struct summing *s = argument;
    const struct graph_attributes *a = &s->call->node->attributes;
    const size_t first = index / s->step * s->n * s->step + index % s->step;
    const float *x = input_data(s->call, 0) + first;
    float *y = s->call->y + first;
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        const size_t at = (a->cumsum.reverse ? s->n - 1 - i : i) * s->step;
        const double number = (double)x[at];
        y[at] = (float)(a->cumsum.exclusive ? sum : sum + number);
        sum += number;
    }
}

static void run_cumsum(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, 0);
    const uint32_t axis = call->node->attributes.cumsum.axis;
    struct summing summing = {.call = call, .n = (size_t)x->size[axis], .step = 1};
    for (uint32_t i = axis + 1; i < x->rank; i++)
        summing.step *= (size_t)x->size[i];
    const size_t size = graph_shape_size(x);
    operator_parallel(call, size / summing.n, size, sum_line, &summing);
}

const struct operator_type operator_cumsum = {.name = "running sums",
                                              .min_inputs = 1,
                                              .max_inputs = 1,
                                              .in_place = true,
                                              .infer = infer_cumsum,
                                              .run = run_cumsum};
