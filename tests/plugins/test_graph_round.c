/* test_graph_round.c - graphs that emulate float16: inputs, constants and results are numbers that a float16 can be, sums
 * inside a node are not, whole numbers stay; and inputs that come as bytes.
 * Covers plugins/graph/graph_round.c and the inputs of graph_run.c. */
#include "graph_harness.h"

#include "float16_nearest.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct graph_shape vector = {1, {8}};

static struct graph_test *create(void)
{
    struct graph_test *test = graph_test_create();
    test->builder.graph->emulates_f16 = true;
    return test;
}

static uint32_t constant(struct graph_test *test, const struct graph_shape *shape,
                         const float *numbers)
{
    return graph_add_constant(&test->builder, MODEL_F32, shape, numbers);
}

static double half(float x)
{
    return float16_nearest((double)x);
}

static void inputs_constants_and_results_are_rounded(void **state)
{
    (void)state;
    struct graph_test *test = create();
    const float *w = graph_test_numbers(test, 8), *x = graph_test_numbers(test, 8);
    const uint32_t product =
        graph_binary(&test->builder, BINARY_MULTIPLY, graph_test_input(test, &vector),
                     constant(test, &vector, w));
    graph_test_finish(test, graph_map(&test->builder, product, MAP_SQRT, 0, 0));
    float *y = graph_test_run(test, (const float *const[]){x});
    for (size_t i = 0; i < 8; i++) {
        const double want =
            half((float)sqrt((double)(float)half((float)(half(x[i]) * half(w[i])))));
        assert_true(isnan(want) ? isnan(y[i]) : (double)y[i] == want);
    }
    free(y);
    graph_test_destroy(test);
}

static void a_sum_is_rounded_once_and_not_on_its_way(void **state)
{
    (void)state;
    struct graph_test *test = create();
    /* In float16 2048 + 1 is 2048 however often; in float32 the sum is 2056. */
    const struct graph_shape row = {2, {1, 9}}, weight = {2, {1, 9}};
    const float x[9] = {2048, 1, 1, 1, 1, 1, 1, 1, 1}, ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const uint32_t inputs[] = {graph_test_input(test, &row), constant(test, &weight, ones)};
    graph_test_finish(test, graph_add(&test->builder, GRAPH_LINEAR, 2, inputs,
                                      &(struct graph_attributes){.order = {0}}));
    float *y = graph_test_run(test, (const float *const[]){x});
    assert_true(y[0] == 2056.0f);
    free(y);
    graph_test_destroy(test);
}

static void what_float16_cannot_hold_is_infinite_and_what_is_too_small_is_zero(void **state)
{
    (void)state;
    struct graph_test *test = create();
    const float x[8] = {300, -300, 255, 1e-4f, 6e-8f, 65504, NAN, 0};
    const float w[8] = {300, 300, 256, 1e-4f, 1, 1, 1, -1};
    graph_test_finish(test,
                      graph_binary(&test->builder, BINARY_MULTIPLY, graph_test_input(test, &vector),
                                   constant(test, &vector, w)));
    float *y = graph_test_run(test, (const float *const[]){x});
    assert_true(y[0] == INFINITY && y[1] == -INFINITY && y[2] == 65280.0f);
    assert_true(y[3] == 0 && y[4] == 0x1p-24f && y[5] == 65504.0f && isnan(y[6]));
    assert_true(y[7] == 0 && signbit(y[7]));
    free(y);
    graph_test_destroy(test);
}

/* Rows of a table at places that float16 could not tell apart. */
static void places_are_not_rounded(void **state)
{
    (void)state;
    struct graph_test *test = create();
    const struct graph_shape rows = {1, {4097}}, places = {1, {3}};
    float *table = graph_test_numbers(test, 4097);
    for (int i = 0; i < 4097; i++)
        table[i] = (float)(i % 7);
    const int32_t at[3] = {0, 2046, 1952};
    float bits[3];
    memcpy(bits, at, sizeof bits);
    test->builder.adds_whole = true;
    uint32_t where =
        graph_map(&test->builder, graph_test_input(test, &places), MAP_FROM_INTEGER, 0, 0);
    where = graph_binary(&test->builder, BINARY_ADD, where, graph_add_scalar(&test->builder, 2049));
    test->builder.adds_whole = false;
    const uint32_t inputs[] = {constant(test, &rows, table), where};
    graph_test_finish(test, graph_add(&test->builder, GRAPH_GATHER, 2, inputs,
                                      &(struct graph_attributes){.along = {.axis = 0}}));
    float *y = graph_test_run(test, (const float *const[]){bits});
    for (int i = 0; i < 3; i++)
        assert_true(y[i] == (float)((at[i] + 2049) % 7));
    free(y);
    graph_test_destroy(test);
}

static void what_is_folded_is_rounded_too(void **state)
{
    (void)state;
    struct graph_test *test = create();
    const uint32_t sum =
        graph_binary(&test->builder, BINARY_ADD, graph_add_scalar(&test->builder, 2048),
                     graph_add_scalar(&test->builder, 1));
    graph_test_finish(
        test, graph_binary(&test->builder, BINARY_MAX, graph_test_input(test, &vector), sum));
    float *y = graph_test_run(test, (const float *const[]){graph_test_numbers(test, 8)});
    assert_true(y[0] == 2048.0f && y[7] == 2048.0f);
    free(y);
    graph_test_destroy(test);
}

/* The same picture twice: the answers have the same bits, and the caller's numbers stay as they were. */
static void check_bytes(bool emulates)
{
    struct graph_test *test = graph_test_create();
    test->builder.graph->emulates_f16 = emulates;
    const struct graph_shape map = {4, {1, 5, 7, 3}};
    const uint32_t x = graph_test_input(test, &map);
    graph_take_bytes(&test->builder, x);
    const uint32_t centred = graph_map(&test->builder, x, MAP_LINEAR, 1 / 127.5f, -1);
    graph_test_finish(test, graph_map(&test->builder, centred, MAP_SIGMOID, 0, 0));
    uint8_t bytes[105];
    float numbers[105], before[105];
    for (size_t i = 0; i < 105; i++) {
        bytes[i] = (uint8_t)(i * 37);
        numbers[i] = before[i] = bytes[i];
    }
    float *from_bytes = graph_test_run_inputs(test, &(struct graph_input){bytes, MODEL_U8});
    float *from_floats = graph_test_run_inputs(test, &(struct graph_input){numbers, MODEL_F32});
    assert_memory_equal(from_bytes, from_floats, sizeof numbers);
    assert_memory_equal(numbers, before, sizeof numbers);
    for (size_t i = 0; i < 105; i++)
        assert_true(fabs((double)from_bytes[i] - 1 / (1 + exp(1 - (double)bytes[i] / 127.5))) <
                    (emulates ? 2e-3 : 1e-6));
    free(from_bytes);
    free(from_floats);
    graph_test_destroy(test);
}

static void bytes_answer_as_the_same_numbers_do(void **state)
{
    (void)state;
    check_bytes(false);
    check_bytes(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_constants_and_results_are_rounded),
        cmocka_unit_test(a_sum_is_rounded_once_and_not_on_its_way),
        cmocka_unit_test(what_float16_cannot_hold_is_infinite_and_what_is_too_small_is_zero),
        cmocka_unit_test(places_are_not_rounded),
        cmocka_unit_test(what_is_folded_is_rounded_too),
        cmocka_unit_test(bytes_answer_as_the_same_numbers_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
