/* served_instance.h - an instance in a worker process: a thread that does what the host asks in its channel. */
#ifndef SERVED_INSTANCE_H
#define SERVED_INSTANCE_H

#include "loaded_model.h"
#include "worker_channel.h"

struct served_instance;

struct served_options {
    struct modelhost_model *model;
    uint32_t id, threads;
    bool can_spin;
    /* On its thread: the instance is there, or could not be made. */
    void (*created)(void *context, uint32_t id, model_status status, const char *sentence);
    /* On its thread, the last that it does; it is freed then. */
    void (*ended)(void *context, struct served_instance *served);
    /* On its thread, which the plugin has ended: nobody answers any more. Does not return. */
    void (*thread_ended)(void *context);
    void *context;
};

/* Starts the thread. Takes the channel over when it succeeds. */
model_status served_instance_start(const struct served_options *options,
                                   struct worker_segment *channel, struct served_instance **ret,
                                   struct model_error *err);
uint32_t served_instance_id(const struct served_instance *served);

/* A segment that the host shares, taken over; and one that it takes back. [main-thread] */
model_status served_instance_share(struct served_instance *served, uint32_t id,
                                   struct worker_segment *segment, struct model_error *err);
void served_instance_drop_segment(struct served_instance *served, uint32_t id);

/* Has the thread end, behind what it is doing. [main-thread] */
void served_instance_end(struct served_instance *served);

#endif
