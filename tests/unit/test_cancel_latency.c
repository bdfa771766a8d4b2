/* test_cancel_latency.c - which bucket a latency falls into. */
#include "cancel_latency.h"
#include "testing.h"

static void a_latency_is_counted_in_the_first_bucket_that_holds_it(void **state)
{
    (void)state;
    struct cancel_latency latency = {.n_calls = 0};
    cancel_latency_add(&latency, 100000); /* bounds belong to their bucket */
    cancel_latency_add(&latency, 100001);
    cancel_latency_add(&latency, 1000000000);
    cancel_latency_add(&latency, INT64_C(3600) * 1000000000);
    assert_int_equal(latency.counts[0], 1);
    assert_int_equal(latency.counts[1], 1);
    assert_int_equal(latency.counts[9], 1);
    assert_int_equal(latency.counts[CANCEL_LATENCY_BUCKETS - 1], 1);
    assert_int_equal(latency.n_calls, 4);
    assert_int_equal(latency.max_ns, INT64_C(3600) * 1000000000);
    assert_int_equal(latency.sum_ns, INT64_C(3601) * 1000000000 + 200001);
}

static void a_clock_that_seems_to_go_back_counts_as_none(void **state)
{
    (void)state;
    struct cancel_latency latency = {.n_calls = 0};
    cancel_latency_add(&latency, -5);
    assert_int_equal(latency.counts[0], 1);
    assert_int_equal(latency.sum_ns, 0);
}

static void bounds_rise(void **state)
{
    (void)state;
    for (int i = 1; i < CANCEL_LATENCY_BUCKETS - 1; i++)
        assert_true(cancel_latency_bounds_ns[i - 1] < cancel_latency_bounds_ns[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_latency_is_counted_in_the_first_bucket_that_holds_it),
        cmocka_unit_test(a_clock_that_seems_to_go_back_counts_as_none),
        cmocka_unit_test(bounds_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
