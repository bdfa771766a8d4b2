/* test_background.c - threads that a host waits for. */
#include "background.h"
#include "errors.h"
#include "testing.h"

#include <stdatomic.h>

struct work {
    struct background *background;
    uv_sem_t go_on;
    _Atomic int n_done;
};

static void wait_and_count(void *argument)
{
    struct work *work = argument;
    uv_sem_wait(&work->go_on);
    (void)atomic_fetch_add(&work->n_done, 1);
}

static void count(void *argument)
{
    (void)atomic_fetch_add(&((struct work *)argument)->n_done, 1);
}

static void the_end_waits_for_all_of_them(void **state)
{
    (void)state;
    struct background background;
    struct work work = {.background = &background};
    assert_int_equal(background_init(&background, NULL), MODEL_OK);
    assert_int_equal(uv_sem_init(&work.go_on, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(background_start(&background, wait_and_count, &work, NULL), MODEL_OK);
    assert_int_equal(work.n_done, 0);
    for (int i = 0; i < 3; i++)
        uv_sem_post(&work.go_on);
    background_finish(&background);
    assert_int_equal(work.n_done, 3);
    uv_sem_destroy(&work.go_on);
}

static void nothing_starts_behind_the_end(void **state)
{
    (void)state;
    struct background background;
    struct work work = {.background = &background};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(background_init(&background, NULL), MODEL_OK);
    assert_int_equal(background_start(&background, count, &work, NULL), MODEL_OK);
    background_stop(&background);
    assert_int_equal(work.n_done, 1);
    assert_int_equal(background_start(&background, count, &work, &err), MODEL_CANCELLED);
    assert_string_equal(err.message, "the host was shut down");
    background_finish(&background);
    assert_int_equal(work.n_done, 1);
}

struct tired {
    struct background_token token;
    _Atomic int is_running;
};

static void run_until_raised(void *argument)
{
    struct tired *tired = argument;
    tired->is_running = 1;
    while (__atomic_load_n(&tired->token.cancelled, __ATOMIC_ACQUIRE) == 0)
        continue;
    tired->is_running = 0;
}

static void the_end_raises_the_tokens_that_it_knows(void **state)
{
    (void)state;
    struct background background;
    struct tired tired = {.is_running = 0};
    struct background_token forgotten = {.cancelled = 0}, late = {.cancelled = 0};
    assert_int_equal(background_init(&background, NULL), MODEL_OK);
    background_watch(&background, &tired.token);
    background_watch(&background, &forgotten);
    background_forget(&background, &forgotten);
    assert_int_equal(background_start(&background, run_until_raised, &tired, NULL), MODEL_OK);
    while (tired.is_running == 0)
        continue;
    background_stop(&background);
    assert_int_equal(tired.is_running, 0);
    assert_int_equal(tired.token.cancelled, MODEL_CANCELLED);
    assert_int_equal(forgotten.cancelled, 0);
    background_watch(&background, &late);
    assert_int_equal(late.cancelled, MODEL_CANCELLED);
    background_forget(&background, &tired.token);
    background_forget(&background, &late);
    background_finish(&background);
}

static void nothing_started_is_nothing_to_wait_for(void **state)
{
    (void)state;
    struct background background;
    assert_int_equal(background_init(&background, NULL), MODEL_OK);
    background_finish(&background);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_waits_for_all_of_them),
        cmocka_unit_test(nothing_starts_behind_the_end),
        cmocka_unit_test(the_end_raises_the_tokens_that_it_knows),
        cmocka_unit_test(nothing_started_is_nothing_to_wait_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
