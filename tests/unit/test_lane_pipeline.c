/* test_lane_pipeline.c - short calls that a lane hands to a worker together: host/lanes/lane_pipeline.c,
 * host/lanes/lane_account.h, host/workers/worker_ask.c. A call that looks at its token until it is cancelled keeps the only
 * lane, so that what is sent meanwhile waits together; the model is said to be fast, whatever it is here. */
#include "errors.h"
#include "host.h"
#include "lane_pipeline.h"
#include "loaded_model.h"
#include "scheduler.h"
#include "worker_fixture.h"

#include <sched.h>

#define MAX_CALLS 20

struct call {
    struct modelhost_request *request;
    struct modelhost_result *result;
    model_status status;
    uint32_t place; /* in the order of answers */
    uv_sem_t answered;
};

struct pipeline {
    struct workers workers;
    struct call blocker, calls[MAX_CALLS];
    uint32_t n_calls;
};

static _Atomic uint32_t n_answers;

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct call *call = user;
    (void)err;
    call->status = status;
    call->result = result;
    call->place = atomic_fetch_add(&n_answers, 1);
    uv_sem_post(&call->answered);
}

static void start(struct pipeline *pipeline, struct call *call, const float *x, int64_t n)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor tensor;
    const struct model_tensor *const inputs[] = {&tensor};
    tensor_init(&tensor, "x", MODEL_F32, 1, &n, (void *)(uintptr_t)x);
    assert_int_equal(uv_sem_init(&call->answered, 0), 0);
    if (modelhost_run_async(pipeline->workers.model, inputs, 1, NULL, on_answer, call,
                            &call->request, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static struct call *ask_many(struct pipeline *pipeline, const float *x, int64_t n)
{
    struct call *call = &pipeline->calls[pipeline->n_calls++];
    assert_true(pipeline->n_calls <= MAX_CALLS);
    start(pipeline, call, x, n);
    return call;
}

static struct call *ask(struct pipeline *pipeline, float x)
{
    return ask_many(pipeline, &x, 1);
}

static void count(const struct pipeline *pipeline, uint32_t *ret_queued, uint32_t *ret_running)
{
    scheduler_count(pipeline->workers.host->scheduler, ret_queued, ret_running);
}

/* With the lane kept, from now on. */
static struct pipeline *open_with_grace(int64_t kill_grace_ms)
{
    struct model_error err = MODEL_ERROR_INIT;
    static const float looks_at_its_token = -6;
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    uint32_t n_queued = 1, n_running = 0;
    assert_non_null(pipeline);
    pipeline->workers = workers_host("mischief", "{}", 1);
    if (workers_load_with_grace(&pipeline->workers, 1, kill_grace_ms, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    workers_must_answer(pipeline->workers.model);
    atomic_store(&n_answers, 0);
    start(pipeline, &pipeline->blocker, &looks_at_its_token, 1);
    while (n_queued > 0 || n_running == 0) {
        (void)sched_yield();
        count(pipeline, &n_queued, &n_running);
    }
    return pipeline;
}

static struct pipeline *open_pipeline(void)
{
    return open_with_grace(600000);
}

static model_status answer_of(struct call *call)
{
    uv_sem_wait(&call->answered);
    return call->status;
}

static void free_lane(struct pipeline *pipeline)
{
    atomic_store(&pipeline->workers.model->lane_account.mean_run_ns, 1);
    modelhost_cancel(pipeline->blocker.request);
    assert_int_equal(answer_of(&pipeline->blocker), MODEL_CANCELLED);
}

static void cancel(struct call *call)
{
    modelhost_cancel(call->request);
    assert_int_equal(answer_of(call), MODEL_CANCELLED);
}

static void must_be(struct call *call, float y)
{
    assert_int_equal(answer_of(call), MODEL_OK);
    assert_true(*(const float *)modelhost_result_at(call->result, 0)->data == y);
}

static void end_call(struct call *call)
{
    modelhost_result_destroy(call->result);
    modelhost_request_release(call->request);
    uv_sem_destroy(&call->answered);
}

static void close_pipeline(struct pipeline *pipeline, int64_t want_restarts)
{
    const struct metric_series *counted = pipeline->workers.model->metrics.series;
    workers_must_answer(pipeline->workers.model);
    assert_int_equal(metrics_number(counted, METRIC_WORKER_RESTARTS, 0), want_restarts);
    for (uint32_t i = 0; i < pipeline->n_calls; i++)
        end_call(&pipeline->calls[i]);
    end_call(&pipeline->blocker);
    workers_close(&pipeline->workers);
    free(pipeline);
}

static void answers_come_in_order_and_are_each_ones_own(void **state)
{
    (void)state;
    struct pipeline *pipeline = open_pipeline();
    for (int i = 0; i < MAX_CALLS; i++) /* more than the ring holds */
        (void)ask(pipeline, (float)i);
    free_lane(pipeline);
    for (uint32_t i = 0; i < MAX_CALLS; i++) {
        must_be(&pipeline->calls[i], (float)i + 1);
        assert_int_equal(pipeline->calls[i].place, i + 1);
    }
    close_pipeline(pipeline, 0);
}

static void they_are_taken_together(void **state)
{
    (void)state;
    struct pipeline *pipeline = open_pipeline();
    struct call *first = ask(pipeline, 1), *kept = ask(pipeline, -6), *last = ask(pipeline, 2);
    uint32_t n_queued = 9, n_running = 0;
    free_lane(pipeline);
    must_be(first, 2);
    count(pipeline, &n_queued, &n_running);
    assert_int_equal(n_queued, 0); /* the last one is in the worker, behind one that runs */
    cancel(kept);
    must_be(last, 3);
    close_pipeline(pipeline, 0);
}

static void a_crash_is_the_error_of_the_one_that_ran(void **state)
{
    (void)state;
    struct pipeline *pipeline = open_pipeline();
    static const float x[] = {1, 2, -1, 3, -2, 4, 5};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        (void)ask(pipeline, x[i]);
    free_lane(pipeline);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        if (x[i] > 0)
            must_be(&pipeline->calls[i], x[i] + 1);
        else
            assert_int_equal(answer_of(&pipeline->calls[i]), MODELHOST_CRASHED);
    }
    close_pipeline(pipeline, 2);
}

static void await_line(struct worker_log *log, const char *line)
{
    for (bool is_there = false; !is_there; (void)sched_yield()) {
        (void)pthread_mutex_lock(&log->mutex);
        is_there = strstr(log->text, line) != NULL;
        (void)pthread_mutex_unlock(&log->mutex);
    }
}

static void one_that_has_to_be_killed_leaves_the_others(void **state)
{
    (void)state;
    struct pipeline *pipeline = open_with_grace(1000); /* enough for what comes back */
    struct call *first = ask(pipeline, 1), *hung = ask(pipeline, -11), *last = ask(pipeline, 2);
    free_lane(pipeline);
    must_be(first, 2);
    await_line(pipeline->workers.log, "this sleeps");
    cancel(hung);
    must_be(last, 3);
    close_pipeline(pipeline, 1);
}

static void one_that_is_given_up_before_its_turn_leaves_the_others(void **state)
{
    (void)state;
    struct pipeline *pipeline = open_pipeline();
    struct call *first = ask(pipeline, 1), *kept = ask(pipeline, -6), *next = ask(pipeline, -4),
                *last = ask(pipeline, 2);
    free_lane(pipeline);
    must_be(first, 2);
    cancel(next); /* its plugin would not stop */
    cancel(kept);
    must_be(last, 3);
    close_pipeline(pipeline, 0);
}

static void outputs_that_grow_are_kept(void **state)
{
    (void)state;
    struct pipeline *pipeline = open_pipeline();
    for (int i = 0; i < 16; i++) {
        const float x[] = {-7, (float)(1 + i * 5000)};
        (void)ask_many(pipeline, x, 2);
    }
    free_lane(pipeline);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(answer_of(&pipeline->calls[i]), MODEL_OK);
        const struct model_tensor *y = modelhost_result_at(pipeline->calls[i].result, 0);
        assert_int_equal(y->shape[0], 1 + i * 5000);
        for (int64_t k = 0; k < y->shape[0]; k++)
            assert_true(((const float *)y->data)[k] == (float)k);
    }
    close_pipeline(pipeline, 0);
}

static void large_inputs_are_asked_for_one_by_one(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct pipeline *pipeline = open_pipeline();
    float *x = calloc(N, sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < 3; i++) {
        x[0] = (float)i;
        (void)ask_many(pipeline, x, N);
    }
    free(x);
    free_lane(pipeline);
    for (int i = 0; i < 3; i++)
        must_be(&pipeline->calls[i], (float)i + 1);
    close_pipeline(pipeline, 0);
}

static void few_wait_behind_long_calls(void **state)
{
    (void)state;
    static struct modelhost_model model;
    static struct modelhost_request requests[30];
    static struct modelhost_request *members[BATCH_MAX_ITEMS];
    model.lane_account.always_returns = true;
    for (int i = 0; i < 30; i++) {
        requests[i].model = &model;
        requests[i].next = i < 29 ? &requests[i + 1] : NULL;
    }
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 1); /* nothing is known */
    lane_account_ran(&model.lane_account, 1000, 1000000000);
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 16);
    assert_ptr_equal(members[15], &requests[15]);
    assert_int_equal(lane_pipeline_gather(&requests[25], members), 5);
    lane_account_ran(&model.lane_account, 100000, 1000000000);
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 3);
    lane_account_ran(&model.lane_account, 1000000, 1000000000); /* counts at once */
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 1);
    lane_account_ran(&model.lane_account, 0, 1000000000); /* this does not */
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 1);
    for (int i = 0; i < 100; i++)
        lane_account_ran(&model.lane_account, 0, 1000000000);
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 16);
    lane_account_ran(&model.lane_account, INT64_MAX, 1000000); /* no more than went by */
    assert_int_equal(lane_account_mean_ns(&model.lane_account), 1000000);
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 1);
    lane_account_ran(&model.lane_account, INT64_MIN, 1000000);
    assert_int_equal(lane_account_mean_ns(&model.lane_account), 750000);
    for (int i = 0; i < 100; i++)
        lane_account_ran(&model.lane_account, INT64_MIN, 1000000);
    assert_in_range(lane_account_mean_ns(&model.lane_account), 1, 3);
    requests[2].on_tensors_context = &model;
    requests[2].session = (struct modelhost_session *)(uintptr_t)&model;
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 2); /* nobody is overtaken */
    assert_int_equal(lane_pipeline_gather(&requests[2], members), 1);
    model.lane_account.always_returns = false;
    assert_int_equal(lane_pipeline_gather(&requests[0], members), 1);
}

