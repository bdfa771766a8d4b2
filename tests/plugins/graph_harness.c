/* graph_harness.c - see graph_harness.h. */
#include "graph_harness.h"

#include "bert_reference_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#define MAX_INPUTS 16

struct graph_test *graph_test_create(void)
{
    return graph_test_create_in(harness_create(NULL, "{}", 2));
}

struct graph_test *graph_test_create_in(struct harness *harness)
{
    struct graph_test *test = calloc(1, sizeof *test);
    test->harness = harness;
    graph_services_init(&test->services, &test->harness->services);
    assert_int_equal(kernels_create(&test->services.table, &test->harness->args, &test->kernels,
                                    &test->harness->err),
                     MODEL_OK);
    test->builder = (struct graph_builder){
        .graph = graph_create(test->kernels), .layer = "tested", .err = &test->harness->err};
    test->services.graph = test->builder.graph;
    test->seed = 1;
    return test;
}

void graph_test_destroy(struct graph_test *test)
{
    linear_runner_destroy(test->runner);
    kernels_destroy(test->kernels);
    assert_int_equal(harness_destroy(test->harness), 0);
    free(test);
}

float *graph_test_numbers(struct graph_test *test, size_t n)
{
    float *x = kernels_allocate(test->kernels, n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)toy_random(&test->seed);
    return x;
}

uint32_t graph_test_input(struct graph_test *test, const struct graph_shape *shape)
{
    return graph_add_input(&test->builder, "x", shape);
}

uint32_t graph_test_constant(struct graph_test *test, const struct graph_shape *shape)
{
    return graph_add_constant(&test->builder, MODEL_F32, shape,
                              graph_test_numbers(test, graph_shape_size(shape)));
}

void graph_test_finish(struct graph_test *test, uint32_t output)
{
    graph_add_output(&test->builder, output);
    if (test->builder.status != MODEL_OK ||
        graph_finish(test->builder.graph, &test->harness->err) != MODEL_OK ||
        linear_runner_create(test->kernels, &test->runner, &test->harness->err) != MODEL_OK)
        fail_msg("%s", test->harness->err.message);
}

float *graph_test_run(struct graph_test *test, const float *const *inputs)
{
    struct graph_input given[MAX_INPUTS];
    assert_true(test->builder.graph->n_inputs <= MAX_INPUTS);
    for (uint32_t i = 0; i < test->builder.graph->n_inputs; i++)
        given[i] = (struct graph_input){inputs[i], MODEL_F32};
    return graph_test_run_inputs(test, given);
}

float *graph_test_run_inputs(struct graph_test *test, const struct graph_input *inputs)
{
    const struct graph *graph = test->builder.graph;
    const struct model_cancel cancel = {sizeof cancel, &test->harness->cancelled, INT64_MAX};
    float *y = malloc(graph_shape_size(&graph->values[graph->outputs[0]].shape) * sizeof *y);
    linear_runner_begin(test->runner, &cancel, &test->harness->err);
    if (graph_run(graph, test->runner, &cancel, inputs, &y, &test->harness->err) != MODEL_OK)
        fail_msg("%s", test->harness->err.message);
    return y;
}

uint32_t graph_test_nodes(const struct graph_test *test)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < test->builder.graph->n_nodes; i++)
        n += !test->builder.graph->nodes[i].removed;
    return n;
}

void graph_test_close(const char *what, const float *found, const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)found[i] - want[i]) <= 1e-5 * fmax(1, fabs(want[i]))))
            fail_msg("%s[%zu] is %g, want %g", what, i, (double)found[i], want[i]);
}
