/* test_kernels_vector.c - the inner loops in every instruction set of this machine against naive
 * loops in double precision. */
#include "kernel_random.h"
#include "kernel_sets.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 12345.0f

static void check_product(const struct vector_kernels *set, size_t n_rows, size_t depth,
                          size_t columns)
{
    size_t lda = depth + 3, ldb = columns + 5, ldo = columns + 1;
    float *a = random_floats(PRODUCT_ROWS * lda, 1), *b = random_floats(depth * ldb, 1);
    float *out = malloc((PRODUCT_ROWS + 1) * ldo * sizeof *out);
    for (size_t i = 0; i < (PRODUCT_ROWS + 1) * ldo; i++)
        out[i] = GUARD;
    set->product(a, lda, n_rows, b, ldb, depth, out, ldo, columns);
    for (size_t r = 0; r <= PRODUCT_ROWS; r++) {
        for (size_t c = 0; c < ldo; c++) {
            double want = 0;
            for (size_t k = 0; k < depth && r < n_rows && c < columns; k++)
                want += (double)a[r * lda + k] * (double)b[k * ldb + c];
            if (r >= n_rows || c >= columns)
                assert_true(out[r * ldo + c] == GUARD);
            else
                assert_true(fabs((double)out[r * ldo + c] - want) <= 1e-5 * sqrt((double)depth));
        }
    }
    free(a);
    free(b);
    free(out);
}

static void product_agrees_for_all_tiles(void **state)
{
    (void)state;
    static const size_t depths[] = {1, 2, 7, 64, 300};
    for (size_t s = 0, n = find_sets(); s < n; s++)
        for (size_t rows = 1; rows <= PRODUCT_ROWS; rows++)
            for (size_t d = 0; d < 5; d++)
                for (size_t columns = 16; columns <= 160; columns += 16)
                    check_product(sets[s], rows, depths[d], columns);
}

/* Rows behind the last one are 0 in x; columns behind those of b stay as they are. */
static void check_block_product(const struct vector_kernels *set, size_t n_rows, size_t depth,
                                size_t columns)
{
    const size_t size = BLOCK_ROWS * columns;
    float *x = random_floats(depth * BLOCK_ROWS, 1), *b = random_floats(depth * columns, 1);
    float *out = malloc((size + 1) * sizeof *out);
    for (size_t k = 0; k < depth; k++)
        for (size_t r = n_rows; r < BLOCK_ROWS; r++)
            x[k * BLOCK_ROWS + r] = 0;
    out[size] = GUARD;
    set->block_product(x, n_rows, b, columns, depth, b, out, false);
    set->block_product(x, n_rows, b, columns, depth, b, out, true);
    for (size_t i = 0; i < n_rows * columns; i++) {
        double want = 0;
        for (size_t k = 0; k < depth; k++)
            want +=
                2 * (double)x[k * BLOCK_ROWS + i / columns] * (double)b[k * columns + i % columns];
        assert_true(fabs((double)out[i] - want) <= 2e-5 * sqrt((double)depth));
    }
    assert_true(out[size] == GUARD);
    free(x);
    free(b);
    free(out);
}

static void block_product_agrees_for_all_tiles(void **state)
{
    (void)state;
    static const size_t depths[] = {1, 7, 256};
    for (size_t s = 0, n = find_sets(); s < n; s++)
        for (size_t rows = 1; rows <= BLOCK_ROWS && sets[s]->block_product != NULL; rows++)
            for (size_t d = 0; d < 3; d++)
                for (size_t columns = 16; columns <= 64; columns += 16)
                    check_block_product(sets[s], rows, depths[d], columns);
}

