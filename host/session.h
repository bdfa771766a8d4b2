/* session.h - the memory of one conversation or stream: what struct modelhost_session is.
 *
 * A session has an instance of the model to itself; item i of its batches is slot i. The instance comes
 * from the model at the session's first call, on its lane, and goes back to it with the session.
 * Reference-counted: the caller and each request hold one. */
#ifndef SESSION_H
#define SESSION_H

#include "modelhost.h"
#include "reaper.h"

#include <stdatomic.h>
#include <stdbool.h>

struct modelhost_session {
    _Atomic uint32_t references;
    struct modelhost_model *model; /* holds a reference */
    _Atomic int busy;              /* a lane uses what follows */
    const char *lost;              /* why it cannot go on; NULL: it can */
    int64_t n_pending;             /* items of the call that has it */
    struct hosted_instance *instance;
    uint32_t
        *slots; /* of its items: 0, 1, 2, ...; stays while a call has it, as long as the session */
    int64_t n_items; /* of the batch; 0: nothing was read yet */
    struct reaper_item end;
};

void session_retain(struct modelhost_session *session);
void session_drop(struct modelhost_session *session); /* NULL does nothing */

/* What became of the session's memory in a call. */
enum session_outcome {
    SESSION_UNCHANGED, /* the plugin failed, or was not asked */
    SESSION_ADVANCED,  /* it read the input, and the caller has its answer */
    SESSION_LOST       /* it read the input, but the caller was told of a failure */
};

/* The instance, for one call with n_items items; MODEL_BUSY while another call has it,
 * MODEL_INVALID_ARGUMENT when it is lost. Give it back with session_end(). [lane-thread] */
model_status session_begin(struct modelhost_session *session, int64_t n_items,
                           struct hosted_instance **ret, struct model_error *err);
void session_end(struct modelhost_session *session, enum session_outcome outcome);
/* Destroys the instance of a lost session, which nobody may use again. Before session_end(). [lane-thread] */
void session_lose_instance(struct modelhost_session *session);
/* Leaves it in memory, since the plugin ended the thread in the middle of it, and ends the call. [lane-thread] */
void session_leave_instance(struct modelhost_session *session);

#endif
