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

/* What a lane runs: one request, or several together; NULL: answered. */
struct lane_work {
    uint32_t n;
    struct modelhost_request *requests[BATCH_MAX_ITEMS]; /* (n) */
};

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
    struct modelhost_request
        *discarded;             /* answered out of the queue, to be dropped (by previous) */
    struct lane_work **running; /* (n_lanes), NULL: idle */
    uint32_t n_idle;            /* lanes that wait for work */
    uint64_t n_looks;           /* how often lanes have looked for work */
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
/* Waits for the answer of a request without a callback. */
void scheduler_wait(struct scheduler *scheduler, struct modelhost_request *request);
/* Answers it with MODEL_CANCELLED unless it has its answer. */
void scheduler_cancel(struct scheduler *scheduler, struct modelhost_request *request);

/* Answers a request that a lane has run, and lets go of it; *place, of the lane's work, becomes NULL. `result` is
 * taken over. [lane-thread] */
void scheduler_answer(struct scheduler *scheduler, struct modelhost_request **place,
                      model_status status, struct modelhost_result *result,
                      const struct model_error *error);

/* Before and behind a run of several requests: in between, joint->cancelled is raised when the last of them
 * has been given up. [lane-thread] */
void scheduler_join(struct scheduler *scheduler, struct modelhost_request ***places, uint32_t n,
                    struct joint_run *joint);
void scheduler_part(struct scheduler *scheduler, struct modelhost_request ***places, uint32_t n);

#endif
