/* api_run.c - the public functions that run requests; see include/modelhost.h. */
#include "api_request.h"
#include "clock.h"
#include "errors.h"
#include "host.h"
#include "image_pipeline.h"
#include "lane_pipeline.h"
#include "loaded_model.h"
#include "model_route.h"
#include "schema.h"
#include "text_pipeline.h"

#include <stdlib.h>
#include <string.h>

model_status api_check_options(const struct modelhost_run_options *options, struct model_error *err)
{
    if (options == NULL || MODEL_HAS(struct modelhost_run_options, options, loop))
        return MODEL_OK;
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "modelhost_run_options: struct_size is %zu, want at least %zu; start from "
                     "MODELHOST_RUN_OPTIONS_INIT",
                     options->struct_size, sizeof *options);
}

void api_copy_options(const struct modelhost_run_options *options,
                      struct modelhost_run_options *ret)
{
    *ret = (struct modelhost_run_options)MODELHOST_RUN_OPTIONS_INIT;
    if (options != NULL)
        memcpy(ret, options,
               options->struct_size < sizeof *ret ? options->struct_size : sizeof *ret);
    ret->struct_size = sizeof *ret;
}

model_status api_refuse_tensors(const struct modelhost_run_options *options,
                                struct model_error *err)
{
    if (options == NULL || !MODEL_HAS(struct modelhost_run_options, options, on_tensors_context) ||
        options->on_tensors == NULL)
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED,
                     "on_tensors is for modelhost_run(); the text of modelhost_generate() comes "
                     "with on_token");
}

/* A request for tensors. A synchronous call without a deadline returns after the plugin, so that the
 * caller's memory can be used as it is. */
static model_status tensor_request(struct modelhost_model *model,
                                   const struct model_tensor *const *inputs, uint32_t n_inputs,
                                   const struct modelhost_run_options *options, int is_async,
                                   struct modelhost_request **ret, struct model_error *err)
{
    int copy = is_async || request_timeout_ms(model, options) > 0;
    struct routed_call call;
    model_status status = api_check_options(options, err);
    if (status == MODEL_OK)
        status = model_route_begin(model, options, !is_async, &call, err);
    if (status != MODEL_OK)
        return status;
    struct schema_binding binding;
    status =
        schema_check_inputs(modelhost_description(call.serving), inputs, n_inputs, &binding, err);
    if (status == MODEL_OK)
        status = request_create(call.serving, inputs, n_inputs, copy, options, ret, err);
    return model_route_attach(&call, status, *ret);
}

/* A request for texts: they are tokenized on the lane, so that deadline and cancelling cover it too. Its
 * tensors belong to the batch, which belongs to the request. */
static model_status make_text_request(struct modelhost_model *model,
                                      const struct modelhost_text *texts, uint32_t n_texts,
                                      const struct modelhost_run_options *options,
                                      struct modelhost_request **ret, struct model_error *err)
{
    int64_t start_ns = clock_now_ns();
    struct text_pipeline *pipeline = NULL;
    struct text_batch *batch = NULL;
    model_status status = loaded_model_pipeline(model, &pipeline, err);
    if (status == MODEL_OK)
        status = text_batch_create(pipeline, texts, n_texts, options, &batch, err);
    if (status != MODEL_OK)
        return status;
    struct modelhost_run_options wanted;
    api_copy_options(options, &wanted);
    wanted.output_names = text_batch_output_names(batch, &wanted.n_output_names);
    status = request_create(model, NULL, 0, 0, &wanted, ret, err);
    if (status != MODEL_OK)
        text_batch_destroy(batch);
    else
        request_adopt_job(*ret, text_batch_job(batch), start_ns);
    return status;
}

static model_status text_request(struct modelhost_model *model, const struct modelhost_text *texts,
                                 uint32_t n_texts, const struct modelhost_run_options *options,
                                 int is_async, struct modelhost_request **ret,
                                 struct model_error *err)
{
    struct routed_call call;
    model_status status = api_check_options(options, err);
    if (status == MODEL_OK)
        status = api_refuse_tensors(options, err);
    if (status == MODEL_OK)
        status = model_route_begin(model, options, !is_async, &call, err);
    if (status != MODEL_OK)
        return status;
    status = make_text_request(call.serving, texts, n_texts, options, ret, err);
    return model_route_attach(&call, status, *ret);
}