/* Weights in each dtype, rounded from random numbers; their values in f32. */
static void *weights_of(int32_t dtype, size_t n, float *values)
{
    float *w = random_floats(n, 1);
    uint16_t *halves = malloc((n + 1) * sizeof *halves);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        int exponent = i % 7 == 0 ? -20 : 0; /* f16: subnormal numbers too */
        w[i] = ldexpf(w[i], exponent);
        memcpy(&bits, &w[i], sizeof bits);
        if (dtype == MODEL_BF16) {
            halves[i] = (uint16_t)(bits >> 16);
            bits &= 0xFFFF0000u;
            memcpy(&w[i], &bits, sizeof bits);
        } else if (dtype == MODEL_F16) { /* cut to a multiple of 2^-24, and to 11 bits */
            float magnitude = fabsf(w[i]), step = magnitude < 0x1p-14f ? 0x1p-24f : 0;
            int e = 0;
            (void)frexpf(magnitude, &e);
            step = step > 0 ? step : ldexpf(1, e - 11);
            magnitude = truncf(magnitude / step) * step;
            uint32_t code = magnitude < 0x1p-14f ? (uint32_t)(magnitude * 0x1p24f)
                                                 : (uint32_t)((e + 14) << 10) +
                                                       (uint32_t)(ldexpf(magnitude, 11 - e) - 1024);
            halves[i] = (uint16_t)(code | (w[i] < 0 ? 0x8000u : 0));
            w[i] = copysignf(magnitude, w[i]);
        }
    }
    memcpy(values, w, n * sizeof *values);
    if (dtype == MODEL_F32) {
        free(halves);
        return w;
    }
    free(w);
    return halves;
}

static void dots_agree_in_every_dtype_and_depth(void **state)
{
    (void)state;
    static const int32_t dtypes[] = {MODEL_F32, MODEL_F16, MODEL_BF16};
    enum { ROWS = 5, MAX_DEPTH = 300 };
    static float values[ROWS * MAX_DEPTH];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        for (size_t i = 0; i < 3 * MAX_DEPTH; i++) {
            const size_t depth = i / 3 + 1;
            void *w = weights_of(dtypes[i % 3], ROWS * depth, values);
            float *x = random_floats(depth, 1), y[ROWS + 1];
            y[ROWS] = GUARD;
            sets[s]->dots(w, dtypes[i % 3], ROWS, depth, x, y);
            for (size_t r = 0; r < ROWS; r++) {
                double want = 0;
                for (size_t k = 0; k < depth; k++)
                    want += (double)values[r * depth + k] * (double)x[k];
                assert_true(fabs((double)y[r] - want) <= 1e-6 * sqrt((double)depth));
            }
            assert_true(y[ROWS] == GUARD);
            free(w);
            free(x);
        }
    }
}

static void dots_read_infinity_and_nan_in_halves(void **state)
{
    (void)state;
    static const uint16_t f16[] = {0x7C00, 0xFC00, 0x7E00}, bf16[] = {0x7F80, 0xFF80, 0x7FC0};
    const float x = 1;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        for (int i = 0; i < 2; i++) {
            float y[3];
            sets[s]->dots(i == 0 ? f16 : bf16, i == 0 ? MODEL_F16 : MODEL_BF16, 3, 1, &x, y);
            assert_true(isinf(y[0]) && y[0] > 0 && isinf(y[1]) && y[1] < 0 && isnan(y[2]));
        }
    }
}

static void exp_row_agrees_at_any_length(void **state)
{
    (void)state;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        for (size_t n = 1; n < 70; n++) {
            float *x = random_floats(n, 30), *y = malloc((n + 1) * sizeof *y);
            double max = -INFINITY, sum = 0;
            for (size_t i = 0; i < n; i++)
                max = fmax(max, (double)x[i]);
            y[n] = GUARD;
            double found = (double)sets[s]->exp_row(x, n, 0.5f, y);
            for (size_t i = 0; i < n; i++) {
                double argument = 0.5 * ((double)x[i] - max), want = exp(argument);
                /* the argument itself is rounded to f32 */
                assert_true(fabs((double)y[i] - want) <= (2e-7 - 6e-8 * argument) * want);
                sum += want;
            }
            assert_true(fabs(found - sum) <= 1e-6 * sum && y[n] == GUARD);
            free(x);
            free(y);
        }
    }
}

