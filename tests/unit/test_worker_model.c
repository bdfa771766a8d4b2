/* test_worker_model.c - models in worker processes, through the public interface: host/model_describing.c,
 * host/workers/worker_model.c, host/workers/worker_instance.c, host/workers/worker_call.c,
 * host/workers/worker_outputs.c, host/workers/worker_slot.c, host/workers/worker_watch.c, and what is in the
 * process: host/workers/worker_server.c, host/workers/served_instance.c, host/workers/served_segments.c. */
#include "clock.h"
#include "loaded_model.h"
#include "worker_fixture.h"
#include "worker_instance.h"

#include <signal.h>
#include <sys/wait.h>

static struct model_error err = {.struct_size = sizeof err};

static void answers_are_those_of_the_same_process(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    struct modelhost_model *here = NULL;
    assert_int_equal(modelhost_load(workers.host, workers.dir, &here, &err), MODEL_OK);
    float x[1000];
    for (int i = 0; i < 1000; i++)
        x[i] = (float)i * 0.37f + 1;
    const int64_t sizes[] = {0, 1, 2, 17, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct modelhost_result *a = NULL, *b = NULL;
        assert_int_equal(workers_run(workers.model, x, sizes[i], NULL, &a, &err), MODEL_OK);
        assert_int_equal(workers_run(here, x, sizes[i], NULL, &b, &err), MODEL_OK);
        const struct model_tensor *s = modelhost_result_at(a, 0), *t = modelhost_result_at(b, 0);
        assert_int_equal(s->size_bytes, t->size_bytes);
        assert_memory_equal(s->data, t->data, (size_t)s->size_bytes);
        modelhost_result_destroy(a);
        modelhost_result_destroy(b);
    }
    modelhost_release(here);
    workers_close(&workers);
}

static void outputs_grow_and_results_keep_their_memory(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    struct modelhost_result *results[40] = {NULL};
    for (int i = 0; i < 40; i++) {
        const float x[] = {-7, (float)(1000 * (i % 7) * (i % 7) * (i % 7) + 2000)};
        assert_int_equal(workers_run(workers.model, x, 2, NULL, &results[i], &err), MODEL_OK);
    }
    modelhost_release(workers.model); /* results outlive their model */
    for (int i = 0; i < 40; i++) {
        const struct model_tensor *y = modelhost_result_at(results[i], 0);
        assert_int_equal(y->shape[0], 1000 * (i % 7) * (i % 7) * (i % 7) + 2000);
        for (int64_t k = 0; k < y->shape[0]; k++)
            assert_true(((const float *)y->data)[k] == (float)k);
        modelhost_result_destroy(results[i]);
    }
    workers.model = NULL;
    workers_close(&workers);
}

static void a_crash_is_an_error_of_its_request_alone(void **state)
{
    static const struct {
        float x;
        const char *sentence;
    } cases[] = {{-1, "SIGSEGV"}, {-2, "abort"}, {-3, "exit"}};
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float y = 0;
        assert_int_equal(workers_ask(workers.model, cases[i].x, 0, &y, &err), MODELHOST_CRASHED);
        if (strstr(err.message, cases[i].sentence) == NULL)
            fail_msg("'%s' is not in: %s", cases[i].sentence, err.message);
        workers_must_answer(workers.model);
    }
    const struct metric_series *counted = workers.model->metrics.series;
    assert_int_equal(metrics_number(counted, METRIC_WORKER_RESTARTS, 0), 3);
    assert_int_equal(metrics_number(counted, METRIC_REQUESTS, OUTCOME_CRASHED), 3);
    assert_int_equal(metrics_number(counted, METRIC_REQUESTS, OUTCOME_OK), 3);
    workers_close(&workers);
}

static void a_crash_tells_the_last_lines(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    float y = 0;
    assert_int_equal(workers_ask(workers.model, -9, 0, &y, &err), MODELHOST_CRASHED);
    assert_non_null(strstr(err.message, "this was printed"));
    assert_non_null(strstr(err.message, "this was logged"));
    workers_must_answer(workers.model);
    (void)pthread_mutex_lock(&workers.log->mutex);
    assert_non_null(strstr(workers.log->text, "mischief: this was printed"));
    (void)pthread_mutex_unlock(&workers.log->mutex);
    workers_close(&workers);
}

static void what_is_wrong_with_a_package_is_told_as_without_workers(void **state)
{
    (void)state;
    struct workers workers = workers_host("no_create_model", "{}", 1);
    struct model_error here = {.struct_size = sizeof here};
    model_status status = workers_load(&workers, 1, &err);
    assert_int_equal(modelhost_load(workers.host, workers.dir, &workers.model, &here), status);
    assert_string_equal(err.message, here.message);
    workers_close(&workers);
}

static void a_plugin_that_looks_at_its_token_keeps_its_process(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    char *before = strdup(modelhost_describe(workers.model));
    for (int i = 0; i < 5; i++) {
        float y = 0;
        assert_int_equal(workers_ask(workers.model, -6, 20, &y, &err), MODEL_DEADLINE);
        workers_must_answer(workers.model);
    }
    assert_string_equal(modelhost_describe(workers.model), before);
    free(before);
    workers_close(&workers);
}

