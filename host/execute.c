/* execute.c - see execute.h. What happens around a plugin's run(), in order. */
#include "execute.h"
#include "clock.h"
#include "dtype.h"
#include "errors.h"
#include "loaded_model.h"
#include "plugin_error.h"
#include "result.h"
#include "schema.h"
#include "text_pipeline.h"

/* What allocate_output() needs to know: the context of a model_call. */
struct output_context {
    struct modelhost_result *result;
    struct schema_binding binding;
    model_status status; /* the first failure and its sentence, should the plugin overlook it */
    struct model_error error;
};

static model_status allocate_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                    const int64_t *shape, struct model_error *err)
{
    struct output_context *outputs = context;
    struct modelhost_result *result = outputs->result;
    struct model_error unheard = MODEL_ERROR_INIT;
    model_status status = MODEL_OK;
    err = err != NULL ? err : &unheard;
    if (index >= result->n_tensors)
        status = error_set(err, MODEL_INTERNAL, "plugin: there is no output %u of %u", index,
                           result->n_tensors);
    else if (result->tensors[index].data != NULL)
        status = error_set(err, MODEL_INTERNAL, "plugin: output '%s' was allocated twice",
                           result->tensors[index].name);
    else
        status =
            schema_check_output(result->specs[index], dtype, rank, shape, &outputs->binding, err);
    if (status == MODEL_OK)
        status = result_allocate(result, index, dtype, rank, shape, err);
    if (status != MODEL_OK && outputs->status == MODEL_OK) {
        outputs->status = status;
        (void)error_set(&outputs->error, status, "%s", err->message);
    }
    return status;
}

/* What to say of a run() that failed without a word. */
static const char *silent_failure(model_status status)
{
    return status == MODEL_DEADLINE    ? "deadline passed while the request was running"
           : status == MODEL_CANCELLED ? "the request was cancelled"
                                       : "the plugin failed without saying why";
}

static model_status check_produced(const struct modelhost_result *result, struct model_error *err)
{
    for (uint32_t i = 0; i < result->n_tensors; i++)
        if (result->tensors[i].data == NULL)
            return error_set(err, MODEL_INTERNAL, "plugin: run() did not produce output '%s'",
                             result->tensors[i].name);
    return MODEL_OK;
}

static model_status run_plugin(struct modelhost_request *request, struct modelhost_result *result,
                               struct output_context *outputs, struct model_error *err)
{
    struct model_cancel cancel = {sizeof cancel, &request->cancelled, request->deadline_ns};
    struct model_call call = {
        .struct_size = sizeof call,
        .inputs = request->inputs,
        .n_inputs = request->n_inputs,
        .n_outputs = result->n_tensors,
        .outputs = result->pointers,
        .allocate_output = allocate_output,
        .context = outputs,
        .cancel = &cancel,
    };
    struct model_instance *instance = NULL;
    model_status status = loaded_model_take_instance(request->model, &instance, err);
    if (status != MODEL_OK)
        return status;
    int64_t start_ns = clock_now_ns();
    result->timing.queue_ns = start_ns - request->submitted_ns;
    status = instance->run(instance, &call, err);
    result->timing.run_ns = clock_now_ns() - start_ns;
    loaded_model_return_instance(request->model, instance);
    plugin_error_tidy(err, status, silent_failure(status));
    if (status == MODEL_OK && outputs->status != MODEL_OK)
        status = error_set(err, outputs->status, "%s", outputs->error.message);
    return status;
}

model_status execute_request(struct modelhost_request *request,
                             struct modelhost_result **ret_result, struct model_error *err)
{
    struct output_context outputs = {0};
    const struct model_description *description = modelhost_description(request->model);
    model_status status =
        schema_check_inputs(description, request->inputs, request->n_inputs, &outputs.binding, err);
    if (status != MODEL_OK)
        return status;
    struct modelhost_result *result = NULL;
    status = result_create(description, (const char *const *)request->output_names,
                           request->n_output_names, &result, err);
    if (status != MODEL_OK)
        return status;
    outputs.result = result;
    status = run_plugin(request, result, &outputs, err);
    if (status == MODEL_OK)
        status = check_produced(result, err);
    if (status == MODEL_OK) {
        status = loaded_model_check_files(request->model, err);
        package_advise(&request->model->package, status, err);
    }
    if (status == MODEL_OK && request->batch != NULL)
        status = text_batch_answer(request->batch, result, err);
    if (status != MODEL_OK) {
        modelhost_result_destroy(result);
        return status;
    }
    result->timing.total_ns = clock_now_ns() - request->submitted_ns;
    *ret_result = result;
    return MODEL_OK;
}
