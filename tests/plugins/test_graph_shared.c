/* test_graph_shared.c - graphs of one model for several sizes share what is packed, whatever the numbers of their nodes;
 * weights that differ are kept apart. Covers plugins/graph/graph_shared.c and plugins/graph/graph_services.c. */
#include "graph_harness.h"

#include "graph_compose.h"
#include "testing.h"

#define WIDTH 256 /* a matrix is 256 KB */

static size_t n_bytes;  /* asked for so far */
static size_t n_finish; /* while the last graph was finished */

static void *count_bytes(void *context, size_t size_bytes)
{
    void *memory = NULL;
    (void)context;
    n_bytes += size_bytes;
    assert_int_equal(posix_memalign(&memory, 64, size_bytes + 64), 0);
    return memory;
}

static void give_back(void *context, void *memory)
{
    (void)context;
    free(memory);
}

/* The numbers of a matrix that stays where it is, as a file's do. */
static float *matrix(double scale)
{
    float *numbers = malloc(WIDTH * WIDTH * sizeof *numbers);
    for (size_t i = 0; i < WIDTH * WIDTH; i++)
        numbers[i] = (float)(scale * ((double)(i * 7919 % 211) / 211 - 0.5));
    return numbers;
}

static struct graph_test *create_counted(void)
{
    struct harness *harness = harness_create(NULL, "{}", 1);
    harness->services.allocate = count_bytes;
    harness->services.release = give_back;
    return graph_test_create_in(harness);
}

static void finish(struct graph_test *test, uint32_t output)
{
    n_finish = n_bytes;
    graph_test_finish(test, output);
    n_finish = n_bytes - n_finish;
}

/* y = x W^T of n_rows rows; `is_own`: the graph has a copy of W. What comes before in the graph is n_before nodes. */
static void build(struct graph_test *test, int64_t n_rows, const float *weights, bool is_own,
                  uint32_t n_before)
{
    const struct graph_shape square = {2, {WIDTH, WIDTH}};
    uint32_t x = graph_test_input(test, &(struct graph_shape){2, {n_rows, WIDTH}});
    for (uint32_t i = 0; i < n_before; i++)
        x = graph_map(&test->builder, x, MAP_ABS, 0, 0);
    float *copy = NULL;
    if (is_own) {
        copy = kernels_allocate(test->kernels, WIDTH * WIDTH * sizeof *copy);
        memcpy(copy, weights, WIDTH * WIDTH * sizeof *copy);
    }
    const uint32_t weight = is_own
                                ? graph_give_constant(&test->builder, MODEL_F32, &square, copy)
                                : graph_add_constant(&test->builder, MODEL_F32, &square, weights);
    const struct graph_attributes a = {.linear = {.activation = ACTIVATION_NONE}};
    finish(test, graph_add(&test->builder, GRAPH_LINEAR, 2, (uint32_t[]){x, weight}, &a));
}

static void expect_products(struct graph_test *test, size_t n_rows, const float *weights)
{
    float *x = graph_test_numbers(test, n_rows * WIDTH);
    double *want = calloc(n_rows * WIDTH, sizeof *want);
    for (size_t i = 0; i < n_rows * WIDTH; i++)
        x[i] = x[i] < 0 ? -x[i] : x[i];
    for (size_t row = 0; row < n_rows; row++)
        for (size_t o = 0; o < WIDTH; o++)
            for (size_t k = 0; k < WIDTH; k++)
                want[row * WIDTH + o] +=
                    (double)x[row * WIDTH + k] * (double)weights[o * WIDTH + k];
    float *y = graph_test_run(test, (const float *const[]){x});
    graph_test_close("y", y, want, n_rows * WIDTH);
    free(want);
    free(y);
}

/* Finishes a first graph and a second one; the bytes that finishing the second one took. */
static size_t second_of(const float *first, const float *second, bool is_own)
{
    struct graph_test *one = create_counted(), *other = create_counted();
    assert_true(graph_services_share(&one->services));
    graph_services_join(&other->services, &one->services);
    build(one, 3, first, is_own, 0);
    build(other, 17, second, is_own, 4);
    const size_t taken = n_finish;
    assert_int_equal(other->harness->n_blobs, 0); /* which belongs to the create-thread */
    expect_products(other, 17, second);
    expect_products(one, 3, first);
    graph_test_destroy(other);
    expect_products(one, 3, first); /* nothing of it was the other one's */
    graph_test_destroy(one);
    return taken;
}

