/* test_histogram.c - values find their bucket, and quantiles are those of Prometheus' histogram_quantile(). */
#include "histogram.h"
#include "testing.h"

#include <math.h>

static void a_value_goes_into_the_first_bucket_that_holds_it(void **state)
{
    (void)state;
    const struct histogram_bounds *b = &histogram_seconds;
    assert_int_equal(histogram_bucket(b, INT64_MIN), 0);
    for (uint32_t i = 0; i < b->n_bounds; i++) {
        assert_int_equal(histogram_bucket(b, b->upper[i]), i);
        assert_int_equal(histogram_bucket(b, b->upper[i] + 1), i + 1);
    }
    assert_int_equal(histogram_bucket(b, INT64_MAX), b->n_bounds);
}

static void bounds_rise_and_their_texts_say_the_same(void **state)
{
    (void)state;
    const struct histogram_bounds *const all[] = {&histogram_seconds, &histogram_sizes};
    for (size_t k = 0; k < 2; k++) {
        const struct histogram_bounds *b = all[k];
        assert_true(b->n_bounds <= HISTOGRAM_MAX_BOUNDS);
        for (uint32_t i = 0; i < b->n_bounds; i++) {
            assert_true(i == 0 || b->upper[i] > b->upper[i - 1]);
            assert_int_equal(llround(strtod(b->text[i], NULL) * (double)b->per_unit), b->upper[i]);
        }
    }
}

static void quantiles_lie_evenly_in_their_bucket(void **state)
{
    (void)state;
    /* 10 values up to 1, 10 in (1, 2], none, 20 in (4, 8] */
    const uint64_t buckets[10] = {10, 10, 0, 20};
    assert_true(histogram_quantile(&histogram_sizes, buckets, 0.125) == 0.5);
    assert_true(histogram_quantile(&histogram_sizes, buckets, 0.25) == 1);
    assert_true(histogram_quantile(&histogram_sizes, buckets, 0.5) == 2);
    assert_true(histogram_quantile(&histogram_sizes, buckets, 0.75) == 6);
    assert_true(histogram_quantile(&histogram_sizes, buckets, 1) == 8);
    assert_true(histogram_quantile(&histogram_sizes, buckets, 0) == 0);
    assert_true(histogram_quantile(&histogram_sizes, buckets, 7) == 8);
}

static void a_quantile_beyond_the_last_bound_is_the_last_bound(void **state)
{
    (void)state;
    const uint64_t buckets[10] = {1, [9] = 99};
    assert_true(histogram_quantile(&histogram_sizes, buckets, 0.5) == 256);
}

static void nothing_counted_has_no_quantile(void **state)
{
    (void)state;
    const uint64_t buckets[10] = {0};
    assert_true(isnan(histogram_quantile(&histogram_sizes, buckets, 0.5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_goes_into_the_first_bucket_that_holds_it),
        cmocka_unit_test(bounds_rise_and_their_texts_say_the_same),
        cmocka_unit_test(quantiles_lie_evenly_in_their_bucket),
        cmocka_unit_test(a_quantile_beyond_the_last_bound_is_the_last_bound),
        cmocka_unit_test(nothing_counted_has_no_quantile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