struct answer {
    pthread_mutex_t mutex;
    pthread_cond_t came;
    int n;
    model_status status;
};

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *error)
{
    struct answer *answer = user;
    (void)error;
    modelhost_result_destroy(result);
    (void)pthread_mutex_lock(&answer->mutex);
    answer->n++;
    answer->status = status;
    (void)pthread_cond_signal(&answer->came);
    (void)pthread_mutex_unlock(&answer->mutex);
}

static void ask_async(struct modelhost_model *model, float x, struct answer *answer,
                      struct modelhost_request **ret)
{
    int64_t n = 1;
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    const struct model_tensor *const inputs[] = {&tensor};
    tensor_init(&tensor, "x", MODEL_F32, 1, &n, &x);
    assert_int_equal(modelhost_run_async(model, inputs, 1, NULL, on_answer, answer, ret, &err),
                     MODEL_OK);
}

static void cancelling_reaches_the_process(void **state)
{
    (void)state;
    struct workers workers = workers_open_strict("mischief", 1, 1);
    static const float kinds[] = {-6, -4}; /* looks at its token; has to be killed */
    for (int i = 0; i < 2; i++) {
        struct answer answer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
        struct modelhost_request *request = NULL;
        ask_async(workers.model, kinds[i], &answer, &request);
        modelhost_cancel(request);
        modelhost_request_release(request);
        (void)pthread_mutex_lock(&answer.mutex);
        while (answer.n == 0)
            (void)pthread_cond_wait(&answer.came, &answer.mutex);
        (void)pthread_mutex_unlock(&answer.mutex);
        assert_int_equal(answer.status, MODEL_CANCELLED);
        workers_must_answer(workers.model); /* the lane is there again */
    }
    workers_close(&workers);
}

struct pieces {
    int n;
    bool in_order;
};

static void on_piece(void *context, const struct model_tensor *const *tensors, uint32_t n_tensors)
{
    struct pieces *pieces = context;
    pieces->in_order = pieces->in_order && n_tensors == 1 && strcmp(tensors[0]->name, "y") == 0 &&
                       *(const float *)tensors[0]->data == (float)pieces->n;
    pieces->n++;
}

static void what_is_emitted_comes_in_order(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct pieces pieces = {0, true};
    struct modelhost_result *result = NULL;
    const float x[] = {-8, 3000};
    options.on_tensors = on_piece;
    options.on_tensors_context = &pieces;
    assert_int_equal(workers_run(workers.model, x, 2, &options, &result, &err), MODEL_OK);
    assert_int_equal(pieces.n, 3000);
    assert_true(pieces.in_order);
    modelhost_result_destroy(result);
    workers_close(&workers);
}

static void a_session_goes_on_until_its_process_ends(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    struct modelhost_session *session = NULL;
    float y = 0;
    assert_int_equal(modelhost_session_create(workers.model, &session, &err), MODEL_OK);
    assert_int_equal(workers_go_on(workers.model, session, 10, &y, &err), MODEL_OK);
    assert_true(y == 21);
    assert_int_equal(workers_go_on(workers.model, session, 5, &y, &err), MODEL_OK);
    assert_true(y == 21);
    assert_int_equal(workers_ask(workers.model, -1, 0, &y, &err), MODELHOST_CRASHED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(workers_go_on(workers.model, session, 5, &y, &err), MODELHOST_CRASHED);
        assert_non_null(strstr(err.message, "begin a new session"));
    }
    modelhost_session_release(session);
    assert_int_equal(modelhost_session_create(workers.model, &session, &err), MODEL_OK);
    assert_int_equal(workers_go_on(workers.model, session, 10, &y, &err), MODEL_OK);
    assert_true(y == 21);
    modelhost_session_release(session);
    workers_close(&workers);
}

static void another_model_is_served_while_one_hangs(void **state)
{
    (void)state;
    struct workers workers = workers_open_strict("mischief", 2, 1);
    struct modelhost_model *other = NULL;
    struct answer answer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    struct modelhost_request *request = NULL;
    assert_int_equal(modelhost_load(workers.host, workers.dir, &other, &err), MODEL_OK);
    ask_async(workers.model, -4, &answer, &request);
    for (int i = 0; i < 100; i++)
        workers_must_answer(other);
    assert_int_equal(answer.n, 0);
    modelhost_cancel(request);
    modelhost_request_release(request);
    modelhost_release(other);
    workers_close(&workers);
}

static void a_call_beside_one_that_hangs_is_made_again(void **state)
{
    (void)state;
    struct workers workers = workers_open_strict("mischief", 2, 1);
    struct answer hung = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    struct modelhost_request *request = NULL;
    ask_async(workers.model, -4, &hung, &request);
    for (int i = 0; i < 20; i++)
        workers_must_answer(workers.model);
    modelhost_cancel(request);
    for (int i = 0; i < 200; i++)
        workers_must_answer(workers.model);
    modelhost_request_release(request);
    workers_close(&workers);
}

