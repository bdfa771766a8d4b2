/* test_bridge_wait.c - waiting for predictions and giving them up (plugins/coreml-ane/bridge/bridge_wait.c). */
#include "bridge_wait.h"
#include "testing.h"

#include <pthread.h>

static void four_that_were_given_up_and_go_on_are_all_there_may_be(void **state)
{
    (void)state;
    _Atomic int unfinished = 0;
    struct bridge_wait waits[BRIDGE_MAX_UNFINISHED] = {{0}};
    assert_int_equal(BRIDGE_MAX_UNFINISHED, 4);
    for (int i = 0; i < 4; i++) {
        assert_true(bridge_wait_may_start(&unfinished));
        assert_false(bridge_wait_is_given_up(&waits[i]));
        bridge_wait_give_up(&waits[i], &unfinished);
        assert_true(bridge_wait_is_given_up(&waits[i]));
    }
    assert_false(bridge_wait_may_start(&unfinished));
    bridge_wait_end(&waits[2], &unfinished);
    assert_true(bridge_wait_may_start(&unfinished));
    for (int i = 0; i < 4; i++)
        if (i != 2)
            bridge_wait_end(&waits[i], &unfinished);
    assert_int_equal(unfinished, 0);
}

static void one_that_ends_before_it_is_given_up_counts_for_nothing(void **state)
{
    (void)state;
    _Atomic int unfinished = 0;
    struct bridge_wait wait = {0}, other = {0};
    bridge_wait_end(&wait, &unfinished);
    assert_int_equal(unfinished, 0);
    bridge_wait_end(&other, &unfinished);
    bridge_wait_give_up(&other, &unfinished);
    assert_int_equal(unfinished, 0);
}

struct race {
    struct bridge_wait wait;
    _Atomic int *unfinished;
    pthread_barrier_t *start;
};

static void *end_late(void *context)
{
    struct race *race = context;
    (void)pthread_barrier_wait(race->start);
    bridge_wait_end(&race->wait, race->unfinished);
    return NULL;
}

static void ending_and_giving_up_at_once_leaves_none(void **state)
{
    (void)state;
    _Atomic int unfinished = 0;
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    for (int i = 0; i < 200; i++) {
        struct race race = {{0}, &unfinished, &start};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, end_late, &race), 0);
        (void)pthread_barrier_wait(&start);
        bridge_wait_give_up(&race.wait, &unfinished);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(unfinished, 0);
    }
    (void)pthread_barrier_destroy(&start);
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
        cmocka_unit_test(four_that_were_given_up_and_go_on_are_all_there_may_be),
        cmocka_unit_test(one_that_ends_before_it_is_given_up_counts_for_nothing),
        cmocka_unit_test(ending_and_giving_up_at_once_leaves_none),
        cmocka_unit_test(waiting_ends_with_the_prediction_or_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
