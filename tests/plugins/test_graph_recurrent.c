/* test_graph_recurrent.c - recurrent layers of any activations against their formulas in double precision.
 * Covers operator_recurrent.c. */
#include "graph_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 3, ITEMS = 2, N = 2 };

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double clipped(double x, double limit)
{
    return fmin(fmax(x, -limit), limit);
}

/* What a step reads and keeps, as plain arrays. */
struct layer {
    enum graph_cell cell;
    size_t gates;
    const float *x, *h, *c, *weight, *peepholes;
};

/* Sum of gate g for unit k: what the step reads and the state through the weights. */
static double sum_of(const struct layer *l, const double *h, size_t step, size_t b, size_t g,
                     size_t k)
{
    double sum = (double)l->x[((step * ITEMS + b) * l->gates + g) * N + k];
    for (size_t i = 0; i < N; i++)
        sum += h[i] * (double)l->weight[i * l->gates * N + g * N + k];
    return sum;
}

static void step_lstm(const struct layer *l, bool coupled, double clip, size_t step, size_t b,
                      double h[N], double c[N])
{
    double made[N];
    for (size_t k = 0; k < N; k++) {
        const double p[] = {(double)l->peepholes[k], (double)l->peepholes[N + k],
                            (double)l->peepholes[2 * N + k]};
        const double in = sigmoid(sum_of(l, h, step, b, 0, k) + p[0] * c[k]);
        const double keep = coupled ? 1 - in : sigmoid(sum_of(l, h, step, b, 1, k) + p[1] * c[k]);
        c[k] = clipped(keep * c[k] + in * tanh(sum_of(l, h, step, b, 3, k)), clip);
        made[k] = sigmoid(sum_of(l, h, step, b, 2, k) + p[2] * c[k]) * fmax(c[k], 0);
    }
    memcpy(h, made, sizeof made);
}

static void step_gru(const struct layer *l, bool reset_first, size_t step, size_t b, double h[N])
{
    double r[N], reset[N], made[N];
    for (size_t k = 0; k < N; k++) {
        r[k] = sigmoid(sum_of(l, h, step, b, 0, k));
        reset[k] = r[k] * h[k];
    }
    for (size_t k = 0; k < N; k++) {
        const double x = (double)l->x[((step * ITEMS + b) * 3 + 1) * N + k];
        const double new = tanh(reset_first ? sum_of(l, reset, step, b, 1, k)
                                            : x + r[k] * (sum_of(l, h, step, b, 1, k) - x));
        const double z = sigmoid(sum_of(l, h, step, b, 2, k));
        made[k] = (1 - z) * new + z *h[k];
    }
    memcpy(h, made, sizeof made);
}

static void step_rnn(const struct layer *l, double limit, size_t step, size_t b, double h[N])
{
    double made[N];
    for (size_t k = 0; k < N; k++)
        made[k] = 0.5 * clipped(sum_of(l, h, step, b, 0, k), limit) + 0.25;
    memcpy(h, made, sizeof made);
}

