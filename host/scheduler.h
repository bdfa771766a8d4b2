/* scheduler.h - the queue, the lanes that run what is in it, and the loop that keeps time.
 *
 * Lanes are threads of our own, never libuv's pool, which is shared with file and DNS work and cannot
 * be cancelled. A deadline is a timer on the loop, so a waiting request expires on time whatever the
 * lanes do. At its deadline a running request is answered too and its token raised; the lane is free
 * again when the plugin returns. */
#ifndef SCHEDULER_H
#define SCHEDULER_H

#include "deadline_heap.h"
#include "log.h"

struct scheduler {
    const struct log_sink *log;
    uint32_t n_lanes;
    uint32_t threads; /* of each lane */
    uint32_t max_queue;

    uv_mutex_t mutex; /* guards everything below, and the guarded fields of requests */
    uv_cond_t work;   /* something to run, or stopping */
    uv_cond_t lane_ended;
    struct modelhost_request *first, *last; /* the queue */
    uint32_t n_queued;
    struct deadline_heap deadlines;
    struct modelhost_request *answers; /* for callbacks on the loop */
    struct loop_visit *visits;         /* what threads want the loop to do */
    uv_cond_t visited;
    struct modelhost_request
        *discarded;                     /* answered out of the queue, to be dropped (by previous) */
    struct modelhost_request **running; /* (n_lanes), NULL: idle */
    uint32_t n_live_lanes;
    int stopping;

    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    uv_thread_t loop_thread;
    uv_thread_t *lanes; /* (n_lanes) */
};

/* Starts the threads. */
model_status scheduler_create(uint32_t n_lanes, uint32_t threads, uint32_t max_queue,
                              const struct log_sink *log, struct scheduler **ret,
                              struct model_error *err);
/* Cancels what waits and runs, gives all answers, ends the threads. A lane whose plugin does not come
 * back within five seconds is left behind with everything it uses, and said so in the log. Returns how
 * many lanes were left behind: what they may still use (the log sink) must then stay too. */
uint32_t scheduler_destroy(struct scheduler *scheduler);

/* Puts a request into the queue; the queue takes a reference of its own, and if the request has a
 * callback so does the answer. MODEL_BUSY when the queue is full, MODEL_DEADLINE when it is too late
 * already. */
model_status scheduler_submit(struct scheduler *scheduler, struct modelhost_request *request,
                              struct model_error *err);
/* How many requests wait, and run. */
void scheduler_count(struct scheduler *scheduler, uint32_t *ret_queued, uint32_t *ret_running);
/* Waits for the answer of a request without a callback. */
void scheduler_wait(struct scheduler *scheduler, struct modelhost_request *request);
/* Answers it with MODEL_CANCELLED unless it has its answer. */
void scheduler_cancel(struct scheduler *scheduler, struct modelhost_request *request);

#endif
