/* served_instance.c - see served_instance.h.
 *
 * The call itself is made by execute_call(), as in a host without workers: the same checks of what a plugin
 * does, the same sentences. Only the outputs' memory comes from the host's segment, one behind the other, and
 * what is emitted goes into the channel. */
#include "served_instance.h"
#include "clock.h"
#include "dtype.h"
#include "errors.h"
#include "execute.h"
#include "parallel.h"
#include "plugin_counters.h"
#include "plugin_error.h"
#include "result.h"
#include "served_segments.h"
#include "size.h"
#include "thread_guard.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SPIN_NS 10000ll
#define MAX_SPIN_NS   50000ll

struct served_instance {
    struct served_options options;
    struct worker_segment *channel_memory;
    struct worker_channel *channel;
    struct served_segments segments;
    uv_thread_t thread;
    _Atomic uint32_t ends;
    struct worker_exchange *exchange;   /* of the channel: of the call that runs, or comes next */
    uint32_t at;                        /* its place */
    uint32_t n_asked[WORKER_EXCHANGES]; /* of each, as far as done */
    struct shared_spin spin;
    struct hosted_instance *instance;

    uv_mutex_t telling;       /* guards what follows: a plugin may emit from a thread of its own */
    bool streams;             /* a call runs whose caller wants what is emitted */
    model_status emit_status; /* of the call that runs: what was emitted cannot be read */
    struct model_error emit_error;
    struct worker_segment *outputs;
    uint32_t outputs_id;
    uint64_t outputs_at, outputs_end; /* what is free of it */

    struct model_stream_sink sink;
    struct result_source source;
    struct {
        uint32_t segment;
        uint64_t offset;
    } placed[SCHEMA_MAX_TENSORS]; /* where the outputs of the call are */
    struct model_tensor inputs[SCHEMA_MAX_TENSORS];
    const struct model_tensor *input_pointers[SCHEMA_MAX_TENSORS];
};

/* ---- the channel */

/* Waits for the next thing that is asked in this exchange; false: the instance ends. */
static bool next_ask(struct served_instance *served, struct worker_ask *ret)
{
    for (;;) {
        const uint32_t ticket = shared_event_ticket(&served->channel->to_worker);
        const uint32_t n = __atomic_load_n(&served->exchange->n_asked, __ATOMIC_ACQUIRE);
        if (n != served->n_asked[served->at]) {
            served->n_asked[served->at] = n;
            *ret = served->exchange->ask;
            return true;
        }
        if (atomic_load(&served->ends) != 0)
            return false;
        shared_event_wait(&served->channel->to_worker, ticket, &served->spin, INT64_MAX);
    }
}

static void go_to(struct served_instance *served, uint32_t exchange)
{
    served->at = exchange;
    served->exchange = &served->channel->exchanges[exchange];
}

/* The end of this exchange. */
static void say_done(struct served_instance *served, model_status status, uint32_t n_tensors,
                     int64_t kept, const struct model_error *err)
{
    struct worker_say *say = &served->exchange->say;
    say->what = WORKER_SAY_DONE;
    say->status = status;
    say->n_tensors = n_tensors;
    say->n_counts =
        plugin_counters_take(served->options.model->services.counters, served->exchange->counts);
    say->kept = kept;
    say->message[0] = '\0';
    if (status != MODEL_OK)
        memcpy(say->message, err->message, MODEL_ERROR_BYTES);
    served_segments_settle(&served->segments);
    worker_channel_say(served->channel, served->exchange);
    go_to(served, worker_channel_next(served->at));
}

/* Outputs go into this part of the segment from now on. */
static void write_into(struct served_instance *served, struct worker_segment *segment,
                       const struct worker_ask *ask)
{
    uint64_t end = 0;
    served->outputs = segment;
    served->outputs_id = ask->output_segment;
    served->outputs_at = ask->outputs_offset;
    if (!size_add(ask->outputs_offset, ask->outputs_bytes, &end) || end > segment->size_bytes)
        end = segment->size_bytes;
    served->outputs_end = end;
}

/* With `telling` held: says something in the middle of a call and waits for the answer. */
static model_status say_and_wait(struct served_instance *served, uint32_t what, uint64_t size_bytes,
                                 uint32_t n_tensors)
{
    struct worker_ask ask = {.status = MODEL_CANCELLED};
    struct worker_say *say = &served->exchange->say;
    say->what = what;
    say->size_bytes = size_bytes;
    say->n_tensors = n_tensors;
    say->n_counts = 0;
    served_segments_settle(&served->segments);
    worker_channel_say(served->channel, served->exchange);
    if (!next_ask(served, &ask) || ask.what != WORKER_ASK_GO_ON)
        return MODEL_CANCELLED;
    if (ask.status != MODEL_OK || what != WORKER_SAY_GROW)
        return ask.status;
    struct worker_segment *segment = served_segments_wait(&served->segments, ask.output_segment);
    if (segment == NULL)
        return MODEL_CANCELLED;
    write_into(served, segment, &ask);
    return MODEL_OK;
}

