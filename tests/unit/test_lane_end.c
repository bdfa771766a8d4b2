/* test_lane_end.c - threads of lanes that hang when they end, in a destructor of something that a plugin keeps for
 * each thread: neither the loop nor the end of a host waits for them for ever. Covers host/lanes/lane.c and
 * host/scheduler_life.c. Such a plugin is played by the test's own log function, which plugin_held calls on the lane. */
#include "dtype.h"
#include "held_package.h"
#include "host.h"
#include "scheduler.h"
#include "scheduler_loop.h"

#include <pthread.h>

static const struct modelhost_options quick = {.struct_size = sizeof(struct modelhost_options),
                                               .log_level = MODEL_LOG_WARN,
                                               .abandon_grace_ms = 1};

static pthread_key_t key;
static uv_sem_t is_ending, may_end;
static float values[2] = {1.0f, 2.0f};

static void hang(void *value)
{
    (void)value;
    uv_sem_post(&is_ending);
    uv_sem_wait(&may_end);
}

/* The thread that logs from run() hangs when it ends. */
static void log_and_remember(void *context, int32_t level, const char *message)
{
    if (strstr(message, "held: run") != NULL)
        assert_int_equal(pthread_setspecific(key, context), 0);
    held_log(context, level, message);
}

static int init(void **state)
{
    (void)state;
    assert_int_equal(pthread_key_create(&key, hang), 0);
    assert_int_equal(uv_sem_init(&is_ending, 0), 0);
    assert_int_equal(uv_sem_init(&may_end, 0), 0);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    return pthread_key_delete(key);
}

static void open_hanging(struct held *held)
{
    held_open(held, &quick, 0, "");
    struct log_sink *log = (struct log_sink *)(uintptr_t)held->host->scheduler->options.log;
    log->write = log_and_remember;
}

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    (void)status, (void)err;
    modelhost_result_destroy(result);
    uv_sem_post(user);
}

/* A call that the plugin has begun; whether it is cancelled then, or let go. */
static void call(struct held *held, bool is_cancelled)
{
    struct model_tensor x;
    const int64_t n = 2;
    tensor_init(&x, "x", MODEL_F32, 1, &n, values);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_request *request = NULL;
    uv_sem_t answered;
    assert_int_equal(uv_sem_init(&answered, 0), 0);
    assert_int_equal(
        modelhost_run_async(held->model, inputs, 1, NULL, on_answer, &answered, &request, NULL),
        MODEL_OK);
    held_wait_entered(held);
    if (is_cancelled)
        modelhost_cancel(request);
    else
        held_release(held, 1);
    uv_sem_wait(&answered);
    modelhost_request_release(request);
    uv_sem_destroy(&answered);
}

static struct modelhost *left_behind; /* a leak that is meant */

static void the_end_of_a_host_does_not_wait_for_a_thread_that_hangs(void **state)
{
    (void)state;
    static struct held held; /* outlives the test, as the host does */
    open_hanging(&held);
    call(&held, false);
    left_behind = held.host;
    held.host->scheduler->options.stop_grace_ns =
        INT64_C(2000000000); /* for the lanes that do end */
    modelhost_release(held.model);
    modelhost_destroy(held.host);
    assert_true(held_has_logged(&held, "1 threads of lanes do not end"));
    uv_sem_wait(&is_ending);
    uv_sem_post(&may_end);
    assert_int_equal(pthread_join(left_behind->scheduler->ended->thread, NULL), 0);
    remove_package(held.dir);
    remove_package(held.pipes);
}

static void do_nothing(uv_loop_t *loop, void *argument)
{
    (void)loop;
    (void)argument;
}

static void the_loop_goes_on_while_a_lane_hangs_in_its_end(void **state)
{
    (void)state;
    struct held held;
    open_hanging(&held);
    call(&held, true);
    held_wait_for_log(&held, "abandoned and replaced");
    held_release(&held, 1);
    uv_sem_wait(&is_ending); /* it came back, and its thread hangs */
    for (int turn = 0; turn < 3; turn++)
        scheduler_loop_visit(held.host->scheduler, do_nothing, NULL);
    uv_sem_post(&may_end);
    held_close(&held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_loop_goes_on_while_a_lane_hangs_in_its_end, init,
                                        finish),
        cmocka_unit_test_setup_teardown(the_end_of_a_host_does_not_wait_for_a_thread_that_hangs,
                                        init, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
