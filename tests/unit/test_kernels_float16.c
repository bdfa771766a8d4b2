/* test_kernels_float16.c - rounding to float16 in every instruction set of this machine, against its definition. Covers
 * plugins/kernels/vector_f16.h. */
#include "float16_nearest.h"
#include "kernel_sets.h"

#include <float.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 12345.0f

static void check_rounding(const struct vector_kernels *set, const float *x, size_t n)
{
    float *y = malloc((n + 1) * sizeof *y);
    y[n] = GUARD;
    set->round_f16(x, n, y);
    assert_true(y[n] == GUARD);
    for (size_t i = 0; i < n; i++) {
        const double want = float16_nearest((double)x[i]);
        if (isnan(want) ? !isnan(y[i])
                        : ((double)y[i] != want || signbit(y[i]) != signbit((float)want)))
            fail_msg("%s: %a becomes %a, want %a", set->name, (double)x[i], (double)y[i], want);
    }
    free(y);
}

/* Every float16, what lies halfway to the next, and its neighbours among float32. */
static void rounding_to_float16_agrees_with_the_definition(void **state)
{
    (void)state;
    enum { N = 0x7C00 };
    float *x = malloc(8 * N * sizeof *x), *end = x;
    for (uint32_t bits = 0; bits < N; bits++) {
        const int exponent = bits >> 10 > 0 ? (int)(bits >> 10) - 25 : -24;
        const float at = ldexpf((float)((bits & 1023) + (bits >> 10 > 0 ? 1024 : 0)), exponent);
        const float between = at + ldexpf(0.5f, exponent);
        const float near[] = {at,
                              -at,
                              between,
                              -between,
                              nextafterf(at, INFINITY),
                              nextafterf(between, INFINITY),
                              nextafterf(between, 0),
                              -nextafterf(between, 0)};
        memcpy(end, near, sizeof near);
        end += 8;
    }
    const float odd[] = {INFINITY, -INFINITY, NAN,      FLT_MAX, -FLT_MAX,
                         FLT_MIN,  0x1p-149f, 65519.9f, 65520,   1e5f};
    for (size_t s = 0, n = find_sets(); s < n; s++) {
        check_rounding(sets[s], x, 8 * N);
        for (size_t length = 0; length <= sizeof odd / sizeof *odd; length++)
            check_rounding(sets[s], odd, length);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_to_float16_agrees_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