/* A request for images: their bytes belong to the batch, which belongs to the request; a synchronous call
 * without a deadline leaves them where they are. */
static model_status make_image_request(struct modelhost_model *model,
                                       const struct modelhost_image *images, uint32_t n_images,
                                       const struct modelhost_run_options *options, int is_async,
                                       struct modelhost_request **ret, struct model_error *err)
{
    int64_t start_ns = clock_now_ns();
    bool copy = is_async || request_timeout_ms(model, options) > 0;
    struct image_pipeline *pipeline = NULL;
    struct image_batch *batch = NULL;
    model_status status = loaded_model_image_pipeline(model, &pipeline, err);
    if (status == MODEL_OK)
        status = image_batch_create(pipeline, images, n_images, copy, options, &batch, err);
    if (status != MODEL_OK)
        return status;
    struct modelhost_run_options wanted;
    api_copy_options(options, &wanted);
    wanted.session = NULL; /* of tensors and texts */
    wanted.output_names = image_batch_output_names(batch, &wanted.n_output_names);
    status = request_create(model, NULL, 0, 0, &wanted, ret, err);
    if (status != MODEL_OK)
        image_batch_destroy(batch);
    else
        request_adopt_job(*ret, image_batch_job(batch), start_ns);
    return status;
}

static model_status image_request(struct modelhost_model *model,
                                  const struct modelhost_image *images, uint32_t n_images,
                                  const struct modelhost_run_options *options, int is_async,
                                  struct modelhost_request **ret, struct model_error *err)
{
    struct routed_call call;
    model_status status = api_check_options(options, err);
    if (status == MODEL_OK)
        status = api_refuse_tensors(options, err);
    if (status == MODEL_OK)
        status = model_route_begin(model, options, !is_async, &call, err);
    if (status != MODEL_OK)
        return status;
    status = make_image_request(call.serving, images, n_images, options, is_async, ret, err);
    return model_route_attach(&call, status, *ret);
}

model_status api_refused(struct modelhost_model *model, model_status status)
{
    model_metrics_request_refused(&model->metrics, status);
    return status;
}

model_status api_run_and_wait(struct modelhost_request *request,
                              struct modelhost_result **ret_result, struct model_error *err)
{
    struct modelhost_model *model = request->model;
    struct scheduler *scheduler = model->host->scheduler;
    model_status status = MODEL_OK;
    const bool goes_direct = request->wants_direct || lane_pipeline_spares_lane(request);
    if (!goes_direct || !scheduler_run_direct(scheduler, request))
        status = scheduler_submit(scheduler, request, err);
    if (status == MODEL_OK) {
        scheduler_wait(scheduler, request, &model->lane_account.answer_spin);
        if (request->on_tensors != NULL || request->job != NULL)
            request_close(request);
        status = request->status;
        if (status == MODEL_OK) {
            *ret_result = request->result;
            request->result = NULL;
        } else {
            (void)error_set(err, status, "%s", request_error(request)->message);
        }
    } else {
        (void)api_refused(model, status);
    }
    request_drop(request);
    return status;
}

model_status modelhost_run(struct modelhost_model *model, const struct model_tensor *const *inputs,
                           uint32_t n_inputs, const struct modelhost_run_options *options,
                           struct modelhost_result **ret_result, struct model_error *err)
{
    struct modelhost_request *request = NULL;
    model_status status = tensor_request(model, inputs, n_inputs, options, 0, &request, err);
    return status == MODEL_OK ? api_run_and_wait(request, ret_result, err)
                              : api_refused(model, status);
}

model_status modelhost_run_text(struct modelhost_model *model, const struct modelhost_text *texts,
                                uint32_t n_texts, const struct modelhost_run_options *options,
                                struct modelhost_result **ret_result, struct model_error *err)
{
    struct modelhost_request *request = NULL;
    model_status status = text_request(model, texts, n_texts, options, 0, &request, err);
    return status == MODEL_OK ? api_run_and_wait(request, ret_result, err)
                              : api_refused(model, status);
}

model_status modelhost_run_image(struct modelhost_model *model,
                                 const struct modelhost_image *images, uint32_t n_images,
                                 const struct modelhost_run_options *options,
                                 struct modelhost_result **ret_result, struct model_error *err)
{
    struct modelhost_request *request = NULL;
    model_status status = image_request(model, images, n_images, options, 0, &request, err);
    return status == MODEL_OK ? api_run_and_wait(request, ret_result, err)
                              : api_refused(model, status);
}

