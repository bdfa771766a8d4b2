/* test_thread_guard.c - host/thread_guard.c, and a plugin that ends the thread of a lane (host/lanes/lane_lost.c),
 * of its caller (host/scheduler.c), of its loading (host/model_creating.c) or of its end (host/reaper.c). */
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

static model_status load_here(struct workers *workers)
{
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    load.breaker_success_rate = -1;
    return modelhost_load_with(workers->host, workers->dir, &load, &workers->model, &err);
}

static struct workers open_here(const char *config)
{
    struct workers workers = workers_host("mischief", config, 1);
    if (load_here(&workers) != MODEL_OK)
        fail_msg("%s", err.message);
    return workers;
}

static void must_say(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in: %s", part, text);
}

/* There is one lane, and it is needed for each of them: a deadline sees to that. */
static void a_lane_whose_thread_is_ended_answers_and_is_replaced(void **state)
{
    (void)state;
    struct workers workers = open_here("{}");
    for (int i = 0; i < 5; i++) {
        float y = 0;
        assert_int_equal(workers_ask(workers.model, -15, 600000, &y, &err), MODELHOST_CRASHED);
        if (strstr(err.message,
                   "ended the thread that it was called on, in run() (pthread_exit)") == NULL)
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
    (void)workers_ask(model, -15, 0, &y, &own);
    return NULL;
}

static void a_callers_thread_that_is_ended_leaves_its_place(void **state)
{
    (void)state;
    struct workers workers = open_here("{}");
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, ask_and_end, workers.model), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        workers_must_answer(workers.model);
    }
    workers_close(&workers);
}

/* Here and in a worker: loading ends with a sentence that has the function. */
static void a_plugin_that_ends_the_thread_that_loads_it_is_told(void **state)
{
    static const char *const cases[][2] = {
        {"{\"mischief_create\": -15}", "ended the thread that it was called on, in create_model()"},
        {"{\"mischief_instance\": -15}",
         "ended the thread that it was called on, in create_instance()"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct workers workers = workers_host("mischief", cases[i][0], 1);
        assert_int_equal(load_here(&workers), MODELHOST_CRASHED);
        must_say(err.message, "plugin 'mischief' 1.0.0 cannot run");
        must_say(err.message, cases[i][1]);
        assert_int_equal(workers_load(&workers, 1, &err), MODELHOST_CRASHED);
        must_say(err.message, cases[i][1]);
        workers_close(&workers);
    }
}

/* A sanitizer would not let it. */
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void a_thread_that_ends_by_the_system_call_is_told_too(void **state)
{
    (void)state;
    struct workers workers = workers_host("mischief", "{\"mischief_create\": -16}", 1);
    assert_int_equal(load_here(&workers), MODELHOST_CRASHED);
    must_say(err.message, "the plugin ended the thread that creates the model");
    assert_int_equal(workers_load(&workers, 1, &err), MODELHOST_CRASHED);
    must_say(err.message, "the plugin ended the thread that creates the model");
    workers_close(&workers);
}

/* Nobody can tell of it: it is a call that hangs. */
static void a_lane_that_ends_by_the_system_call_is_abandoned_at_the_deadline(void **state)
{
    (void)state;
    static struct workers workers; /* outlives the test, as the host does, whose lane never ends */
    float y = 0;
    workers = open_here("{}");
    for (int64_t timeout_ms = 1; /* one that passes in the queue is nothing */
         strstr(workers.log->text, "its lane is abandoned and replaced") == NULL; timeout_ms *= 2) {
        assert_int_equal(workers_ask(workers.model, -16, timeout_ms, &y, &err), MODEL_DEADLINE);
        assert_int_equal(workers_ask(workers.model, 41, 600000, &y, &err), MODEL_OK);
    }
    remove_package(workers.dir);
}
#define SYSTEM_CALL_TESTS                                                                          \
    cmocka_unit_test(a_thread_that_ends_by_the_system_call_is_told_too),                           \
        cmocka_unit_test(a_lane_that_ends_by_the_system_call_is_abandoned_at_the_deadline),
#else
#define SYSTEM_CALL_TESTS
#endif

static model_status ask_in(struct workers *workers, struct modelhost_session *session, float x)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    options.session = session;
    options.timeout_ms = 600000; /* on a lane */
    model_status status = workers_run(workers->model, &x, 1, &options, &result, &err);
    modelhost_result_destroy(result);
    return status;
}

