/* stoppable_call.c - see stoppable_call.h. A signal's handler may do next to nothing, so it leaves a flag; who waits here
 * looks at it now and then, and is woken at once by the answer alone. */
#include "stoppable_call.h"
#include "clock.h"
#include "errors.h"

#include <uv.h>

#define LOOK_NS (50 * NS_PER_MS)

struct waiting {
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t answer;
    bool is_answered;
    model_status status;
    struct modelhost_result *result;
    struct model_error err;
};

/* On the host's loop thread, once. */
static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct waiting *waiting = user;
    uv_mutex_lock(&waiting->mutex);
    waiting->status = status;
    waiting->result = result;
    if (status != MODEL_OK)
        (void)error_set(&waiting->err, status, "%s", err->message);
    waiting->is_answered = true;
    uv_cond_signal(&waiting->answer);
    uv_mutex_unlock(&waiting->mutex);
}

static bool wants_stop(const struct stop_question *stop)
{
    return stop->interrupted != NULL && stop->interrupted(stop->context);
}

static model_status begin(struct waiting *waiting, const struct stop_question *stop,
                          struct model_error *err)
{
    *waiting = (struct waiting){.err = MODEL_ERROR_INIT};
    if (wants_stop(stop))
        return error_set(err, MODEL_CANCELLED, "interrupted");
    if (uv_mutex_init(&waiting->mutex) != 0)
        return error_no_memory(err, "a call");
    if (uv_cond_init(&waiting->answer) == 0)
        return MODEL_OK;
    uv_mutex_destroy(&waiting->mutex);
    return error_no_memory(err, "a call");
}

static void wait_for_answer(struct waiting *waiting, const struct stop_question *stop,
                            struct modelhost_request *request)
{
    bool is_cancelled = false;
    uv_mutex_lock(&waiting->mutex);
    while (!waiting->is_answered) {
        (void)uv_cond_timedwait(&waiting->answer, &waiting->mutex, LOOK_NS);
        if (waiting->is_answered || is_cancelled || !wants_stop(stop))
            continue;
        is_cancelled = true;
        uv_mutex_unlock(&waiting->mutex); /* the answer may come within */
        modelhost_cancel(request);
        uv_mutex_lock(&waiting->mutex);
    }
    uv_mutex_unlock(&waiting->mutex);
}

/* `status` is that of the asynchronous call. */
static model_status end(struct waiting *waiting, const struct stop_question *stop,
                        model_status status, struct modelhost_request *request,
                        struct modelhost_result **ret_result, struct model_error *err)
{
    if (status == MODEL_OK) {
        wait_for_answer(waiting, stop, request);
        modelhost_request_release(request);
        status = waiting->status;
        if (status == MODEL_OK)
            *ret_result = waiting->result;
        else if (status == MODEL_CANCELLED && wants_stop(stop))
            (void)error_set(err, status, "interrupted");
        else
            (void)error_set(err, status, "%s", waiting->err.message);
    }
    uv_cond_destroy(&waiting->answer);
    uv_mutex_destroy(&waiting->mutex);
    return status;
}

model_status stoppable_run(struct modelhost_model *model, const struct model_tensor *const *inputs,
                           uint32_t n_inputs, const struct modelhost_run_options *options,
                           const struct stop_question *stop, struct modelhost_result **ret_result,
                           struct model_error *err)
{
    struct waiting waiting;
    struct modelhost_request *request = NULL;
    model_status status = begin(&waiting, stop, err);
    if (status != MODEL_OK)
        return status;
    status =
        modelhost_run_async(model, inputs, n_inputs, options, on_answer, &waiting, &request, err);
    return end(&waiting, stop, status, request, ret_result, err);
}

model_status stoppable_generate(struct modelhost_model *model,
                                const struct modelhost_prompt *prompts, uint32_t n_prompts,
                                const struct modelhost_generation *generation,
                                const struct stop_question *stop,
                                struct modelhost_result **ret_result, struct model_error *err)
{
    struct waiting waiting;
    struct modelhost_request *request = NULL;
    model_status status = begin(&waiting, stop, err);
    if (status != MODEL_OK)
        return status;
    status = modelhost_generate_async(model, prompts, n_prompts, generation, NULL, on_answer,
                                      &waiting, &request, err);
    return end(&waiting, stop, status, request, ret_result, err);
}
