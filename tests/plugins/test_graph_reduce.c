/* test_graph_reduce.c - reductions along every set of dimensions against the same one number at a time: lines shorter and
 * longer than what is taken at once, and numbers that are none. Covers plugins/graph/operators/operator_reduce.c. */
#include "graph_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#define MAX_NUMBERS 4096

static float *run_reduction(const struct graph_shape *shape, enum graph_reduce mode, uint32_t axes,
                            const float *x)
{
    struct graph_test *test = graph_test_create();
    const uint32_t input = graph_test_input(test, shape);
    const struct graph_attributes a = {.reduce = {mode, axes, 0.5f}};
    graph_test_finish(test, graph_add(&test->builder, GRAPH_REDUCE, 1, &input, &a));
    float *found = graph_test_run(test, &x);
    graph_test_destroy(test);
    return found;
}

/* The place in the result of number i of a value of this shape. */
static size_t place_of(const struct graph_shape *shape, uint32_t axes, size_t i)
{
    size_t place = 0, step = 1;
    for (uint32_t d = shape->rank; d-- > 0;) {
        const size_t size = (size_t)shape->size[d];
        if ((axes >> d & 1) == 0) {
            place += i % size * step;
            step *= size;
        }
        i /= size;
    }
    return place;
}

static double begin(enum graph_reduce mode)
{
    return mode == REDUCE_PRODUCT ? 1
           : mode == REDUCE_MAX   ? -HUGE_VAL
           : mode == REDUCE_MIN   ? HUGE_VAL
                                  : 0;
}

static double take(enum graph_reduce mode, double kept, double x)
{
    switch (mode) {
    case REDUCE_PRODUCT:
        return kept * x;
    case REDUCE_SUM_SQUARE:
    case REDUCE_L2:
        return kept + x * x;
    case REDUCE_L1:
        return kept + fabs(x);
    case REDUCE_MAX:
        return isnan(kept) || isnan(x) ? NAN : fmax(kept, x);
    case REDUCE_MIN:
        return isnan(kept) || isnan(x) ? NAN : fmin(kept, x);
    default:
        return kept + x;
    }
}

static double end(enum graph_reduce mode, double kept, size_t n)
{
    return mode == REDUCE_MEAN      ? kept / (double)n
           : mode == REDUCE_L2      ? sqrt(kept)
           : mode == REDUCE_LOG_SUM ? log(kept + 0.5)
                                    : kept;
}

/* The results, which are so many. */
static size_t reduce_plainly(const struct graph_shape *shape, enum graph_reduce mode, uint32_t axes,
                             const float *x, double want[MAX_NUMBERS])
{
    const size_t size = graph_shape_size(shape);
    size_t n = 1;
    for (uint32_t d = 0; d < shape->rank; d++)
        n *= (axes >> d & 1) == 0 ? (size_t)shape->size[d] : 1;
    for (size_t i = 0; i < n; i++)
        want[i] = begin(mode);
    for (size_t i = 0; i < size; i++) {
        double *const kept = &want[place_of(shape, axes, i)];
        *kept = take(mode, *kept, (double)x[i]);
    }
    for (size_t i = 0; i < n; i++)
        want[i] = end(mode, want[i], size / n);
    return n;
}

/* Near 1, so that long products stay numbers, and sums positive. */
static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.9f + (float)((i * 7919 + 13) % 211) / 1000;
}

static void each_set_of_dimensions_is_reduced(void **state)
{
    (void)state;
    static const struct graph_shape shapes[] = {
        {1, {1}},        {1, {150}},       {2, {3, 64}},        {3, {4, 3, 65}},
        {3, {2, 70, 3}}, {3, {5, 1, 130}}, {4, {2, 3, 2, 129}}, {4, {2, 1, 5, 7}}};
    static float x[MAX_NUMBERS];
    static double want[MAX_NUMBERS];
    fill(x, MAX_NUMBERS);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (uint32_t axes = 0; axes >> shapes[s].rank == 0; axes++)
            for (int mode = 0; mode < REDUCE_ARGMAX; mode++) {
                const size_t n = reduce_plainly(&shapes[s], (enum graph_reduce)mode, axes, x, want);
                float *y = run_reduction(&shapes[s], (enum graph_reduce)mode, axes, x);
                graph_test_close("reduction", y, want, n);
                free(y);
            }
}

/* One of them among others, at each place of a line in turn. */
static void what_is_no_number_stays(void **state)
{
    (void)state;
    const struct graph_shape shape = {2, {2, 70}};
    static float x[140];
    static const enum graph_reduce extremes[] = {REDUCE_MAX, REDUCE_MIN};
    for (size_t i = 0; i < 140; i++) {
        fill(x, 140);
        x[i] = NAN;
        for (size_t k = 0; k < 2; k++) {
            float *along = run_reduction(&shape, extremes[k], 2u, x);
            assert_true(isnan(along[i / 70]));
            assert_true(isfinite(along[1 - i / 70]));
            float *across = run_reduction(&shape, extremes[k], 1u, x);
            for (size_t c = 0; c < 70; c++)
                assert_int_equal(isnan(across[c]) != 0, c == i % 70);
            free(along);
            free(across);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_set_of_dimensions_is_reduced),
        cmocka_unit_test(what_is_no_number_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
