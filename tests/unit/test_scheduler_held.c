/* test_scheduler_held.c - asynchronous calls that wait, in the queue, for a backend that is being opened: its
 * create_model() waits for a pipe, so that nothing depends on time. */
#include "fickle_package.h"
#include "loaded_model.h"

#include <uv.h>

enum { CPU = 1, TORCH = 2 }; /* the answers by which backends are known */

struct pair {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
};

static void close_pair(struct pair *pair)
{
    modelhost_release(pair->model);
    modelhost_destroy(pair->host);
    remove_package(pair->dir);
}

struct async_answer {
    uv_sem_t came;
    model_status status;
    int y;
    char backend[20], message[MODEL_ERROR_BYTES];
};

static void take_answer(void *user, model_status status, struct modelhost_result *result,
                        const struct model_error *err)
{
    struct async_answer *answer = user;
    answer->status = status;
    (void)snprintf(answer->message, sizeof answer->message, "%s", err->message);
    if (status == MODEL_OK) {
        answer->y = (int)*(const float *)modelhost_result_at(result, 0)->data;
        (void)snprintf(answer->backend, sizeof answer->backend, "%s",
                       modelhost_result_backend(result));
    }
    modelhost_result_destroy(result);
    uv_sem_post(&answer->came);
}

static model_status ask_async(struct modelhost_model *model, int64_t timeout_ms,
                              struct async_answer *answer, struct modelhost_request **ret,
                              struct model_error *err)
{
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    const int64_t n = 1;
    float zero = 0;
    struct model_tensor x;
    tensor_init(&x, "x", MODEL_F32, 1, &n, &zero);
    const struct model_tensor *inputs[] = {&x};
    run.timeout_ms = timeout_ms;
    assert_int_equal(uv_sem_init(&answer->came, 0), 0);
    return modelhost_run_async(model, inputs, 1, &run, take_answer, answer, ret, err);
}

static void wait_for(struct async_answer *answer)
{
    uv_sem_wait(&answer->came);
    uv_sem_destroy(&answer->came);
}

/* A model whose first backend has failed; the next one waits for `path` in create_model(). `more` is in the
 * configuration of that one. */
static struct pair open_waiting(uint32_t max_queue, const char *more, char **ret_path)
{
    struct pair pair = {.dir = scratch_dir()};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    char *path = make_pipe(pair.dir);
    char *fields = text_format(",\"create_pipe\":\"%s\"%s", path, more);
    options.max_queue = max_queue;
    add_backend(pair.dir, "cpu", CPU, "");
    add_backend(pair.dir, "torch", TORCH, fields);
    pair.host = fickle_host(pair.dir, &options);
    pair.model = fickle_load(pair.host, pair.dir, NULL);
    command(pair.dir, "cpu", "f");
    fail_times(pair.model, 20, MODEL_INTERNAL);
    free(fields);
    *ret_path = path;
    return pair;
}

static void asynchronous_calls_wait_for_the_next_backend_in_the_queue(void **state)
{
    (void)state;
    struct async_answer answers[3], late, cancelled, refused;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_request *request = NULL;
    char *path = NULL;
    struct pair pair = open_waiting(4, "", &path);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_async(pair.model, i == 2 ? 600000 : 0, &answers[i], NULL, &err),
                         MODEL_OK);
    assert_int_equal(ask_async(pair.model, 20, &late, NULL, &err), MODEL_OK);
    assert_int_equal(ask_async(pair.model, 0, &refused, NULL, &err), MODEL_BUSY);
    assert_non_null(strstr(err.message, "4 requests wait already"));
    uv_sem_destroy(&refused.came);
    wait_for(&late);
    assert_int_equal(late.status, MODEL_DEADLINE);
    assert_non_null(strstr(late.message, "while the request waited for a backend"));
    pair.model->load.timeout_ms = 20; /* of calls that name none */
    assert_int_equal(ask_async(pair.model, 0, &late, NULL, &err), MODEL_OK);
    wait_for(&late);
    assert_int_equal(late.status, MODEL_DEADLINE);
    pair.model->load.timeout_ms = 0;
    assert_int_equal(ask_async(pair.model, 0, &cancelled, &request, &err), MODEL_OK);
    modelhost_cancel(request);
    wait_for(&cancelled);
    assert_int_equal(cancelled.status, MODEL_CANCELLED);
    modelhost_request_release(request);
    open_and_close(path);
    for (int i = 0; i < 3; i++) {
        wait_for(&answers[i]);
        assert_string_equal(answers[i].message, "");
        assert_int_equal(answers[i].status, MODEL_OK);
        assert_int_equal(answers[i].y, TORCH);
        assert_string_equal(answers[i].backend, "torch");
    }
    close_pair(&pair);
    free(path);
}

