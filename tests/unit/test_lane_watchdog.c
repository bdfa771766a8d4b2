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

static void nothing_is_late_without_an_estimate_or_before_it_began(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    assert_true(lane_watchdog_due_ns(&progress, S) == INT64_MAX);
    lane_progress_mark(&progress, 1, 5 * S);
    assert_true(lane_watchdog_due_ns(&progress, 0) == INT64_MAX);
    assert_true(lane_watchdog_due_ns(&progress, -S) == INT64_MAX);
}

static void numbers_of_a_hostile_plugin_do_not_overflow(void **state)
{
    (void)state;
    struct lane_progress progress = {0};
    lane_progress_mark(&progress, INT64_MAX, 5 * S);
    assert_true(lane_watchdog_due_ns(&progress, INT64_MAX) == INT64_MAX);
    assert_true(lane_watchdog_due_ns(&progress, 2) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_late_after_ten_times_its_estimate),
        cmocka_unit_test(a_batch_may_take_as_long_as_its_items),
        cmocka_unit_test(no_call_is_late_within_a_second),
        cmocka_unit_test(a_sign_of_life_begins_the_time_again),
        cmocka_unit_test(nothing_is_late_without_an_estimate_or_before_it_began),
        cmocka_unit_test(numbers_of_a_hostile_plugin_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
