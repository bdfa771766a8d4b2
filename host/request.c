/* request.c - see request.h: making and freeing requests. */
#include "request.h"
#include "buffer.h"
#include "clock.h"
#include "errors.h"
#include "host.h"
#include "loaded_model.h"
#include "model_route.h"
#include "schema.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TIMEOUT_MS (INT64_MAX / NS_PER_MS / 4)

static bool make_input_list(struct modelhost_request *request, uint32_t n_inputs)
{
    request->inputs =
        n_inputs <= REQUEST_FEW_INPUTS ? request->few_inputs : calloc(n_inputs, sizeof(void *));
    return request->inputs != NULL;
}

static void free_input_list(struct modelhost_request *request)
{
    if (request->inputs != request->few_inputs)
        free(request->inputs);
}

static model_status copy_input(struct modelhost_request *request, uint32_t index,
                               const struct model_tensor *input)
{
    struct model_tensor *copy = &request->input_copies[index];
    size_t known = input->struct_size < sizeof *copy ? input->struct_size : sizeof *copy;
    memcpy(copy, input, known);
    copy->struct_size = sizeof *copy;
    request->inputs[index] = copy;
    copy->name = text_format("%s", input->name);
    if (input->size_bytes > 0)
        copy->data = request->input_memory[index] =
            aligned_alloc(64, (input->size_bytes + 63) / 64 * 64);
    if (copy->name == NULL || (input->size_bytes > 0 && copy->data == NULL))
        return MODEL_OUT_OF_MEMORY;
    if (input->size_bytes > 0)
        memcpy(copy->data, input->data, input->size_bytes);
    return MODEL_OK;
}

static model_status take_inputs(struct modelhost_request *request,
                                const struct model_tensor *const *inputs, int copy)
{
    uint32_t n = request->n_inputs;
    if (!make_input_list(request, n))
        return MODEL_OUT_OF_MEMORY;
    if (!copy) {
        if (n > 0)
            memcpy(request->inputs, inputs, n * sizeof *inputs);
        return MODEL_OK;
    }
    request->input_copies = calloc(n > 0 ? n : 1, sizeof *request->input_copies);
    request->input_memory = calloc(n > 0 ? n : 1, sizeof(void *));
    if (request->input_copies == NULL || request->input_memory == NULL)
        return MODEL_OUT_OF_MEMORY;
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++)
        status = copy_input(request, i, inputs[i]);
    return status;
}

static model_status take_output_names(struct modelhost_request *request, const char *const *names,
                                      uint32_t n_names)
{
    request->output_names = calloc(n_names > 0 ? n_names : 1, sizeof(char *));
    if (request->output_names == NULL)
        return MODEL_OUT_OF_MEMORY;
    request->n_output_names = n_names;
    for (uint32_t i = 0; i < n_names; i++)
        if (names[i] == NULL || (request->output_names[i] = text_format("%s", names[i])) == NULL)
            return names[i] == NULL ? MODEL_INVALID_ARGUMENT : MODEL_OUT_OF_MEMORY;
    return MODEL_OK;
}

int64_t request_timeout_ms(const struct modelhost_model *model,
                           const struct modelhost_run_options *options)
{
    return options != NULL && options->timeout_ms > 0 ? options->timeout_ms
                                                      : model->load.timeout_ms;
}

static model_status take_timeout(struct modelhost_request *request,
                                 const struct modelhost_run_options *options,
                                 struct model_error *err)
{
    if (options != NULL && (options->timeout_ms < 0 || options->timeout_ms > MAX_TIMEOUT_MS))
        return error_set(err, MODEL_INVALID_ARGUMENT, "timeout_ms is %lld, want 0 (none) to %lld",
                         (long long)options->timeout_ms, (long long)MAX_TIMEOUT_MS);
    const int64_t timeout_ms = request_timeout_ms(request->model, options);
    request->deadline_ns =
        timeout_ms > 0 ? request->submitted_ns + timeout_ms * NS_PER_MS : INT64_MAX;
    return MODEL_OK;
}