/* Runs the operator and the formula over all steps, and compares. */
static void check(enum graph_cell cell, const struct graph_attributes *a)
{
    struct graph_test *test = graph_test_create();
    const size_t gates = cell == CELL_LSTM ? 4 : cell == CELL_GRU ? 3 : 1;
    const int64_t width = (int64_t)gates * N;
    const bool lstm = cell == CELL_LSTM;
    struct layer l = {.cell = cell,
                      .gates = gates,
                      .x = graph_test_numbers(test, STEPS * ITEMS * gates * N),
                      .h = graph_test_numbers(test, ITEMS * N),
                      .c = graph_test_numbers(test, ITEMS * N),
                      .weight = graph_test_numbers(test, N * gates * N),
                      .peepholes = graph_test_numbers(test, 3 * N)};
    const uint32_t inputs[] = {
        graph_test_input(test, &(struct graph_shape){3, {STEPS, ITEMS, width}}),
        graph_test_input(test, &(struct graph_shape){2, {ITEMS, N}}),
        graph_test_input(test, &(struct graph_shape){2, {ITEMS, N}}),
        graph_add_constant(&test->builder, MODEL_F32, &(struct graph_shape){2, {N, width}},
                           l.weight),
        lstm ? graph_add_constant(&test->builder, MODEL_F32, &(struct graph_shape){1, {3 * N}},
                                  l.peepholes)
             : GRAPH_NONE};
    double want[(STEPS + 1) * ITEMS * N];
    for (size_t b = 0; b < ITEMS; b++) {
        double h[N], c[N];
        for (size_t k = 0; k < N; k++) {
            h[k] = (double)l.h[b * N + k];
            c[k] = (double)l.c[b * N + k];
        }
        for (size_t i = 0; i < STEPS; i++) {
            const size_t step = a->recurrent.reverse ? STEPS - 1 - i : i;
            if (lstm)
                step_lstm(&l, a->recurrent.coupled, (double)a->recurrent.clip, step, b, h, c);
            else if (cell == CELL_GRU)
                step_gru(&l, a->recurrent.reset_first, step, b, h);
            else
                step_rnn(&l, (double)a->recurrent.limit, step, b, h);
            memcpy(&want[(step * ITEMS + b) * N], h, sizeof h);
        }
        memcpy(&want[(STEPS * ITEMS + b) * N], c, sizeof c);
    }
    graph_test_finish(test, graph_add(&test->builder, GRAPH_RECURRENT, 5, inputs, a));
    float *found = graph_test_run(test, (const float *const[]){l.x, l.h, l.c});
    graph_test_close("step", found, want, (STEPS + (lstm ? 1u : 0u)) * ITEMS * N);
    free(found);
    graph_test_destroy(test);
}

static void an_lstm_has_peepholes_and_limits(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++)
        check(CELL_LSTM,
              &(struct graph_attributes){.recurrent = {.cell = CELL_LSTM,
                                                       .reverse = form % 2 != 0,
                                                       .coupled = form > 1,
                                                       .clip = 0.3f,
                                                       .gate = {.function = MAP_SIGMOID},
                                                       .cell_gate = {.function = MAP_TANH},
                                                       .output = {.function = MAP_RELU}}});
}

static void a_gru_resets_before_or_after_its_product(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++)
        check(CELL_GRU,
              &(struct graph_attributes){.recurrent = {.cell = CELL_GRU,
                                                       .reverse = form % 2 != 0,
                                                       .reset_first = form > 1,
                                                       .gate = {.function = MAP_SIGMOID},
                                                       .cell_gate = {.function = MAP_TANH}}});
}

static void an_rnn_limits_its_sums(void **state)
{
    (void)state;
    check(CELL_RNN, &(struct graph_attributes){
                        .recurrent = {.cell = CELL_RNN,
                                      .limit = 0.4f,
                                      .cell_gate = {.function = MAP_LINEAR, 0.5f, 0.25f}}});
}

static void weights_of_another_cell_are_refused(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t inputs[] = {graph_test_input(test, &(struct graph_shape){3, {STEPS, ITEMS, 6}}),
                               graph_test_input(test, &(struct graph_shape){2, {ITEMS, N}}),
                               graph_test_input(test, &(struct graph_shape){2, {ITEMS, N}}),
                               graph_test_constant(test, &(struct graph_shape){2, {N, 6}})};
    graph_add(&test->builder, GRAPH_RECURRENT, 4, inputs,
              &(struct graph_attributes){.recurrent = {.cell = CELL_LSTM}});
    assert_int_equal(test->builder.status, MODEL_CORRUPT);
    assert_non_null(strstr(test->harness->err.message, "gates [3, 2, 6] with a state of [2, 2]"));
    graph_test_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_lstm_has_peepholes_and_limits),
        cmocka_unit_test(a_gru_resets_before_or_after_its_product),
        cmocka_unit_test(an_rnn_limits_its_sums),
        cmocka_unit_test(weights_of_another_cell_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
