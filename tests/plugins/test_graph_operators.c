/* test_graph_operators.c - each operator of plugins/graph/operators against its formula, one number at a time.
 * Covers operators.c, operator_conv.c, operator_pool.c, operator_linear.c, operator_norm.c, operator_map.c,
 * operator_binary.c, operator_reduce.c, operator_resize.c and operator_layout.c. */
#include "graph_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct graph_shape map = {4, {2, 5, 6, 3}};
#define MAP_NUMBERS 180

/* Runs one node on one input, x. */
static float *run_one(enum graph_kind kind, const struct graph_shape *shape, const float *x,
                      const struct graph_attributes *a, struct graph_shape *ret_shape)
{
    struct graph_test *test = graph_test_create();
    const uint32_t input = graph_test_input(test, shape);
    const uint32_t y = graph_add(&test->builder, kind, 1, &input, a);
    *ret_shape = graph_shape_of(&test->builder, y);
    graph_test_finish(test, y);
    float *found = graph_test_run(test, &x);
    graph_test_destroy(test);
    return found;
}

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 7919 + 13) % 211) / 50 - 2;
}

/* x at a place of the map, `outside` beyond it. */
static double at(const float *x, int64_t b, int64_t r, int64_t q, int64_t c, double outside)
{
    const int64_t *size = map.size;
    if (r < 0 || r >= size[1] || q < 0 || q >= size[2])
        return outside;
    return (double)x[((b * size[1] + r) * size[2] + q) * size[3] + c];
}

static void functions_are_their_formulas(void **state)
{
    (void)state;
    static const float inputs[] = {-2.5f, -0.75f, 0.0f, 0.25f, 1.0f, 3.5f};
    for (int f = 0; f < N_GRAPH_FUNCTIONS; f++) {
        const double a = 0.5, b = 1.25, eps = 1e-3;
        struct graph_attributes attributes = {
            .map = {(enum graph_function)f, 0.5f, 1.25f, 2, 1, 1e-3f}};
        struct graph_shape shape = {1, {6}}, found_shape;
        double want[6];
        if (f == MAP_PRELU || f == MAP_PARAMETRIC_SOFTPLUS || f == MAP_FROM_INTEGER ||
            f == MAP_TO_INTEGER || f == MAP_TO_HALF || f == MAP_ASIN || f == MAP_ACOS ||
            f == MAP_ATANH || f == MAP_ACOSH)
            continue; /* below */
        for (size_t i = 0; i < 6; i++) {
            const double x = 2 * (double)inputs[i] + 1;
            const double all[N_GRAPH_FUNCTIONS] = {
                [MAP_LINEAR] = a * x + b,
                [MAP_RELU] = fmax(x, 0),
                [MAP_LEAKY_RELU] = x > 0 ? x : a * x,
                [MAP_CLIP] = fmin(fmax(x, a), b),
                [MAP_THRESHOLDED_RELU] = x > a ? x : 0,
                [MAP_SIGMOID] = 1 / (1 + exp(-x)),
                [MAP_HARD_SIGMOID] = fmin(fmax(a * x + b, 0), 1),
                [MAP_TANH] = tanh(x),
                [MAP_SCALED_TANH] = a * tanh(b * x),
                [MAP_ELU] = x > 0 ? x : a * (exp(x) - 1),
                [MAP_SOFTSIGN] = x / (1 + fabs(x)),
                [MAP_SOFTPLUS] = log(1 + exp(x)),
                [MAP_SQRT] = sqrt(fmax(x, 0)),
                [MAP_RSQRT] = 1 / sqrt(fmax(x, 0) + eps),
                [MAP_INVERSE] = 1 / (x + eps),
                [MAP_POWER] = pow(fmax(x, 0), a),
                [MAP_EXP] = exp(x),
                [MAP_LOG] = log(fmax(x, eps)),
                [MAP_ABS] = fabs(x),
                [MAP_GELU] = x * 0.5 * (1 + erf(x / sqrt(2))),
                [MAP_GELU_TANH] =
                    x * 0.5 * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))),
                [MAP_GELU_SIGMOID] = x / (1 + exp(-1.702 * x)),
                [MAP_SILU] = x / (1 + exp(-x)),
                [MAP_ERF] = erf(x),
                [MAP_FLOOR] = floor(x),
                [MAP_CEIL] = ceil(x),
                [MAP_ROUND] = rint(x),
                [MAP_SIGN] = (x > 0) - (x < 0),
                [MAP_SIN] = sin(x),
                [MAP_COS] = cos(x),
                [MAP_TAN] = tan(x),
                [MAP_ATAN] = atan(x),
                [MAP_SINH] = sinh(x),
                [MAP_COSH] = cosh(x),
                [MAP_ASINH] = asinh(x),
                [MAP_IS_ZERO] = x == 0 ? 1 : 0};
            want[i] = all[f];
        }
        const bool positive = f == MAP_SQRT || f == MAP_RSQRT || f == MAP_POWER;
        const size_t first = positive ? 2 : 0;
        shape.size[0] -= (int64_t)first;
        float *y = run_one(GRAPH_MAP, &shape, inputs + first, &attributes, &found_shape);
        graph_test_close("function", y, want + first, 6 - first);
        free(y);
    }
}

