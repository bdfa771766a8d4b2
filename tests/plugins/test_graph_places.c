/* test_graph_places.c - what is taken, put and ordered by places, against its formula; and what readers say in one word.
 * Covers operator_places.c, operator_sort.c, operator_choose.c, graph_compose.c, graph_places.c, graph_norms.c and
 * graph_products.c. */
#include "graph_harness.h"

#include "graph_compose.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* Finishes with y, runs it on these inputs and compares. */
static void expect(struct graph_test *test, uint32_t y, const float *const *inputs,
                   const double *want, size_t n)
{
    const struct graph_shape shape = graph_shape_of(&test->builder, y);
    graph_test_finish(test, y);
    assert_int_equal(graph_shape_size(&shape), n);
    float *found = graph_test_run(test, inputs);
    graph_test_close("result", found, want, n);
    free(found);
    graph_test_destroy(test);
}

static void expect_refused(struct graph_test *test, const char *words)
{
    assert_int_not_equal(test->builder.status, MODEL_OK);
    if (strstr(test->harness->err.message, words) == NULL)
        fail_msg("%s", test->harness->err.message);
    graph_test_destroy(test);
}

/* x [2, 3, 4], places [2, 2] shared by the first dimension. */
static void gathering_goes_by_batches(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t x = graph_test_input(test, &(struct graph_shape){3, {2, 3, 4}});
    const uint32_t at = graph_test_input(test, &(struct graph_shape){2, {2, 2}});
    const float *numbers = graph_test_numbers(test, 24), places[] = {2, 0, -1, 1};
    static const size_t rows[] = {2, 0, 3 + 2, 3 + 1};
    double want[16];
    for (size_t i = 0; i < 16; i++)
        want[i] = (double)numbers[rows[i / 4] * 4 + i % 4];
    expect(test, graph_gather(&test->builder, x, at, PLACES_AXIS, 1, 1),
           (const float *const[]){numbers, places}, want, 16);
}

/* Points [2, 3, 2] in x [2, 3, 4], one batch dimension. */
static void points_are_taken_within_their_batch(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t x = graph_test_input(test, &(struct graph_shape){3, {2, 3, 4}});
    const uint32_t at = graph_test_input(test, &(struct graph_shape){3, {2, 3, 2}});
    const float *numbers = graph_test_numbers(test, 24);
    const float places[] = {0, 3, 2, 1, 1, 1, 2, 3, 0, -4, 7, 0};
    static const size_t from[] = {3, 9, 5, 12 + 11, 12 + 0, 12 + 8};
    double want[6];
    for (size_t i = 0; i < 6; i++)
        want[i] = (double)numbers[from[i]];
    expect(test, graph_gather(&test->builder, x, at, PLACES_POINT, 0, 1),
           (const float *const[]){numbers, places}, want, 6);
}

static double joined(int mode, double x, double y)
{
    const double all[N_GRAPH_SCATTERS] = {y, x + y, x - y, x * y, x / y, fmax(x, y), fmin(x, y)};
    return all[mode];
}

/* Two updates of one row, in their order, in each form. */
static void scattering_joins_in_the_order_of_places(void **state)
{
    (void)state;
    for (int mode = 0; mode < N_GRAPH_SCATTERS; mode++)
        for (int form = 0; form < N_GRAPH_PLACES; form++) {
            struct graph_test *test = graph_test_create();
            const struct graph_shape data = {2, {4, 3}}, three = {2, {3, 3}};
            const struct graph_shape shapes[] = {{1, {3}}, three, {2, {3, 1}}};
            const float rows[] = {1, 3, 1}, all[] = {1, 1, 1, 3, 3, 3, 1, 1, 1};
            const uint32_t inputs[] = {graph_test_input(test, &data),
                                       graph_test_input(test, &shapes[form]),
                                       graph_test_input(test, &three)};
            const struct graph_attributes a = {
                .places = {.form = (enum graph_places)form, .mode = (enum graph_scatter)mode}};
            const float *x = graph_test_numbers(test, 12), *y = graph_test_numbers(test, 9);
            double want[12];
            for (size_t i = 0; i < 12; i++)
                want[i] = (double)x[i];
            for (size_t i = 0; i < 9; i++) {
                double *to = &want[(size_t)rows[i / 3] * 3 + i % 3];
                *to = joined(mode, *to, (double)y[i]);
            }
            expect(test, graph_add(&test->builder, GRAPH_SCATTER, 3, inputs, &a),
                   (const float *const[]){x, form == PLACES_ALONG ? all : rows, y}, want, 12);
        }
}