/* The session has the first instance, so that the next call needs a second one. */
static void a_second_instance_that_ends_the_thread_fails_its_call_alone(void **state)
{
    (void)state;
    for (int in_worker = 0; in_worker < 2; in_worker++) {
        struct workers workers = workers_host("mischief", "{\"mischief_second\": -15}", 2);
        struct modelhost_session *session = NULL;
        float y = 0;
        if ((in_worker ? workers_load(&workers, 1, &err) : load_here(&workers)) != MODEL_OK ||
            modelhost_session_create(workers.model, &session, &err) != MODEL_OK)
            fail_msg("%s", err.message);
        assert_int_equal(ask_in(&workers, session, 1), MODEL_OK);
        assert_int_equal(workers_ask(workers.model, 1, 600000, &y, &err), MODELHOST_CRASHED);
        must_say(err.message, in_worker
                                  ? "plugin ended its thread (pthread_exit) in create_instance"
                                  : "was called on, in create_instance()");
        workers_must_answer(workers.model);
        modelhost_session_release(session);
        workers_close(&workers);
    }
}

/* What its instance is in the middle of nobody knows: no other call gets it. */
static void a_session_whose_thread_is_ended_is_over(void **state)
{
    static const struct {
        const char *config, *part;
        float x;
    } cases[] = {{"{}", "in run()", -15}, {"{\"mischief_keep\": -15}", "in keep()", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct workers workers = open_here(cases[i].config);
        struct modelhost_session *session = NULL;
        assert_int_equal(modelhost_session_create(workers.model, &session, &err), MODEL_OK);
        assert_int_equal(ask_in(&workers, session, cases[i].x), MODELHOST_CRASHED);
        must_say(err.message, cases[i].part);
        assert_int_equal(ask_in(&workers, session, 1), MODEL_INVALID_ARGUMENT);
        must_say(err.message, "when the plugin ended its thread: begin a new session");
        modelhost_session_release(session);
        workers_must_answer(workers.model);
        workers_close(&workers);
    }
}

/* The end of the host waits for what comes behind it, not for what is gone. */
static void a_plugin_that_ends_the_thread_in_destroy_is_told(void **state)
{
    (void)state;
    for (int in_worker = 0; in_worker < 2; in_worker++) {
        struct workers workers = workers_host("mischief", "{\"mischief_destroy\": -15}", 1);
        if ((in_worker ? workers_load(&workers, 1, &err) : load_here(&workers)) != MODEL_OK)
            fail_msg("%s", err.message);
        modelhost_release(workers.model);
        workers.model = NULL;
        modelhost_destroy(workers.host);
        workers.host = NULL;
        must_say(workers.log->text, "was called on, in destroy() (pthread_exit)");
        if (!in_worker) /* where a second must do, which a busy machine may need */
            assert_null(strstr(workers.log->text, "does not come back"));
        workers_close(&workers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_thread_that_ends_is_told),
        cmocka_unit_test(a_lane_whose_thread_is_ended_answers_and_is_replaced),
        cmocka_unit_test(a_callers_thread_that_is_ended_leaves_its_place),
        cmocka_unit_test(a_plugin_that_ends_the_thread_that_loads_it_is_told),
        cmocka_unit_test(a_second_instance_that_ends_the_thread_fails_its_call_alone),
        cmocka_unit_test(a_session_whose_thread_is_ended_is_over),
        cmocka_unit_test(a_plugin_that_ends_the_thread_in_destroy_is_told),
        SYSTEM_CALL_TESTS};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
