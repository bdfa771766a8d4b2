/* test_bridge_wait.c - waiting for predictions and giving them up (plugins/coreml-ane/bridge/bridge_wait.c). */
#include "bridge_wait.h"
#include "testing.h"

static void what_waits_to_begin_is_told_that_nobody_waits_for_it(void **state)
{
    (void)state;
    struct bridge_wait wait = {0}, other = {0};
    assert_false(bridge_wait_is_given_up(&wait));
    bridge_wait_give_up(&wait);
    assert_true(bridge_wait_is_given_up(&wait));
    assert_false(bridge_wait_is_given_up(&other));
}

/* Done at the look `done_at`; at the look `raised_at` somebody raises the token with `status`. */
struct looks {
    int n, done_at, raised_at;
    model_status status;
    uint32_t flag;
};

static bool look(void *context, int64_t ms)
{
    struct looks *looks = context;
    assert_int_equal(ms, 10);
    looks->n++;
    if (looks->n == looks->raised_at)
        looks->flag = (uint32_t)looks->status;
    return looks->n == looks->done_at;
}

static void waiting_ends_with_the_prediction_or_the_token(void **state)
{
    (void)state;
    static const struct {
        int done_at, raised_at;
        model_status status, wanted;
        int n_looks;
    } cases[] = {
        {3, 0, MODEL_OK, MODEL_OK, 3},
        {9, 2, MODEL_CANCELLED, MODEL_CANCELLED, 2},
        {9, 1, MODEL_DEADLINE, MODEL_DEADLINE, 1},
        {1, 1, MODEL_CANCELLED, MODEL_OK, 1}, /* an answer that is there is taken */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct looks looks = {0, cases[i].done_at, cases[i].raised_at, cases[i].status, 0};
        const struct model_cancel cancel = {sizeof cancel, &looks.flag, INT64_MAX};
        assert_int_equal(bridge_wait_until(&cancel, look, &looks), cases[i].wanted);
        assert_int_equal(looks.n, cases[i].n_looks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_to_begin_is_told_that_nobody_waits_for_it),
        cmocka_unit_test(waiting_ends_with_the_prediction_or_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
