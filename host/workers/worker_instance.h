/* worker_instance.h - an instance that lives in a worker process, as the host holds it: a struct
 * model_instance like a plugin's own.
 *
 * When its process ends it is made again, in the next process, by the call that needs it. What its slots held is
 * gone then: keep() says so with 0 tokens, a call that goes on there is told. One thread at a time. */
#ifndef WORKER_INSTANCE_H
#define WORKER_INSTANCE_H

#include "request.h"
#include "worker_outputs.h"

/* Tells the worker, and a lane that waits for it, that a request was given up. */
struct worker_listener {
    struct cancel_listener base;
    struct worker_channel *channel;
    struct worker_exchange *exchange; /* the request's */
};

struct worker_instance {
    struct model_instance base;
    const struct model_description *description;
    struct worker_slot *slot;
    int64_t kill_grace_ns;
    struct plugin_counters *counters; /* what its plugin counts; NULL: nobody does */
    struct worker_slot *(*settle)(void *context, struct worker_slot *from);
    void (*ended)(void *context, struct worker_slot *slot);
    void *context;

    /* In the process that runs now. */
    bool is_attached;
    struct worker_address address;
    struct worker_link link;
    struct worker_segment *channel_memory;
    struct worker_channel *channel;    /* in channel_memory */
    struct worker_exchange *exchange;  /* of the channel: of the call that runs, or comes next */
    uint32_t at;                       /* its place */
    uint32_t n_said[WORKER_EXCHANGES]; /* of each, as far as heard */
    struct worker_listener listeners[WORKER_EXCHANGES];
    /* What was asked for ahead, from `exchange` on; for whom, by place: listeners are with them; and where outputs go (worker_ask.h). */
    uint32_t n_ahead;
    struct modelhost_request *ahead[WORKER_EXCHANGES];
    uint32_t ahead_outputs_id;
    struct shared_spin spin;
    struct worker_segment *inputs; /* NULL: none yet */
    uint32_t inputs_id;
    struct worker_outputs outputs;
    uint64_t usual_output_bytes;
    int64_t asked_ns; /* when the call that runs was asked for, or the first of those ahead */

    /* Of each slot (max_slots): it holds something; it did, in a process that has ended. */
    bool *is_filled, *is_lost;

    /* What the worker said last, in memory of the host. */
    struct worker_say say;
    struct worker_tensor tensors[SCHEMA_MAX_TENSORS];
    struct model_tensor emitted[SCHEMA_MAX_TENSORS];
    const struct model_tensor *emitted_pointers[SCHEMA_MAX_TENSORS];
};

struct worker_instance_options {
    const struct model_description *description;
    uint32_t id; /* of no other one of the model */
    int64_t kill_grace_ns;
    struct plugin_counters *counters; /* NULL: nobody counts */
    bool can_spin;
    const uint32_t *cancelled; /* atomic: raised, making it ends with it. NULL: nobody does */
    /* Which process it is to live in, with none around it at first (`from` NULL), then whenever that one has ended;
     * and that it does not any more, in the end. */
    struct worker_slot *(*settle)(void *context, struct worker_slot *from);
    void (*ended)(void *context, struct worker_slot *slot);
    void *context;
};

/* Has the worker make one. */
model_status worker_instance_create(const struct worker_instance_options *options,
                                    struct model_instance **ret, struct model_error *err);

/* For its calls (worker_call.c): worker_slot_begin_call() in the process it lives in, or in another one if that has
 * ended and comes to nothing. */
model_status worker_instance_begin_call(struct worker_instance *instance, bool alone,
                                        struct worker_patience *patience, struct model_error *err);

/* For its calls, behind that: makes it anew if its process has ended. */
model_status worker_instance_attach(struct worker_instance *instance,
                                    struct worker_patience *patience, struct model_error *err);

/* Gives back what belonged to the process that has ended, or will not be used there any more. */
void worker_instance_detach(struct worker_instance *instance);

/* Waits until the worker says something; instance->say and tensors hold it then. `listened`: the channel is
 * signalled when the token is raised. When the patience is over the process is killed: then, as when it ends
 * by itself, *ret_ended is set and the status says why, with the sentence. */
model_status worker_instance_hear(struct worker_instance *instance,
                                  struct worker_patience *patience, bool listened,
                                  const char *doing, bool *ret_ended, struct model_error *err);

/* The exchange is over: the next one comes. */
void worker_instance_advance(struct worker_instance *instance);

/* The run() of all of them (worker_call.c). */
model_status worker_call_run(struct model_instance *self, const struct model_call *call,
                             struct model_error *err);

#endif