static void exp_row_takes_extreme_numbers(void **state)
{
    (void)state;
    for (size_t s = 0, n = find_sets(); s < n; s++) {
        float x[] = {-3e38f, 1e30f, 1e30f, -1e4f}, y[4];
        assert_true(sets[s]->exp_row(x, 4, 1.0f, y) == 2.0f + y[0] + y[3]);
        assert_true(y[1] == 1.0f && y[2] == 1.0f && y[0] < 1e-30f && y[3] < 1e-30f);
    }
}

static void layer_norm_agrees_at_any_width(void **state)
{
    (void)state;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        for (size_t n = 1; n < 200; n += n < 40 ? 1 : 53) {
            float *x = random_floats(n, 3), *gamma = random_floats(n, 1);
            float *beta = random_floats(n, 1), *y = malloc((n + 1) * sizeof *y);
            double mean = 0, variance = 0;
            for (size_t i = 0; i < n; i++)
                mean += (double)(x[i] += 100) / (double)n;
            for (size_t i = 0; i < n; i++)
                variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
            y[n] = GUARD;
            sets[s]->layer_norm(x, gamma, beta, 1e-3f, n, y);
            for (size_t i = 0; i < n; i++) {
                double want = ((double)x[i] - mean) / sqrt(variance + 1e-3) * (double)gamma[i] +
                              (double)beta[i];
                /* the mean of numbers near 100 is good to 1e-5 in f32 */
                assert_true(fabs((double)y[i] - want) <= (n == 1 ? 1e-3 : 1e-4));
            }
            assert_true(y[n] == GUARD);
            free(x);
            free(gamma);
            free(beta);
            free(y);
        }
    }
}

static double closed_form(enum activation activation, double x)
{
    double gelu = 0.5 * x * erfc(-x / sqrt(2));
    switch (activation) {
    case ACTIVATION_GELU:
        return gelu;
    case ACTIVATION_GELU_10:
        return fmax(-10, fmin(10, gelu));
    case ACTIVATION_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case ACTIVATION_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case ACTIVATION_RELU:
        return fmax(0, x);
    case ACTIVATION_RELU2:
        return fmax(0, x) * fmax(0, x);
    case ACTIVATION_RELU6:
        return fmin(6, fmax(0, x));
    case ACTIVATION_LEAKY_RELU:
        return x > 0 ? x : 0.01 * x;
    case ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    case ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case ACTIVATION_MISH:
        return x * tanh(x > 30 ? x : log1p(exp(x)));
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_LAPLACE:
        return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * sqrt(2))));
    default:
        return x;
    }
}

static void activations_agree_with_their_closed_forms(void **state)
{
    (void)state;
    enum { N = 4001 };
    static float x[N], y[N];
    for (int i = 0; i < N; i++)
        x[i] = (float)(i - N / 2) * 0.01f; /* -20 to 20 */
    x[0] = -1e4f;
    x[N - 1] = 1e4f;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        for (int a = 0; a < N_ACTIVATIONS; a++) {
            memcpy(y, x, sizeof x);
            sets[s]->activate((enum activation)a, y, N);
            for (int i = 0; i < N; i++) {
                double want = closed_form((enum activation)a, (double)x[i]);
                if (!(fabs((double)y[i] - want) <= 4e-7 * fmax(1, fabs(want))))
                    fail_msg("%s: activation %d of %g is %g, want %g", sets[s]->name, a,
                             (double)x[i], (double)y[i], want);
            }
        }
    }
}

static void coarse_activations_agree_to_four_digits(void **state)
{
    (void)state;
    enum { N = 4001 };
    static float x[N], y[N];
    for (int i = 0; i < N; i++)
        x[i] = (float)(i - N / 2) * 0.01f; /* -20 to 20 */
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (int a = 0; a < N_ACTIVATIONS; a++) {
            memcpy(y, x, sizeof x);
            sets[s]->activate_coarse((enum activation)a, y, N);
            for (int i = 0; i < N; i++) {
                const double want = closed_form((enum activation)a, (double)x[i]);
                const double bound = fmax(4e-5, 1e-5 * fabs((double)x[i]));
                if (!(fabs((double)y[i] - want) <= bound))
                    fail_msg("%s: activation %d of %g is %g, want %g", sets[s]->name, a,
                             (double)x[i], (double)y[i], want);
            }
        }
}

