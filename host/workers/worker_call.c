/* worker_call.c - see worker_instance.h: one run() of an instance in a worker.
 *
 * Outputs lie where the worker put them, and the result holds that memory; small ones, and those that are a small part
 * of their segment, are copied, so that results that are kept for long do not each hold more than they say. */
#include "clock.h"
#include "dtype.h"
#include "errors.h"
#include "execute.h"
#include "loaded_model.h"
#include "worker_ask.h"

#include <string.h>

#define COPIED_BYTES 4096 /* outputs up to this size */
#define MAX_WASTE    32   /* a result holds at most a segment so many times its own size */

/* ---- what the worker says meanwhile */

static void go_on(struct worker_instance *instance, model_status status, uint32_t segment,
                  uint64_t segment_bytes)
{
    instance->exchange->ask = (struct worker_ask){.what = WORKER_ASK_GO_ON,
                                                  .status = status,
                                                  .output_segment = segment,
                                                  .outputs_bytes = segment_bytes};
    worker_channel_ask(instance->channel, instance->exchange);
}

static void grow(struct worker_instance *instance)
{
    struct worker_segment *segment = NULL;
    uint32_t id = 0;
    const uint64_t wanted = instance->say.size_bytes;
    model_status status = MODEL_OUT_OF_MEMORY;
    /* Room for what comes next, if there is any. */
    for (uint64_t n = 2; n > 0 && status == MODEL_OUT_OF_MEMORY; n--)
        if (wanted <= WORKER_MAX_OUTPUT_BYTES / 2)
            status = worker_outputs_take(&instance->outputs, &instance->address, n * wanted,
                                         &segment, &id, NULL);
    go_on(instance, status, id, segment != NULL ? segment->size_bytes : 0);
}

/* What a worker that keeps to the protocol never says: nothing more is believed, its process ends. */
static model_status end_liar(const struct worker_instance *instance, const char *lie,
                             struct model_error *err)
{
    worker_slot_kill(instance->slot, instance->address.generation);
    return error_set(err, MODEL_CORRUPT, "the worker %s; its process was ended", lie);
}

/* The memory of a tensor that the worker tells of. */
static model_status find_data(const struct worker_instance *instance,
                              const struct worker_tensor *tensor, struct worker_segment **ret,
                              struct model_error *err)
{
    struct worker_segment *segment = worker_outputs_find(&instance->outputs, tensor->segment);
    if (segment == NULL)
        return end_liar(instance, "tells of memory that it was not given", err);
    if (worker_channel_check(tensor, segment, err) != MODEL_OK)
        return end_liar(instance, "tells of a tensor that does not lie in its memory", err);
    *ret = segment;
    return MODEL_OK;
}

static model_status emit(struct worker_instance *instance, const struct model_call *call,
                         struct model_error *err)
{
    const struct model_description *description = instance->description;
    const uint32_t n = instance->say.n_tensors;
    model_status status = call->sink != NULL ? MODEL_OK : MODEL_UNSUPPORTED;
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++) {
        const struct worker_tensor *told = &instance->tensors[i];
        struct worker_segment *segment = NULL;
        status = told->spec < description->n_outputs
                     ? find_data(instance, told, &segment, err)
                     : end_liar(instance, "emits an output that the model has not", err);
        if (status == MODEL_OK)
            tensor_init(&instance->emitted[i], description->outputs[told->spec]->name, told->dtype,
                        told->rank, told->shape, (char *)segment->data + told->offset);
        instance->emitted_pointers[i] = &instance->emitted[i];
    }
    if (status == MODEL_CORRUPT)
        return status;
    if (status == MODEL_OK)
        status = call->sink->emit(call->sink->context, instance->emitted_pointers, n);
    go_on(instance, status, 0, 0);
    return MODEL_OK;
}

/* ---- the end */

static model_status take_output(struct worker_instance *instance, const struct model_call *call,
                                uint32_t index, struct model_error *err)
{
    const struct worker_tensor *told = &instance->tensors[index];
    struct worker_segment *segment = NULL;
    model_status status = find_data(instance, told, &segment, err);
    if (status != MODEL_OK)
        return status;
    char *data = (char *)segment->data + told->offset;
    if (told->size_bytes > COPIED_BYTES && told->size_bytes >= segment->size_bytes / MAX_WASTE) {
        const struct tensor_memory memory = {data, worker_segment_drop, segment};
        worker_segment_retain(segment);
        status =
            execute_adopt_output(call, index, told->dtype, told->rank, told->shape, &memory, err);
        if (status != MODEL_OK)
            worker_segment_drop(segment);
        return status;
    }
    status = call->allocate_output(call->context, index, told->dtype, told->rank, told->shape, err);
    if (status == MODEL_OK && told->size_bytes > 0)
        memcpy(call->outputs[index]->data, data, (size_t)told->size_bytes);
    return status;
}

static model_status take_answer(struct worker_instance *instance, const struct model_call *call,
                                struct model_error *err)
{
    const struct worker_say *say = &instance->say;
    if (say->status != MODEL_OK)
        return error_set(err, say->status == MODELHOST_CRASHED ? MODEL_INTERNAL : say->status, "%s",
                         say->message);
    if (say->n_tensors != call->n_outputs)
        return end_liar(instance, "gives another number of outputs than were asked for", err);
    uint64_t total_bytes = 0;
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < call->n_outputs && status == MODEL_OK; i++) {
        status = take_output(instance, call, i, err);
        total_bytes += instance->tensors[i].size_bytes + WORKER_ALIGNMENT;
    }
    if (status == MODEL_OK)
        instance->usual_output_bytes = total_bytes;
    const struct modelhost_request *request = execute_request_of(call);
    if (request != NULL)
        lane_account_ran(&request->model->lane_account, say->run_ns,
                         clock_now_ns() - instance->asked_ns);
    for (uint32_t i = 0; i < call->n_slots && status == MODEL_OK; i++)
        instance->is_filled[call->slots[i]] = true;
    return status;
}