/* Callers side by side in one process, of whose calls some crash it: the others are answered, and right. */
struct crowd {
    struct modelhost_model *model;
    unsigned seed;
    int n_wrong, n_crashed, n_asked_to;
};

static void *ask_and_crash(void *argument)
{
    struct crowd *crowd = argument;
    struct model_error own = {.struct_size = sizeof own};
    for (int i = 0; i < 60; i++) {
        const bool crashes = rand_r(&crowd->seed) % 10 == 0;
        const float x = crashes ? -1 : (float)(i + 1);
        float y = 0;
        model_status status = workers_ask(crowd->model, x, 0, &y, &own);
        crowd->n_asked_to += crashes;
        crowd->n_crashed += crashes && status == MODELHOST_CRASHED;
        if (!crashes && (status != MODEL_OK || y != x + 1) && crowd->n_wrong++ == 0)
            print_message("%s\n", own.message);
    }
    return NULL;
}

static void crashes_hit_only_those_who_cause_them(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 2, 1);
    struct crowd crowds[8];
    pthread_t threads[8];
    for (unsigned i = 0; i < 8; i++) {
        crowds[i] = (struct crowd){.model = workers.model, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_and_crash, &crowds[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].n_wrong, 0);
        assert_int_equal(crowds[i].n_crashed, crowds[i].n_asked_to);
    }
    workers_close(&workers);
}

static void a_killed_process_is_replaced(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 2);
    const char *text = modelhost_describe(workers.model);
    const char *pids = strstr(text, "\"worker_pids\":");
    assert_non_null(pids);
    const long pid = strtol(strpbrk(pids, "0123456789"), NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    while (modelhost_describe(workers.model) == text) /* until the host has seen it */
        continue;
    workers_must_answer(workers.model);
    workers_close(&workers);
}

/* Says in the worker's place, ahead of a call in which the worker itself hangs. */
static void lie(struct worker_instance *instance, const struct worker_say *say,
                const struct worker_tensor *tensor)
{
    instance->exchange->say = *say;
    instance->exchange->tensors[0] = *tensor;
    worker_channel_say(instance->channel, instance->exchange);
}

static void a_process_that_breaks_the_protocol_is_ended(void **state)
{
    static const struct {
        struct worker_say say;
        struct worker_tensor tensor;
        const char *sentence;
    } cases[] = {
        {{.what = WORKER_SAY_DONE, .n_tensors = 2}, {.spec = 0}, "another number of outputs"},
        {{.what = WORKER_SAY_DONE, .n_tensors = 1}, {.segment = 4711}, "was not given"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct workers workers = workers_open("mischief", 1, 1);
        assert_true(workers.model->n_idle == 1);
        struct worker_instance *instance = (struct worker_instance *)workers.model->idle[0]->plugin;
        float y = 0;
        lie(instance, &cases[i].say, &cases[i].tensor);
        assert_int_equal(workers_ask(workers.model, -4, 0, &y, &err), MODEL_CORRUPT);
        if (strstr(err.message, cases[i].sentence) == NULL)
            fail_msg("'%s' is not in: %s", cases[i].sentence, err.message);
        while (!worker_slot_has_ended(instance->slot, 1)) /* it would hang for ever */
            continue;
        workers_must_answer(workers.model);
        workers_close(&workers);
    }
}

static void an_application_may_ignore_its_children(void **state)
{
    (void)state;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    struct workers workers = workers_open("mischief", 1, 1);
    float y = 0;
    assert_int_equal(workers_ask(workers.model, -1, 0, &y, &err), MODELHOST_CRASHED);
    assert_non_null(strstr(err.message, "plugin crashed in run"));
    workers_must_answer(workers.model);
    workers_close(&workers);
    (void)signal(SIGCHLD, before);
}

int main(void)
{
    (void)setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:detect_leaks=0", 1); /* let crash */
    (void)setenv("TSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);
    (void)setenv("UBSAN_OPTIONS", "halt_on_error=0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_the_same_process),
        cmocka_unit_test(outputs_grow_and_results_keep_their_memory),
        cmocka_unit_test(a_crash_is_an_error_of_its_request_alone),
        cmocka_unit_test(a_crash_tells_the_last_lines),
        cmocka_unit_test(what_is_wrong_with_a_package_is_told_as_without_workers),
        cmocka_unit_test(a_plugin_that_looks_at_its_token_keeps_its_process),
        cmocka_unit_test(cancelling_reaches_the_process),
        cmocka_unit_test(what_is_emitted_comes_in_order),
        cmocka_unit_test(a_session_goes_on_until_its_process_ends),
        cmocka_unit_test(another_model_is_served_while_one_hangs),
        cmocka_unit_test(a_call_beside_one_that_hangs_is_made_again),
        cmocka_unit_test(crashes_hit_only_those_who_cause_them),
        cmocka_unit_test(a_killed_process_is_replaced),
        cmocka_unit_test(a_process_that_breaks_the_protocol_is_ended),
        cmocka_unit_test(an_application_may_ignore_its_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
