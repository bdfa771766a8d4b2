/* test_graph_linear.c - products with weights: what joins them computes the same, and constants are in memory as long as
 * something reads them.
 * Covers plugins/graph/graph_fuse.c, graph_constants.c, graph_plan.c and operators/operator_linear.c. */
#include "graph_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 37, IN = 24, OUT = 40 }; /* of so many rows the kernels compute 38 */

static const struct graph_shape x_shape = {3, {1, ROWS, IN}}, y_shape = {3, {1, ROWS, OUT}};

struct layer {
    struct graph_test *test;
    const float *x, *weight, *bias;
    uint32_t value;
    double sums[ROWS * OUT]; /* without the bias */
};

static struct layer make(bool transposed, bool has_bias)
{
    struct layer l = {.test = graph_test_create()};
    const struct graph_shape weight = {2, {transposed ? IN : OUT, transposed ? OUT : IN}};
    const struct graph_shape vector = {1, {OUT}};
    const struct graph_attributes a = {.linear = {.transposed = transposed}};
    const uint32_t inputs[] = {graph_test_input(l.test, &x_shape),
                               graph_test_constant(l.test, &weight),
                               graph_test_constant(l.test, &vector)};
    const struct graph *graph = l.test->builder.graph;
    l.weight = graph->values[inputs[1]].constant;
    l.bias = graph->values[inputs[2]].constant;
    l.x = graph_test_numbers(l.test, graph_shape_size(&x_shape));
    /* Behind an operator, so that both sides lie in the block of a run. */
    const uint32_t x = graph_map(&l.test->builder, inputs[0], MAP_ABS, 0, 0);
    l.value = graph_add(&l.test->builder, GRAPH_LINEAR, has_bias ? 3 : 2,
                        (uint32_t[]){x, inputs[1], inputs[2]}, &a);
    if (!has_bias) /* as converters write x W + b */
        l.value = graph_binary(&l.test->builder, BINARY_ADD, l.value, inputs[2]);
    for (size_t i = 0; i < ROWS * OUT; i++)
        for (size_t k = 0; k < IN; k++)
            l.sums[i] += fabs((double)l.x[i / OUT * IN + k]) *
                         (double)l.weight[transposed ? k * OUT + i % OUT : i % OUT * IN + k];
    return l;
}

/* Finishes, runs twice, compares, and counts the nodes. */
static void check(struct layer *l, uint32_t output, const double *want, const float *second,
                  uint32_t n_nodes)
{
    graph_test_finish(l->test, output);
    for (int round = 0; round < 2; round++) {
        float *y = graph_test_run(l->test, (const float *const[]){l->x, second});
        graph_test_close("y", y, want, ROWS * OUT);
        free(y);
    }
    assert_int_equal(graph_test_nodes(l->test), n_nodes);
    graph_test_destroy(l->test);
}

static double activated(enum graph_function function, double x)
{
    switch (function) {
    case MAP_GELU:
        return x / 2 * (1 + erf(x / sqrt(2)));
    case MAP_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case MAP_GELU_SIGMOID:
        return x / (1 + exp(-1.702 * x));
    case MAP_SILU:
        return x / (1 + exp(-x));
    case MAP_TANH:
        return tanh(x);
    default:
        return 1 / (1 + exp(-x));
    }
}

static void bias_and_activation_join_a_product(void **state)
{
    (void)state;
    const enum graph_function functions[] = {MAP_GELU, MAP_GELU_TANH, MAP_GELU_SIGMOID,
                                             MAP_SILU, MAP_TANH,      MAP_SIGMOID};
    for (size_t i = 0; i < 2 * sizeof functions / sizeof *functions; i++) {
        const enum graph_function function = functions[i / 2];
        struct layer l = make(i % 2 == 0, i % 2 == 0);
        double want[ROWS * OUT];
        for (size_t k = 0; k < ROWS * OUT; k++)
            want[k] = activated(function, l.sums[k] + (double)l.bias[k % OUT]);
        const uint32_t y = graph_map(&l.test->builder, l.value, function, 0, 0);
        check(&l, graph_reshape(&l.test->builder, y, 1, (int64_t[]){ROWS * OUT}), want, NULL, 2);
    }
}

/* The same as a function of its own, where something else reads the product. */
static void an_activation_that_does_not_join_computes_the_same(void **state)
{
    (void)state;
    struct layer l = make(false, true);
    double want[ROWS * OUT];
    for (size_t k = 0; k < ROWS * OUT; k++) {
        const double x = l.sums[k] + (double)l.bias[k % OUT];
        want[k] = x + activated(MAP_GELU, x);
    }
    const uint32_t y = graph_map(&l.test->builder, l.value, MAP_GELU, 0, 0);
    check(&l, graph_binary(&l.test->builder, BINARY_ADD, y, l.value), want, NULL, 4);
}

static void a_residual_is_added_by_the_product(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct layer l = make(false, order == 1);
        const uint32_t other = graph_test_input(l.test, &y_shape);
        const float *second = graph_test_numbers(l.test, ROWS * OUT);
        double want[ROWS * OUT];
        for (size_t k = 0; k < ROWS * OUT; k++)
            want[k] = l.sums[k] + (double)l.bias[k % OUT] + (double)second[k];
        check(&l,
              graph_binary(&l.test->builder, BINARY_ADD, order == 0 ? l.value : other,
                           order == 0 ? other : l.value),
              want, second, 2);
    }
}