/* Asks if that was not done ahead, and answers what the worker says until it is done. *ret_emitted: something
 * went to the caller. */
static model_status run_once(struct worker_instance *instance, const struct model_call *call,
                             struct worker_patience *patience, bool listened, bool *ret_ended,
                             bool *ret_emitted, struct model_error *err)
{
    model_status status = instance->n_ahead > 0 ? MODEL_OK : worker_ask_now(instance, call, err);
    if (status != MODEL_OK)
        return status;
    for (;;) {
        status = worker_instance_hear(instance, patience, listened, "run", ret_ended, err);
        if (status != MODEL_OK) {
            worker_ask_forget_ahead(instance); /* the process ends: they are asked for again */
            return status;
        }
        if (instance->say.what == WORKER_SAY_DONE) {
            worker_instance_advance(instance);
            return take_answer(instance, call, err);
        }
        *ret_emitted = *ret_emitted || instance->say.what == WORKER_SAY_EMIT;
        if (instance->say.what != WORKER_SAY_EMIT)
            grow(instance);
        else if ((status = emit(instance, call, err)) != MODEL_OK) {
            worker_ask_forget_ahead(instance);
            return status;
        }
    }
}

static model_status check_slots(const struct worker_instance *instance,
                                const struct model_call *call, struct model_error *err)
{
    for (uint32_t i = 0; i < call->n_slots; i++)
        if (instance->is_lost[call->slots[i]])
            return error_set(
                err, MODELHOST_CRASHED,
                "what the session has read is lost: the worker process that held it has "
                "ended; begin a new session");
    return MODEL_OK;
}

/* The channel's token follows the request's while the call runs. */
static model_status run_listened(struct worker_instance *instance, const struct model_call *call,
                                 struct worker_patience *patience, bool *ret_ended,
                                 bool *ret_emitted, struct model_error *err)
{
    struct modelhost_request *request = execute_request_of(call);
    if (instance->n_ahead == 0)
        __atomic_store_n(&instance->exchange->cancelled,
                         __atomic_load_n(call->cancel->cancelled, __ATOMIC_ACQUIRE),
                         __ATOMIC_RELEASE);
    if (instance->n_ahead == 0 && request != NULL)
        request_listen(request, &instance->listeners[instance->at].base);
    model_status status =
        run_once(instance, call, patience, request != NULL, ret_ended, ret_emitted, err);
    if (request != NULL)
        request_unlisten(request);
    worker_outputs_end_call(&instance->outputs,
                            instance->n_ahead > 0 ? instance->ahead_outputs_id : 0);
    return status;
}

static model_status attach_and_run(struct worker_instance *instance, const struct model_call *call,
                                   struct worker_patience *patience, bool *ret_ended,
                                   bool *ret_emitted, struct model_error *err)
{
    *ret_ended = false;
    err->message[0] = '\0';
    model_status status =
        instance->n_ahead > 0 ? MODEL_OK : worker_instance_attach(instance, patience, err);
    *ret_ended =
        status != MODEL_OK && worker_slot_has_ended(instance->slot, instance->address.generation);
    if (status == MODEL_OK)
        status = check_slots(instance, call, err);
    if (status != MODEL_OK)
        return status;
    status = run_listened(instance, call, patience, ret_ended, ret_emitted, err);
    if (!*ret_ended)
        worker_slot_worked(instance->slot, instance->address.generation);
    return status;
}

model_status worker_call_run(struct model_instance *self, const struct model_call *call,
                             struct model_error *err)
{
    struct worker_instance *instance = (struct worker_instance *)self;
    const int64_t deadline_ns = call->cancel->deadline_ns, grace_ns = instance->kill_grace_ns;
    struct worker_patience patience = {
        .cancelled = call->cancel->cancelled,
        .until_ns = deadline_ns > INT64_MAX - grace_ns ? INT64_MAX : deadline_ns + grace_ns,
        .grace_ns = grace_ns};
    struct worker_attempt attempt = {.n = 0};
    model_status status = MODEL_OK;
    bool is_ahead = worker_ask_is_ahead(instance, execute_request_of(call));
    if (is_ahead && clock_now_ns() > deadline_ns) /* it may not have begun before it */
        patience.until_ns = clock_now_ns() + grace_ns;
    for (bool goes_on = true; goes_on; is_ahead = false) {
        const bool alone = attempt.alone;
        bool has_ended = false, has_emitted = false;
        if (!is_ahead)
            status = worker_instance_begin_call(instance, alone, &patience, err);
        if (status != MODEL_OK)
            return status;
        status = attach_and_run(instance, call, &patience, &has_ended, &has_emitted, err);
        if (has_ended) /* the system does not take shared memory back while its host has it */
            worker_instance_detach(instance);
        if (instance->n_ahead > 0)
            return status;
        worker_slot_end_call(instance->slot, alone);
        /* What has been seen, or changed a memory, is not made again. */
        goes_on =
            !has_emitted && call->n_slots == 0 && (has_ended || status == MODEL_OUT_OF_MEMORY) &&
            worker_slot_may_repeat(instance->slot, instance->address.generation, status, &attempt);
    }
    return status;
}
