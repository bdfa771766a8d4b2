/* test_stall_timer.c - when an exchange counts as stalled, by a clock that the test moves. */
#include "stall_timer.h"
#include "testing.h"

#define MS         1000000ll
#define TIMEOUT_MS 30000

/* So many bytes come each 100 ms until `until_ms`: when it is over, or -1 after five minutes. */
static int64_t over_after_ms(int64_t timeout_ms, uint64_t least, int64_t until_ms, size_t bytes)
{
    struct stall_timer timer;
    stall_timer_start(&timer, timeout_ms, least, 0);
    for (int64_t now_ms = 0; now_ms <= 300000; now_ms += 100) {
        if (now_ms < until_ms)
            stall_timer_note(&timer, bytes);
        if (stall_timer_is_over(&timer, now_ms * MS))
            return now_ms;
    }
    return -1;
}

static void nothing_at_all_is_over_at_the_timeout(void **state)
{
    (void)state;
    assert_int_equal(over_after_ms(TIMEOUT_MS, 1000, 0, 0), TIMEOUT_MS);
    assert_int_equal(over_after_ms(500, 1000, 0, 0), 500);
}

static void the_least_rate_is_enough_for_ever(void **state)
{
    (void)state;
    assert_int_equal(over_after_ms(TIMEOUT_MS, 1000, INT64_MAX, 100), -1);
    assert_int_equal(over_after_ms(TIMEOUT_MS, 1, INT64_MAX, 1), -1);
}

static void less_than_the_least_rate_is_over_at_the_timeout(void **state)
{
    (void)state;
    assert_int_equal(over_after_ms(TIMEOUT_MS, 1000, INT64_MAX, 90), TIMEOUT_MS);
    assert_int_equal(over_after_ms(TIMEOUT_MS, 1000, INT64_MAX, 1), TIMEOUT_MS);
}

static void what_was_fast_and_stands_still_is_over_a_timeout_later(void **state)
{
    (void)state;
    const int64_t over_ms = over_after_ms(TIMEOUT_MS, 1000, 60000, 100000000);
    assert_in_range(over_ms, 60000 + TIMEOUT_MS - 1000, 60000 + TIMEOUT_MS + 1000);
}

static void a_rest_that_we_wanted_does_not_count(void **state)
{
    (void)state;
    struct stall_timer timer;
    stall_timer_start(&timer, TIMEOUT_MS, 1, 0);
    assert_false(stall_timer_is_over(&timer, 29000 * MS));
    stall_timer_excuse(&timer, 29000 * MS);
    assert_false(stall_timer_is_over(&timer, 58000 * MS));
    assert_true(stall_timer_is_over(&timer, 59000 * MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_at_all_is_over_at_the_timeout),
        cmocka_unit_test(the_least_rate_is_enough_for_ever),
        cmocka_unit_test(less_than_the_least_rate_is_over_at_the_timeout),
        cmocka_unit_test(what_was_fast_and_stands_still_is_over_a_timeout_later),
        cmocka_unit_test(a_rest_that_we_wanted_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
