/* held_call.h - calls of the fixture plugin_held, or of any that copies two floats from "x" to its first output. */
#ifndef HELD_CALL_H
#define HELD_CALL_H

#include "dtype.h"
#include "held_package.h"

static float values[2] = {1.0f, 2.0f};

/* One asynchronous call and its answer. */
struct call {
    struct modelhost_request *request;
    uv_sem_t answered;
    model_status status;
    char message[MODEL_ERROR_BYTES];
    int *order; /* NULL, or where the n-th to be answered says so */
    int place;
};

static inline void on_answer(void *user, model_status status, struct modelhost_result *result,
                             const struct model_error *err)
{
    struct call *call = user;
    call->status = status;
    (void)snprintf(call->message, sizeof call->message, "%s", err->message);
    if (call->order != NULL)
        call->place = (*call->order)++;
    modelhost_result_destroy(result);
    uv_sem_post(&call->answered);
}

static inline void start_with(struct modelhost_model *model, struct call *call,
                              const struct modelhost_run_options *options)
{
    struct model_tensor x;
    const int64_t n = 2;
    tensor_init(&x, "x", MODEL_F32, 1, &n, values);
    const struct model_tensor *inputs[] = {&x};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(uv_sem_init(&call->answered, 0), 0);
    if (modelhost_run_async(model, inputs, 1, options, on_answer, call, &call->request, &err) !=
        MODEL_OK)
        fail_msg("%s", err.message);
}

static inline void start(struct modelhost_model *model, struct call *call)
{
    start_with(model, call, NULL);
}

static inline void wait_answer(struct call *call, model_status status)
{
    uv_sem_wait(&call->answered);
    if (call->status != status)
        fail_msg("status %d, want %d: %s", (int)call->status, (int)status, call->message);
    modelhost_request_release(call->request);
    uv_sem_destroy(&call->answered);
}

static inline model_status run_with(struct modelhost_model *model,
                                    const struct modelhost_run_options *options,
                                    struct model_error *err)
{
    struct model_tensor x;
    const int64_t n = 2;
    tensor_init(&x, "x", MODEL_F32, 1, &n, values);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    const model_status status = modelhost_run(model, inputs, 1, options, &result, err);
    if (status == MODEL_OK)
        assert_memory_equal(modelhost_result_at(result, 0)->data, values, sizeof values);
    modelhost_result_destroy(result);
    return status;
}

#endif
