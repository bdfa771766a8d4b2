/* stream_gate.h - where the tensors go that a plugin emits before its answer.
 *
 * Each instance has a gate that lives as long as it does. It is open while the instance runs a request that
 * streams: what is emitted then is told to the request's caller. A plugin that emits behind its run(), from
 * a thread of its own, finds it closed. */
#ifndef STREAM_GATE_H
#define STREAM_GATE_H

#include "request.h"

struct stream_gate {
    struct model_stream_sink sink;     /* what the plugin is handed */
    uv_mutex_t mutex;                  /* guards what follows */
    struct modelhost_request *request; /* NULL: closed */
    model_status status;               /* of the first tensor that was refused, with its sentence */
    struct model_error error;
};

/* A closed gate that must not move; MODEL_OUT_OF_MEMORY. */
model_status stream_gate_init(struct stream_gate *gate, struct model_error *err);
void stream_gate_finish(struct stream_gate *gate);

/* The request must live until stream_gate_close(). [lane-thread] */
void stream_gate_open(struct stream_gate *gate, struct modelhost_request *request);
/* MODEL_INTERNAL when something else than pieces of outputs was emitted meanwhile. [lane-thread] */
model_status stream_gate_close(struct stream_gate *gate, struct model_error *err);

#endif
