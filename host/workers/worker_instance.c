/* worker_instance.c - see worker_instance.h: its life, and its slots. */
#include "worker_instance.h"
#include "clock.h"
#include "errors.h"
#include "hosted_instance.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEEP_NS       (5 * NS_PER_S)    /* that a keep() may take */
#define GONE_NS       (5 * NS_PER_S)    /* that the system may take to end a process */
#define SLICE_NS      (5 * NS_PER_MS)   /* between looks at a token that does not signal */
#define LOOK_NS       (100 * NS_PER_MS) /* between looks, whatever the worker did to a wait */
#define FIRST_SPIN_NS 10000ll
#define MAX_SPIN_NS   50000ll

static void go_to(struct worker_instance *instance, uint32_t exchange)
{
    instance->at = exchange;
    instance->exchange = &instance->channel->exchanges[exchange];
}

void worker_instance_advance(struct worker_instance *instance)
{
    go_to(instance, worker_channel_next(instance->at));
    if (instance->n_ahead > 0)
        instance->n_ahead--;
}

void worker_instance_detach(struct worker_instance *instance)
{
    if (!instance->is_attached)
        return;
    worker_slot_detach(instance->slot, instance->address.generation, &instance->link);
    worker_segment_drop(instance->channel_memory);
    worker_segment_drop(instance->inputs);
    worker_outputs_finish(&instance->outputs);
    instance->channel_memory = instance->inputs = NULL;
    instance->channel = NULL;
    instance->is_attached = false;
    for (uint32_t i = 0; i < instance->description->max_slots; i++) {
        instance->is_lost[i] = instance->is_lost[i] || instance->is_filled[i];
        instance->is_filled[i] = false;
    }
}

/* Goes to a process that can be had, if its own has ended and no other one comes. */
static void settle(struct worker_instance *instance)
{
    if (instance->is_attached &&
        !worker_slot_has_ended(instance->slot, instance->address.generation))
        return;
    struct worker_slot *slot = instance->settle(instance->context, instance->slot);
    if (slot == instance->slot)
        return;
    worker_instance_detach(instance);
    instance->slot = instance->address.slot = slot;
    instance->address.generation = 0; /* of none yet */
}

model_status worker_instance_begin_call(struct worker_instance *instance, bool alone,
                                        struct worker_patience *patience, struct model_error *err)
{
    settle(instance);
    return worker_slot_begin_call(instance->slot, alone, patience, err);
}

/* A lane waits for the channel: it is told, and so is the plugin, whose token is in the channel. */
static void raise_in_worker(struct cancel_listener *self, uint32_t status)
{
    struct worker_listener *listener = (struct worker_listener *)self;
    __atomic_store_n(&listener->exchange->cancelled, status, __ATOMIC_RELEASE);
    shared_event_wake(&listener->channel->to_host);
}

model_status worker_instance_attach(struct worker_instance *instance,
                                    struct worker_patience *patience, struct model_error *err)
{
    struct worker_address *address = &instance->address;
    if (instance->is_attached && !worker_slot_has_ended(instance->slot, address->generation))
        return MODEL_OK;
    worker_instance_detach(instance);
    model_status status = worker_slot_wait(instance->slot, patience, &address->generation, err);
    int fd = -1;
    if (status == MODEL_OK)
        status = worker_segment_create(sizeof(struct worker_channel), &instance->channel_memory,
                                       &fd, err);
    if (status != MODEL_OK)
        return status;
    instance->channel = instance->channel_memory->data;
    instance->link.channel = instance->channel;
    instance->link.channel_bytes = instance->channel_memory->size_bytes;
    memset(instance->n_said, 0, sizeof instance->n_said);
    go_to(instance, 0);
    for (uint32_t i = 0; i < WORKER_EXCHANGES; i++)
        instance->listeners[i] = (struct worker_listener){
            {raise_in_worker}, instance->channel, &instance->channel->exchanges[i]};
    instance->is_attached = true;
    status =
        worker_slot_attach(instance->slot, address->generation, &instance->link, fd, patience, err);
    (void)close(fd);
    if (status != MODEL_OK)
        worker_instance_detach(instance);
    return status;
}

/* Beside the answer: the lines of a request tell of its process's end, too. */
static void log_end(const struct worker_instance *instance, const char *sentence)
{
    log_write(worker_slot_log(instance->slot), MODEL_LOG_WARN, "worker: %s", sentence);
}

