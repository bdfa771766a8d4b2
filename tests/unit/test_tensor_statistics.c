/* test_tensor_statistics.c - figures against sums in long double over the same elements, one by one. */
#include "dtype.h"
#include "tensor_statistics.h"
#include "testing.h"

#include <math.h>

enum { N = 10007 }; /* several blocks, and a rest that fills no lanes */

/* A sequence of Lehmer's, in [-1, 1). */
static double next_number(uint64_t *seed)
{
    *seed = *seed * 48271 % 2147483647;
    return (double)*seed / 1073741823.5 - 1;
}

static void assert_near(double found, long double want, double relative)
{
    if (fabsl((long double)found - want) > (long double)relative * (fabsl(want) + 1e-300L))
        fail_msg("%.17g, want %.17Lg", found, want);
}

static void check_within(const double *values, size_t n, double relative)
{
    struct model_tensor tensor;
    struct tensor_statistics found;
    long double sum = 0, squares = 0;
    double min = HUGE_VAL, max = -HUGE_VAL;
    uint64_t n_finite = 0, n_nan = 0, n_zero = 0;
    for (size_t i = 0; i < n; i++) {
        n_nan += isnan(values[i]) ? 1 : 0;
        n_zero += values[i] == 0;
        if (!isfinite(values[i]))
            continue;
        n_finite++;
        sum += (long double)values[i];
        min = fmin(min, values[i]);
        max = fmax(max, values[i]);
    }
    long double mean = n_finite > 0 ? sum / (long double)n_finite : 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]))
            squares += ((long double)values[i] - mean) * ((long double)values[i] - mean);
    tensor_init(&tensor, "t", MODEL_F64, 1, (int64_t[]){(int64_t)n}, (void *)(uintptr_t)values);
    assert_int_equal(tensor_statistics(&tensor, NULL, NULL, &found, NULL), MODEL_OK);
    assert_int_equal(found.n, n);
    assert_int_equal(found.n_nan, n_nan);
    assert_int_equal(found.n_zero, n_zero);
    assert_int_equal(found.n_infinite, n - n_finite - n_nan);
    assert_true(found.min == (n_finite > 0 ? min : 0) && found.max == (n_finite > 0 ? max : 0));
    assert_near(found.mean, mean, 1e-12);
    assert_near(found.std, n_finite > 0 ? sqrtl(squares / (long double)n_finite) : 0, relative);
}

static void check(const double *values, size_t n)
{
    check_within(values, n, 1e-12);
}

static void figures_are_those_of_the_definition(void **state)
{
    (void)state;
    static double values[N];
    uint64_t seed = 1;
    for (size_t i = 0; i < N; i++)
        values[i] = next_number(&seed);
    for (size_t n = 0; n < 20; n++)
        check(values, n);
    check(values, 4096);
    check(values, 4097);
    check(values, N);
    /* a mean that is 1e8 times the spread takes 8 of the 16 digits, not all */
    for (size_t i = 0; i < N; i++)
        values[i] += 1e8;
    check_within(values, N, 1e-8);
}

static void what_is_not_finite_is_counted_and_left_out(void **state)
{
    (void)state;
    static double values[N];
    uint64_t seed = 2;
    for (size_t i = 0; i < N; i++)
        values[i] = i % 7 == 0    ? NAN
                    : i % 11 == 0 ? HUGE_VAL
                    : i % 13 == 0 ? -HUGE_VAL
                    : i % 5 == 0  ? -0.0
                                  : next_number(&seed);
    check(values, N);
    check((const double[]){NAN, HUGE_VAL, -HUGE_VAL}, 3);
}

static void strides_and_types_are_read_as_they_are(void **state)
{
    (void)state;
    const int16_t data[] = {1, 99, 2, 99, 3, 99};
    struct model_tensor tensor;
    struct tensor_statistics found;
    tensor_init(&tensor, "t", MODEL_I16, 1, (int64_t[]){3}, (void *)(uintptr_t)data);
    tensor.strides[0] = 2;
    assert_int_equal(tensor_statistics(&tensor, NULL, NULL, &found, NULL), MODEL_OK);
    assert_true(found.min == 1 && found.max == 3 && found.mean == 2);
    assert_near(found.std, sqrtl(2.0L / 3), 1e-12);
}

static void differences_are_those_of_the_definition(void **state)
{
    (void)state;
    static double a[N];
    static float b[N];
    uint64_t seed = 3;
    long double sum = 0, magnitude = 0;
    double max = 0;
    uint64_t n_different = 0;
    for (size_t i = 0; i < N; i++) {
        a[i] = next_number(&seed);
        b[i] = (float)a[i];
        if (i % 3 == 0)
            a[i] = (double)b[i];
        double gap = fabs(a[i] - (double)b[i]);
        n_different += gap > 0;
        sum += (long double)gap;
        magnitude += fabsl((long double)a[i]);
        max = fmax(max, gap);
    }
    struct model_tensor of_a, of_b;
    struct tensor_difference found;
    tensor_init(&of_a, "t", MODEL_F64, 1, (int64_t[]){N}, a);
    tensor_init(&of_b, "t", MODEL_F32, 1, (int64_t[]){N}, b);
    assert_int_equal(tensor_difference(&of_a, &of_b, NULL, NULL, &found, NULL), MODEL_OK);
    assert_int_equal(found.n_different, n_different);
    assert_int_equal(found.n_unlike, 0);
    assert_true(found.max == max);
    assert_near(found.mean, sum / N, 1e-9);
    assert_near(found.relative, sum / magnitude, 1e-9);
}

static void pairs_without_a_distance_are_counted(void **state)
{
    (void)state;
    double a[] = {NAN, NAN, HUGE_VAL, HUGE_VAL, 0.0, 1, 5};
    double b[] = {NAN, 1, HUGE_VAL, -HUGE_VAL, -0.0, HUGE_VAL, 7};
    struct model_tensor of_a, of_b;
    struct tensor_difference found;
    tensor_init(&of_a, "t", MODEL_F64, 1, (int64_t[]){7}, a);
    tensor_init(&of_b, "t", MODEL_F64, 1, (int64_t[]){7}, b);
    assert_int_equal(tensor_difference(&of_a, &of_b, NULL, NULL, &found, NULL), MODEL_OK);
    assert_int_equal(found.n_different, 4);
    assert_int_equal(found.n_unlike, 3);
    assert_true(found.max == 2 && found.mean == 0.5);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void an_interrupt_ends_the_reading(void **state)
{
    (void)state;
    struct model_tensor tensor;
    struct tensor_statistics found;
    struct tensor_difference difference;
    tensor_init(&tensor, "t", MODEL_F64, 1, (int64_t[]){1}, (double[]){1});
    assert_int_equal(tensor_statistics(&tensor, at_once, NULL, &found, NULL), MODEL_CANCELLED);
    assert_int_equal(tensor_difference(&tensor, &tensor, at_once, NULL, &difference, NULL),
                     MODEL_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_definition),
        cmocka_unit_test(what_is_not_finite_is_counted_and_left_out),
        cmocka_unit_test(strides_and_types_are_read_as_they_are),
        cmocka_unit_test(differences_are_those_of_the_definition),
        cmocka_unit_test(pairs_without_a_distance_are_counted),
        cmocka_unit_test(an_interrupt_ends_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
