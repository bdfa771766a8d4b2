/* test_kernels_maps.c - the inner loops of int8 convolutions (vector_maps.h) in every instruction set of this machine
 * against plain ones. */
#include "kernel_random.h"
#include "kernel_sets.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define MOST   200
#define GUARD  70
#define N_ROWS 3

static const size_t lengths[] = {1, 2, 15, 16, 17, 31, 63, 64, 65, 128, 200};
#define N_LENGTHS (sizeof lengths / sizeof *lengths)

static void a_range_holds_zero_and_all_numbers(void **state)
{
    (void)state;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t l = 0; l < N_LENGTHS; l++)
            for (int shift = -2; shift <= 2; shift += 2) {
                float x[MOST + GUARD], least = 0, largest = 0;
                for (size_t i = 0; i < MOST + GUARD; i++)
                    x[i] = i < lengths[l] ? random_float() + (float)shift : 1e30f;
                for (size_t i = 0; i < lengths[l]; i++) {
                    least = fminf(least, x[i]);
                    largest = fmaxf(largest, x[i]);
                }
                const struct map_range range = sets[s]->map_range(x, lengths[l]);
                assert_true(range.least == least && range.largest == largest);
            }
}

static void a_range_tells_what_is_not_finite(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t i = 0; i < MOST; i++) {
            float x[MOST] = {0};
            x[i] = bad[i % 3];
            assert_true(isnan(sets[s]->map_range(x, MOST).largest));
        }
}

static void codes_are_the_nearest_and_stay_in_their_bytes(void **state)
{
    (void)state;
    const struct map_code code = {100.0f, 27};
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t l = 0; l < N_LENGTHS; l++) {
            float x[MOST + GUARD];
            uint8_t y[MOST + GUARD];
            for (size_t i = 0; i < MOST + GUARD; i++)
                x[i] = i < lengths[l] ? (random_float() + 1) * 1.27f - 0.27f : 1e30f;
            x[0] = -0.27f; /* the ends */
            x[lengths[l] - 1] = 2.28f;
            memset(y, 0xA5, sizeof y);
            sets[s]->map_coarse(x, lengths[l], code, y);
            for (size_t i = 0; i < MOST + GUARD; i++)
                if (i < lengths[l])
                    assert_int_equal(y[i], 27 + (int)nearbyintf(x[i] * 100.0f));
                else
                    assert_int_equal(y[i], 0xA5);
        }
}

static void check_finish(const struct vector_kernels *set, size_t n, bool accumulate, bool relu,
                         bool in_place)
{
    static int32_t products[N_ROWS * MOST + GUARD];
    static float scales[MOST + GUARD], bias[MOST + GUARD], y[N_ROWS * MOST + GUARD],
        before[N_ROWS * MOST + GUARD];
    for (size_t i = 0; i < N_ROWS * MOST + GUARD; i++) {
        products[i] = (int32_t)next_random() % 100000 - 50000;
        y[i] = before[i] = random_float();
    }
    for (size_t i = 0; i < MOST + GUARD; i++) {
        scales[i] = random_float() * 1e-4f;
        bias[i] = random_float();
    }
    if (in_place)
        memcpy(y, products, N_ROWS * n * sizeof *y);
    set->map_finish(in_place ? (const int32_t *)(const void *)y : products, N_ROWS, scales, bias, n,
                    accumulate, relu, y);
    for (size_t i = 0; i < N_ROWS * n; i++) {
        double want = (double)products[i] * (double)scales[i % n] + (double)bias[i % n] +
                      (accumulate ? (double)before[i] : 0);
        want = relu && want < 0 ? 0 : want;
        assert_true(fabs((double)y[i] - want) <= 2e-6 * (1 + fabs(want)));
    }
    assert_memory_equal(y + N_ROWS * n, before + N_ROWS * n, GUARD * sizeof *y);
}

static void products_are_finished(void **state)
{
    (void)state;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t l = 0; l < N_LENGTHS; l++)
            for (int way = 0; way < 6; way++) /* in place never adds what was there */
                check_finish(sets[s], lengths[l], way >= 4, way % 2 == 1, way < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_holds_zero_and_all_numbers),
        cmocka_unit_test(a_range_tells_what_is_not_finite),
        cmocka_unit_test(codes_are_the_nearest_and_stay_in_their_bytes),
        cmocka_unit_test(products_are_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