static model_status take_options(struct modelhost_request *request,
                                 const struct modelhost_run_options *options,
                                 struct model_error *err)
{
    model_status status = take_timeout(request, options, err);
    if (status != MODEL_OK || options == NULL)
        return status;
    if (MODEL_HAS(struct modelhost_run_options, options, session) && options->session != NULL) {
        if (options->session->model != request->model)
            return error_set(err, MODEL_INVALID_ARGUMENT, "the session is of another model");
        session_retain(request->session = options->session);
    }
    if (MODEL_HAS(struct modelhost_run_options, options, direct)) {
        request->priority = options->priority;
        request->wants_direct = options->direct != 0;
    }
    if (MODEL_HAS(struct modelhost_run_options, options, on_tensors_context)) {
        request->on_tensors = options->on_tensors;
        request->on_tensors_context = options->on_tensors_context;
    }
    if (request->on_tensors != NULL &&
        (modelhost_description(request->model)->capabilities & MODEL_CAN_STREAM) == 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "the model emits nothing before its answer (MODEL_CAN_STREAM); leave "
                         "on_tensors NULL");
    if (options->output_names == NULL)
        return MODEL_OK;
    if (options->n_output_names > SCHEMA_MAX_TENSORS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u output names, at most %d",
                         options->n_output_names, SCHEMA_MAX_TENSORS);
    status = take_output_names(request, options->output_names, options->n_output_names);
    return status == MODEL_INVALID_ARGUMENT ? error_set(err, status, "an output name is NULL")
                                            : status;
}

model_status request_create(struct modelhost_model *model, const struct model_tensor *const *inputs,
                            uint32_t n_inputs, int copy,
                            const struct modelhost_run_options *options,
                            struct modelhost_request **ret, struct model_error *err)
{
    struct modelhost_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return error_no_memory(err, "a request");
    if (uv_mutex_init(&request->telling) != 0) {
        free(request);
        return error_no_memory(err, "a request");
    }
    if (uv_mutex_init(&request->listening) != 0) {
        uv_mutex_destroy(&request->telling);
        free(request);
        return error_no_memory(err, "a request");
    }
    atomic_store(&request->references, 1);
    request->model = model;
    loaded_model_retain(model);
    request->id = host_next_request_id(model->host);
    request->n_inputs = n_inputs;
    request->heap_index = SIZE_MAX;
    request->submitted_ns = clock_now_ns();
    model_status status = take_options(request, options, err);
    if (status == MODEL_OK)
        status = take_inputs(request, inputs, copy);
    if (status == MODEL_OUT_OF_MEMORY)
        (void)error_no_memory(err, "a request");
    if (status != MODEL_OK) {
        request_drop(request);
        return status;
    }
    *ret = request;
    return MODEL_OK;
}

void request_adopt_job(struct modelhost_request *request, struct request_job *job, int64_t start_ns)
{
    request->job = job;
    request_count_from(request, start_ns);
}

void request_count_from(struct modelhost_request *request, int64_t start_ns)
{
    if (request->deadline_ns != INT64_MAX)
        request->deadline_ns -= request->submitted_ns - start_ns;
    request->submitted_ns = start_ns;
}

model_status request_set_inputs(struct modelhost_request *request,
                                const struct model_tensor *const *inputs, uint32_t n_inputs,
                                struct model_error *err)
{
    free_input_list(request);
    request->n_inputs = 0;
    if (!make_input_list(request, n_inputs))
        return error_no_memory(err, "a request");
    for (uint32_t i = 0; i < n_inputs; i++)
        request->inputs[i] = inputs[i];
    request->n_inputs = n_inputs;
    return MODEL_OK;
}

void request_retain(struct modelhost_request *request)
{
    (void)atomic_fetch_add(&request->references, 1);
}

void request_drop(struct modelhost_request *request)
{
    if (atomic_fetch_sub(&request->references, 1) != 1)
        return;
    for (uint32_t i = 0; request->input_copies != NULL && i < request->n_inputs; i++) {
        free(request->input_memory != NULL ? request->input_memory[i] : NULL);
        if (request->inputs[i] == &request->input_copies[i])
            free((char *)(uintptr_t)request->input_copies[i].name);
    }
    for (uint32_t i = 0; i < request->n_output_names; i++)
        free(request->output_names[i]);
    free_input_list(request);
    free(request->input_copies);
    free(request->input_memory);
    free(request->output_names);
    if (request->job != NULL)
        request->job->destroy(request->job);
    model_route_end(request, MODEL_CANCELLED, false, NULL); /* it was never submitted */
    free(request->fallback_reason);
    session_drop(request->session);
    modelhost_result_destroy(request->result);
    free(request->error);
    uv_mutex_destroy(&request->telling);
    uv_mutex_destroy(&request->listening);
    loaded_model_drop(request->model);
    loaded_model_drop(request->asked);
    free(request);
}

