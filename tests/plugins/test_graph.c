/* test_graph.c - graphs as a whole: what is fused computes the same, memory is shared without harm, constants
 * are folded or read where they are, runs can be cancelled, what does not fit is refused with a sentence.
 * Covers plugins/graph/graph.c, graph_build.c, graph_fuse.c, graph_plan.c, graph_run.c and
 * graph_services.c. */
#include "graph_harness.h"

#include "graph_compose.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct graph_shape map = {4, {1, 5, 6, 8}};

static uint32_t pointwise(struct graph_test *test, uint32_t x)
{
    const struct graph_shape weight = {4, {8, 8, 1, 1}}, bias = {1, {8}};
    const struct graph_attributes a = {
        .conv = {.window = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}}, .groups = 1}};
    const uint32_t inputs[] = {x, graph_test_constant(test, &weight),
                               graph_test_constant(test, &bias)};
    return graph_add(&test->builder, GRAPH_CONV, 3, inputs, &a);
}

/* The same with the numbers of the graph's constants. */
static void pointwise_want(const struct graph_test *test, uint32_t y, const double *x, double *ret)
{
    const struct graph *graph = test->builder.graph;
    const struct graph_node *node = &graph->nodes[graph->values[y].producer];
    const float *weight = graph->values[node->inputs[1]].constant;
    const float *bias = graph->values[node->inputs[2]].constant;
    for (size_t i = 0; i < graph_shape_size(&map); i += 8)
        for (size_t o = 0; o < 8; o++) {
            ret[i + o] = (double)bias[o];
            for (size_t k = 0; k < 8; k++)
                ret[i + o] += x[i + k] * (double)weight[o * 8 + k];
        }
}

/* relu, then -max(-x, -6), as converters write relu6. */
static uint32_t relu6(struct graph_test *test, uint32_t x)
{
    x = graph_map(&test->builder, x, MAP_RELU, 0, 0);
    x = graph_map(&test->builder, x, MAP_LINEAR, -1, 0);
    x = graph_map(&test->builder, x, MAP_CLIP, -6, INFINITY);
    return graph_map(&test->builder, x, MAP_LINEAR, -1, 0);
}

static void a_residual_block_becomes_two_convolutions(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const size_t n = graph_shape_size(&map);
    double x0[240] = {0}, x1[240], x2[240];
    const uint32_t x = graph_test_input(test, &map);
    const uint32_t first = pointwise(test, x);
    const uint32_t second = pointwise(test, relu6(test, first));
    const uint32_t sum = graph_binary(&test->builder, BINARY_ADD, x, second);
    float *input = graph_test_numbers(test, n);
    for (size_t i = 0; i < n; i++) {
        input[i] *= 10;
        x0[i] = (double)input[i];
    }
    pointwise_want(test, first, x0, x1);
    for (size_t i = 0; i < n; i++)
        x1[i] = fmin(fmax(x1[i], 0), 6);
    pointwise_want(test, second, x1, x2);
    for (size_t i = 0; i < n; i++)
        x2[i] = fmax(x2[i] + x0[i], 0);
    graph_test_finish(test, graph_map(&test->builder, sum, MAP_RELU, 0, 0));
    assert_int_equal(graph_test_nodes(test), 2);
    for (int round = 0; round < 2; round++) {
        float *y = graph_test_run(test, (const float *const[]){input});
        graph_test_close("y", y, x2, n);
        free(y);
    }
    assert_true((double)input[0] == x0[0]);
    graph_test_destroy(test);
}

