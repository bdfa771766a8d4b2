/* test_lane_watchdog.c - when a call is late, on a simulated clock. */
#include "lane_watchdog.h"
#include "testing.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static void a_call_is_late_after_ten_times_its_estimate(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    lane_progress_mark(&progress, 1, 5 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, 300 * MS), 8 * S);
}

static void a_batch_may_take_as_long_as_its_items(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    lane_progress_mark(&progress, 4, 5 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, 300 * MS), 17 * S);
}

static void no_call_is_late_within_a_second(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    lane_progress_mark(&progress, 1, 5 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, 1), 6 * S);
}

static void a_sign_of_life_begins_the_time_again(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    lane_progress_mark(&progress, 4, 5 * S);
    lane_progress_mark(&progress, 0, 7 * S); /* as many items as before */
    assert_int_equal(lane_watchdog_due_ns(&progress, 300 * MS), 19 * S);
}

static void nothing_is_late_before_it_began(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    assert_true(lane_watchdog_due_ns(&progress, S) == INT64_MAX);
    assert_true(lane_watchdog_due_ns(&progress, 0) == INT64_MAX);
}

static void without_an_estimate_a_call_is_late_after_a_minute(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    lane_progress_mark(&progress, 8, 5 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, 0), 65 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, -5), 65 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, INT64_MIN), 65 * S);
}

static void others_wait_five_seconds_at_most(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    assert_true(lane_watchdog_relief_ns(&progress, S) == INT64_MAX);
    lane_progress_mark(&progress, 1, 5 * S);
    assert_int_equal(lane_watchdog_relief_ns(&progress, 300 * MS), 8 * S);
    assert_int_equal(lane_watchdog_relief_ns(&progress, 600 * MS), 10 * S);
    assert_int_equal(lane_watchdog_relief_ns(&progress, INT64_MAX), 10 * S);
    assert_int_equal(lane_watchdog_relief_ns(&progress, 0), 10 * S);
    lane_progress_mark(&progress, 0, 7 * S);
    assert_int_equal(lane_watchdog_relief_ns(&progress, 0), 12 * S);
}

static void no_number_of_a_plugin_gives_it_more_than_an_hour(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    lane_progress_mark(&progress, 1, 5 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, INT64_MAX), 3605 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, 360 * S), 3605 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, 359 * S), 3595 * S);
    lane_progress_mark(&progress, INT64_MAX, 5 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, INT64_MAX), 3605 * S);
    assert_int_equal(lane_watchdog_due_ns(&progress, 2), 3605 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_late_after_ten_times_its_estimate),
        cmocka_unit_test(a_batch_may_take_as_long_as_its_items),
        cmocka_unit_test(no_call_is_late_within_a_second),
        cmocka_unit_test(a_sign_of_life_begins_the_time_again),
        cmocka_unit_test(nothing_is_late_before_it_began),
        cmocka_unit_test(without_an_estimate_a_call_is_late_after_a_minute),
        cmocka_unit_test(others_wait_five_seconds_at_most),
        cmocka_unit_test(no_number_of_a_plugin_gives_it_more_than_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
