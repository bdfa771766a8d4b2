/* test_graph_rows.c - operators on rows and matrices against their formulas, and what is known while a graph is built.
 * Covers operator_matmul.c, operator_choose.c, operator_lstm.c, operator_norm.c and graph_fold.c. */
#include "graph_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* [2, 1, 20, 3] by [4, 3, 5]. */
static void matrices_are_multiplied_for_each_place_of_the_batch(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t inputs[] = {graph_test_input(test, &(struct graph_shape){4, {2, 1, 20, 3}}),
                               graph_test_input(test, &(struct graph_shape){3, {4, 3, 5}})};
    const float *x = graph_test_numbers(test, 120), *y = graph_test_numbers(test, 60);
    double want[800] = {0};
    for (size_t i = 0; i < 800; i++) {
        const size_t b = i / 400, h = i / 100 % 4, m = i / 5 % 20, n = i % 5;
        for (size_t k = 0; k < 3; k++)
            want[i] += (double)x[(b * 20 + m) * 3 + k] * (double)y[(h * 3 + k) * 5 + n];
    }
    graph_test_finish(test, graph_add(&test->builder, GRAPH_MATMUL, 2, inputs,
                                      &(struct graph_attributes){.order = {0}}));
    float *found = graph_test_run(test, (const float *const[]){x, y});
    graph_test_close("product", found, want, 800);
    free(found);
    graph_test_destroy(test);
}

static void gathering_takes_places_along_a_dimension(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t inputs[] = {graph_test_input(test, &(struct graph_shape){3, {2, 3, 2}}),
                               graph_test_input(test, &(struct graph_shape){1, {4}})};
    const float x[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, places[] = {2, 0, -1, 99};
    const double want[] = {4, 5, 0, 1, 4, 5, 4, 5, 10, 11, 6, 7, 10, 11, 10, 11};
    graph_test_finish(test, graph_add(&test->builder, GRAPH_GATHER, 2, inputs,
                                      &(struct graph_attributes){.places = {.axis = 1}}));
    float *found = graph_test_run(test, (const float *const[]){x, places});
    graph_test_close("gathered", found, want, 16);
    free(found);
    graph_test_destroy(test);
}

/* Where [2, 1, 2], x [3, 1], y [2]. */
static void a_choice_is_made_for_each_number(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t inputs[] = {graph_test_input(test, &(struct graph_shape){3, {2, 1, 2}}),
                               graph_test_input(test, &(struct graph_shape){2, {3, 1}}),
                               graph_test_input(test, &(struct graph_shape){1, {2}})};
    const float where[] = {0, 3, -1, 0}, x[] = {1, 2, 3}, y[] = {7, 8};
    const double want[] = {7, 1, 7, 2, 7, 3, 1, 8, 2, 8, 3, 8};
    graph_test_finish(test, graph_add(&test->builder, GRAPH_SELECT, 3, inputs,
                                      &(struct graph_attributes){.order = {0}}));
    float *found = graph_test_run(test, (const float *const[]){where, x, y});
    graph_test_close("chosen", found, want, 12);
    free(found);
    graph_test_destroy(test);
}

static void rows_are_normalized(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape shape = {2, {2, 4}}, row = {1, {4}};
    const uint32_t inputs[] = {graph_test_input(test, &shape), graph_test_input(test, &row),
                               graph_test_input(test, &row)};
    const float *x = graph_test_numbers(test, 8), *gamma = graph_test_numbers(test, 4);
    const float *beta = graph_test_numbers(test, 4);
    double want[8];
    for (size_t r = 0; r < 8; r += 4) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < 4; i++)
            mean += (double)x[r + i] / 4;
        for (size_t i = 0; i < 4; i++)
            variance += pow((double)x[r + i] - mean, 2) / 4;
        for (size_t i = 0; i < 4; i++)
            want[r + i] = ((double)x[r + i] - mean) / sqrt(variance + 0.25) * (double)gamma[i] +
                          (double)beta[i];
    }
    graph_test_finish(test, graph_add(&test->builder, GRAPH_LAYER_NORM, 3, inputs,
                                      &(struct graph_attributes){.norm = {.eps = 0.25}}));
    float *found = graph_test_run(test, (const float *const[]){x, gamma, beta});
    graph_test_close("layer norm", found, want, 8);
    free(found);
    graph_test_destroy(test);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

enum { STEPS = 10, ITEMS = 35, IN = 5, UNITS = 18 };

/* An LSTM layer in double precision: gates i, f, g, o; y(STEPS + 1, ITEMS, UNITS) with the last c behind. */
static void lstm_want(const float *x, const float *const parts[12], const float *h0,
                      const float *c0, bool reverse, double *y)
{
    for (size_t b = 0; b < ITEMS; b++) {
        double h[UNITS], c[UNITS], sums[4 * UNITS];
        for (size_t k = 0; k < UNITS; k++) {
            h[k] = (double)h0[b * UNITS + k];
            c[k] = (double)c0[b * UNITS + k];
        }
        for (size_t i = 0; i < STEPS; i++) {
            const size_t step = reverse ? STEPS - 1 - i : i;
            for (size_t g = 0; g < 4 * UNITS; g++) {
                const size_t gate = g / UNITS, unit = g % UNITS;
                sums[g] = (double)parts[8 + gate][unit];
                for (size_t k = 0; k < IN; k++)
                    sums[g] +=
                        (double)x[(step * ITEMS + b) * IN + k] * (double)parts[gate][unit * IN + k];
                for (size_t k = 0; k < UNITS; k++)
                    sums[g] += h[k] * (double)parts[4 + gate][unit * UNITS + k];
            }
            for (size_t k = 0; k < UNITS; k++) {
                c[k] =
                    sigmoid(sums[UNITS + k]) * c[k] + sigmoid(sums[k]) * tanh(sums[2 * UNITS + k]);
                h[k] = sigmoid(sums[3 * UNITS + k]) * tanh(c[k]);
                y[(step * ITEMS + b) * UNITS + k] = h[k];
            }
        }
        memcpy(y + (STEPS * ITEMS + b) * UNITS, c, sizeof c);
    }
}

