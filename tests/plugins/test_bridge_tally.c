/* test_bridge_tally.c - how a plan's operations are counted and weighed (plugins/coreml-ane/bridge/bridge_tally.c). */
#include "bridge_tally.h"
#include "testing.h"

#include <math.h>

static void the_share_is_one_of_the_cost(void **state)
{
    (void)state;
    struct bridge_tally tally = {.n = {0}};
    bridge_tally_add(&tally, BRIDGE_NEURAL_ENGINE, 0.75);
    bridge_tally_add(&tally, BRIDGE_GPU, 0.125);
    bridge_tally_add(&tally, BRIDGE_CPU, 0.0625);
    bridge_tally_add(&tally, BRIDGE_CPU, 0.0625);
    const struct coreml_plan_counts counts = bridge_tally_counts(&tally);
    assert_int_equal(counts.struct_size, sizeof counts);
    assert_int_equal(counts.n_operators, 4);
    assert_int_equal(counts.n_neural_engine, 1);
    assert_int_equal(counts.n_gpu, 1);
    assert_int_equal(counts.n_cpu, 2);
    assert_true(counts.neural_engine_share == 0.75);
}

static void where_there_is_no_cost_it_is_one_of_the_operators(void **state)
{
    (void)state;
    struct bridge_tally tally = {.n = {0}};
    assert_true(bridge_tally_counts(&tally).neural_engine_share == 0);
    bridge_tally_add(&tally, BRIDGE_NEURAL_ENGINE, 0);
    bridge_tally_add(&tally, BRIDGE_CPU, 0);
    bridge_tally_add(&tally, BRIDGE_CPU, 0);
    bridge_tally_add(&tally, BRIDGE_CPU, 0);
    assert_true(bridge_tally_counts(&tally).neural_engine_share == 0.25);
}

static void a_cost_that_is_none_counts_as_0(void **state)
{
    (void)state;
    struct bridge_tally tally = {.n = {0}};
    bridge_tally_add(&tally, BRIDGE_NEURAL_ENGINE, 3);
    bridge_tally_add(&tally, BRIDGE_CPU, 1);
    bridge_tally_add(&tally, BRIDGE_CPU, -1);
    bridge_tally_add(&tally, BRIDGE_CPU, (double)NAN);
    assert_true(bridge_tally_counts(&tally).neural_engine_share == 0.75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_is_one_of_the_cost),
        cmocka_unit_test(where_there_is_no_cost_it_is_one_of_the_operators),
        cmocka_unit_test(a_cost_that_is_none_counts_as_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