static void activations_touch_nothing_behind_the_end(void **state)
{
    (void)state;
    float x[40];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        for (size_t n = 0; n < 39; n++) {
            for (size_t i = 0; i < 40; i++)
                x[i] = 1.0f;
            sets[s]->activate(ACTIVATION_SIGMOID, x, n);
            for (size_t i = 0; i < 40; i++)
                assert_true(fabsf(x[i] - (i < n ? 0.7310586f : 1.0f)) < 1e-6f);
            for (size_t i = 0; i < n; i++)
                x[i] = 1.0f;
            sets[s]->activate_coarse(ACTIVATION_GELU, x, n);
            for (size_t i = 0; i < 40; i++)
                assert_true(fabsf(x[i] - (i < n ? 0.8413447f : 1.0f)) < 4e-5f);
        }
    }
}

static void panel_rows_agree_for_all_widths(void **state)
{
    (void)state;
    static const size_t depths[] = {1, 2, 7, 64, 301};
    for (size_t s = 0, n = find_sets(); s < n; s++) {
        for (size_t d = 0; d < 5; d++) {
            for (size_t columns = 16; columns <= 176; columns += 16) {
                const size_t depth = depths[d];
                float *a = random_floats(depth, 1), *panel = random_floats(depth * columns, 1);
                float *out = malloc((columns + 1) * sizeof *out);
                out[columns] = GUARD;
                sets[s]->panel_row(a, panel, columns, depth, out);
                for (size_t c = 0; c < columns; c++) {
                    double want = 0;
                    for (size_t k = 0; k < depth; k++)
                        want += (double)a[k] * (double)panel[k * columns + c];
                    assert_true(fabs((double)out[c] - want) <= 1e-5 * sqrt((double)depth));
                }
                assert_true(out[columns] == GUARD);
                free(a);
                free(panel);
                free(out);
            }
        }
    }
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* n units of both kinds; arguments of gates up to 4 * scale. */
static void check_gates(const struct vector_kernels *set, size_t n, float scale)
{
    enum { U = RECURRENT_UNITS, LD = 21 };
    float *x = random_floats(4 * LD, scale), *bias = random_floats(4 * LD, scale);
    float *sums = random_floats(4 * U, 2 * scale), *before = random_floats(U, 1);
    float c[U + 1], h[U + 1], gru[U + 1];
    memcpy(c, before, U * sizeof *c);
    c[n] = h[n] = gru[n] = GUARD;
    set->lstm_gates(x, bias, LD, sums, n, c, h);
    set->gru_gates(x, bias, LD, sums, n, before, gru);
    for (size_t u = 0; u < n; u++) {
        double a[4], b[4];
        for (size_t g = 0; g < 4; g++) {
            a[g] = (double)x[g * LD + u];
            b[g] = (double)bias[g * LD + u] + (double)sums[g * U + u];
        }
        double cell =
            sigmoid(a[1] + b[1]) * (double)before[u] + sigmoid(a[0] + b[0]) * tanh(a[2] + b[2]);
        double r = sigmoid(a[0] + b[0]), z = sigmoid(a[1] + b[1]);
        double fresh = tanh(a[2] + r * b[2]);
        /* the argument is rounded to f32, and its slope is at most 1 */
        double slack = 3e-7 + 3e-7 * (double)scale;
        assert_true(fabs((double)c[u] - cell) <= 2 * slack);
        assert_true(fabs((double)h[u] - sigmoid(a[3] + b[3]) * tanh(cell)) <= 3 * slack);
        assert_true(fabs((double)gru[u] - ((1 - z) * fresh + z * (double)before[u])) <= 3 * slack);
    }
    assert_true(c[n] == GUARD && h[n] == GUARD && gru[n] == GUARD);
    free(x);
    free(bias);
    free(sums);
    free(before);
}

static void gates_agree_with_the_formulas_for_any_number_of_units(void **state)
{
    (void)state;
    static const float scales[] = {0.01f, 1, 5, 100};
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t n = 1; n <= RECURRENT_UNITS; n++)
            for (size_t i = 0; i < 4; i++)
                check_gates(sets[s], n, scales[i]);
}

