/* execute.c - see execute.h. What happens around a plugin's run(), in order. */
#include "execute.h"
#include "clock.h"
#include "dtype.h"
#include "errors.h"
#include "host.h"
#include "loaded_model.h"
#include "parallel.h"
#include "plugin_error.h"
#include "result.h"
#include "result_cache.h"
#include "session.h"
#include "thread_guard.h"

#include <stdio.h>

/* What allocate_output() needs to know: the context of a model_call. */
struct output_context {
    struct modelhost_result *result;
    struct modelhost_request *request;
    struct schema_binding binding;
    model_status status; /* the first failure and its sentence, should the plugin overlook it */
    struct model_error error;
};

/* memory NULL: the result's own. */
static model_status give_output(struct output_context *outputs, uint32_t index, int32_t dtype,
                                uint32_t rank, const int64_t *shape,
                                const struct tensor_memory *memory, struct model_error *err)
{
    struct modelhost_result *result = outputs->result;
    struct model_error own; /* the plugin's may be NULL, or hold anything */
    error_init(&own);
    model_status status = MODEL_OK;
    if (index >= result->n_tensors)
        status = error_set(&own, MODEL_INTERNAL, "there is no output %u of %u", index,
                           result->n_tensors);
    else if (result->granted[index].data != NULL)
        status = error_set(&own, MODEL_INTERNAL, "output '%s' was allocated twice",
                           result->granted[index].name);
    else
        status =
            schema_check_output(result->specs[index], dtype, rank, shape, &outputs->binding, &own);
    if (status == MODEL_OK)
        status = memory == NULL ? result_allocate(result, index, dtype, rank, shape, &own)
                                : result_adopt(result, index, dtype, rank, shape, memory, &own);
    if (status != MODEL_OK)
        (void)error_set(err, status, "%s", own.message);
    if (status != MODEL_OK && outputs->status == MODEL_OK) {
        outputs->status = status;
        outputs->error = own;
    }
    return status;
}

static model_status allocate_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                    const int64_t *shape, struct model_error *err)
{
    return give_output(context, index, dtype, rank, shape, NULL, err);
}

model_status execute_adopt_output(const struct model_call *call, uint32_t index, int32_t dtype,
                                  uint32_t rank, const int64_t *shape,
                                  const struct tensor_memory *memory, struct model_error *err)
{
    return give_output(call->context, index, dtype, rank, shape, memory, err);
}

struct modelhost_request *execute_request_of(const struct model_call *call)
{
    return ((const struct output_context *)call->context)->request;
}

/* A failed run(): what its status means, a sentence where it gave none, and whose sentence it is. */
static model_status read_failure(const struct plugin_call *call, model_status said,
                                 struct model_error *err)
{
    uint32_t cancelled = __atomic_load_n(call->cancelled, __ATOMIC_RELAXED);
    const bool has_ended = said == MODELHOST_CRASHED && call->instance->is_in_worker;
    model_status status =
        has_ended ? said : plugin_error_of_running(said, cancelled, call->deadline_ns);
    if (status == MODEL_DEADLINE || status == MODEL_CANCELLED) {
        plugin_error_tidy(err, status,
                          status == MODEL_DEADLINE ? "deadline passed while the request was running"
                                                   : "the request was cancelled");
        return status;
    }
    char silent[100];
    (void)snprintf(silent, sizeof silent, "run() failed with status %d (%s) and no sentence",
                   (int)said, status_name(said));
    plugin_error_tidy(err, status, silent);
    return status;
}

/* The instance that runs it: the session's, or any. */
static model_status take_instance(struct modelhost_request *request, int64_t n_items,
                                  struct hosted_instance **ret, struct model_error *err)
{
    return request->session != NULL ? session_begin(request->session, n_items, ret, err)
                                    : loaded_model_take_instance(request->model, NULL, 0, ret, err);
}

/* A session's stays with it until the answer is given (request_end_session()). */
static void give_back(struct modelhost_request *request, struct hosted_instance *instance)
{
    if (request->session == NULL)
        request_return_instance(request, instance);
}

struct gated_run {
    struct model_instance *instance;
    const struct model_call *call;
    struct model_error *err;
    model_status status;
};