static void calls_that_waited_in_vain_are_told_why(void **state)
{
    (void)state;
    struct async_answer answer;
    struct model_error err = MODEL_ERROR_INIT;
    char *path = NULL;
    struct pair pair = open_waiting(0, ",\"create_fails\":true", &path);
    assert_int_equal(ask_async(pair.model, 0, &answer, NULL, &err), MODEL_OK);
    open_and_close(path);
    wait_for(&answer);
    assert_int_equal(answer.status, MODEL_BUSY);
    if (strstr(answer.message, "no backend takes calls") == NULL ||
        strstr(answer.message, "'torch' did not open") == NULL)
        fail_msg("%s", answer.message);
    close_pair(&pair);
    free(path);
}

/* ---- those that wait for a lane */

/* The first of them is on the lane, holds it until torch is commanded otherwise, and then is answered. */
static void ask_while_held(const struct pair *pair, struct async_answer *answers, size_t n)
{
    struct model_error err = MODEL_ERROR_INIT;
    uint32_t n_queued = 0, n_running = 0;
    command(pair->dir, "torch", "h");
    for (size_t i = 0; i < n; i++)
        if (ask_async(pair->model, 0, &answers[i], NULL, &err) != MODEL_OK)
            fail_msg("%s", err.message);
    while (n_running == 0)
        scheduler_count(pair->host->scheduler, &n_queued, &n_running);
}

/* In one step: while a file is written anew, nothing is commanded. */
static void fail_from_now_on(const struct pair *pair)
{
    char *next = path_join(pair->dir, "torch.next"), *path = path_join(pair->dir, "torch.control");
    write_file(next, "f", 1);
    assert_int_equal(rename(next, path), 0);
    free(next);
    free(path);
}

/* One call that fails is enough. */
static struct pair open_strict(const char *order)
{
    struct pair pair = {.dir = scratch_dir()};
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    add_backend(pair.dir, "cpu", CPU, "");
    add_backend(pair.dir, "torch", TORCH, "");
    pair.host = fickle_host(pair.dir, NULL);
    options.backend = order;
    options.breaker_min_calls = 1;
    pair.model = fickle_load(pair.host, pair.dir, &options);
    return pair;
}

/* The first was answered by torch, the second failed there, and a lane that ends one has the next already. */
#define N_ON_LANE 3

static void assert_status(const struct async_answer *answer, int place, model_status of_others)
{
    const model_status wanted = place == 0 ? MODEL_OK : place == 1 ? MODEL_INTERNAL : of_others;
    if (answer->status != wanted && place != N_ON_LANE - 1)
        fail_msg("%d: %s", place, answer->message);
}

static void what_waits_for_a_lane_goes_elsewhere_when_its_backend_is_set_aside(void **state)
{
    (void)state;
    struct pair pair = open_strict("torch,cpu");
    struct async_answer answers[6];
    ask_while_held(&pair, answers, 6);
    fail_from_now_on(&pair);
    for (int i = 0; i < 6; i++) {
        wait_for(&answers[i]);
        assert_status(&answers[i], i, MODEL_OK);
        if (i >= N_ON_LANE)
            assert_string_equal(answers[i].backend, "cpu");
    }
    close_pair(&pair);
}

static void what_waits_for_a_lane_is_told_when_no_other_backend_opens(void **state)
{
    (void)state;
    struct pair pair = open_strict("torch,absent");
    struct async_answer answers[6];
    ask_while_held(&pair, answers, 6);
    fail_from_now_on(&pair);
    for (int i = 0; i < 6; i++) {
        wait_for(&answers[i]);
        assert_status(&answers[i], i, MODEL_BUSY);
    }
    close_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asynchronous_calls_wait_for_the_next_backend_in_the_queue),
        cmocka_unit_test(calls_that_waited_in_vain_are_told_why),
        cmocka_unit_test(what_waits_for_a_lane_goes_elsewhere_when_its_backend_is_set_aside),
        cmocka_unit_test(what_waits_for_a_lane_is_told_when_no_other_backend_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
