/* test_worker_attempts.c - what happens in a worker beside a call whose process ends, or takes its memory, is made
 * again: host/workers/worker_slot.c, host/workers/worker_instance.c, host/workers/worker_call.c. The plugin
 * says in the log how far it is; nothing here depends on time. */
#include "clock.h"
#include "worker_fixture.h"

#include <sched.h>
#include <signal.h>

static struct model_error err = {.struct_size = sizeof err};

struct answer {
    pthread_mutex_t mutex;
    pthread_cond_t came;
    bool is_there;
    model_status status;
    float y;
    char message[MODEL_ERROR_BYTES];
};

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *error)
{
    struct answer *answer = user;
    (void)pthread_mutex_lock(&answer->mutex);
    answer->status = status;
    if (status == MODEL_OK)
        answer->y = *(const float *)modelhost_result_at(result, 0)->data;
    else
        (void)snprintf(answer->message, sizeof answer->message, "%s", error->message);
    answer->is_there = true;
    (void)pthread_cond_signal(&answer->came);
    (void)pthread_mutex_unlock(&answer->mutex);
    modelhost_result_destroy(result);
}

static struct modelhost_request *ask(struct modelhost_model *model, float x,
                                     struct modelhost_session *session, struct answer *ret)
{
    int64_t n = 1;
    struct modelhost_request *request = NULL;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    const struct model_tensor *const inputs[] = {&tensor};
    *ret = (struct answer){.mutex = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};
    options.session = session;
    tensor_init(&tensor, "x", MODEL_F32, 1, &n, &x);
    assert_int_equal(
        modelhost_run_async(model, inputs, 1, &options, on_answer, ret, &request, &err), MODEL_OK);
    return request;
}

static void wait_for(struct answer *answer)
{
    (void)pthread_mutex_lock(&answer->mutex);
    while (!answer->is_there)
        (void)pthread_cond_wait(&answer->came, &answer->mutex);
    (void)pthread_mutex_unlock(&answer->mutex);
}

static void wait_for_line(struct worker_log *log, const char *text)
{
    for (bool is_there = false; !is_there; (void)sched_yield()) {
        (void)pthread_mutex_lock(&log->mutex);
        is_there = strstr(log->text, text) != NULL;
        (void)pthread_mutex_unlock(&log->mutex);
    }
}

static void kill_worker(struct modelhost_model *model)
{
    const char *pids = strstr(modelhost_describe(model), "\"worker_pids\":");
    assert_non_null(pids);
    const long pid = strtol(strpbrk(pids, "0123456789"), NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
}

static struct workers open_waiting(const char *config)
{
    struct workers workers = workers_host("mischief", config, 2);
    if (workers_load(&workers, 1, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return workers;
}

/* The process is killed when one call runs in it and, beside that, something waits there for the other one. */
static void kill_between(struct workers *workers, struct modelhost_session *session,
                         struct answer *other)
{
    struct answer running;
    struct modelhost_request *first = ask(workers->model, -6, NULL, &running);
    wait_for_line(workers->log, "begins");
    struct modelhost_request *second = ask(workers->model, 10, session, other);
    wait_for_line(workers->log, "waits");
    kill_worker(workers->model);
    modelhost_cancel(first); /* which may be the one that goes first in the next process */
    wait_for(&running);
    wait_for(other);
    assert_int_equal(running.status, MODEL_CANCELLED);
    modelhost_request_release(first);
    modelhost_request_release(second);
}

static void an_instance_is_made_again_when_its_process_ends_beside_a_call(void **state)
{
    (void)state;
    struct workers workers = open_waiting("{\"mischief_waits\":1}");
    struct answer other;
    kill_between(&workers, NULL, &other);
    assert_string_equal(other.message, "");
    assert_int_equal(other.status, MODEL_OK);
    assert_true(other.y == 11);
    workers_close(&workers);
}

static void keep_is_made_again_when_its_process_ends_beside_a_call(void **state)
{
    (void)state;
    struct workers workers = open_waiting("{\"mischief_waits\":2}");
    struct modelhost_session *session = NULL;
    struct answer other;
    assert_int_equal(modelhost_session_create(workers.model, &session, &err), MODEL_OK);
    kill_between(&workers, session, &other);
    assert_string_equal(other.message, "");
    assert_int_equal(other.status, MODEL_OK);
    assert_true(other.y == 21); /* and the memory begins with this call */
    modelhost_session_release(session);
    workers_close(&workers);
}

/* What a call that has no memory beside another one comes to, when that one has ended. */
static struct answer ask_for_memory(uint64_t limit_bytes)
{
    struct workers workers = workers_host("mischief", "{\"mischief_waits\":3}", 2);
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct answer running, other;
    load.isolation = MODELHOST_WORKER;
    load.worker_memory_bytes = limit_bytes;
    if (modelhost_load_with(workers.host, workers.dir, &load, &workers.model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    struct modelhost_request *first = ask(workers.model, -6, NULL, &running);
    wait_for_line(workers.log, "begins");
    struct modelhost_request *second = ask(workers.model, -10, NULL, &other);
    wait_for_line(workers.log, "no memory");
    modelhost_cancel(first);
    wait_for(&running);
    wait_for(&other);
    modelhost_request_release(first);
    modelhost_request_release(second);
    workers_close(&workers);
    return other;
}

static void a_call_without_memory_is_made_again_where_memory_is_limited(void **state)
{
    (void)state;
    const struct answer limited =
        ask_for_memory((uint64_t)1 << 47); /* sanitizers take much of it */
    assert_string_equal(limited.message, "");
    assert_int_equal(limited.status, MODEL_OK);
    assert_true(limited.y == -9);
    assert_int_equal(ask_for_memory(0).status, MODEL_OUT_OF_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instance_is_made_again_when_its_process_ends_beside_a_call),
        cmocka_unit_test(keep_is_made_again_when_its_process_ends_beside_a_call),
        cmocka_unit_test(a_call_without_memory_is_made_again_where_memory_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
