/* worker_ask.c - see worker_ask.h.
 *
 * Inputs are copied once, into the segment that the worker reads them from. Calls that are asked for ahead share
 * that segment, and one for outputs, of which each gets a part as large as outputs usually are; a call that needs
 * more asks for it as ever. */
#include "worker_ask.h"
#include "clock.h"
#include "errors.h"
#include "result.h"

#include <string.h>

#define AHEAD_INPUT_BYTES                                                                          \
    65536ull /* of all together: copying them must not keep the first one waiting */
#define MIN_OUTPUT_BYTES 1024ull /* of each that is asked for ahead */
#define MAX_OUTPUT_BYTES 65536ull

/* A part of a segment for the outputs of a call. */
struct output_part {
    uint32_t segment;
    uint64_t offset, size_bytes;
};

static uint32_t spec_index(const struct model_tensor_spec *const *specs, uint32_t n_specs,
                           const char *name)
{
    uint32_t i = 0;
    while (i < n_specs && strcmp(specs[i]->name, name) != 0)
        i++;
    return i; /* the host has checked that there is one */
}

/* Adds what the inputs of a call take; false: that overflows. */
static bool add_inputs(const struct model_call *call, uint64_t *at)
{
    uint64_t offset = 0;
    bool fits = true;
    for (uint32_t i = 0; i < call->n_inputs && fits; i++)
        fits = worker_channel_place(call->inputs[i]->size_bytes, at, &offset);
    return fits && worker_channel_place((uint64_t)call->n_slots * sizeof(uint32_t), at, &offset);
}

/* A segment for inputs, as large as they need. */
static model_status reserve_inputs(struct worker_instance *instance, uint64_t size_bytes,
                                   struct model_error *err)
{
    if (instance->inputs != NULL && size_bytes <= instance->inputs->size_bytes)
        return MODEL_OK;
    if (instance->inputs != NULL)
        worker_slot_drop_segment(instance->slot, instance->address.generation, &instance->link,
                                 instance->inputs_id, instance->inputs->size_bytes);
    worker_segment_drop(instance->inputs);
    instance->inputs = NULL;
    return worker_address_share(&instance->address, size_bytes, &instance->inputs,
                                &instance->inputs_id, err);
}

/* Copies the inputs to *at and says where they are. Returns where the slots are. */
static uint64_t write_inputs(struct worker_instance *instance, struct worker_exchange *exchange,
                             const struct model_call *call, uint64_t *at)
{
    char *data = instance->inputs->data;
    uint64_t offset = 0;
    for (uint32_t i = 0; i < call->n_inputs; i++) {
        const struct model_tensor *input = call->inputs[i];
        (void)worker_channel_place(input->size_bytes, at, &offset);
        struct worker_tensor told = {
            .spec = spec_index(instance->description->inputs, instance->description->n_inputs,
                               input->name),
            .segment = instance->inputs_id,
            .dtype = input->dtype,
            .rank = input->rank,
            .offset = offset,
            .size_bytes = input->size_bytes,
        };
        memcpy(told.shape, input->shape, input->rank * sizeof *told.shape);
        exchange->inputs[i] = told;
        if (input->size_bytes > 0)
            memcpy(data + offset, input->data, (size_t)input->size_bytes);
    }
    (void)worker_channel_place((uint64_t)call->n_slots * sizeof(uint32_t), at, &offset);
    if (call->n_slots > 0)
        memcpy(data + offset, call->slots, call->n_slots * sizeof(uint32_t));
    return offset;
}

static void write_ask(struct worker_instance *instance, struct worker_exchange *exchange,
                      const struct model_call *call, uint64_t request_id, uint64_t *inputs_at,
                      const struct output_part *outputs)
{
    const uint64_t slots_offset = write_inputs(instance, exchange, call, inputs_at);
    for (uint32_t i = 0; i < call->n_outputs; i++)
        exchange->outputs[i] = spec_index(instance->description->outputs,
                                          instance->description->n_outputs, call->outputs[i]->name);
    exchange->ask = (struct worker_ask){
        .what = WORKER_ASK_RUN,
        .n_inputs = call->n_inputs,
        .n_outputs = call->n_outputs,
        .n_slots = call->n_slots,
        .streams = call->sink != NULL,
        .slots_offset = slots_offset,
        .input_segment = instance->inputs_id,
        .output_segment = outputs->segment,
        .outputs_offset = outputs->offset,
        .outputs_bytes = outputs->size_bytes,
        .deadline_ns = call->cancel->deadline_ns,
        .request_id = request_id,
    };
}