static void free_async(uv_handle_t *handle)
{
    struct modelhost_request *request = handle->data;
    free(handle);
    request_drop(request);
}

/* On the caller's loop: the answer, then the end of the handle that brought it. */
static void on_async_answer(uv_async_t *async)
{
    struct modelhost_request *request = async->data;
    uv_close((uv_handle_t *)async, free_async);
    request_call_back(request);
}

/* Prepares the way back to the caller's loop. On its thread. */
static model_status attach_loop(struct modelhost_request *request, uv_loop_t *loop,
                                struct model_error *err)
{
    uv_async_t *async = calloc(1, sizeof *async);
    int code = async != NULL ? uv_async_init(loop, async, on_async_answer) : UV_ENOMEM;
    if (code != 0) {
        free(async);
        return error_set(err, MODEL_OUT_OF_MEMORY, "cannot use the caller's loop: %s",
                         uv_strerror(code));
    }
    async->data = request;
    request->async = async;
    request_retain(request); /* the handle's, until it is closed */
    return MODEL_OK;
}

model_status api_start(struct modelhost_request *request,
                       const struct modelhost_run_options *options, modelhost_callback callback,
                       void *user, struct modelhost_request **ret_request, struct model_error *err)
{
    model_status status = callback != NULL ? MODEL_OK
                                           : error_set(err, MODEL_INVALID_ARGUMENT,
                                                       "an asynchronous call wants a callback");
    request->callback = callback;
    request->user = user;
    if (status == MODEL_OK && request->wants_direct)
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "direct is for synchronous calls: an asynchronous one does not run on "
                           "the calling thread");
    if (status == MODEL_OK && options != NULL && options->loop != NULL)
        status = attach_loop(request, options->loop, err);
    if (status == MODEL_OK) {
        status = scheduler_submit(request->model->host->scheduler, request, err);
        if (status != MODEL_OK && request->async != NULL)
            uv_close((uv_handle_t *)request->async, free_async);
    }
    if (status != MODEL_OK)
        (void)api_refused(request->model, status);
    if (status == MODEL_OK && ret_request != NULL)
        *ret_request = request;
    else
        request_drop(request);
    return status;
}

model_status modelhost_run_async(struct modelhost_model *model,
                                 const struct model_tensor *const *inputs, uint32_t n_inputs,
                                 const struct modelhost_run_options *options,
                                 modelhost_callback callback, void *user,
                                 struct modelhost_request **ret_request, struct model_error *err)
{
    struct modelhost_request *request = NULL;
    model_status status = tensor_request(model, inputs, n_inputs, options, 1, &request, err);
    return status == MODEL_OK ? api_start(request, options, callback, user, ret_request, err)
                              : api_refused(model, status);
}

model_status modelhost_run_text_async(struct modelhost_model *model,
                                      const struct modelhost_text *texts, uint32_t n_texts,
                                      const struct modelhost_run_options *options,
                                      modelhost_callback callback, void *user,
                                      struct modelhost_request **ret_request,
                                      struct model_error *err)
{
    struct modelhost_request *request = NULL;
    model_status status = text_request(model, texts, n_texts, options, 1, &request, err);
    return status == MODEL_OK ? api_start(request, options, callback, user, ret_request, err)
                              : api_refused(model, status);
}

model_status modelhost_run_image_async(struct modelhost_model *model,
                                       const struct modelhost_image *images, uint32_t n_images,
                                       const struct modelhost_run_options *options,
                                       modelhost_callback callback, void *user,
                                       struct modelhost_request **ret_request,
                                       struct model_error *err)
{
    struct modelhost_request *request = NULL;
    model_status status = image_request(model, images, n_images, options, 1, &request, err);
    return status == MODEL_OK ? api_start(request, options, callback, user, ret_request, err)
                              : api_refused(model, status);
}

void modelhost_cancel(struct modelhost_request *request)
{
    if (request != NULL)
        scheduler_cancel(request->scheduler, request);
}

void modelhost_request_release(struct modelhost_request *request)
{
    if (request != NULL)
        request_drop(request);
}
