/* test_worker_backoff.c - host/workers/worker_backoff.c on a simulated clock. */
#include "testing.h"
#include "worker_backoff.h"

static void the_first_deaths_cost_no_pause(void **state)
{
    (void)state;
    struct worker_backoff backoff = {0};
    for (int i = 0; i < WORKER_BACKOFF_FREE; i++) {
        worker_backoff_died(&backoff, 1000);
        assert_true(worker_backoff_left_ns(&backoff, 1000) == 0);
    }
    worker_backoff_died(&backoff, 1000);
    assert_true(worker_backoff_left_ns(&backoff, 1000) == WORKER_BACKOFF_FIRST_NS);
}

static void pauses_double_up_to_a_limit(void **state)
{
    (void)state;
    struct worker_backoff backoff = {0};
    int64_t now_ns = 5, expected_ns = WORKER_BACKOFF_FIRST_NS;
    for (int i = 0; i < WORKER_BACKOFF_FREE; i++)
        worker_backoff_died(&backoff, now_ns);
    for (int i = 0; i < 100; i++) {
        worker_backoff_died(&backoff, now_ns);
        assert_true(worker_backoff_left_ns(&backoff, now_ns) == expected_ns);
        now_ns += expected_ns;
        assert_true(worker_backoff_left_ns(&backoff, now_ns - 1) == 1);
        assert_true(worker_backoff_left_ns(&backoff, now_ns) == 0);
        expected_ns =
            2 * expected_ns < WORKER_BACKOFF_MAX_NS ? 2 * expected_ns : WORKER_BACKOFF_MAX_NS;
    }
}

static void work_forgives_everything(void **state)
{
    (void)state;
    struct worker_backoff backoff = {0};
    for (int i = 0; i < 50; i++)
        worker_backoff_died(&backoff, 0);
    worker_backoff_worked(&backoff);
    assert_true(worker_backoff_left_ns(&backoff, 0) == 0);
    worker_backoff_died(&backoff, 0);
    assert_true(worker_backoff_left_ns(&backoff, 0) == 0);
}

static void starts_that_are_refused_lengthen_the_pause_and_are_no_deaths(void **state)
{
    (void)state;
    struct worker_backoff backoff = {0};
    worker_backoff_died(&backoff, 0);
    worker_backoff_refused(&backoff, 0);
    assert_false(worker_backoff_is_failing(&backoff));
    worker_backoff_refused(&backoff, 0);
    assert_true(worker_backoff_is_failing(&backoff));
    assert_true(worker_backoff_left_ns(&backoff, 0) == WORKER_BACKOFF_FIRST_NS);
    assert_int_equal(backoff.n_deaths, 1);
    worker_backoff_worked(&backoff);
    assert_false(worker_backoff_is_failing(&backoff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_deaths_cost_no_pause),
        cmocka_unit_test(pauses_double_up_to_a_limit),
        cmocka_unit_test(work_forgives_everything),
        cmocka_unit_test(starts_that_are_refused_lengthen_the_pause_and_are_no_deaths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