/* By numpy: x.clip(-2**31, 2**31 - 1).astype(int64).astype(dtype), NaN as 0. */
static void numbers_become_integers_that_wrap_around(void **state)
{
    (void)state;
    static const float inputs[] = {-0.9f, 127.9f, 128, -129, 300, -1, 65536, 1e10f, -1e10f, NAN};
    static const struct {
        float bits, has_sign;
        double want[10];
    } rows[] = {{8, 1, {0, 127, -128, 127, 44, -1, 0, -1, 0, 0}},
                {8, 0, {0, 127, 128, 127, 44, 255, 0, 255, 0, 0}},
                {16, 1, {0, 127, 128, -129, 300, -1, 0, -1, 0, 0}},
                {16, 0, {0, 127, 128, 65407, 300, 65535, 0, 65535, 0, 0}},
                {32, 1, {0, 127, 128, -129, 300, -1, 65536, 2147483647, -2147483648.0, 0}}};
    const struct graph_shape shape = {1, {10}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct graph_shape found_shape;
        const struct graph_attributes a = {.map = {.function = MAP_TO_INTEGER,
                                                   .alpha = rows[r].bits,
                                                   .beta = rows[r].has_sign,
                                                   .scale = 1}};
        float *y = run_one(GRAPH_MAP, &shape, inputs, &a, &found_shape);
        for (size_t i = 0; i < 10; i++)
            assert_true(y[i] == (float)rows[r].want[i]);
        free(y);
    }
}

static void inverse_functions_are_their_formulas(void **state)
{
    (void)state;
    static const enum graph_function functions[] = {MAP_ASIN, MAP_ACOS, MAP_ATANH, MAP_ACOSH};
    static const float inputs[] = {-0.75f, 0.0f, 0.25f, 0.875f};
    const struct graph_shape shape = {1, {4}};
    for (size_t f = 0; f < 4; f++) {
        const double shift = f == 3 ? 2 : 0;
        const struct graph_attributes a = {
            .map = {.function = functions[f], .scale = 1, .shift = (float)shift}};
        struct graph_shape found_shape;
        double want[4];
        for (size_t i = 0; i < 4; i++) {
            const double x = (double)inputs[i] + shift;
            want[i] = f == 0 ? asin(x) : f == 1 ? acos(x) : f == 2 ? atanh(x) : acosh(x);
        }
        float *y = run_one(GRAPH_MAP, &shape, inputs, &a, &found_shape);
        graph_test_close("inverse function", y, want, 4);
        free(y);
    }
}

static void slopes_differ_by_channel(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    static const float slopes[] = {0.5f, -1, 2}, x[] = {-1, -2, -3, 4, 5, 6};
    const double want[] = {-0.5, 2, -6, 4, 5, 6};
    const struct graph_attributes a = {.map = {.function = MAP_PRELU, .scale = 1}};
    const uint32_t inputs[] = {
        graph_test_input(test, &(struct graph_shape){2, {2, 3}}),
        graph_add_constant(&test->builder, MODEL_F32, &(struct graph_shape){1, {3}}, slopes)};
    graph_test_finish(test, graph_add(&test->builder, GRAPH_MAP, 2, inputs, &a));
    float *y = graph_test_run(test, (const float *const[]){x});
    graph_test_close("prelu", y, want, 6);
    free(y);
    graph_test_destroy(test);
}

