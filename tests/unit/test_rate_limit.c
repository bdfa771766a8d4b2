/* test_rate_limit.c - a token bucket on a clock that only the test moves. */
#include "testing.h"

#include "clock.h"
#include "rate_limit.h"

static void without_a_limit_nobody_waits(void **state)
{
    struct rate_limit limit;
    (void)state;
    rate_limit_init(&limit, 0, 0);
    assert_int_equal(rate_limit_take(&limit, 1ull << 40, 0), 0);
}

static void a_debt_is_paid_by_time_at_the_rate(void **state)
{
    struct rate_limit limit;
    (void)state;
    rate_limit_init(&limit, 1000, 0); /* 100 bytes of credit */
    assert_int_equal(rate_limit_take(&limit, 100, 0), 0);
    assert_int_equal(rate_limit_take(&limit, 500, 0), 501);
    assert_int_equal(rate_limit_wait_ms(&limit, 250 * NS_PER_MS), 251);
    assert_int_equal(rate_limit_wait_ms(&limit, 500 * NS_PER_MS), 0);
}

static void a_pause_is_not_followed_by_a_flood(void **state)
{
    struct rate_limit limit;
    (void)state;
    rate_limit_init(&limit, 1000, 0);
    assert_int_equal(rate_limit_take(&limit, 100, 3600 * NS_PER_S), 0);
    assert_int_equal(rate_limit_take(&limit, 100, 3600 * NS_PER_S), 101);
}

static void the_average_keeps_to_the_rate(void **state)
{
    struct rate_limit limit;
    int64_t now_ns = 0, total = 0;
    (void)state;
    rate_limit_init(&limit, 1000000, 0);
    for (int i = 0; i < 1000; i++) {
        now_ns += rate_limit_take(&limit, 16384, now_ns) * NS_PER_MS;
        total += 16384;
    }
    double rate = (double)total / ((double)now_ns / 1e9);
    assert_true(rate > 950000 && rate < 1010000);
}

static void small_steps_of_time_add_up(void **state)
{
    struct rate_limit limit;
    (void)state;
    rate_limit_init(&limit, 10, 0); /* a byte each 100 ms */
    (void)rate_limit_take(&limit, 11, 0);
    for (int64_t ms = 1; ms < 1000; ms++)
        assert_true(rate_limit_wait_ms(&limit, ms * NS_PER_MS) > 0);
    assert_int_equal(rate_limit_wait_ms(&limit, 1000 * NS_PER_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nobody_waits),
        cmocka_unit_test(a_debt_is_paid_by_time_at_the_rate),
        cmocka_unit_test(a_pause_is_not_followed_by_a_flood),
        cmocka_unit_test(the_average_keeps_to_the_rate),
        cmocka_unit_test(small_steps_of_time_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