static void the_best_set_is_one_that_the_processor_has(void **state)
{
    (void)state;
    size_t n = find_sets();
    assert_ptr_equal(vector_kernels_best(), sets[n - 1]);
}

/* y = the 3 x 3 filter over a 4 x 4 tile, by the transforms and the definition. */
static void check_winograd(const struct vector_kernels *set, bool accumulate, bool relu)
{
    enum { N = 2 * PRODUCT_COLUMNS, STRIDE = N + 3 };
    float *d = random_floats(16 * N, 1), *w = random_floats(9 * N, 1), *bias = random_floats(N, 1);
    float v[16 * STRIDE], y[4][N];
    float *const to[4] = {y[0], NULL, y[2], y[3]};
    const float *from[16];
    for (size_t p = 0; p < 16; p++)
        from[p] = d + p * N;
    for (size_t p = 0; p < 4; p++)
        for (size_t i = 0; i < N; i++)
            y[p][i] = 0.25f;
    set->winograd_input(from, N, v, STRIDE);
    static const double g[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
    for (size_t p = 0; p < 16; p++)
        for (size_t i = 0; i < N; i++) { /* times G w G^T */
            double u = 0;
            for (size_t t = 0; t < 9; t++)
                u += g[p / 4][t / 3] * g[p % 4][t % 3] * (double)w[t * N + i];
            v[p * STRIDE + i] = (float)((double)v[p * STRIDE + i] * u);
        }
    set->winograd_output(v, STRIDE, N, bias, accumulate, relu, to);
    for (size_t p = 0; p < 4; p++)
        for (size_t i = 0; i < N; i++) {
            double want = (double)bias[i] + (accumulate ? 0.25 : 0);
            for (size_t t = 0; t < 9; t++)
                want +=
                    (double)w[t * N + i] * (double)d[((p / 2 + t / 3) * 4 + p % 2 + t % 3) * N + i];
            want = relu && want < 0 ? 0 : want;
            assert_true(fabs((double)y[p][i] - (p == 1 ? 0.25 : want)) <= 5e-6);
        }
    free(d);
    free(w);
    free(bias);
}

static void winograd_filters_agree_with_the_definition(void **state)
{
    (void)state;
    const size_t n = find_sets();
    for (size_t i = 0; i < n; i++)
        for (int kind = 0; kind < 4; kind++)
            check_winograd(sets[i], kind & 1, kind & 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(product_agrees_for_all_tiles),
        cmocka_unit_test(block_product_agrees_for_all_tiles),
        cmocka_unit_test(dots_agree_in_every_dtype_and_depth),
        cmocka_unit_test(dots_read_infinity_and_nan_in_halves),
        cmocka_unit_test(exp_row_agrees_at_any_length),
        cmocka_unit_test(exp_row_takes_extreme_numbers),
        cmocka_unit_test(layer_norm_agrees_at_any_width),
        cmocka_unit_test(activations_agree_with_their_closed_forms),
        cmocka_unit_test(coarse_activations_agree_to_four_digits),
        cmocka_unit_test(activations_touch_nothing_behind_the_end),
        cmocka_unit_test(panel_rows_agree_for_all_widths),
        cmocka_unit_test(gates_agree_with_the_formulas_for_any_number_of_units),
        cmocka_unit_test(the_best_set_is_one_that_the_processor_has),
        cmocka_unit_test(winograd_filters_agree_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