static void values_are_broadcast_as_numpy_does(void **state)
{
    (void)state;
    const struct graph_shape a = {3, {2, 1, 3}}, b = {2, {4, 1}};
    for (int f = 0; f < N_GRAPH_BINARIES; f++) {
        struct graph_test *test = graph_test_create();
        const uint32_t x = graph_test_input(test, &a), y = graph_test_input(test, &b);
        float *first = graph_test_numbers(test, 6), *second = graph_test_numbers(test, 4);
        second[0] = first[1];
        for (size_t i = 0; i < 6 && f == BINARY_POWER; i++)
            first[i] = fabsf(first[i]);
        double want[24];
        for (size_t i = 0; i < 24; i++) {
            const double p = (double)first[i / 12 * 3 + i % 3], q = (double)second[i / 3 % 4];
            const double all[N_GRAPH_BINARIES] = {
                p + q,     p * q,  fmax(p, q),   fmin(p, q),
                p - q,     p / q,  floor(p / q), p - q * floor(p / q),
                pow(p, q), p == q, p < q,        p <= q};
            want[i] = all[f];
        }
        graph_test_finish(test, graph_binary(&test->builder, (enum graph_binary)f, x, y));
        float *found = graph_test_run(test, (const float *const[]){first, second});
        graph_test_close("binary", found, want, 24);
        free(found);
        graph_test_destroy(test);
    }
}

/* Uneven padding, strides and dilation, in groups. */
static void convolutions_pad_each_side_by_itself(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape shape = {4, {3, 1, 3, 2}}, bias = {1, {3}};
    const struct graph_attributes a = {.conv = {.window = {.kernel = {3, 2},
                                                           .stride = {2, 1},
                                                           .dilation = {1, 2},
                                                           .begin = {0, 1},
                                                           .end = {1, 2}},
                                                .groups = 3}};
    const uint32_t inputs[] = {graph_test_input(test, &map), graph_test_constant(test, &shape),
                               graph_test_constant(test, &bias)};
    const float *x = graph_test_numbers(test, MAP_NUMBERS);
    const float *w = test->builder.graph->values[inputs[1]].constant;
    const float *plus = test->builder.graph->values[inputs[2]].constant;
    const uint32_t y = graph_add(&test->builder, GRAPH_CONV, 3, inputs, &a);
    const struct graph_shape to = graph_shape_of(&test->builder, y);
    assert_true(graph_shape_equal(&to, &(struct graph_shape){4, {2, 2, 7, 3}}));
    double want[84];
    for (int64_t i = 0; i < 84; i++) {
        const int64_t c = i % 3, q = i / 3 % 7, r = i / 21 % 2, b = i / 42;
        want[i] = (double)plus[c];
        for (int64_t k = 0; k < 3; k++)
            for (int64_t l = 0; l < 2; l++)
                want[i] +=
                    (double)w[(c * 3 + k) * 2 + l] * at(x, b, r * 2 + k, q + 2 * l - 1, c, 0);
    }
    graph_test_finish(test, y);
    float *found = graph_test_run(test, &x);
    graph_test_close("convolution", found, want, 84);
    free(found);
    graph_test_destroy(test);
}

static void transposed_convolutions_are_cut(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const struct graph_shape shape = {4, {3, 4, 3, 3}};
    const struct graph_attributes a = {.conv = {.window = {.kernel = {3, 3},
                                                           .stride = {2, 2},
                                                           .dilation = {1, 1},
                                                           .begin = {0, 0},
                                                           .end = {1, 1}},
                                                .groups = 1,
                                                .transposed = true}};
    const uint32_t inputs[] = {graph_test_input(test, &map), graph_test_constant(test, &shape)};
    const float *x = graph_test_numbers(test, MAP_NUMBERS);
    const float *w = test->builder.graph->values[inputs[1]].constant;
    const uint32_t y = graph_add(&test->builder, GRAPH_CONV, 2, inputs, &a);
    const struct graph_shape to = graph_shape_of(&test->builder, y);
    assert_true(graph_shape_equal(&to, &(struct graph_shape){4, {2, 10, 12, 4}}));
    static double want[960];
    memset(want, 0, sizeof want);
    for (int64_t i = 0; i < MAP_NUMBERS * 36; i++) {
        const int64_t l = i % 3, k = i / 3 % 3, o = i / 9 % 4, c = i / 36 % 3, q = i / 108 % 6;
        const int64_t r = i / 648 % 5, b = i / 3240;
        if (2 * r + k < 10 && 2 * q + l < 12)
            want[((b * 10 + 2 * r + k) * 12 + 2 * q + l) * 4 + o] +=
                at(x, b, r, q, c, 0) * (double)w[((c * 4 + o) * 3 + k) * 3 + l];
    }
    graph_test_finish(test, y);
    float *found = graph_test_run(test, &x);
    graph_test_close("transposed convolution", found, want, 960);
    free(found);
    graph_test_destroy(test);
}

