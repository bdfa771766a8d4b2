/* stream_gate.h - where the tensors go that a plugin emits before its answer.
 *
 * Each instance has a gate that lives as long as it does. It is open while the instance runs a request that
 * streams: what is emitted then is told to the request's caller. A plugin that emits behind its run(), from
 * a thread of its own, finds it closed. */
#ifndef STREAM_GATE_H
#define STREAM_GATE_H

#include "request.h"

#define STREAM_GATE_DOORS 16

/* Each call gets a sink of its own, so that a thread which is left of the call before cannot speak into the
 * next one. They take turns: one that is STREAM_GATE_DOORS streaming calls old is somebody else's. */
struct stream_door {
    struct model_stream_sink sink; /* what the plugin is handed; its context is the door */
    struct stream_gate *gate;
};

struct stream_gate {
    struct stream_door doors[STREAM_GATE_DOORS];
    uv_mutex_t mutex;                  /* guards what follows */
    struct modelhost_request *request; /* NULL: closed */
    uint32_t n_opened;                 /* the open door is the last one */
    model_status status;               /* of the first tensor that was refused, with its sentence */
    struct model_error error;
};

/* A closed gate that must not move; MODEL_OUT_OF_MEMORY. */
model_status stream_gate_init(struct stream_gate *gate, struct model_error *err);
void stream_gate_finish(struct stream_gate *gate);

/* The sink for the call. The request must live until stream_gate_close(). [lane-thread] */
const struct model_stream_sink *stream_gate_open(struct stream_gate *gate,
                                                 struct modelhost_request *request);
/* MODEL_INTERNAL when something else than pieces of outputs was emitted meanwhile. [lane-thread] */
model_status stream_gate_close(struct stream_gate *gate, struct model_error *err);

#endif
