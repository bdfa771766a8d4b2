/* test_kernels_nan.c - what is no number stays none in every instruction set of this machine: in activations, gates and
 * the relu of a convolution. */
#include "kernel_sets.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static void not_a_number_stays_one(void **state)
{
    (void)state;
    enum { N = 40 }; /* whole vectors, and a part of one */
    for (size_t s = 0, n = find_sets(); s < n; s++) {
        float x[4 * RECURRENT_UNITS] = {0}, zeros[4 * RECURRENT_UNITS] = {0};
        float c[RECURRENT_UNITS] = {0}, h[RECURRENT_UNITS];
        for (int a = 0; a < N_ACTIVATIONS; a++) {
            float y[N], coarse[N];
            for (int i = 0; i < N; i++)
                y[i] = coarse[i] = i % 3 == 1 ? NAN : (float)(1 - i % 3);
            sets[s]->activate((enum activation)a, y, N);
            sets[s]->activate_coarse((enum activation)a, coarse, N);
            for (int i = 0; i < N; i++) {
                assert_int_equal(isnan(y[i]) != 0, i % 3 == 1);
                assert_int_equal(isnan(coarse[i]) != 0, i % 3 == 1);
            }
        }
        x[5] = NAN;
        sets[s]->lstm_gates(x, zeros, RECURRENT_UNITS, zeros, RECURRENT_UNITS, c, h);
        assert_true(isnan(h[5]) && h[4] == 0);
        sets[s]->gru_gates(x, zeros, RECURRENT_UNITS, zeros, RECURRENT_UNITS, zeros, h);
        assert_true(isnan(h[5]) && h[4] == 0);
    }
}

static void winograd_relu_keeps_what_is_no_number(void **state)
{
    (void)state;
    enum { N = PRODUCT_COLUMNS };
    static float m[16 * N], bias[N];
    for (size_t s = 0, n = find_sets(); s < n; s++) {
        float y[4][N];
        float *const to[4] = {y[0], y[1], y[2], y[3]};
        for (size_t i = 0; i < N; i++)
            bias[i] = i % 2 == 0 ? -1.0f : NAN;
        sets[s]->winograd_output(m, N, N, bias, false, true, to);
        for (size_t p = 0; p < 4; p++)
            for (size_t i = 0; i < N; i++)
                assert_true(i % 2 == 0 ? y[p][i] == 0 : isnan(y[p][i]));
    }
}

static void the_largest_of_a_window_keeps_what_is_no_number(void **state)
{
    (void)state;
    enum {
        CHANNELS = 21,
        PLACES = 6
    }; /* 2 x 3 places; in channel i place i % 7 is NaN, and none is of 6 */
    static float x[PLACES * CHANNELS], y[CHANNELS + 1];
    for (size_t p = 0; p < PLACES; p++)
        for (size_t c = 0; c < CHANNELS; c++)
            x[p * CHANNELS + c] = p == c % 7 ? NAN : -(float)((p * 5 + c) % PLACES);
    for (size_t s = 0, n = find_sets(); s < n; s++) {
        y[CHANNELS] = 12345.0f;
        sets[s]->window_largest(x, 2, 3 * CHANNELS, 3, CHANNELS, CHANNELS, y);
        for (size_t c = 0; c < CHANNELS; c++)
            assert_true(c % 7 < PLACES ? isnan(y[c]) : y[c] == 0);
        assert_true(y[CHANNELS] == 12345.0f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_a_number_stays_one),
        cmocka_unit_test(the_largest_of_a_window_keeps_what_is_no_number),
        cmocka_unit_test(winograd_relu_keeps_what_is_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