/* A convolution takes in a relu, and behind it a clip that makes relu6 of it: not one that begins above 0. */
static void a_clip_behind_a_relu_clips(void **state)
{
    (void)state;
    static const struct {
        float from;
        uint32_t n_nodes;
    } cases[] = {{-1, 1}, {0, 1}, {2, 2}};
    const size_t n = graph_shape_size(&map);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct graph_test *test = graph_test_create();
        double x[240] = {0}, want[240];
        const uint32_t conv = pointwise(test, graph_test_input(test, &map));
        const uint32_t relu = graph_map(&test->builder, conv, MAP_RELU, 0, 0);
        float *input = graph_test_numbers(test, n);
        for (size_t i = 0; i < n; i++)
            x[i] = (double)(input[i] *= 10);
        pointwise_want(test, conv, x, want);
        for (size_t i = 0; i < n; i++)
            want[i] = fmin(fmax(fmax(want[i], 0), (double)cases[c].from), 6);
        graph_test_finish(test, graph_map(&test->builder, relu, MAP_CLIP, cases[c].from, 6));
        assert_int_equal(graph_test_nodes(test), cases[c].n_nodes);
        float *y = graph_test_run(test, (const float *const[]){input});
        graph_test_close("y", y, want, n);
        free(y);
        graph_test_destroy(test);
    }
}

static void a_batch_norm_is_the_same_folded_or_not(void **state)
{
    (void)state;
    const size_t n = graph_shape_size(&map);
    const struct graph_shape channels = {1, {8}};
    double want[240], x1[240], x0[240] = {0};
    for (int folded = 0; folded < 2; folded++) {
        struct graph_test *test = graph_test_create();
        uint32_t inputs[5] = {pointwise(test, graph_test_input(test, &map))};
        const uint32_t conv = inputs[0];
        const struct graph_attributes a = {.norm = {.eps = 1e-3}};
        for (uint32_t i = 1; i < 5; i++)
            inputs[i] = graph_test_constant(test, &channels);
        float *variance = (float *)(uintptr_t)test->builder.graph->values[inputs[4]].constant;
        for (size_t i = 0; i < 8; i++)
            variance[i] = fabsf(variance[i]) + 0.1f;
        const uint32_t norm = graph_add(&test->builder, GRAPH_NORM, 5, inputs, &a);
        const float *input = graph_test_numbers(test, n);
        for (size_t i = 0; i < n; i++)
            x0[i] = (double)input[i];
        pointwise_want(test, conv, x0, x1);
        for (size_t i = 0; i < n; i++) {
            const float *part[5] = {NULL};
            for (uint32_t k = 1; k < 5; k++)
                part[k] = test->builder.graph->values[inputs[k]].constant;
            want[i] = (x1[i] - (double)part[3][i % 8]) / sqrt((double)part[4][i % 8] + 1e-3) *
                          (double)part[1][i % 8] +
                      (double)part[2][i % 8] + (folded == 0 ? x1[i] : 0);
        }
        /* A second reader of the convolution keeps the two apart. */
        graph_test_finish(test, folded == 1 ? norm
                                            : graph_binary(&test->builder, BINARY_ADD, norm, conv));
        assert_int_equal(graph_test_nodes(test), folded == 1 ? 1 : 3);
        float *y = graph_test_run(test, (const float *const[]){input});
        graph_test_close("y", y, want, n);
        free(y);
        graph_test_destroy(test);
    }
}

static void what_is_constant_is_computed_once(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape shape = {2, {2, 3}};
    const uint32_t a = graph_test_constant(test, &shape), b = graph_test_constant(test, &shape);
    const uint32_t sum =
        graph_map(&test->builder, graph_binary(&test->builder, BINARY_ADD, a, b), MAP_LINEAR, 2, 1);
    double want[6];
    for (size_t i = 0; i < 6; i++)
        want[i] = 2 * ((double)((const float *)test->builder.graph->values[a].constant)[i] +
                       (double)((const float *)test->builder.graph->values[b].constant)[i]) +
                  1;
    graph_test_finish(test, sum);
    assert_int_equal(graph_test_nodes(test), 0);
    float *y = graph_test_run(test, NULL);
    graph_test_close("y", y, want, 6);
    free(y);
    graph_test_destroy(test);
}

/* A chain of 40 with a value of its beginning read at its end: three memories would do. */
/* What a test's reader says of a table; how often its pages were given back. */
struct reader {
    const void *table;
    bool stays;
    size_t n_discarded;
};

static bool table_stays(void *context, const void *data, size_t size_bytes)
{
    const struct reader *reader = context;
    return reader->stays && data == reader->table && size_bytes > 0;
}

