/* joint_package.h - a host with the fixture plugin tests/abi/plugin_joint.c, which says in what company each request
 * ran. There is one lane: what is sent while block() keeps it waits together. */
#ifndef JOINT_PACKAGE_H
#define JOINT_PACKAGE_H

#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

#include <uv.h>

enum { JOINT_WAITS = -3, JOINT_ANSWERS_LATE = -5, JOINT_ENDS_THREAD = -6 };

#define MAX_REQUESTS 8

/* One call and its answer. */
struct call {
    struct modelhost_request *request;
    struct modelhost_result *result;
    model_status status;
    char message[MODEL_ERROR_BYTES];
    uv_sem_t answered;
};

struct fixture {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
    uv_sem_t waits; /* posted when the plugin says that it waits */
    struct call calls[MAX_REQUESTS];
    uint32_t n_calls;
};

static inline void on_log(void *context, int32_t level, const char *message)
{
    struct fixture *f = context;
    (void)level;
    if (strstr(message, "joint: waiting") != NULL)
        uv_sem_post(&f->waits);
}

static inline struct modelhost_model *load(struct fixture *f, const char *dir,
                                           const struct modelhost_load_options *options)
{
    struct modelhost_model *model = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (modelhost_load_with(f->host, dir, options, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

static inline struct fixture *open_with(const struct modelhost_load_options *load_options,
                                        uint64_t result_cache_bytes, int64_t abandon_grace_ms)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    assert_non_null(f);
    f->dir = make_package("joint", "{}");
    assert_int_equal(uv_sem_init(&f->waits, 0), 0);
    options.store_dir = options.plugin_path = f->dir;
    options.lanes = options.threads = 1;
    options.log = on_log;
    options.log_context = f;
    options.result_cache_bytes = result_cache_bytes;
    options.redis_url = "";
    options.abandon_grace_ms = abandon_grace_ms;
    if (modelhost_create(&options, &f->host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    f->model = load(f, f->dir, load_options);
    return f;
}

static inline struct fixture *open_fixture(uint32_t max_batch, uint32_t max_delay_us,
                                           uint64_t max_batch_tokens)
{
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    options.max_batch = max_batch;
    options.max_delay_us = max_delay_us;
    options.max_batch_tokens = max_batch_tokens;
    return open_with(&options, 0, 0);
}

static inline void close_fixture(struct fixture *f)
{
    modelhost_release(f->model);
    modelhost_destroy(f->host);
    for (uint32_t i = 0; i < f->n_calls; i++) {
        modelhost_result_destroy(f->calls[i].result);
        uv_sem_destroy(&f->calls[i].answered);
    }
    remove_package(f->dir);
    uv_sem_destroy(&f->waits);
    free(f);
}

static inline void take_answer(void *user, model_status status, struct modelhost_result *result,
                               const struct model_error *err)
{
    struct call *call = user;
    call->status = status;
    call->result = result;
    memcpy(call->message, err->message, sizeof call->message);
    uv_sem_post(&call->answered);
}

static inline struct call *ask_with(struct fixture *f, int64_t length, const int64_t *ids,
                                    const struct modelhost_run_options *options)
{
    struct call *call = &f->calls[f->n_calls++];
    struct model_tensor tensor;
    const struct model_tensor *inputs[] = {&tensor};
    const int64_t shape[] = {1, length};
    struct model_error err = MODEL_ERROR_INIT;
    assert_true(f->n_calls <= MAX_REQUESTS);
    assert_int_equal(uv_sem_init(&call->answered, 0), 0);
    tensor_init(&tensor, "input_ids", MODEL_I64, 2, shape, (void *)(uintptr_t)ids);
    if (modelhost_run_async(f->model, inputs, 1, options, take_answer, call, &call->request,
                            &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return call;
}

static inline struct call *ask(struct fixture *f, int64_t length, const int64_t *ids)
{
    return ask_with(f, length, ids, NULL);
}

/* Keeps the lane until it is cancelled. Its outputs are others', so that nobody goes with it. */
static inline struct call *block(struct fixture *f)
{
    static const char *const names[] = {"sum"};
    static const int64_t spin[] = {-2};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.output_names = names;
    options.n_output_names = 1;
    return ask_with(f, 1, spin, &options);
}

static inline void await(struct call *call)
{
    uv_sem_wait(&call->answered);
    modelhost_request_release(call->request);
}

static inline void unblock(struct call *blocker)
{
    modelhost_cancel(blocker->request);
    await(blocker);
    assert_int_equal(blocker->status, MODEL_CANCELLED);
}

static inline int64_t value(const struct call *call, const char *output)
{
    const struct model_tensor *tensor = modelhost_result_find(call->result, output);
    assert_non_null(tensor);
    return *(const int64_t *)tensor->data;
}

/* Waits, and holds the answer against what the request alone would have given. */
static inline void assert_answer(struct call *call, int64_t length, const int64_t *ids,
                                 int64_t company)
{
    await(call);
    if (call->status != MODEL_OK)
        fail_msg("%s", call->message);
    const struct model_tensor *columns = modelhost_result_find(call->result, "columns");
    int64_t sum = 0;
    for (int64_t i = 0; i < length; i++)
        sum += ids[i];
    assert_int_equal(value(call, "sum"), sum);
    assert_int_equal(value(call, "company"), company);
    assert_int_equal(columns->shape[0], length);
    assert_int_equal(columns->shape[1], 1);
    assert_memory_equal(columns->data, ids, (size_t)length * sizeof *ids);
    const struct modelhost_timing timing = modelhost_result_timing(call->result);
    assert_true(timing.queue_ns >= 0 && timing.total_ns >= timing.queue_ns + timing.run_ns);
}

/* A request of three ids that waits for the latch: JOINT_WAITS or another one that does. */
static inline struct call *ask_latched(struct fixture *f, int64_t first, const uint32_t *latch,
                                       int64_t *ids)
{
    const uint64_t address = (uint64_t)(uintptr_t)latch;
    ids[0] = first;
    ids[1] = (int64_t)(address >> 32);
    ids[2] = (int64_t)(address & UINT32_MAX);
    return ask(f, 3, ids);
}

#endif