static void pools_take_what_lies_inside(void **state)
{
    (void)state;
    float x[MAP_NUMBERS];
    fill(x, MAP_NUMBERS);
    for (int round = 0; round < 8; round++) {
        const int mode = round % 4 < 3 ? round % 4 : POOL_AVERAGE;
        const bool inside = round % 4 == 3;
        const int64_t end = round / 4; /* uneven, then even */
        struct graph_shape shape;
        const struct graph_attributes a = {
            .pool = {
                {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {end, 1}}, (enum graph_pool)mode, inside, {0, 0}}};
        float *y = run_one(GRAPH_POOL, &map, x, &a, &shape);
        const int64_t height = (5 + 1 + end - 3) / 2 + 1;
        assert_true(graph_shape_equal(&shape, &(struct graph_shape){4, {2, height, 3, 3}}));
        double want[108];
        for (int64_t i = 0; i < 2 * height * 9; i++) {
            const int64_t c = i % 3, q = i / 3 % 3, r = i / 9 % height, b = i / 9 / height;
            double largest = -INFINITY, sum = 0, squares = 0, n = 0;
            for (int64_t k = r * 2 - 1; k < r * 2 + 2; k++)
                for (int64_t l = q * 2 - 1; l < q * 2 + 2; l++) {
                    const double v = at(x, b, k, l, c, 0);
                    largest = fmax(largest, at(x, b, k, l, c, -INFINITY));
                    sum += v;
                    squares += v * v;
                    n += k >= 0 && k < 5 && l >= 0 && l < 6;
                }
            want[i] = mode == POOL_MAX  ? largest
                      : mode == POOL_L2 ? sqrt(squares)
                                        : sum / (inside ? n : 9);
        }
        graph_test_close("pool", y, want, (size_t)(2 * height * 9));
        free(y);
    }
}

static void resizing_reads_where_its_mode_says(void **state)
{
    (void)state;
    static const float x[] = {1, 2, 3};
    const struct graph_shape shape = {4, {1, 1, 3, 1}};
    static const double want[N_GRAPH_RESIZES][9] = {
        [RESIZE_NEAREST] = {1, 1, 1, 2, 2, 2, 3, 3, 3},
        [RESIZE_UPSAMPLE] = {1, 4 / 3.0, 5 / 3.0, 2, 7 / 3.0, 8 / 3.0, 3, 3, 3},
        [RESIZE_ALIGN_CORNERS] = {1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3},
        [RESIZE_HALF_PIXEL] = {1, 1, 4 / 3.0, 5 / 3.0, 2, 7 / 3.0, 8 / 3.0, 3, 3},
        [RESIZE_ALIGN_MIDDLE] = {1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3},
        [RESIZE_OFFSET] = {10 / 9.0, 12 / 9.0, 14 / 9.0, 16 / 9.0, 2, 20 / 9.0, 22 / 9.0, 24 / 9.0,
                           26 / 9.0}};
    for (int mode = 0; mode < N_GRAPH_RESIZES; mode++) {
        struct graph_shape found;
        const struct graph_attributes a = {
            .resize = {.mode = (enum graph_resize)mode, .size = {2, 9}}};
        float *y = run_one(GRAPH_RESIZE, &shape, x, &a, &found);
        assert_true(graph_shape_equal(&found, &(struct graph_shape){4, {1, 2, 9, 1}}));
        graph_test_close("first row", y, want[mode], 9);
        graph_test_close("second row", y + 9, want[mode], 9);
        free(y);
    }
}