/* ---- memory for outputs */

/* With `telling` held: a place in the host's memory, of which there is more when it asks. */
static model_status place(struct served_instance *served, uint64_t size_bytes, uint64_t *ret_offset)
{
    for (int i = 0; i < 2; i++) {
        uint64_t at = served->outputs_at;
        if (!worker_channel_place(size_bytes, &at, ret_offset))
            return MODEL_OUT_OF_MEMORY;
        if (served->outputs != NULL && at <= served->outputs_end) {
            served->outputs_at = at;
            return MODEL_OK;
        }
        model_status status = say_and_wait(served, WORKER_SAY_GROW, at - served->outputs_at, 0);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_INTERNAL;
}

static model_status allocate(void *context, uint32_t index, uint64_t size_bytes,
                             struct tensor_memory *ret, struct model_error *err)
{
    struct served_instance *served = context;
    uint64_t offset = 0;
    uv_mutex_lock(&served->telling);
    model_status status = place(served, size_bytes, &offset);
    if (status == MODEL_OK) {
        served->placed[index].segment = served->outputs_id;
        served->placed[index].offset = offset;
        *ret = (struct tensor_memory){.data = (char *)served->outputs->data + offset};
    }
    uv_mutex_unlock(&served->telling);
    return status == MODEL_OK ? MODEL_OK
                              : error_set(err, status, "out of memory for an output of %llu bytes",
                                          (unsigned long long)size_bytes);
}

static void tell(struct served_instance *served, uint32_t index, uint32_t spec,
                 const struct model_tensor *tensor, uint32_t segment, uint64_t offset)
{
    struct worker_tensor told = {.spec = spec,
                                 .segment = segment,
                                 .dtype = tensor->dtype,
                                 .rank = tensor->rank,
                                 .offset = offset,
                                 .size_bytes = tensor->size_bytes};
    memcpy(told.shape, tensor->shape, tensor->rank * sizeof *told.shape);
    served->exchange->tensors[index] = told;
}

static uint32_t output_index(const struct model_description *description,
                             const struct model_tensor_spec *spec)
{
    uint32_t i = 0;
    while (i < description->n_outputs && description->outputs[i] != spec)
        i++;
    return i;
}

/* ---- what is emitted */

/* With `telling` held: copies one tensor to where the host finds it. */
static model_status place_emitted(struct served_instance *served, uint32_t index,
                                  const struct model_tensor *tensor)
{
    const struct model_description *d = served->options.model->model->description;
    uint64_t offset = 0;
    served->emit_status = schema_check_emitted(d, tensor, &served->emit_error);
    if (served->emit_status != MODEL_OK) {
        error_prefix(&served->emit_error, "emit()");
        return served->emit_status;
    }
    model_status status = place(served, tensor->size_bytes, &offset);
    if (status != MODEL_OK)
        return status;
    if (tensor->size_bytes > 0)
        memcpy((char *)served->outputs->data + offset, tensor->data, (size_t)tensor->size_bytes);
    tell(served, index, output_index(d, schema_find(d->outputs, d->n_outputs, tensor->name)),
         tensor, served->outputs_id, offset);
    return MODEL_OK;
}

static model_status emit(void *context, const struct model_tensor *const *tensors,
                         uint32_t n_tensors)
{
    struct served_instance *served = context;
    uv_mutex_lock(&served->telling);
    const uint32_t before_id = served->outputs_id;
    const uint64_t before_at = served->outputs_at;
    model_status status = MODEL_CANCELLED;
    if (served->streams) /* else it is behind its run() */
        status = (model_status)__atomic_load_n(&served->exchange->cancelled, __ATOMIC_RELAXED);
    if (status == MODEL_OK && served->emit_status != MODEL_OK)
        status = served->emit_status;
    else if (status == MODEL_OK && (tensors == NULL || n_tensors > SCHEMA_MAX_TENSORS))
        status = served->emit_status =
            error_set(&served->emit_error, MODEL_INTERNAL,
                      "emit(): a list of %u tensors that is NULL or too long", n_tensors);
    for (uint32_t i = 0; i < n_tensors && status == MODEL_OK; i++)
        status = place_emitted(served, i, tensors[i]);
    if (status == MODEL_OK)
        status = say_and_wait(served, WORKER_SAY_EMIT, 0, n_tensors);
    if (served->outputs_id == before_id) /* the host has read it */
        served->outputs_at = before_at;
    uv_mutex_unlock(&served->telling);
    return status;
}

/* ---- calls */

/* The request as tensors; what they point to is the host's. */
static model_status read_inputs(struct served_instance *served, const struct worker_ask *ask,
                                const char *data, struct schema_binding *binding,
                                struct model_error *err)
{
    const struct model_description *description = served->options.model->model->description;
    for (uint32_t i = 0; i < ask->n_inputs; i++) {
        const struct worker_tensor told = served->exchange->inputs[i];
        if (told.spec >= description->n_inputs || told.rank > MODEL_MAX_RANK)
            return error_set(err, MODEL_INTERNAL, "the host tells of an input that there is not");
        tensor_init(&served->inputs[i], description->inputs[told.spec]->name, told.dtype, told.rank,
                    told.shape, (char *)(uintptr_t)data + told.offset);
        served->inputs[i].flags = MODEL_TENSOR_READ_ONLY;
        served->input_pointers[i] = &served->inputs[i];
    }
    return schema_check_inputs(description, served->input_pointers, ask->n_inputs, binding, err);
}

static model_status make_result(struct served_instance *served, const struct worker_ask *ask,
                                struct modelhost_result **ret, struct model_error *err)
{
    const struct model_description *description = served->options.model->model->description;
    const char *names[SCHEMA_MAX_TENSORS];
    for (uint32_t i = 0; i < ask->n_outputs; i++) {
        const uint32_t spec = served->exchange->outputs[i];
        if (spec >= description->n_outputs)
            return error_set(err, MODEL_INTERNAL, "the host wants an output that there is not");
        names[i] = description->outputs[spec]->name;
    }
    model_status status = result_create(description, names, ask->n_outputs, ret, err);
    if (status == MODEL_OK)
        (*ret)->source = &served->source;
    return status;
}

static model_status run_plugin(struct served_instance *served, const struct worker_ask *ask,
                               struct modelhost_result **ret, struct model_error *err)
{
    struct schema_binding binding;
    if (ask->n_inputs > SCHEMA_MAX_TENSORS || ask->n_outputs > SCHEMA_MAX_TENSORS)
        return error_set(err, MODEL_INTERNAL, "the host tells of too many tensors");
    struct worker_segment *inputs = served_segments_wait(&served->segments, ask->input_segment);
    struct worker_segment *outputs = served_segments_wait(&served->segments, ask->output_segment);
    if (inputs == NULL || outputs == NULL)
        return error_set(err, MODEL_CANCELLED, "the instance ends");
    write_into(served, outputs, ask);
    const char *data = inputs->data;
    model_status status = read_inputs(served, ask, data, &binding, err);
    if (status == MODEL_OK)
        status = make_result(served, ask, ret, err);
    if (status != MODEL_OK)
        return status;
    const struct plugin_call call = {
        .instance = served->instance,
        .inputs = served->input_pointers,
        .n_inputs = ask->n_inputs,
        .binding = &binding,
        .slots = ask->n_slots > 0 ? (const uint32_t *)(data + ask->slots_offset) : NULL,
        .cancelled = &served->exchange->cancelled,
        .deadline_ns = ask->deadline_ns,
        .sink = ask->streams ? &served->sink : NULL,
    };
    status = execute_call(&call, *ret, err);
    return status == MODEL_OK ? loaded_model_check_files(served->options.model, err) : status;
}

static void open_stream(struct served_instance *served, bool streams)
{
    uv_mutex_lock(&served->telling);
    served->streams = streams;
    served->emit_status = MODEL_OK;
    uv_mutex_unlock(&served->telling);
}

/* Waits for what is being emitted. A plugin that emitted nonsense has failed, whatever else it did. */
static model_status close_stream(struct served_instance *served, model_status status,
                                 struct model_error *err)
{
    uv_mutex_lock(&served->telling);
    served->streams = false;
    if (status == MODEL_OK && served->emit_status != MODEL_OK)
        status = error_set(err, MODEL_INTERNAL, "%s", served->emit_error.message);
    uv_mutex_unlock(&served->telling);
    return status;
}

/* One that was asked for ahead may have been given up before its turn. */
static model_status check_token(const struct served_instance *served, const struct worker_ask *ask,
                                struct model_error *err)
{
    const uint32_t raised = __atomic_load_n(&served->exchange->cancelled, __ATOMIC_RELAXED);
    if (raised != 0)
        return error_set(err, (model_status)raised, "the request was given up");
    if (ask->deadline_ns != INT64_MAX && clock_now_ns() >= ask->deadline_ns)
        return error_set(err, MODEL_DEADLINE, "deadline passed before the request ran");
    return MODEL_OK;
}

static void run(struct served_instance *served, const struct worker_ask *ask)
{
    const struct model_description *description = served->options.model->model->description;
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = check_token(served, ask, &err);
    if (status == MODEL_OK) {
        open_stream(served, ask->streams != 0);
        status = run_plugin(served, ask, &result, &err);
        status = close_stream(served, status, &err);
    }
    const uint32_t n = status == MODEL_OK ? result->n_tensors : 0;
    for (uint32_t i = 0; i < n; i++)
        tell(served, i, output_index(description, result->specs[i]), &result->tensors[i],
             served->placed[i].segment, served->placed[i].offset);
    served->exchange->say.run_ns = status == MODEL_OK ? result->timing.run_ns : 0;
    modelhost_result_destroy(result);
    say_done(served, status, n, 0, &err);
}

static void keep(struct served_instance *served, const struct worker_ask *ask)
{
    struct model_instance *plugin = served->instance->plugin;
    struct model_error err = MODEL_ERROR_INIT;
    int64_t kept = -1;
    model_status status = plugin->keep(plugin, ask->to, ask->from, ask->n_tokens, &kept, &err);
    plugin_error_tidy(&err, status, "keep() failed without saying why");
    say_done(served, status, 0, kept, &err);
}

/* ---- the thread */

static void free_served(struct served_instance *served)
{
    served_segments_finish(&served->segments);
    worker_segment_drop(served->channel_memory);
    uv_mutex_destroy(&served->telling);
    free(served);
}

static void serve_all(void *argument)
{
    struct served_instance *served = argument;
    const struct served_options options = served->options;
    struct model_error err = MODEL_ERROR_INIT;
    struct worker_ask ask;
    (void)pthread_detach(pthread_self()); /* nobody joins it: the server counts */
    parallel_adopt_thread(options.threads);
    model_status status =
        loaded_model_take_instance(options.model, NULL, 0, &served->instance, &err);
    options.created(options.context, options.id, status, err.message);
    while (status == MODEL_OK && next_ask(served, &ask)) {
        (void)log_set_subject((struct log_subject){NULL, ask.request_id});
        if (ask.what == WORKER_ASK_RUN)
            run(served, &ask);
        else if (ask.what == WORKER_ASK_KEEP)
            keep(served, &ask);
        (void)log_set_subject((struct log_subject){NULL, 0});
    }
    hosted_instance_destroy(served->instance);
    services_release_scratch();
    options.ended(options.context, served);
    free_served(served);
}

/* The plugin has ended the thread: whoever asked would wait for ever. */
static void say_thread_ended(void *argument)
{
    const struct served_instance *served = argument;
    served->options.thread_ended(served->options.context);
}

static void serve(void *argument)
{
    thread_guard_run(serve_all, argument, say_thread_ended, argument);
}

model_status served_instance_start(const struct served_options *options,
                                   struct worker_segment *channel, struct served_instance **ret,
                                   struct model_error *err)
{
    struct served_instance *served = calloc(1, sizeof *served);
    if (served == NULL || uv_mutex_init(&served->telling) != 0) {
        free(served);
        return error_no_memory(err, "an instance");
    }
    model_status status = served_segments_init(&served->segments, err);
    if (status != MODEL_OK) {
        uv_mutex_destroy(&served->telling);
        free(served);
        return status;
    }
    served->options = *options;
    served->emit_error.struct_size = sizeof served->emit_error;
    served->channel = channel->data;
    go_to(served, 0);
    served->sink = (struct model_stream_sink){sizeof served->sink, served, emit};
    served->source = (struct result_source){allocate, served};
    if (options->can_spin)
        served->spin = (struct shared_spin){FIRST_SPIN_NS, MAX_SPIN_NS};
    if (uv_thread_create(&served->thread, serve, served) != 0) {
        free_served(served);
        return error_set(err, MODEL_OUT_OF_MEMORY, "cannot start a thread for an instance");
    }
    served->channel_memory = channel;
    *ret = served;
    return MODEL_OK;
}

uint32_t served_instance_id(const struct served_instance *served)
{
    return served->options.id;
}

model_status served_instance_share(struct served_instance *served, uint32_t id,
                                   struct worker_segment *segment, struct model_error *err)
{
    return served_segments_add(&served->segments, id, segment, err);
}

void served_instance_drop_segment(struct served_instance *served, uint32_t id)
{
    served_segments_remove(&served->segments, id);
}

void served_instance_end(struct served_instance *served)
{
    atomic_store(&served->ends, 1);
    served_segments_close(&served->segments);
    shared_event_signal(&served->channel->to_worker);
}