static void count_discards(void *context, const void *data, size_t size_bytes)
{
    struct reader *reader = context;
    reader->n_discarded += data == reader->table && size_bytes > 0;
}

/* Two rows of a table with 128 KB; one that does not stay is copied, and its pages go. */
static void look_up(bool stays)
{
    enum { ROWS = 512, COLUMNS = 64 };
    struct graph_test *test = graph_test_create();
    const uint32_t x = graph_test_input(test, &(struct graph_shape){1, {2}});
    const uint32_t table = graph_test_constant(test, &(struct graph_shape){2, {ROWS, COLUMNS}});
    const float *numbers = test->builder.graph->values[table].constant;
    struct reader reader = {.table = numbers, .stays = stays};
    test->builder.graph->reader = &reader;
    test->builder.graph->stays = table_stays;
    test->builder.graph->discard = count_discards;
    const struct graph_attributes a = {.places = {.form = PLACES_AXIS, .axis = 0}};
    graph_test_finish(test, graph_add(&test->builder, GRAPH_GATHER, 2, (uint32_t[]){table, x}, &a));
    assert_int_equal(test->harness->n_blobs, stays ? 0 : 1);
    assert_true(stays == (test->builder.graph->values[table].numbers == numbers));
    assert_true(stays == (reader.n_discarded == 0));
    float *y = graph_test_run(test, (const float *const[]){(const float[]){511, 3}});
    assert_memory_equal(y, numbers + 511 * COLUMNS, COLUMNS * sizeof *y);
    assert_memory_equal(y + COLUMNS, numbers + 3 * COLUMNS, COLUMNS * sizeof *y);
    free(y);
    graph_test_destroy(test);
}

static void a_table_that_stays_is_read_where_it_is(void **state)
{
    (void)state;
    look_up(true);
    look_up(false);
}

/* Of the two names of a sum neither is a copy; what only changes the shape of an input is one. */
static void outputs_that_are_only_shapes_are_written_once(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape row = {1, {240}};
    const uint32_t x = graph_test_input(test, &map);
    const uint32_t sum = graph_binary(&test->builder, BINARY_ADD, x, x);
    const uint32_t named = graph_map(&test->builder, sum, MAP_LINEAR, 1, 0);
    graph_add_output(&test->builder, graph_shape_to(&test->builder, named, &row));
    graph_add_output(&test->builder, sum);
    graph_test_finish(test, graph_shape_to(&test->builder, x, &row));
    assert_int_equal(graph_test_nodes(test), 2); /* the sum, and the input's other shape */
    float numbers[240], y[3][240];
    for (size_t i = 0; i < 240; i++)
        numbers[i] = (float)i / 7;
    const struct graph_input input = {numbers, MODEL_F32};
    const struct model_cancel cancel = {sizeof cancel, &test->harness->cancelled, INT64_MAX};
    for (uint32_t wanted = 1; wanted < 8; wanted++) {
        float *outputs[3];
        memset(y, 0, sizeof y);
        for (uint32_t i = 0; i < 3; i++)
            outputs[i] = (wanted >> i & 1) != 0 ? y[i] : NULL;
        linear_runner_begin(test->runner, &cancel, &test->harness->err);
        assert_int_equal(graph_run(test->builder.graph, test->runner, &cancel, &input, outputs,
                                   &test->harness->err),
                         MODEL_OK);
        for (uint32_t i = 0; i < 3; i++)
            for (size_t k = 0; k < 240 && outputs[i] != NULL; k++)
                assert_true(y[i][k] == (i < 2 ? 2 : 1) * numbers[k]);
    }
    graph_test_destroy(test);
}

/* The second matrix is larger. */
static void what_has_most_weights_is_packed_first(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    uint32_t x = graph_test_input(test, &(struct graph_shape){2, {2, 128}});
    const int64_t sizes[] = {128, 192, 192, 64};
    for (size_t i = 0; i < 3; i++) {
        const struct graph_shape shape = {2, {sizes[i + 1], sizes[i]}};
        x = graph_add(&test->builder, GRAPH_LINEAR, 2,
                      (uint32_t[]){x, graph_test_constant(test, &shape)},
                      &(struct graph_attributes){.linear = {.activation = ACTIVATION_NONE}});
    }
    graph_test_finish(test, x);
    assert_int_equal(test->harness->n_blobs, 3);
    assert_true(test->harness->blob_sizes[0] >= 192 * 192 * sizeof(float));
    assert_true(test->harness->blob_sizes[1] > test->harness->blob_sizes[2]);
    graph_test_destroy(test);
}