static void reductions_keep_their_dimensions(void **state)
{
    (void)state;
    static const float x[] = {1, -2, 3, 4, 5, -6, 7, 8, 9, 10, 11, -12};
    const struct graph_shape shape = {3, {2, 3, 2}};
    static const double want[N_GRAPH_REDUCES][4] = {
        [REDUCE_SUM] = {9, -4, 27, 6},
        [REDUCE_MEAN] = {3, -4 / 3.0, 9, 2},
        [REDUCE_PRODUCT] = {15, 48, 693, -960},
        [REDUCE_LOG_SUM] = {2.1972245773, NAN, 3.2958368660, 1.7917594692},
        [REDUCE_SUM_SQUARE] = {35, 56, 251, 308},
        [REDUCE_L1] = {9, 12, 27, 30},
        [REDUCE_L2] = {5.9160797831, 7.4833147735, 15.8429795178, 17.5499287748},
        [REDUCE_MAX] = {5, 4, 11, 10},
        [REDUCE_MIN] = {1, -6, 7, -12},
        [REDUCE_ARGMAX] = {2, 1, 2, 1}};
    for (int mode = 0; mode < N_GRAPH_REDUCES; mode++) {
        struct graph_shape found;
        const struct graph_attributes a = {.reduce = {(enum graph_reduce)mode, 1u << 1, 0}};
        float *y = run_one(GRAPH_REDUCE, &shape, x, &a, &found);
        assert_true(graph_shape_equal(&found, &(struct graph_shape){3, {2, 1, 2}}));
        if (mode == REDUCE_LOG_SUM)
            y[1] = 0; /* of a negative sum there is none */
        double expected[4];
        memcpy(expected, want[mode], sizeof expected);
        expected[1] = mode == REDUCE_LOG_SUM ? 0 : expected[1];
        graph_test_close("reduction", y, expected, 4);
        free(y);
    }
}

static void softmax_runs_along_any_dimension(void **state)
{
    (void)state;
    float x[24];
    const struct graph_shape shape = {3, {2, 3, 4}};
    fill(x, 24);
    for (uint32_t axis = 0; axis < 3; axis++) {
        static const size_t steps[] = {12, 4, 1};
        struct graph_shape found;
        double want[24];
        const size_t n = (size_t)shape.size[axis], step = steps[axis];
        for (size_t i = 0; i < 24; i++) {
            double sum = 0;
            for (size_t k = 0; k < n; k++)
                sum += exp((double)x[i - i / step % n * step + k * step]);
            want[i] = exp((double)x[i]) / sum;
        }
        float *y =
            run_one(GRAPH_SOFTMAX, &shape, x, &(struct graph_attributes){.along = {axis}}, &found);
        graph_test_close("softmax", y, want, 24);
        free(y);
    }
}

static void numbers_move_where_they_belong(void **state)
{
    (void)state;
    float x[MAP_NUMBERS];
    struct graph_shape found;
    fill(x, MAP_NUMBERS);
    struct graph_attributes a = {.order = {1, 3, 0, 2}};
    float *y = run_one(GRAPH_TRANSPOSE, &map, x, &a, &found);
    assert_true(graph_shape_equal(&found, &(struct graph_shape){4, {5, 3, 2, 6}}));
    for (int64_t i = 0; i < MAP_NUMBERS; i++)
        assert_true((double)y[i] == at(x, i / 6 % 2, i / 36, i % 6, i / 12 % 3, 0));
    free(y);
    a = (struct graph_attributes){.slice = {{1, 0, 1, 0}, {2, 5, 6, 3}, {1, 2, 3, 1}}};
    y = run_one(GRAPH_SLICE, &map, x, &a, &found);
    assert_true(graph_shape_equal(&found, &(struct graph_shape){4, {1, 3, 2, 3}}));
    for (int64_t i = 0; i < 18; i++)
        assert_true((double)y[i] == at(x, 1, i / 6 * 2, 1 + i / 3 % 2 * 3, i % 3, 0));
    free(y);
    for (int mode = 0; mode < N_GRAPH_PADS; mode++) {
        a = (struct graph_attributes){.pad = {{2, 1}, {1, 3}, (enum graph_pad)mode, 9}};
        y = run_one(GRAPH_PAD, &map, x, &a, &found);
        assert_true(graph_shape_equal(&found, &(struct graph_shape){4, {2, 8, 10, 3}}));
        for (int64_t i = 0; i < 480; i++) {
            int64_t r = i / 30 % 8 - 2, q = i / 3 % 10 - 1;
            if (mode == PAD_REFLECT) {
                r = r < 0 ? -r : r > 4 ? 8 - r : r;
                q = q < 0 ? -q : q > 5 ? 10 - q : q;
            } else if (mode == PAD_REPLICATE) {
                r = r < 0 ? 0 : r > 4 ? 4 : r;
                q = q < 0 ? 0 : q > 5 ? 5 : q;
            }
            assert_true((double)y[i] == at(x, i / 240, r, q, i % 3, 9));
        }
        free(y);
    }
}

