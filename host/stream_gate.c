/* stream_gate.c - see stream_gate.h. */
#include "stream_gate.h"
#include "clock.h"
#include "errors.h"
#include "schema.h"

/* Whatever a caller is handed can be read. */
static model_status check(const struct modelhost_request *request,
                          const struct model_tensor *const *tensors, uint32_t n_tensors,
                          struct model_error *err)
{
    const struct model_description *description = modelhost_description(request->model);
    model_status status = MODEL_OK;
    if (tensors == NULL || n_tensors > SCHEMA_MAX_TENSORS)
        status = error_set(err, MODEL_INTERNAL, "a list of %u tensors that is NULL or too long",
                           n_tensors);
    for (uint32_t i = 0; i < n_tensors && status == MODEL_OK; i++)
        status = schema_check_emitted(description, tensors[i], err);
    if (status != MODEL_OK)
        error_prefix(err, "emit()");
    return status;
}

/* Under the mutex. */
static model_status tell(struct stream_gate *gate, const struct model_tensor *const *tensors,
                         uint32_t n_tensors)
{
    struct modelhost_request *request = gate->request;
    const uint32_t cancelled = __atomic_load_n(&request->cancelled, __ATOMIC_RELAXED);
    if (cancelled != 0)
        return (model_status)cancelled;
    if (gate->status == MODEL_OK)
        gate->status = check(request, tensors, n_tensors, &gate->error);
    if (gate->status != MODEL_OK)
        return gate->status;
    if (!request_begin_telling(request))
        return MODEL_CANCELLED;
    lane_progress_mark(&request->progress, 0, clock_now_ns());
    request->on_tensors(request->on_tensors_context, tensors, n_tensors);
    request_end_telling(request);
    return MODEL_OK;
}

static struct stream_door *last_door(struct stream_gate *gate)
{
    return &gate->doors[gate->n_opened % STREAM_GATE_DOORS];
}

static model_status emit(void *context, const struct model_tensor *const *tensors,
                         uint32_t n_tensors)
{
    const struct stream_door *door = context;
    struct stream_gate *gate = door->gate;
    uv_mutex_lock(&gate->mutex);
    model_status status = gate->request != NULL && door == last_door(gate)
                              ? tell(gate, tensors, n_tensors)
                              : MODEL_CANCELLED;
    uv_mutex_unlock(&gate->mutex);
    return status;
}

model_status stream_gate_init(struct stream_gate *gate, struct model_error *err)
{
    for (size_t i = 0; i < STREAM_GATE_DOORS; i++) {
        struct stream_door *door = &gate->doors[i];
        *door = (struct stream_door){{sizeof door->sink, door, emit}, gate};
    }
    gate->request = NULL;
    gate->status = MODEL_OK;
    gate->error = (struct model_error)MODEL_ERROR_INIT;
    gate->n_opened = 0;
    return uv_mutex_init(&gate->mutex) == 0 ? MODEL_OK : error_no_memory(err, "an instance");
}

void stream_gate_finish(struct stream_gate *gate)
{
    uv_mutex_destroy(&gate->mutex);
}

const struct model_stream_sink *stream_gate_open(struct stream_gate *gate,
                                                 struct modelhost_request *request)
{
    uv_mutex_lock(&gate->mutex);
    gate->request = request;
    gate->status = MODEL_OK;
    gate->n_opened++;
    const struct model_stream_sink *sink = &last_door(gate)->sink;
    uv_mutex_unlock(&gate->mutex);
    return sink;
}

model_status stream_gate_close(struct stream_gate *gate, struct model_error *err)
{
    uv_mutex_lock(&gate->mutex);
    gate->request = NULL;
    const model_status status = gate->status;
    if (status != MODEL_OK)
        (void)error_set(err, status, "%s", gate->error.message);
    uv_mutex_unlock(&gate->mutex);
    return status;
}
