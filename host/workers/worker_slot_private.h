/* worker_slot_private.h - what worker_slot.c (for lanes) and worker_watch.c (the slot's thread) share. */
#ifndef WORKER_SLOT_PRIVATE_H
#define WORKER_SLOT_PRIVATE_H

#include "line_tail.h"
#include "log_limit.h"
#include "worker_backoff.h"
#include "worker_process.h"
#include "worker_slot.h"
#include "worker_socket.h"

/* What a slot goes through. The thread alone changes state and has_process, all the rest of a row in one hold of the
 * mutex; others add `killed`, `is_leaving` and `stopping`.
 *
 *   state     process  what
 *   STARTING  no       the thread has not come to its first start()
 *   STARTING  yes      it opens the package: has_greeted, has_model and has_opened say how far it is. With `failure` it
 *                      will not be ready, and ends
 *   READY     yes      calls may be sent. With is_leaving it was told goodbye
 *   RESTING   no       it has ended (`deaths`), or could not be started (`failure`), which the guard may have forbidden
 *                      (is_barred). The next one starts when `backoff` lets it
 *
 * While there is a process: `killed` says that the host has ended it for a call's sake, `breach` that the thread does
 * because of what it said; both stay until the next start. Its end is seen when n_ended is its generation. With
 * `stopping` there is no next one: the slot stays RESTING, and the thread ends (thread_ended). */
enum worker_state { WORKER_STARTING, WORKER_READY, WORKER_RESTING };

/* How a process ended. Some are kept: who was in it may hear of it when the next one is gone, too. */
struct worker_death {
    uint64_t generation;
    struct worker_end end;
    bool killed;
    struct model_error breach; /* why the host ended it; "": it did not */
    uint32_t n_calls;
    char lines[LINE_TAIL_LINES][LINE_TAIL_BYTES];
    size_t n_lines;
};

#define WORKER_DEATHS 8

struct worker_slot {
    const struct worker_config *config;
    uv_thread_t thread;

    /* The thread's own. */
    struct worker_inbox inbox;
    struct line_tail tail; /* of what the process logs and prints */
    char line[1000];       /* that it is printing */
    size_t line_bytes;
    struct log_limit limit; /* of the lines that come from its processes */
    bool has_greeted;       /* the process that runs has said something */
    bool has_opened;        /* it has opened the package, or said why not */
    bool has_model;         /* create_model() has come back in it */
    bool is_repeating;      /* it opens what another process has opened and told about */

    _Atomic uint64_t n_ended; /* generations up to this one have ended */
    _Atomic uint32_t n_calls; /* in the process */
    _Atomic uint32_t works;   /* a call has come back from the process that runs */
    _Atomic uint32_t
        n_ends; /* processes that ended in a row, of which only the first may have worked */

    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t changed;
    enum worker_state state;
    bool stopping, thread_ended;
    bool has_process; /* `process` may be sent to and killed */
    bool killed;      /* by the host */
    bool is_leaving;  /* it was told goodbye */
    bool is_barred;   /* the guard let none be started */
    struct worker_process process;
    int64_t started_ns; /* the process of this generation */
    uint64_t generation;
    struct worker_link *links;
    uint32_t n_turns;   /* calls that run side by side */
    uint32_t n_waiting; /* calls that want to be alone: they go first */
    bool is_alone;      /* one that is */
    struct worker_backoff backoff;
    struct buffer description;
    model_status failure; /* of the last start; MODEL_OK: none */
    struct model_error error;
    struct model_error breach; /* why the process that runs is ended; "": it is not */

    struct worker_death deaths[WORKER_DEATHS]; /* of generation % WORKER_DEATHS */
};

/* As worker_slot_say_end(), with the mutex held. */
model_status worker_slot_write_end(struct worker_slot *slot, uint64_t generation, const char *doing,
                                   struct model_error *err);

/* The thread: until `stopping`. */
void worker_watch(void *slot);

#endif