model_status worker_ask_now(struct worker_instance *instance, const struct model_call *call,
                            struct model_error *err)
{
    struct worker_segment *outputs = NULL;
    struct output_part part = {0, 0, 0};
    uint64_t size_bytes = 0, inputs_at = 0;
    model_status status = add_inputs(call, &size_bytes)
                              ? reserve_inputs(instance, size_bytes, err)
                              : error_no_memory(err, "the inputs of a worker");
    if (status == MODEL_OK)
        status = worker_outputs_take(&instance->outputs, &instance->address,
                                     instance->usual_output_bytes, &outputs, &part.segment, err);
    if (status == MODEL_OUT_OF_MEMORY)
        instance->usual_output_bytes = 0; /* what the worker says of the next ones counts */
    if (status != MODEL_OK)
        return status;
    part.size_bytes = outputs->size_bytes;
    instance->asked_ns = clock_now_ns();
    write_ask(instance, instance->exchange, call, log_subject_now().request_id, &inputs_at, &part);
    worker_channel_ask(instance->channel, instance->exchange);
    return MODEL_OK;
}

/* ---- ahead */

/* What its run() will be told. */
static struct model_call call_of(const struct worker_ahead *ahead, struct model_cancel *cancel)
{
    const struct modelhost_request *request = ahead->request;
    *cancel = (struct model_cancel){sizeof *cancel, &request->cancelled, request->deadline_ns};
    return (struct model_call){.struct_size = sizeof(struct model_call),
                               .inputs = request->inputs,
                               .n_inputs = request->n_inputs,
                               .n_outputs = ahead->result->n_tensors,
                               .outputs = ahead->result->pointers,
                               .cancel = cancel};
}

/* Memory for all of them; false: they had better be asked for one by one. */
static bool reserve_ahead(struct worker_instance *instance, const struct worker_ahead *calls,
                          uint32_t n, struct output_part *ret)
{
    struct worker_segment *outputs = NULL;
    uint64_t size_bytes = 0, at = 0, offset = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct model_cancel cancel;
        const struct model_call call = call_of(&calls[i], &cancel);
        if (!add_inputs(&call, &size_bytes) || size_bytes > AHEAD_INPUT_BYTES)
            return false;
    }
    if (instance->usual_output_bytes > MAX_OUTPUT_BYTES ||
        !worker_channel_place(instance->usual_output_bytes > MIN_OUTPUT_BYTES
                                  ? instance->usual_output_bytes
                                  : MIN_OUTPUT_BYTES,
                              &at, &offset) ||
        reserve_inputs(instance, size_bytes, NULL) != MODEL_OK ||
        worker_outputs_take(&instance->outputs, &instance->address, at * n, &outputs,
                            &instance->ahead_outputs_id, NULL) != MODEL_OK)
        return false;
    *ret = (struct output_part){instance->ahead_outputs_id, 0, at};
    return true;
}

void worker_ask_ahead(struct model_instance *self, const struct worker_ahead *calls, uint32_t n)
{
    struct worker_instance *instance = (struct worker_instance *)self;
    struct output_part part;
    uint64_t inputs_at = 0;
    uint32_t at = instance->at;
    struct worker_patience none = {.until_ns = 0};
    if (n > WORKER_EXCHANGES || !instance->is_attached ||
        worker_slot_limits_memory(instance->slot)) /* one may have to be made again alone */
        return;
    if (worker_slot_begin_call(instance->slot, false, &none, NULL) != MODEL_OK)
        return;
    /* The turn is theirs until the last has its answer. */
    if (worker_slot_has_ended(instance->slot, instance->address.generation) ||
        !reserve_ahead(instance, calls, n, &part)) {
        worker_slot_end_call(instance->slot, false);
        return;
    }
    instance->asked_ns = clock_now_ns();
    for (uint32_t i = 0; i < n; i++) {
        struct worker_exchange *exchange = &instance->channel->exchanges[at];
        __atomic_store_n(&exchange->cancelled, 0, __ATOMIC_RELEASE); /* or what the listener says */
        struct model_cancel cancel;
        const struct model_call call = call_of(&calls[i], &cancel);
        write_ask(instance, exchange, &call, calls[i].request->id, &inputs_at, &part);
        worker_channel_ask_ahead(exchange);
        instance->ahead[at] = calls[i].request;
        request_listen(calls[i].request, &instance->listeners[at].base);
        part.offset += part.size_bytes;
        at = worker_channel_next(at);
    }
    instance->n_ahead = n;
    worker_channel_wake(instance->channel);
}

void worker_ask_forget_ahead(struct worker_instance *instance)
{
    for (uint32_t at = instance->at; instance->n_ahead > 0; instance->n_ahead--) {
        request_unlisten(instance->ahead[at]);
        at = worker_channel_next(at);
    }
}

bool worker_ask_is_ahead(const struct worker_instance *instance,
                         const struct modelhost_request *request)
{
    return instance->n_ahead > 0 && instance->ahead[instance->at] == request;
}