/* x of the layer: an input, or rows of a table, the items' places before the steps' or behind; or of a table that is too
 * large to be multiplied once. */
enum { X_INPUT, X_STEP_FIRST, X_ITEM_FIRST, X_LARGE_TABLE };

static uint32_t lstm_x(struct graph_test *test, int form, const float **ret_input, float *ret_x)
{
    const struct graph_shape all = {3, {STEPS, ITEMS, IN}},
                             table = {2, {form == X_LARGE_TABLE ? 30000 : 9, IN}};
    const struct graph_shape places = {
        2, {form == X_ITEM_FIRST ? ITEMS : STEPS, form == X_ITEM_FIRST ? STEPS : ITEMS}};
    if (form == X_INPUT) {
        *ret_input = graph_test_numbers(test, STEPS * ITEMS * IN);
        memcpy(ret_x, *ret_input, STEPS * ITEMS * IN * sizeof *ret_x);
        return graph_test_input(test, &all);
    }
    const uint32_t inputs[] = {graph_test_constant(test, &table), graph_test_input(test, &places)};
    const float *rows = test->builder.graph->values[inputs[0]].constant;
    float *at = graph_test_numbers(test, STEPS * ITEMS);
    for (size_t i = 0; i < STEPS * ITEMS; i++) {
        at[i] = (float)((int)(i * 7 % 18) - 9); /* from the end, too */
        const size_t row = form == X_ITEM_FIRST ? i % STEPS * ITEMS + i / STEPS : i;
        memcpy(ret_x + row * IN,
               rows + (size_t)(at[i] < 0 ? at[i] + (float)table.size[0] : at[i]) * IN,
               IN * sizeof *ret_x);
    }
    *ret_input = at;
    const uint32_t x = graph_add(&test->builder, GRAPH_GATHER, 2, inputs,
                                 &(struct graph_attributes){.along = {.axis = 0}});
    return form == X_ITEM_FIRST ? graph_transpose(&test->builder, x, (const uint32_t[]){1, 0, 2})
                                : x;
}

/* In both directions; more steps and items than the kernels take at a time. */
static void an_lstm_carries_its_state_from_step_to_step(void **state)
{
    (void)state;
    const struct graph_shape units = {2, {ITEMS, UNITS}};
    const struct graph_shape shapes[] = {{2, {UNITS, IN}}, {2, {UNITS, UNITS}}, {1, {UNITS}}};
    static double want[(STEPS + 1) * ITEMS * UNITS];
    static float x[STEPS * ITEMS * IN];
    for (int round = 0; round < 8; round++) {
        const bool reverse = round % 2 != 0;
        struct graph_test *test = graph_test_create();
        const float *parts[12], *input = NULL;
        uint32_t inputs[15] = {lstm_x(test, round / 2, &input, x)};
        for (uint32_t i = 0; i < 12; i++) {
            inputs[1 + i] = graph_test_constant(test, &shapes[i / 4]);
            parts[i] = test->builder.graph->values[inputs[1 + i]].constant;
        }
        inputs[13] = graph_test_input(test, &units);
        inputs[14] = graph_test_input(test, &units);
        const float *h0 = graph_test_numbers(test, ITEMS * UNITS);
        const float *c0 = graph_test_numbers(test, ITEMS * UNITS);
        lstm_want(x, parts, h0, c0, reverse, want);
        graph_test_finish(test,
                          graph_add(&test->builder, GRAPH_LSTM, 15, inputs,
                                    &(struct graph_attributes){.lstm = {.reverse = reverse}}));
        assert_int_equal(graph_test_nodes(test), 1);
        float *found = graph_test_run(test, (const float *const[]){input, h0, c0});
        graph_test_close("lstm", found, want, sizeof want / sizeof *want);
        free(found);
        graph_test_destroy(test);
    }
}

static void small_constants_are_known_as_they_are_added(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    struct graph_builder *builder = &test->builder;
    const uint32_t three = graph_add_scalar(builder, 3),
                   x = graph_test_input(test, &(struct graph_shape){1, {3}});
    const uint32_t seven = graph_map(builder, three, MAP_LINEAR, 2, 1);
    assert_float_equal(*graph_known(builder, seven), 7, 0);
    assert_null(graph_known(builder, x));
    assert_null(graph_known(builder, GRAPH_NONE));
    graph_test_finish(test, graph_binary(builder, BINARY_ADD, x, seven));
    graph_test_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_are_multiplied_for_each_place_of_the_batch),
        cmocka_unit_test(gathering_takes_places_along_a_dimension),
        cmocka_unit_test(a_choice_is_made_for_each_number),
        cmocka_unit_test(rows_are_normalized),
        cmocka_unit_test(an_lstm_carries_its_state_from_step_to_step),
        cmocka_unit_test(small_constants_are_known_as_they_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
