/* test_thread_guard.c - host/thread_guard.c, and a plugin that ends the thread of a lane (host/lanes/lane_lost.c) or
 * of its caller (host/scheduler.c) in the host's process. */
#include "thread_guard.h"
#include "worker_fixture.h"

#if defined(__SANITIZE_ADDRESS__)
/* What a thread that is ended in the middle of a call has is left in memory. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

static struct model_error err = {.struct_size = sizeof err};

static void count(void *n)
{
    (*(int *)n)++;
}

static void end_thread(void *n)
{
    count(n);
    pthread_exit(NULL);
}

static void *run_guarded(void *counters)
{
    int *n = counters;
    thread_guard_run(count, &n[0], count, &n[1]);
    thread_guard_run(end_thread, &n[0], count, &n[2]);
    n[3]++; /* not come to */
    return NULL;
}

static void only_a_thread_that_ends_is_told(void **state)
{
    int n[4] = {0};
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_guarded, n), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(n[0], 2);
    assert_int_equal(n[1], 0);
    assert_int_equal(n[2], 1);
    assert_int_equal(n[3], 0);
}

static struct workers open_here(void)
{
    struct workers workers = workers_host("hostile", "{}", 1);
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    load.breaker_success_rate = -1;
    if (modelhost_load_with(workers.host, workers.dir, &load, &workers.model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return workers;
}

/* There is one lane, and it is needed for each of them: a deadline sees to that. */
static void a_lane_whose_thread_is_ended_answers_and_is_replaced(void **state)
{
    (void)state;
    struct workers workers = open_here();
    for (int i = 0; i < 5; i++) {
        float y = 0;
        assert_int_equal(workers_ask(workers.model, -4, 600000, &y, &err), MODELHOST_CRASHED);
        if (strstr(err.message, "ended its thread in run() (pthread_exit)") == NULL)
            fail_msg("%s", err.message);
        assert_int_equal(workers_ask(workers.model, 41, 600000, &y, &err), MODEL_OK);
        assert_true(y == 42);
    }
    assert_non_null(strstr(workers.log->text, "another one takes its place"));
    workers_close(&workers);
}

static void *ask_and_end(void *model)
{
    struct model_error own = {.struct_size = sizeof own};
    float y = 0;
    (void)workers_ask(model, -4, 0, &y, &own);
    return NULL;
}

static void a_callers_thread_that_is_ended_leaves_its_place(void **state)
{
    (void)state;
    struct workers workers = open_here();
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, ask_and_end, workers.model), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        workers_must_answer(workers.model);
    }
    workers_close(&workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_thread_that_ends_is_told),
        cmocka_unit_test(a_lane_whose_thread_is_ended_answers_and_is_replaced),
        cmocka_unit_test(a_callers_thread_that_is_ended_leaves_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
