/* worker_ask.h - asking a worker for calls: inputs go into shared memory, and what is wanted into the channel.
 *
 * One call at a time, or several ahead of their run(), so that the worker goes from one to the next without being
 * woken and the lane finds answers without sleeping. By the lane that has the instance. */
#ifndef WORKER_ASK_H
#define WORKER_ASK_H

#include "worker_instance.h"

/* Writes and posts the call whose run() this is. */
model_status worker_ask_now(struct worker_instance *instance, const struct model_call *call,
                            struct model_error *err);

/* A call whose run() is still to come. */
struct worker_ahead {
    struct modelhost_request *request;     /* as execute_request_of() will say */
    const struct modelhost_result *result; /* with the names of its outputs */
};

/* Posts calls without sessions and streams ahead. If it does, a run() for each must follow, in this order and without
 * others between them; if not, nothing has happened, and each run() asks by itself. */
void worker_ask_ahead(struct model_instance *self, const struct worker_ahead *calls, uint32_t n);

/* What was asked for ahead will not be heard. */
void worker_ask_forget_ahead(struct worker_instance *instance);

/* Whether the next exchange has been asked for ahead, for this request. */
bool worker_ask_is_ahead(const struct worker_instance *instance,
                         const struct modelhost_request *request);

#endif