static void values_are_joined_along_a_dimension(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    static const float a[] = {1, 2, 3, 4}, b[] = {5, 6};
    const uint32_t inputs[] = {graph_test_input(test, &(struct graph_shape){2, {2, 2}}),
                               graph_test_input(test, &(struct graph_shape){2, {2, 1}})};
    graph_test_finish(test, graph_add(&test->builder, GRAPH_CONCAT, 2, inputs,
                                      &(struct graph_attributes){.along = {1}}));
    float *y = graph_test_run(test, (const float *const[]){a, b});
    graph_test_close("joined", y, (const double[]){1, 2, 5, 3, 4, 6}, 6);
    free(y);
    graph_test_destroy(test);
}

static void products_take_their_activation(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    static const float x[] = {1, 2, -1, 3}, w[] = {1, 1, 2, -1, 0, 1}, bias[] = {0, 1, -4};
    const uint32_t inputs[] = {
        graph_test_input(test, &(struct graph_shape){2, {2, 2}}),
        graph_add_constant(&test->builder, MODEL_F32, &(struct graph_shape){2, {3, 2}}, w),
        graph_add_constant(&test->builder, MODEL_F32, &(struct graph_shape){1, {3}}, bias)};
    const uint32_t y =
        graph_add(&test->builder, GRAPH_LINEAR, 3, inputs,
                  &(struct graph_attributes){.linear = {.activation = ACTIVATION_NONE}});
    graph_test_finish(test, graph_map(&test->builder, y, MAP_RELU, 0, 0));
    assert_int_equal(graph_test_nodes(test), 1);
    float *found = graph_test_run(test, (const float *const[]){x});
    graph_test_close("product", found, (const double[]){3, 1, 0, 2, 0, 0}, 6);
    free(found);
    graph_test_destroy(test);
}

static void whole_numbers_are_read_by_their_bits(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const int32_t whole[] = {0, -3, 70000};
    const double want[] = {0, -3, 70000};
    float x[3];
    memcpy(x, whole, sizeof x);
    const uint32_t input = graph_test_input(test, &(struct graph_shape){1, {3}});
    graph_test_finish(test, graph_map(&test->builder, input, MAP_FROM_INTEGER, 0, 0));
    float *y = graph_test_run(test, (const float *const[]){x});
    graph_test_close("whole", y, want, 3);
    free(y);
    graph_test_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_their_formulas),
        cmocka_unit_test(numbers_become_integers_that_wrap_around),
        cmocka_unit_test(inverse_functions_are_their_formulas),
        cmocka_unit_test(slopes_differ_by_channel),
        cmocka_unit_test(values_are_broadcast_as_numpy_does),
        cmocka_unit_test(convolutions_pad_each_side_by_itself),
        cmocka_unit_test(transposed_convolutions_are_cut),
        cmocka_unit_test(pools_take_what_lies_inside),
        cmocka_unit_test(resizing_reads_where_its_mode_says),
        cmocka_unit_test(reductions_keep_their_dimensions),
        cmocka_unit_test(softmax_runs_along_any_dimension),
        cmocka_unit_test(numbers_move_where_they_belong),
        cmocka_unit_test(values_are_joined_along_a_dimension),
        cmocka_unit_test(products_take_their_activation),
        cmocka_unit_test(whole_numbers_are_read_by_their_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