/* Behind the patience: why the process was ended, in the middle of what the lane's request wants. */
static model_status say_killed(const struct worker_instance *instance,
                               const struct worker_patience *patience, const char *doing,
                               struct model_error *err)
{
    const uint32_t raised =
        patience->cancelled != NULL ? __atomic_load_n(patience->cancelled, __ATOMIC_ACQUIRE) : 0;
    const bool is_cancelled = raised == MODEL_CANCELLED;
    return error_set(
        err, raised != 0 ? (model_status)raised : MODEL_DEADLINE,
        "the plugin did not come back from %s within %lld ms of %s; its process was ended", doing,
        (long long)(instance->kill_grace_ns / NS_PER_MS),
        is_cancelled ? "being cancelled" : "its deadline");
}

/* What was said, read once. A worker that says no sense is ended. */
static model_status take_said(struct worker_instance *instance, uint32_t n_said,
                              struct model_error *err)
{
    instance->n_said[instance->at] = n_said;
    model_status status =
        worker_channel_hear(instance->exchange, &instance->say, instance->tensors, err);
    if (status != MODEL_OK)
        worker_slot_kill(instance->slot, instance->address.generation);
    else if (instance->counters != NULL)
        worker_channel_count(instance->exchange, &instance->say, instance->counters);
    return status;
}

/* How long to sleep: the worker may have seen to it that nothing wakes the lane. */
static int64_t look_again_ns(const struct worker_patience *patience, bool listened, int64_t now_ns)
{
    const bool looks = !listened && patience->cancelled != NULL;
    const int64_t slice_ns = looks ? SLICE_NS : LOOK_NS;
    return now_ns < patience->until_ns - slice_ns ? now_ns + slice_ns : patience->until_ns;
}

model_status worker_instance_hear(struct worker_instance *instance,
                                  struct worker_patience *patience, bool listened,
                                  const char *doing, bool *ret_ended, struct model_error *err)
{
    struct worker_channel *channel = instance->channel;
    const uint64_t generation = instance->address.generation;
    bool is_killed = false;
    for (;;) {
        const uint32_t ticket = shared_event_ticket(&channel->to_host);
        *ret_ended = worker_slot_has_ended(instance->slot, generation);
        /* Behind the look at its end: an answer that came before that counts. */
        const uint32_t n_said = __atomic_load_n(&instance->exchange->n_said, __ATOMIC_ACQUIRE);
        if (n_said != instance->n_said[instance->at] && !is_killed) {
            model_status status = take_said(instance, n_said, err);
            /* One that goes on saying something is late all the same. */
            if (status != MODEL_OK || instance->say.what == WORKER_SAY_DONE ||
                !worker_patience_is_over(patience, clock_now_ns())) {
                *ret_ended = false;
                return status;
            }
        } else if (*ret_ended && !is_killed) {
            model_status status = worker_slot_say_end(instance->slot, generation, doing, err);
            log_end(instance, err->message);
            return status;
        }
        const int64_t now_ns = clock_now_ns();
        const bool is_over = worker_patience_is_over(patience, now_ns);
        if (is_killed && (*ret_ended || is_over)) {
            *ret_ended = true;
            model_status status = say_killed(instance, patience, doing, err);
            log_end(instance, err->message);
            return status;
        }
        if (is_over) {
            worker_slot_kill(instance->slot, generation);
            is_killed = true;
            patience->until_ns = now_ns + GONE_NS;
        }
        shared_event_wait(&channel->to_host, ticket, &instance->spin,
                          look_again_ns(patience, listened, now_ns));
    }
}

/* ---- slots */

static model_status forward_keep(struct worker_instance *instance, uint32_t to, uint32_t from,
                                 int64_t n_tokens, struct worker_patience *patience,
                                 struct model_error *err)
{
    bool has_ended = false;
    instance->exchange->ask = (struct worker_ask){.what = WORKER_ASK_KEEP,
                                                  .request_id = log_subject_now().request_id,
                                                  .to = to,
                                                  .from = from,
                                                  .n_tokens = n_tokens};
    worker_channel_ask(instance->channel, instance->exchange);
    model_status status = worker_instance_hear(instance, patience, false, "keep", &has_ended, err);
    if (status != MODEL_OK)
        return status;
    if (instance->say.what != WORKER_SAY_DONE) {
        worker_slot_kill(instance->slot, instance->address.generation);
        return error_set(err, MODEL_CORRUPT, "the worker answers keep() with something else");
    }
    worker_instance_advance(instance);
    return instance->say.status == MODEL_OK
               ? MODEL_OK
               : error_set(err, instance->say.status, "%s", instance->say.message);
}