static void weights_of_a_file_are_packed_once(void **state)
{
    (void)state;
    float *weights = matrix(1);
    assert_true(second_of(weights, weights, false) < WIDTH * WIDTH * sizeof(float) / 2);
    free(weights);
}

static void equal_numbers_in_other_memory_are_packed_once(void **state)
{
    (void)state;
    float *weights = matrix(1);
    assert_true(second_of(weights, weights, true) < WIDTH * WIDTH * sizeof(float) / 2);
    free(weights);
}

static void weights_that_differ_are_packed_for_each(void **state)
{
    (void)state;
    float *weights = matrix(1), *others = matrix(1);
    others[WIDTH * WIDTH - 1] += 0.25f;
    assert_true(second_of(weights, others, true) >= WIDTH * WIDTH * sizeof(float));
    assert_true(second_of(weights, others, false) >= WIDTH * WIDTH * sizeof(float));
    free(weights);
    free(others);
}

/* A table that runs read, [WIDTH, WIDTH], and the bytes that a second graph takes for it. */
static void tables_that_runs_read_are_kept_once(void **state)
{
    (void)state;
    const struct graph_shape square = {2, {WIDTH, WIDTH}};
    struct graph_test *tests[2] = {create_counted(), create_counted()};
    assert_true(graph_services_share(&tests[0]->services));
    graph_services_join(&tests[1]->services, &tests[0]->services);
    float *weights = matrix(1);
    for (size_t i = 0; i < 2; i++) {
        struct graph_test *test = tests[i];
        const uint32_t x = graph_test_input(test, &(struct graph_shape){1, {(int64_t)i + 1}});
        float *copy = kernels_allocate(test->kernels, WIDTH * WIDTH * sizeof *copy);
        memcpy(copy, weights, WIDTH * WIDTH * sizeof *copy);
        const uint32_t table = graph_give_constant(&test->builder, MODEL_F32, &square, copy);
        const struct graph_attributes a = {.places = {.form = PLACES_AXIS}};
        finish(test, graph_add(&test->builder, GRAPH_GATHER, 2, (uint32_t[]){table, x}, &a));
        float *y = graph_test_run(test, (const float *const[]){(const float[]){9, 200}});
        assert_memory_equal(y, weights + 9 * WIDTH, WIDTH * sizeof *y);
        free(y);
    }
    assert_true(n_finish < WIDTH * WIDTH * sizeof(float) / 2);
    assert_int_equal(tests[1]->harness->n_blobs, 0);
    graph_test_destroy(tests[1]);
    graph_test_destroy(tests[0]);
    free(weights);
}

static void a_graph_ends_with_the_token_of_its_call(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t raised = MODEL_DEADLINE;
    const struct model_cancel cancel = {sizeof cancel, &raised, INT64_MAX};
    const uint32_t x = graph_test_input(test, &(struct graph_shape){1, {2}});
    const uint32_t y = graph_map(&test->builder, x, MAP_ABS, 0, 0);
    graph_add_output(&test->builder, y);
    test->builder.graph->cancel = &cancel;
    assert_int_equal(graph_map(&test->builder, y, MAP_ABS, 0, 0), GRAPH_NONE);
    assert_int_equal(test->builder.status, MODEL_DEADLINE);
    assert_int_equal(graph_finish(test->builder.graph, &test->harness->err), MODEL_DEADLINE);
    assert_string_equal(test->harness->err.message,
                        "the run was ended while its sizes were prepared");
    graph_test_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_a_file_are_packed_once),
        cmocka_unit_test(equal_numbers_in_other_memory_are_packed_once),
        cmocka_unit_test(weights_that_differ_are_packed_for_each),
        cmocka_unit_test(tables_that_runs_read_are_kept_once),
        cmocka_unit_test(a_graph_ends_with_the_token_of_its_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
