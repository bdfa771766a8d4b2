/* test_batch_policy.c - host/batching/batch_policy.c on a clock of its own. */
#include "batch_policy.h"
#include "testing.h"

#define MS 1000000ll

static const struct batch_limits limits = {
    .max_items = 8, .max_tokens = 100, .max_delay_ns = 5 * MS};

static struct batch_candidate text(uint64_t n_tokens, int64_t arrival_ns)
{
    return (struct batch_candidate){.key = 7,
                                    .n_items = 1,
                                    .n_tokens = n_tokens,
                                    .arrival_ns = arrival_ns,
                                    .deadline_ns = INT64_MAX};
}

static struct batch_plan plan_of(const struct batch_limits *of, struct batch_candidate first)
{
    struct batch_plan plan;
    batch_plan_begin(&plan, of, &first);
    return plan;
}

static bool add(struct batch_plan *plan, struct batch_candidate candidate)
{
    return batch_plan_add(plan, &candidate);
}

static void a_lone_request_waits_as_long_as_it_may_and_no_longer(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(10, 100 * MS));
    assert_false(batch_plan_is_due(&plan, 100 * MS));
    assert_false(batch_plan_is_due(&plan, 105 * MS - 1));
    assert_true(plan.run_at_ns == 105 * MS);
    assert_true(batch_plan_is_due(&plan, 105 * MS));
}

static void without_a_delay_what_waits_runs_at_once(void **state)
{
    (void)state;
    const struct batch_limits eager = {.max_items = 8};
    struct batch_plan plan = plan_of(&eager, text(10, 100 * MS));
    assert_true(add(&plan, text(10, 100 * MS)));
    assert_true(batch_plan_is_due(&plan, 100 * MS));
    assert_int_equal(plan.n_members, 2);
}

static void the_oldest_member_says_how_long_the_batch_waits(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(10, 102 * MS));
    assert_true(add(&plan, text(10, 100 * MS)));
    assert_true(add(&plan, text(10, 104 * MS)));
    assert_true(plan.run_at_ns == 105 * MS);
}

static void a_batch_of_max_items_runs_at_once(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(1, 0));
    for (int i = 1; i < 8; i++) {
        assert_false(batch_plan_is_due(&plan, 0));
        assert_true(add(&plan, text(1, 0)));
    }
    assert_true(batch_plan_is_due(&plan, 0));
    assert_false(add(&plan, text(1, 0)));
    assert_int_equal(plan.n_members, 8);
}

static void items_count_and_not_requests(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(1, 0));
    struct batch_candidate several = text(5, 0);
    several.n_items = 5;
    assert_true(add(&plan, several));
    assert_false(add(&plan, several));
    assert_true(plan.is_full);
    assert_int_equal(plan.n_items, 6);
}

static void the_budget_is_the_sum_of_lengths_and_not_the_padded_product(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(90, 0));
    for (int i = 0; i < 4; i++)
        assert_true(add(&plan, text(2, 0))); /* padded they are 450 */
    assert_false(plan.is_full);
    assert_int_equal(plan.n_tokens, 98);
    assert_false(add(&plan, text(3, 0)));
    assert_true(plan.is_full);
}

static void a_full_budget_runs_at_once(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(60, 0));
    assert_true(add(&plan, text(40, 0)));
    assert_true(batch_plan_is_due(&plan, 0));
}

static void nothing_overtakes_the_one_that_did_not_fit(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(60, 0));
    assert_false(add(&plan, text(50, 0)));
    assert_false(add(&plan, text(1, 0)));
    assert_true(batch_plan_is_due(&plan, 0));
    assert_int_equal(plan.n_members, 1);
}

static void one_beyond_the_limits_runs_alone(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(500, 0));
    assert_true(batch_plan_is_due(&plan, 0));
    assert_false(add(&plan, text(1, 0)));
}

static void another_key_neither_joins_nor_fills(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(10, 0));
    struct batch_candidate other = text(10, 0);
    other.key = 8;
    assert_false(add(&plan, other));
    assert_false(plan.is_full);
    assert_true(add(&plan, text(10, 0)));
}

static void one_that_must_run_alone_is_due_at_once(void **state)
{
    (void)state;
    struct batch_candidate lone = text(10, 0);
    lone.key = 0;
    struct batch_plan plan = plan_of(&limits, lone);
    assert_true(batch_plan_is_due(&plan, 0));
    assert_false(add(&plan, lone));
}

static void waiting_never_uses_more_than_half_of_a_deadline(void **state)
{
    (void)state;
    struct batch_plan plan = plan_of(&limits, text(10, 0));
    struct batch_candidate hasty = text(10, 1 * MS);
    hasty.deadline_ns = 4 * MS;
    assert_true(add(&plan, hasty));
    assert_true(plan.run_at_ns == 1 * MS + 3 * MS / 2);
}

static void sums_beyond_64_bits_do_not_fit(void **state)
{
    (void)state;
    const struct batch_limits no_budget = {.max_items = 8};
    struct batch_plan plan = plan_of(&no_budget, text(UINT64_MAX, 0));
    assert_false(add(&plan, text(1, 0)));
    assert_true(plan.is_full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_request_waits_as_long_as_it_may_and_no_longer),
        cmocka_unit_test(without_a_delay_what_waits_runs_at_once),
        cmocka_unit_test(the_oldest_member_says_how_long_the_batch_waits),
        cmocka_unit_test(a_batch_of_max_items_runs_at_once),
        cmocka_unit_test(items_count_and_not_requests),
        cmocka_unit_test(the_budget_is_the_sum_of_lengths_and_not_the_padded_product),
        cmocka_unit_test(a_full_budget_runs_at_once),
        cmocka_unit_test(nothing_overtakes_the_one_that_did_not_fit),
        cmocka_unit_test(one_beyond_the_limits_runs_alone),
        cmocka_unit_test(another_key_neither_joins_nor_fills),
        cmocka_unit_test(one_that_must_run_alone_is_due_at_once),
        cmocka_unit_test(waiting_never_uses_more_than_half_of_a_deadline),
        cmocka_unit_test(sums_beyond_64_bits_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