static void run_gated(void *argument)
{
    struct gated_run *run = argument;
    run->status = run->instance->run(run->instance, run->call, run->err);
}

static void shut_gate(void *gate)
{
    (void)stream_gate_close(gate, NULL);
}

/* When the plugin ends the thread, other ones of its may still emit: into a request that is answered then. */
static model_status run_behind_gate(struct model_instance *instance, const struct model_call *call,
                                    struct stream_gate *gate, struct model_error *err)
{
    struct gated_run run = {instance, call, err, MODEL_INTERNAL};
    thread_guard_run(run_gated, &run, shut_gate, gate);
    return run.status;
}

model_status execute_call(const struct plugin_call *plugin_call, struct modelhost_result *result,
                          struct model_error *err)
{
    struct output_context outputs;
    outputs.result = result;
    outputs.request = plugin_call->request;
    outputs.status = MODEL_OK;
    schema_binding_copy(&outputs.binding, plugin_call->binding);
    error_init(&outputs.error);
    struct model_cancel cancel = {sizeof cancel, plugin_call->cancelled, plugin_call->deadline_ns};
    struct model_call call = {
        .struct_size = sizeof call,
        .inputs = plugin_call->inputs,
        .n_inputs = plugin_call->n_inputs,
        .n_outputs = result->n_tensors,
        .outputs = result->pointers,
        .allocate_output = allocate_output,
        .context = &outputs,
        .cancel = &cancel,
        .sink = plugin_call->sink,
        .slots = plugin_call->slots,
        .n_slots = plugin_call->slots != NULL ? (uint32_t)schema_batch(plugin_call->binding) : 0,
    };
    struct model_instance *instance = plugin_call->instance->plugin;
    struct stream_gate *gate = &plugin_call->instance->gate;
    if (plugin_call->streaming != NULL)
        call.sink = stream_gate_open(gate, plugin_call->streaming);
    parallel_spread();
    int64_t start_ns = clock_now_ns();
    if (plugin_call->progress != NULL)
        lane_progress_mark(plugin_call->progress, schema_batch(plugin_call->binding), start_ns);
    model_status status = plugin_call->streaming != NULL
                              ? run_behind_gate(instance, &call, gate, err)
                              : instance->run(instance, &call, err);
    struct model_error emitted = MODEL_ERROR_INIT;
    if (plugin_call->streaming != NULL && stream_gate_close(gate, &emitted) != MODEL_OK &&
        outputs.status == MODEL_OK) {
        outputs.status = MODEL_INTERNAL;
        outputs.error = emitted;
    }
    if (plugin_call->ret_has_read != NULL)
        *plugin_call->ret_has_read = status == MODEL_OK;
    result->timing.run_ns += clock_now_ns() - start_ns;
    struct model_error changed;
    error_init(&changed);
    model_status granted = result_check_granted(result, &changed);
    if (status != MODEL_OK && status == outputs.status && err->message[0] == '\0')
        (void)error_set(err, status, "%s", outputs.error.message); /* it passed no err on */
    if (status != MODEL_OK)
        status = read_failure(plugin_call, status, err);
    else if (outputs.status != MODEL_OK)
        status = error_set(err, outputs.status, "%s", outputs.error.message);
    else if (granted != MODEL_OK)
        status = error_set(err, granted, "%s", changed.message);
    const struct plugin_file *plugin = plugin_call->plugin;
    if (plugin != NULL && status != MODEL_OK && status != MODEL_DEADLINE &&
        status != MODEL_CANCELLED && status != MODELHOST_CRASHED)
        error_prefix(err, "plugin '%s' %s", plugin->name, plugin->version);
    return status;
}

static struct plugin_call call_of(struct modelhost_request *request,
                                  const struct schema_binding *binding)
{
    return (struct plugin_call){.inputs = request->inputs,
                                .n_inputs = request->n_inputs,
                                .plugin = &request->model->plugin.file,
                                .binding = binding,
                                .request = request,
                                .streaming = request->on_tensors != NULL ? request : NULL,
                                .cancelled = &request->cancelled,
                                .progress = &request->progress,
                                .deadline_ns = request->deadline_ns};
}