static void a_long_chain_needs_little_memory(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape shape = {1, {100000}};
    const uint32_t input = graph_test_input(test, &shape);
    const uint32_t early = graph_map(&test->builder, input, MAP_ABS, 0, 0);
    uint32_t x = early;
    double want[8];
    for (uint32_t i = 0; i < 40; i++) {
        x = graph_map(&test->builder, x, MAP_LINEAR, i % 2 == 0 ? 2.0f : 0.5f, 0);
        x = graph_reshape(&test->builder, x, 1 + i % 2,
                          i % 2 == 0 ? (int64_t[]){100000} : (int64_t[]){10, 10000});
    }
    x = graph_reshape(&test->builder, x, 1, (int64_t[]){100000});
    const float *numbers = graph_test_numbers(test, 100000);
    for (size_t i = 0; i < 8; i++)
        want[i] = 2 * fabs((double)numbers[i]);
    graph_test_finish(test, graph_binary(&test->builder, BINARY_ADD, x, early));
    assert_true(graph_run_bytes(test->builder.graph) < 4 * 400000 + 8192);
    float *y = graph_test_run(test, (const float *const[]){numbers});
    graph_test_close("y", y, want, 8);
    free(y);
    graph_test_destroy(test);
}

static void a_cancelled_run_says_where(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape shape = {1, {4}};
    graph_test_finish(test,
                      graph_map(&test->builder, graph_test_input(test, &shape), MAP_EXP, 0, 0));
    const struct graph_input inputs[] = {{graph_test_numbers(test, 4), MODEL_F32}};
    float y[4], *outputs[] = {y};
    const uint32_t cancelled = MODEL_CANCELLED;
    const struct model_cancel cancel = {sizeof cancel, &cancelled, INT64_MAX};
    linear_runner_begin(test->runner, &cancel, &test->harness->err);
    assert_int_equal(
        graph_run(test->builder.graph, test->runner, &cancel, inputs, outputs, &test->harness->err),
        MODEL_CANCELLED);
    assert_string_equal(test->harness->err.message, "the run was ended at layer 'tested'");
    graph_test_destroy(test);
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape a = {2, {2, 3}}, b = {1, {4}};
    const uint32_t x = graph_test_input(test, &a), y = graph_test_input(test, &b);
    assert_int_equal(graph_binary(&test->builder, BINARY_ADD, x, y), GRAPH_NONE);
    assert_int_equal(test->builder.status, MODEL_CORRUPT);
    assert_string_equal(
        test->harness->err.message,
        "layer 'tested': values of shapes [2, 3] and [4] do not go together; " MODEL_CONTRADICTS);
    /* The first error stays, and what follows does nothing. */
    assert_int_equal(graph_map(&test->builder, x, MAP_ABS, 0, 0), GRAPH_NONE);
    graph_test_destroy(test);

    test = graph_test_create();
    (void)graph_test_input(test, &(struct graph_shape){2, {1 << 20, 1 << 20}});
    assert_int_equal(test->builder.status, MODEL_UNSUPPORTED);
    graph_test_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_residual_block_becomes_two_convolutions),
        cmocka_unit_test(a_clip_behind_a_relu_clips),
        cmocka_unit_test(a_batch_norm_is_the_same_folded_or_not),
        cmocka_unit_test(what_is_constant_is_computed_once),
        cmocka_unit_test(a_table_that_stays_is_read_where_it_is),
        cmocka_unit_test(outputs_that_are_only_shapes_are_written_once),
        cmocka_unit_test(what_has_most_weights_is_packed_first),
        cmocka_unit_test(a_long_chain_needs_little_memory),
        cmocka_unit_test(a_cancelled_run_says_where),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