static model_status keep_once(struct worker_instance *instance, uint32_t to, uint32_t from,
                              int64_t n_tokens, struct worker_patience *patience, bool *ret_lost,
                              struct model_error *err)
{
    model_status status = worker_instance_attach(instance, patience, err);
    if (status != MODEL_OK)
        return status;
    *ret_lost = instance->is_lost[from];
    if (*ret_lost) { /* it is not to be had as it was: to begins anew */
        from = to;
        n_tokens = 0;
    }
    return forward_keep(instance, to, from, n_tokens, patience, err);
}

/* What a slot holds is lost when the process ends for another call's sake: then keep() is made again and
 * says so, with HOSTED_INSTANCE_LOST. */
static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    struct worker_instance *instance = (struct worker_instance *)self;
    const uint32_t max_slots = instance->description->max_slots;
    struct worker_attempt attempt = {.n = 0};
    model_status status = MODEL_OK;
    bool is_lost = false;
    if (to >= max_slots || from >= max_slots)
        return error_set(err, MODEL_INVALID_ARGUMENT, "slots %u and %u, there are %u", to, from,
                         max_slots);
    do {
        const bool alone = attempt.alone;
        struct worker_patience patience = {.until_ns = clock_now_ns() + KEEP_NS};
        status = worker_instance_begin_call(instance, alone, &patience, err);
        if (status != MODEL_OK)
            break;
        status = keep_once(instance, to, from, n_tokens, &patience, &is_lost, err);
        worker_slot_end_call(instance->slot, alone);
    } while (
        worker_slot_may_repeat(instance->slot, instance->address.generation, status, &attempt));
    if (status != MODEL_OK) /* keep() has no deadline that its caller knows of */
        return status == MODEL_DEADLINE ? MODELHOST_CRASHED : status;
    instance->is_lost[to] = false;
    instance->is_filled[to] = instance->say.kept > 0;
    *ret_kept = is_lost && n_tokens > 0 ? HOSTED_INSTANCE_LOST : instance->say.kept;
    return MODEL_OK;
}

/* ---- making and ending */

static void destroy(struct model_instance *self)
{
    struct worker_instance *instance = (struct worker_instance *)self;
    worker_instance_detach(instance);
    if (instance->slot != NULL)
        instance->ended(instance->context, instance->slot);
    free(instance->is_filled);
    free(instance->is_lost);
    free(instance);
}

/* Its process may end for the sake of a call in it that is not this one's business. */
static model_status attach_first(struct worker_instance *instance, const uint32_t *cancelled,
                                 struct model_error *err)
{
    struct worker_attempt attempt = {.n = 0};
    model_status status = MODEL_OK;
    do {
        const bool alone = attempt.alone;
        struct worker_patience patience = {.cancelled = cancelled, .until_ns = INT64_MAX};
        status = worker_instance_begin_call(instance, alone, &patience, err);
        if (status != MODEL_OK)
            break;
        patience.until_ns = clock_now_ns() + worker_slot_load_ns(instance->slot);
        status = worker_instance_attach(instance, &patience, err);
        worker_slot_end_call(instance->slot, alone);
    } while (
        worker_slot_may_repeat(instance->slot, instance->address.generation, status, &attempt));
    return status;
}

model_status worker_instance_create(const struct worker_instance_options *options,
                                    struct model_instance **ret, struct model_error *err)
{
    const uint32_t max_slots = options->description->max_slots;
    struct worker_instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL)
        return error_no_memory(err, "an instance");
    instance->base = (struct model_instance){.struct_size = sizeof instance->base,
                                             .run = worker_call_run,
                                             .destroy = destroy,
                                             .keep = max_slots > 0 ? keep : NULL};
    instance->description = options->description;
    instance->kill_grace_ns = options->kill_grace_ns;
    instance->counters = options->counters;
    instance->settle = options->settle;
    instance->ended = options->ended;
    instance->context = options->context;
    instance->address.link = &instance->link;
    instance->link.id = options->id;
    instance->link.error.struct_size = sizeof instance->link.error;
    if (options->can_spin)
        instance->spin = (struct shared_spin){FIRST_SPIN_NS, MAX_SPIN_NS};
    instance->is_filled = calloc((size_t)max_slots + 1, sizeof *instance->is_filled);
    instance->is_lost = calloc((size_t)max_slots + 1, sizeof *instance->is_lost);
    model_status status = instance->is_filled != NULL && instance->is_lost != NULL
                              ? attach_first(instance, options->cancelled, err)
                              : error_no_memory(err, "an instance");
    if (status != MODEL_OK) {
        destroy(&instance->base);
        return status;
    }
    *ret = &instance->base;
    return MODEL_OK;
}
