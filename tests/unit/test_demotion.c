/* test_demotion.c - when a backend goes behind the others, on a clock of the test's own. */
#include "demotion.h"
#include "clock.h"
#include "testing.h"

static const struct demotion_policy usual = {
    .n_openings = 3, .window_ns = 600 * NS_PER_S, .duration_ns = 1800 * NS_PER_S};

static struct demotion make(struct demotion_policy policy)
{
    struct demotion demotion;
    demotion_init(&demotion, &policy);
    return demotion;
}

static bool opened_at(struct demotion *demotion, int64_t now_s)
{
    return demotion_opened(demotion, now_s * NS_PER_S);
}

static void enough_openings_within_the_window_demote(void **state)
{
    (void)state;
    struct demotion demotion = make(usual);
    assert_false(opened_at(&demotion, 1000));
    assert_false(opened_at(&demotion, 1300));
    assert_true(opened_at(&demotion, 1600)); /* the window's end is in it */
    assert_int_equal(demotion.until_ns, 3400 * NS_PER_S);
    assert_false(demotion.by_trial);
}

static void closing_in_between_does_not_help(void **state)
{
    (void)state;
    struct demotion demotion = make(usual);
    for (int64_t i = 0; i < 2; i++) {
        assert_false(opened_at(&demotion, 1000 + i));
        demotion_closed(&demotion);
    }
    assert_true(opened_at(&demotion, 1002));
}

static void rare_openings_never_do(void **state)
{
    (void)state;
    struct demotion demotion = make(usual);
    for (int64_t i = 0; i < 1000; i++)
        assert_false(opened_at(&demotion, 1000 + i * 301)); /* any three take 602 s */
    assert_false(opened_at(&demotion, 1000 + 999 * 301 + 300));
    assert_true(opened_at(&demotion, 1000 + 999 * 301 + 600));
}

static void on_trial_one_opening_demotes_again(void **state)
{
    (void)state;
    struct demotion demotion = make(usual);
    for (int64_t i = 0; i < 3; i++)
        (void)opened_at(&demotion, 1000 + i);
    assert_false(opened_at(&demotion, 2801)); /* demoted: as the last resort */
    assert_true(opened_at(&demotion, 2802));
    assert_true(demotion.by_trial);
    assert_int_equal(demotion.until_ns, 4602 * NS_PER_S);
}

static void closing_ends_the_trial(void **state)
{
    (void)state;
    struct demotion demotion = make(usual);
    for (int64_t i = 0; i < 3; i++)
        (void)opened_at(&demotion, 1000 + i);
    demotion_closed(&demotion);
    assert_false(opened_at(&demotion, 5000));
    assert_false(opened_at(&demotion, 5001));
    assert_true(opened_at(&demotion, 5002));
    assert_false(demotion.by_trial);
}

static void some_policies_demote_at_once_or_never(void **state)
{
    (void)state;
    struct demotion_policy policy = usual;
    policy.n_openings = 1;
    struct demotion once = make(policy);
    assert_true(opened_at(&once, 0));
    policy.n_openings = 0;
    struct demotion never = make(policy);
    for (int64_t i = 0; i < 100; i++)
        assert_false(opened_at(&never, 1000));
    policy.n_openings = DEMOTION_MAX_OPENINGS;
    struct demotion most = make(policy);
    for (int64_t i = 0; i < DEMOTION_MAX_OPENINGS - 1; i++)
        assert_false(opened_at(&most, 1000));
    assert_true(opened_at(&most, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_openings_within_the_window_demote),
        cmocka_unit_test(closing_in_between_does_not_help),
        cmocka_unit_test(rare_openings_never_do),
        cmocka_unit_test(on_trial_one_opening_demotes_again),
        cmocka_unit_test(closing_ends_the_trial),
        cmocka_unit_test(some_policies_demote_at_once_or_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