static void whoever_only_waits_for_a_worker_needs_no_lane(void **state)
{
    (void)state;
    static struct modelhost_model model;
    struct modelhost_request request = {.model = &model, .deadline_ns = INT64_MAX};
    assert_false(lane_pipeline_spares_lane(&request)); /* the plugin's code would run on it */
    model.lane_account.always_returns = true;
    assert_true(lane_pipeline_spares_lane(&request));
    request.deadline_ns = 1; /* the answer comes at the deadline, the worker's a grace later */
    assert_false(lane_pipeline_spares_lane(&request));
    request.deadline_ns = INT64_MAX;
    model.batching.max_items = 8;
    assert_false(lane_pipeline_spares_lane(&request));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_order_and_are_each_ones_own),
        cmocka_unit_test(they_are_taken_together),
        cmocka_unit_test(a_crash_is_the_error_of_the_one_that_ran),
        cmocka_unit_test(one_that_has_to_be_killed_leaves_the_others),
        cmocka_unit_test(one_that_is_given_up_before_its_turn_leaves_the_others),
        cmocka_unit_test(outputs_that_grow_are_kept),
        cmocka_unit_test(large_inputs_are_asked_for_one_by_one),
        cmocka_unit_test(few_wait_behind_long_calls),
        cmocka_unit_test(whoever_only_waits_for_a_worker_needs_no_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
