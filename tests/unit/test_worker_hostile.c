/* test_worker_hostile.c - what a plugin that turns against its host comes to (tests/abi/plugin_hostile.c), through
 * the public interface: host/workers/worker_instance.c, host/workers/shared_event.c,
 * host/workers/served_instance.c. */
#include "clock.h"
#include "worker_fixture.h"
#include "worker_seccomp.h"

static struct model_error err = {.struct_size = sizeof err};

/* Without a deadline: only the process's end ends the wait. */
static void an_end_that_the_plugin_hides_is_seen(void **state)
{
    (void)state;
#ifdef __linux__
    for (float x = -1; x >= -2; x--) {
        struct workers workers = workers_open("hostile", 1, 1);
        float y = 0;
        assert_int_equal(workers_ask(workers.model, x, 0, &y, &err), MODELHOST_CRASHED);
        assert_non_null(strstr(err.message, "plugin called exit(7) in run"));
        workers_must_answer(workers.model);
        workers_close(&workers);
    }
#endif
}

static void on_piece(void *context, const struct model_tensor *const *tensors, uint32_t n_tensors)
{
    (void)context;
    (void)tensors;
    (void)n_tensors;
}

/* There is one lane: it must come back from there. */
static void one_that_goes_on_saying_something_is_ended(void **state)
{
    (void)state;
#ifdef __linux__
    struct workers workers = workers_open_strict("hostile", 1, 1);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    const float x = -3;
    options.timeout_ms = 20;
    options.on_tensors = on_piece;
    assert_int_equal(workers_run(workers.model, &x, 1, &options, &result, &err), MODEL_DEADLINE);
    workers_must_answer(workers.model);
    workers_close(&workers);
#endif
}

static void a_thread_that_the_plugin_ends_is_an_error_of_its_request(void **state)
{
    (void)state;
    struct workers workers = workers_open("hostile", 1, 1);
    float y = 0;
    assert_int_equal(workers_ask(workers.model, -4, 0, &y, &err), MODELHOST_CRASHED);
    if (strstr(err.message, "plugin ended its thread (pthread_exit) in run") == NULL)
        fail_msg("%s", err.message);
    workers_must_answer(workers.model);
    workers_close(&workers);
}

static void a_plugin_makes_no_memory_with_a_descriptor(void **state)
{
    (void)state;
    if (!worker_seccomp_is_built())
        SKIP_BECAUSE("built without libseccomp");
    struct workers workers = workers_open("hostile", 1, 1);
    float y = 0;
    if (workers_ask(workers.model, -5, 0, &y, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    workers_close(&workers);
}

static void a_message_that_never_ends_does_not_hold_up_a_load(void **state)
{
    (void)state;
    struct workers workers = workers_host("hostile", "{\"hostile_drips\": true}", 1);
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    load.isolation = MODELHOST_WORKER;
    load.load_timeout_ms = 30; /* it never comes, so that any will do */
    assert_int_equal(modelhost_load_with(workers.host, workers.dir, &load, &workers.model, &err),
                     MODEL_DEADLINE);
    if (strstr(err.message, "did not come back from create_model() within 30 ms") == NULL)
        fail_msg("%s", err.message);
    workers_close(&workers);
}

static void nor_does_it_hold_up_a_call_or_what_follows(void **state)
{
    (void)state;
    struct workers workers = workers_open_strict("hostile", 1, 1);
    float y = 0;
    assert_int_equal(workers_ask(workers.model, -6, 20, &y, &err), MODEL_DEADLINE);
    workers_must_answer(workers.model);
    workers_close(&workers);
}

int main(void)
{
    (void)setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:detect_leaks=0", 1); /* let crash */
    (void)setenv("TSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_that_the_plugin_hides_is_seen),
        cmocka_unit_test(one_that_goes_on_saying_something_is_ended),
        cmocka_unit_test(a_thread_that_the_plugin_ends_is_an_error_of_its_request),
        cmocka_unit_test(a_plugin_makes_no_memory_with_a_descriptor),
        cmocka_unit_test(a_message_that_never_ends_does_not_hold_up_a_load),
        cmocka_unit_test(nor_does_it_hold_up_a_call_or_what_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