static void places_of_other_shapes_are_refused(void **state)
{
    (void)state;
    static const struct graph_shape places[] = {{1, {3}}, {2, {2, 5}}, {2, {1, 4}}};
    for (int form = 0; form < N_GRAPH_PLACES; form++) {
        struct graph_test *test = graph_test_create();
        const uint32_t x = graph_test_input(test, &(struct graph_shape){3, {2, 3, 4}});
        const uint32_t at = graph_test_input(test, &places[form]);
        graph_gather(&test->builder, x, at, (enum graph_places)form, 1, form == 0 ? 1 : 0);
        expect_refused(test, "in a value of shape [2, 3, 4]");
    }
}

/* Equals keep their order, along any dimension. */
static void sorting_gives_positions_in_order(void **state)
{
    (void)state;
    static const float x[] = {3, 1, 5, 1, 3, 0, 3, 4, 5, 2};
    static const struct {
        struct graph_shape shape;
        uint32_t axis;
        bool ascending;
        double want[6];
    } cases[] = {/* columns 3 5 3 3 5 and 1 1 0 4 2 */
                 {{2, {5, 2}}, 0, false, {1, 3, 4, 4, 0, 0}},
                 {{2, {5, 2}}, 0, true, {0, 2, 2, 0, 3, 1}},
                 /* rows 3 1 5 1 3 and 0 3 4 5 2 */
                 {{2, {2, 5}}, 1, false, {2, 0, 4, 3, 2, 1}},
                 {{2, {2, 5}}, 1, true, {1, 3, 0, 0, 4, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct graph_test *test = graph_test_create();
        const uint32_t input = graph_test_input(test, &cases[i].shape);
        expect(test, graph_sort(&test->builder, input, cases[i].axis, 3, cases[i].ascending),
               (const float *const[]){x}, cases[i].want, 6);
    }
}

static void sorting_survives_what_is_no_number(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const float x[] = {NAN, 1, NAN, INFINITY, -INFINITY, NAN, 0};
    const uint32_t input = graph_test_input(test, &(struct graph_shape){1, {7}});
    graph_test_finish(test, graph_sort(&test->builder, input, 0, 7, false));
    float *found = graph_test_run(test, (const float *const[]){x});
    for (size_t i = 0; i < 7; i++)
        assert_true(found[i] >= 0 && found[i] < 7);
    free(found);
    graph_test_destroy(test);
}

static void more_than_there_is_is_not_sorted_out(void **state)
{
    (void)state;
    for (int64_t k = 0; k < 6; k += 5) {
        struct graph_test *test = graph_test_create();
        const uint32_t x = graph_test_input(test, &(struct graph_shape){2, {2, 4}});
        graph_sort(&test->builder, x, 1, k, false);
        expect_refused(test, "of 4 numbers, want 1 to all");
    }
}

static void sums_run_along_a_dimension(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        struct graph_test *test = graph_test_create();
        const bool exclusive = form % 2 != 0, reverse = form > 1;
        const uint32_t input = graph_test_input(test, &(struct graph_shape){3, {2, 4, 3}});
        const float *x = graph_test_numbers(test, 24);
        double want[24] = {0};
        for (size_t i = 0; i < 24; i++)
            for (size_t k = 0; k < 4; k++) {
                const size_t at = i / 3 % 4, from = i / 12 * 12 + k * 3 + i % 3;
                const bool before = reverse ? k > at : k < at;
                want[i] += before || (k == at && !exclusive) ? (double)x[from] : 0;
            }
        expect(test, graph_cumsum(&test->builder, input, 1, exclusive, reverse),
               (const float *const[]){x}, want, 24);
    }
}

static void bands_leave_the_rest_empty(void **state)
{
    (void)state;
    static const int64_t bands[][2] = {{1, 2}, {-1, 0}, {0, -1}, {-1, -1}, {0, 0}};
    for (size_t b = 0; b < 5; b++) {
        struct graph_test *test = graph_test_create();
        const uint32_t input = graph_test_input(test, &(struct graph_shape){3, {2, 4, 5}});
        const float *x = graph_test_numbers(test, 40);
        double want[40];
        for (int64_t i = 0; i < 40; i++) {
            const int64_t row = i / 5 % 4, column = i % 5;
            const bool in = (bands[b][0] < 0 || row - column <= bands[b][0]) &&
                            (bands[b][1] < 0 || column - row <= bands[b][1]);
            want[i] = in ? (double)x[i] : 0;
        }
        expect(test, graph_band(&test->builder, input, bands[b][0], bands[b][1]),
               (const float *const[]){x}, want, 40);
    }
}

static void slices_run_backwards(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t input = graph_test_input(test, &(struct graph_shape){2, {3, 5}});
    const struct graph_attributes a = {
        .slice = {.begin = {2, 4}, .end = {-1, 0}, .stride = {-2, -3}}};
    const float x[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    expect(test, graph_add(&test->builder, GRAPH_SLICE, 1, &input, &a), (const float *const[]){x},
           (const double[]){14, 11, 4, 1}, 4);
    static const int64_t bad[][3] = {{2, 3, -1}, {3, -1, -1}, {2, -2, -1}, {0, 3, 0}, {0, 0, -1}};
    for (size_t i = 0; i < 5; i++) {
        test = graph_test_create();
        const uint32_t y = graph_test_input(test, &(struct graph_shape){1, {3}});
        const struct graph_attributes b = {
            .slice = {.begin = {bad[i][0]}, .end = {bad[i][1]}, .stride = {bad[i][2]}}};
        graph_add(&test->builder, GRAPH_SLICE, 1, &y, &b);
        expect_refused(test, "a slice outside it, or empty");
    }
}

static void windows_that_hang_over_count_what_is_there(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t input = graph_test_input(test, &(struct graph_shape){4, {1, 1, 5, 1}});
    const struct graph_attributes a = {
        .pool = {.window = {.kernel = {1, 2}, .stride = {1, 2}, .dilation = {1, 1}, .end = {0, 1}},
                 .mode = POOL_AVERAGE,
                 .beyond = {0, 1}}};
    expect(test, graph_add(&test->builder, GRAPH_POOL, 1, &input, &a),
           (const float *const[]){(const float[]){1, 2, 3, 4, 10}}, (const double[]){1.5, 3.5, 10},
           3);
}

/* "abc,cbd->dca": two letters are summed or kept, one dimension each way. */
static void einsum_follows_its_letters(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t x = graph_test_input(test, &(struct graph_shape){3, {2, 3, 4}});
    const uint32_t y = graph_test_input(test, &(struct graph_shape){3, {4, 3, 5}});
    const float *first = graph_test_numbers(test, 24), *second = graph_test_numbers(test, 60);
    double want[40] = {0};
    for (size_t i = 0; i < 40; i++) {
        const size_t d = i / 8, c = i / 2 % 4, a = i % 2;
        for (size_t b = 0; b < 3; b++)
            want[i] += (double)first[(a * 3 + b) * 4 + c] * (double)second[(c * 3 + b) * 5 + d];
    }
    expect(test, graph_einsum(&test->builder, "abc,cbd->dca", x, y),
           (const float *const[]){first, second}, want, 40);
}

static void equations_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const equations[] = {"",         "ab",      "ab,bc",     "aa,bc->a",
                                            "ab,bc->x", "ab,b->a", "ab,bc->aa", "a.,bc->a"};
    for (size_t i = 0; i < sizeof equations / sizeof *equations; i++) {
        struct graph_test *test = graph_test_create();
        const uint32_t x = graph_test_input(test, &(struct graph_shape){2, {3, 3}});
        graph_einsum(&test->builder, equations[i], x, x);
        expect_refused(test, "a letter for each dimension, none twice");
    }
}

static void norms_are_over_their_dimensions(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t input = graph_test_input(test, &(struct graph_shape){2, {2, 5}});
    const float *x = graph_test_numbers(test, 10);
    const struct graph_local_norm norm = {.size = 3, .alpha = 0.5f, .beta = 0.75f, .k = 2};
    double want[10];
    for (int64_t i = 0; i < 10; i++) {
        double sum = 0;
        for (int64_t c = i % 5 - 1; c <= i % 5 + 1; c++)
            sum += c >= 0 && c < 5 ? pow((double)x[i - i % 5 + c], 2) : 0;
        want[i] = (double)x[i] / pow(2 + 0.5 / 3 * sum, 0.75);
    }
    expect(test, graph_local_norm(&test->builder, input, &norm), (const float *const[]){x}, want,
           10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gathering_goes_by_batches),
        cmocka_unit_test(points_are_taken_within_their_batch),
        cmocka_unit_test(scattering_joins_in_the_order_of_places),
        cmocka_unit_test(places_of_other_shapes_are_refused),
        cmocka_unit_test(sorting_gives_positions_in_order),
        cmocka_unit_test(sorting_survives_what_is_no_number),
        cmocka_unit_test(more_than_there_is_is_not_sorted_out),
        cmocka_unit_test(sums_run_along_a_dimension),
        cmocka_unit_test(bands_leave_the_rest_empty),
        cmocka_unit_test(slices_run_backwards),
        cmocka_unit_test(windows_that_hang_over_count_what_is_there),
        cmocka_unit_test(einsum_follows_its_letters),
        cmocka_unit_test(equations_that_are_none_are_refused),
        cmocka_unit_test(norms_are_over_their_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