void request_end_session(struct modelhost_request *request, bool answered)
{
    if (!request->has_session)
        return;
    request->has_session = false;
    if (atomic_load(&request->is_abandoned))
        session_lose_instance(request->session);
    session_end(request->session, !request->has_advanced ? SESSION_UNCHANGED
                                  : answered             ? SESSION_ADVANCED
                                                         : SESSION_LOST);
}

void request_return_instance(struct modelhost_request *request, struct hosted_instance *instance)
{
    if (atomic_load(&request->is_abandoned))
        hosted_instance_destroy(instance);
    else
        loaded_model_return_instance(request->model, instance);
}

const struct model_error *request_error(const struct modelhost_request *request)
{
    static const struct model_error none = MODEL_ERROR_INIT;
    static const struct model_error no_memory = {sizeof no_memory, "out of memory for a sentence"};
    if (request->error != NULL)
        return request->error;
    return request->status == MODEL_OK ? &none : &no_memory;
}

struct log_subject request_subject(const struct modelhost_request *request)
{
    return (struct log_subject){loaded_model_name(request->model), request->id};
}

void request_ended(const struct modelhost_request *request)
{
    struct modelhost_model *model = request->model;
    const bool has_run = request->started_ns != 0;
    const int64_t now_ns = clock_now_ns();
    const int64_t queue_ns = (has_run ? request->started_ns : now_ns) - request->submitted_ns;
    const int64_t run_ns = has_run ? now_ns - request->started_ns : -1;
    model_metrics_request_ended(&model->metrics, request->status, queue_ns, run_ns);
    if (model->log->level < MODEL_LOG_DEBUG)
        return;
    const struct log_subject before = log_set_subject(request_subject(request));
    log_write(model->log, MODEL_LOG_DEBUG, "%s, %lld us queued, %lld us run",
              status_name(request->status), (long long)(queue_ns / NS_PER_US),
              (long long)(has_run ? run_ns / NS_PER_US : 0));
    (void)log_set_subject(before);
}

bool request_begin_telling(struct modelhost_request *request)
{
    uv_mutex_lock(&request->telling);
    const bool is_open = !request->closed;
    if (!is_open)
        uv_mutex_unlock(&request->telling);
    return is_open;
}

void request_end_telling(struct modelhost_request *request)
{
    uv_mutex_unlock(&request->telling);
}

void request_close(struct modelhost_request *request)
{
    uv_mutex_lock(&request->telling);
    request->closed = true;
    uv_mutex_unlock(&request->telling);
}

void request_raise(struct modelhost_request *request, uint32_t status)
{
    uv_mutex_lock(&request->listening);
    __atomic_store_n(&request->cancelled, status, __ATOMIC_RELEASE);
    if (request->listener != NULL)
        request->listener->raise(request->listener, status);
    uv_mutex_unlock(&request->listening);
}

void request_listen(struct modelhost_request *request, struct cancel_listener *listener)
{
    uv_mutex_lock(&request->listening);
    request->listener = listener;
    const uint32_t raised = __atomic_load_n(&request->cancelled, __ATOMIC_RELAXED);
    if (raised != 0)
        listener->raise(listener, raised);
    uv_mutex_unlock(&request->listening);
}

void request_unlisten(struct modelhost_request *request)
{
    uv_mutex_lock(&request->listening);
    request->listener = NULL;
    uv_mutex_unlock(&request->listening);
}

void request_call_back(struct modelhost_request *request)
{
    request_close(request);
    struct modelhost_result *result = request->result;
    request->result = NULL;
    request->callback(request->user, request->status, result, request_error(request));
    request_drop(request);
}
