/* test_retry_gate.c - how long something that failed is left alone; time is given. */
#include "retry_gate.h"
#include "testing.h"

static void it_is_open_until_something_fails(void **state)
{
    (void)state;
    struct retry_gate gate = RETRY_GATE_INIT(10, 35);
    assert_true(retry_gate_is_open(&gate, 0));
    retry_gate_failed(&gate, 100);
    assert_false(retry_gate_is_open(&gate, 100));
    assert_false(retry_gate_is_open(&gate, 109));
    assert_true(retry_gate_is_open(&gate, 110));
}

static void each_failure_in_a_row_doubles_the_wait_up_to_the_longest(void **state)
{
    (void)state;
    static const int64_t waits[] = {10, 20, 35, 35, 35};
    struct retry_gate gate = RETRY_GATE_INIT(10, 35);
    int64_t now = 1000;
    for (size_t i = 0; i < 5; i++) {
        retry_gate_failed(&gate, now);
        assert_false(retry_gate_is_open(&gate, now + waits[i] - 1));
        now += waits[i];
        assert_true(retry_gate_is_open(&gate, now));
    }
}

static void a_success_begins_anew(void **state)
{
    (void)state;
    struct retry_gate gate = RETRY_GATE_INIT(10, 35);
    retry_gate_failed(&gate, 0);
    retry_gate_failed(&gate, 10);
    retry_gate_succeeded(&gate);
    assert_true(retry_gate_is_open(&gate, 11));
    retry_gate_failed(&gate, 20);
    assert_true(retry_gate_is_open(&gate, 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_open_until_something_fails),
        cmocka_unit_test(each_failure_in_a_row_doubles_the_wait_up_to_the_longest),
        cmocka_unit_test(a_success_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