model_status execute_on(struct modelhost_request *request, const struct schema_binding *binding,
                        struct hosted_instance *instance, struct modelhost_result *result,
                        struct model_error *err)
{
    struct plugin_call call = call_of(request, binding);
    call.instance = instance;
    return execute_call(&call, result, err);
}

static model_status run_plugin(struct modelhost_request *request,
                               const struct schema_binding *binding,
                               struct modelhost_result *result, struct model_error *err)
{
    struct plugin_call call = call_of(request, binding);
    const int64_t n_items = schema_batch(binding);
    model_status status = take_instance(request, n_items, &call.instance, err);
    if (status != MODEL_OK)
        return status;
    request->has_session = request->session != NULL;
    call.ret_has_read = &request->has_advanced;
    call.slots = request->session != NULL ? request->session->slots : NULL;
    status = execute_call(&call, result, err);
    give_back(request, call.instance);
    return status;
}

/* What the job makes of what the caller gave. */
static model_status prepare_inputs(struct modelhost_request *request, struct model_error *err)
{
    struct request_job *job = request->job;
    return job != NULL && job->prepare != NULL ? job->prepare(job, request, err) : MODEL_OK;
}

model_status execute_begin(struct modelhost_request *request, struct schema_binding *ret_binding,
                           struct execution *ret, struct model_error *err)
{
    struct result_cache *cache = request->model->host->results;
    const struct model_description *description = modelhost_description(request->model);
    struct modelhost_result *result = NULL;
    model_status status = prepare_inputs(request, err);
    if (status == MODEL_OK)
        status =
            schema_check_inputs(description, request->inputs, request->n_inputs, ret_binding, err);
    if (status == MODEL_OK)
        status = result_create(description, (const char *const *)request->output_names,
                               request->n_output_names, &result, err);
    if (status != MODEL_OK)
        return status;
    *ret = (struct execution){.result = result};
    if (cache != NULL)
        result->is_cached = ret->is_found =
            result_cache_find(cache, request, ret_binding, result, ret->key);
    return MODEL_OK;
}

model_status execute_alone(struct modelhost_request *request, const struct schema_binding *binding,
                           struct execution *execution, struct model_error *err)
{
    return execution->is_found ? MODEL_OK : run_plugin(request, binding, execution->result, err);
}

model_status execute_end(struct modelhost_request *request, model_status status,
                         struct execution *execution, struct modelhost_result **ret_result,
                         struct model_error *err)
{
    struct request_job *job = request->job;
    struct modelhost_result *result = execution->result;
    execution->result = NULL;
    if (status == MODEL_OK) {
        status = loaded_model_check_files(request->model, err);
        package_advise(&request->model->package, status, err);
    }
    if (status == MODEL_OK && execution->key[0] != '\0' && !execution->is_found)
        result_cache_keep(request->model->host->results, execution->key, result);
    if (status == MODEL_OK && job != NULL && job->answer != NULL)
        status = job->answer(job, result, err);
    if (status != MODEL_OK) {
        modelhost_result_destroy(result);
        return status;
    }
    result->timing.queue_ns = request->started_ns - request->submitted_ns;
    result->timing.total_ns = clock_now_ns() - request->submitted_ns;
    result_say_backend(result, request->model->package.backend, request->fallback_reason);
    request->fallback_reason = NULL;
    *ret_result = result;
    return MODEL_OK;
}

model_status execute_request(struct modelhost_request *request,
                             struct modelhost_result **ret_result, struct model_error *err)
{
    struct request_job *job = request->job;
    struct execution execution = {0};
    struct schema_binding binding;
    model_status status = MODEL_OK;
    if (job != NULL && job->run != NULL) {
        status = prepare_inputs(request, err);
        if (status == MODEL_OK)
            status = job->run(job, request, &execution.result, err);
        if (status == MODEL_OK && request->is_suspended)
            return MODEL_OK;
    } else {
        status = execute_begin(request, &binding, &execution, err);
        if (status == MODEL_OK)
            status = execute_alone(request, &binding, &execution, err);
    }
    return execute_end(request, status, &execution, ret_result, err);
}
