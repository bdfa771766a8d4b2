/* test_run_times.c - percentiles by nearest rank, whatever the order of what was measured. */
#include "run_times.h"
#include "testing.h"

static struct run_times times;

static int tear_down(void **state)
{
    (void)state;
    run_times_finish(&times);
    return 0;
}

static void nothing_measured_is_zero(void **state)
{
    (void)state;
    assert_int_equal(run_times_percentile(&times, 0.5), 0);
}

static void a_percentile_is_a_measured_time(void **state)
{
    (void)state;
    for (int64_t i = 1000; i >= 1; i--) /* more than the first capacity, backwards */
        assert_int_equal(run_times_add(&times, i, NULL), MODEL_OK);
    assert_int_equal(run_times_percentile(&times, 0), 1);
    assert_int_equal(run_times_percentile(&times, 0.5), 500);
    assert_int_equal(run_times_percentile(&times, 0.9), 900);
    assert_int_equal(run_times_percentile(&times, 0.99), 990);
    assert_int_equal(run_times_percentile(&times, 0.9991), 1000);
    assert_int_equal(run_times_percentile(&times, 1), 1000);
}

static void one_time_is_every_percentile(void **state)
{
    (void)state;
    assert_int_equal(run_times_add(&times, 7, NULL), MODEL_OK);
    assert_int_equal(run_times_percentile(&times, 0.01), 7);
    assert_int_equal(run_times_percentile(&times, 0.99), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_measured_is_zero, tear_down),
        cmocka_unit_test_teardown(a_percentile_is_a_measured_time, tear_down),
        cmocka_unit_test_teardown(one_time_is_every_percentile, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
