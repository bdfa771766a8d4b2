/* test_log_limit.c - host/workers/log_limit.c: bursts, the steady rate, and what is said of lines left out. */
#include "log_limit.h"
#include "testing.h"

#define SECOND INT64_C(1000000000)

static uint32_t admit(struct log_limit *limit, uint32_t n, int64_t now_ns)
{
    uint32_t n_passed = 0;
    for (uint32_t i = 0; i < n; i++)
        n_passed += log_limit_admit(limit, now_ns);
    return n_passed;
}

static void burst_passes_and_what_follows_does_not(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    assert_int_equal(admit(&limit, LOG_LIMIT_BURST, 7), LOG_LIMIT_BURST);
    assert_int_equal(admit(&limit, 5, 7), 0);
    assert_int_equal(limit.n_omitted, 5);
}

static void steady_rate_passes_for_ever(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    for (int64_t i = 1; i < 1000; i++)
        assert_true(log_limit_admit(&limit, i * SECOND / LOG_LIMIT_RATE));
    assert_int_equal(limit.n_omitted, 0);
}

static void flood_is_thinned_out_to_the_rate(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint32_t n_passed = admit(&limit, 1000, SECOND);
    for (int64_t i = 1; i <= 10; i++)
        n_passed += admit(&limit, 1000, SECOND + i * SECOND);
    assert_int_equal(n_passed, LOG_LIMIT_BURST + 10 * LOG_LIMIT_RATE);
}

static void silence_fills_the_bucket_again_and_no_fuller(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    (void)admit(&limit, LOG_LIMIT_BURST, SECOND);
    assert_int_equal(admit(&limit, 2 * LOG_LIMIT_BURST, 1000 * SECOND), LOG_LIMIT_BURST);
}

static void omitted_lines_are_told_of_a_second_after_the_first(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    assert_true(log_limit_due_ns(&limit) == INT64_MAX);
    assert_int_equal(log_limit_take_omitted(&limit, SECOND, true), 0);
    (void)admit(&limit, LOG_LIMIT_BURST + 3, SECOND);
    assert_true(log_limit_due_ns(&limit) == 2 * SECOND);
    assert_int_equal(log_limit_take_omitted(&limit, 2 * SECOND - 1, false), 0);
    assert_int_equal(log_limit_take_omitted(&limit, 2 * SECOND, false), 3);
    assert_int_equal(log_limit_take_omitted(&limit, 9 * SECOND, true), 0); /* once */
}

static void omitted_lines_are_told_of_at_the_end(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    (void)admit(&limit, LOG_LIMIT_BURST + 1, SECOND);
    assert_int_equal(log_limit_take_omitted(&limit, SECOND, true), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_passes_and_what_follows_does_not),
        cmocka_unit_test(steady_rate_passes_for_ever),
        cmocka_unit_test(flood_is_thinned_out_to_the_rate),
        cmocka_unit_test(silence_fills_the_bucket_again_and_no_fuller),
        cmocka_unit_test(omitted_lines_are_told_of_a_second_after_the_first),
        cmocka_unit_test(omitted_lines_are_told_of_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