static void what_the_kernels_cannot_join_stays(void **state)
{
    (void)state;
    /* An activation behind a residual. */
    struct layer l = make(false, true);
    const uint32_t other = graph_test_input(l.test, &y_shape);
    const float *second = graph_test_numbers(l.test, ROWS * OUT);
    double want[ROWS * OUT];
    for (size_t k = 0; k < ROWS * OUT; k++)
        want[k] = tanh(l.sums[k] + (double)l.bias[k % OUT] + (double)second[k]);
    const uint32_t sum = graph_binary(&l.test->builder, BINARY_ADD, l.value, other);
    check(&l, graph_map(&l.test->builder, sum, MAP_TANH, 0, 0), want, second, 3);
    /* A residual behind an activation, and one that is broadcast. */
    l = make(false, true);
    const uint32_t row = graph_test_input(l.test, &(struct graph_shape){1, {OUT}});
    second = graph_test_numbers(l.test, OUT);
    for (size_t k = 0; k < ROWS * OUT; k++)
        want[k] = tanh(l.sums[k] + (double)l.bias[k % OUT]) + (double)second[k % OUT];
    const uint32_t y = graph_map(&l.test->builder, l.value, MAP_TANH, 0, 0);
    check(&l, graph_binary(&l.test->builder, BINARY_ADD, y, row), want, second, 3);
}

/* ---- constants */

struct reader {
    const void *data;
    size_t size_bytes;
};

static void note_discard(void *reader, const void *data, size_t size_bytes)
{
    *(struct reader *)reader = (struct reader){data, size_bytes};
}

static void views_are_given_back_when_they_are_packed(void **state)
{
    (void)state;
    struct layer l = make(false, true);
    struct graph *graph = l.test->builder.graph;
    struct reader reader = {NULL, 0};
    double want[ROWS * OUT];
    graph->discard = note_discard;
    graph->reader = &reader;
    for (size_t k = 0; k < ROWS * OUT; k++)
        want[k] = l.sums[k] + (double)l.bias[k % OUT];
    graph_test_finish(l.test, l.value);
    assert_ptr_equal(reader.data, l.weight);
    assert_int_equal(reader.size_bytes, IN * OUT * sizeof(float));
    /* What the reader had may be anything now. */
    memset((void *)(uintptr_t)l.weight, 0xFF, IN * OUT * sizeof(float));
    memset((void *)(uintptr_t)l.bias, 0xFF, OUT * sizeof(float));
    float *y = graph_test_run(l.test, (const float *const[]){l.x});
    graph_test_close("y", y, want, ROWS * OUT);
    free(y);
    graph_test_destroy(l.test);
}

/* A table that runs read, as a view and as memory of the graph, small and large. */
static void what_runs_read_stays(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct graph_test *test = graph_test_create();
        const bool is_own = round % 2 == 1;
        const struct graph_shape shape = {2, {round < 2 ? 50 : 5000, 4}}, places = {1, {3}};
        const size_t n = graph_shape_size(&shape);
        float *table = is_own ? graph_test_numbers(test, n) : malloc(n * sizeof *table);
        for (size_t i = 0; i < n; i++)
            table[i] = (float)i;
        const uint32_t inputs[] = {
            is_own ? graph_give_constant(&test->builder, MODEL_F32, &shape, table)
                   : graph_add_constant(&test->builder, MODEL_F32, &shape, table),
            graph_test_input(test, &places)};
        graph_test_finish(test, graph_add(&test->builder, GRAPH_GATHER, 2, inputs,
                                          &(struct graph_attributes){.along = {.axis = 0}}));
        if (!is_own) {
            memset(table, 0xFF, n * sizeof *table);
            free(table);
        }
        float *y = graph_test_run(test, (const float *const[]){(const float[]){0, 49, 7}});
        graph_test_close("rows", y,
                         (const double[]){0, 1, 2, 3, 196, 197, 198, 199, 28, 29, 30, 31}, 12);
        free(y);
        graph_test_destroy(test);
    }
}

/* Weights that nobody else reads are released when they are packed. */
static void weights_of_its_own_do_not_stay(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape shape = {2, {256, 256}};
    const uint32_t x = graph_test_input(test, &(struct graph_shape){2, {1, 256}});
    uint32_t y = x;
    for (int i = 0; i < 4; i++) {
        const uint32_t weight = graph_give_constant(
            &test->builder, MODEL_F32, &shape, graph_test_numbers(test, graph_shape_size(&shape)));
        y = graph_add(&test->builder, GRAPH_LINEAR, 2, (uint32_t[]){y, weight},
                      &(struct graph_attributes){.linear = {.transposed = false}});
    }
    const uint64_t before = kernels_memory_bytes(test->kernels);
    graph_test_finish(test, y);
    /* The four are packed, and gone; what else was made is small. */
    assert_true(kernels_memory_bytes(test->kernels) < before + 100000);
    graph_test_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bias_and_activation_join_a_product),
        cmocka_unit_test(an_activation_that_does_not_join_computes_the_same),
        cmocka_unit_test(a_residual_is_added_by_the_product),
        cmocka_unit_test(what_the_kernels_cannot_join_stays),
        cmocka_unit_test(views_are_given_back_when_they_are_packed),
        cmocka_unit_test(what_runs_read_stays),
        cmocka_unit_test(weights_of_its_own_do_not_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
