/* scheduler.h - the queue, the lanes that run what is in it, and the loop that keeps time.
 *
 * Lanes are threads of our own, never libuv's pool, which is shared with file and DNS work and cannot
 * be cancelled. A caller who waits keeps its own deadline; the deadlines of callbacks are a timer on the
 * loop. So a waiting request expires on time whatever the lanes do. At its deadline a running request is
 * answered too and its token raised; a lane that does not come back soon then is abandoned and replaced.
 *
 * scheduler.c has claiming and answering, scheduler_held.c requests that wait for a backend, scheduler_life.c beginning and end, scheduler_loop.c time,
 * lanes/lane.c the threads. One mutex guards it all; what others are told (answers, counts, log lines) is
 * told when it is unlocked. */
#ifndef SCHEDULER_H
#define SCHEDULER_H

#include "deadline_heap.h"
#include "lane.h"
#include "log.h"
#include "parallel.h"
#include "request_queue.h"

struct scheduler_options {
    uint32_t n_lanes;
    uint32_t threads;   /* of each lane */
    uint32_t n_cpus;    /* that the process may use */
    uint32_t max_queue; /* requests that may wait */
    bool pins_threads;  /* each lane to `threads` of these: */
    struct parallel_cpus cpus;
    int64_t abandon_grace_ns;
    int64_t
        stop_grace_ns; /* that the end of the scheduler waits for lanes, and for their threads; 0: 5 s */
    const struct log_sink *log;
};

struct scheduler {
    struct scheduler_options options;

    uv_mutex_t mutex;     /* guards everything below, and the guarded fields of requests */
    uv_cond_t lane_ended; /* n_live_lanes is less */
    struct request_queue queue;
    uint64_t held_round; /* of scheduler_route_held() */
    struct deadline_heap deadlines;
    struct modelhost_request *claimed, *last_claimed; /* answered, to be told when unlocked */
    struct lane *lanes;       /* all that run or may run something, abandoned ones too */
    struct lane *idle;        /* of these, who waits for work; the last one to come first */
    struct lane *ended;       /* threads to be joined */
    uint32_t n_live_lanes;    /* in `lanes` */
    uint32_t n_busy;          /* that run something, not abandoned nor relieved; at most n_lanes */
    uint32_t n_relieved;      /* that run something and are relieved, and not abandoned */
    bool has_slow;            /* one is to be relieved when another model's request comes */
    uint32_t n_missing_lanes; /* abandoned, relieved or lost, and not replaced yet */
    int64_t watch_ns; /* when the loop looks at the lanes next; INT64_MAX: when it is told */
    struct loop_visit *visits; /* what threads want the loop to do */
    uv_cond_t visited;
    int stopping;
    bool has_stopped; /* whatever stopping answered has been told */

    _Atomic uint32_t n_waiting;                  /* callers in scheduler_wait() */
    _Atomic(struct modelhost_request *) answers; /* for callbacks on the loop, the last one first */
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    uv_thread_t loop_thread;
};

/* Starts the threads. */
model_status scheduler_create(const struct scheduler_options *options, struct scheduler **ret,
                              struct model_error *err);
/* Cancels what waits and runs, gives all answers, ends the threads. A lane whose plugin does not come
 * back within five seconds, or whose thread does not end then, is left behind with everything it uses, and said so in the log. Returns how
 * many lanes were left behind: what they may still use (the log sink) must then stay too. */
uint32_t scheduler_destroy(struct scheduler *scheduler);

/* Puts a request into the queue; the queue takes a reference of its own, and if the request has a
 * callback so does the answer. MODEL_BUSY when the queue is full or the model has too many lanes stuck in it,
 * MODEL_CANCELLED when the host is going away. */
model_status scheduler_submit(struct scheduler *scheduler, struct modelhost_request *request,
                              struct model_error *err);
/* Looks for the backends of the requests that are held for one of this chain: some go on, some are told that there is
 * none. Whenever one has been opened, or could not be. Without locks. [any-thread] */
struct backend_chain;
void scheduler_route_held(struct scheduler *scheduler, const struct backend_chain *chain);
/* The same for requests that wait for a lane to run at this backend, which takes no calls any more. Those that have begun
 * and those of sessions stay. Without locks. [any-thread] */
void scheduler_route_waiting(struct scheduler *scheduler, const struct modelhost_model *model);

/* How many requests wait, and run on lanes that are not abandoned. */
void scheduler_count(struct scheduler *scheduler, uint32_t *ret_queued, uint32_t *ret_running);
/* Waits for the answer of a request without a callback; at its deadline gives it. `spin` is of a model that lives as long; the
 * request may have gone on to another one. */
void scheduler_wait(struct scheduler *scheduler, struct modelhost_request *request,
                    struct wait_spin *spin);
/* Runs a request without a callback on the calling thread, in the place of a lane that is free, and answers
 * it; false: none is. */
bool scheduler_run_direct(struct scheduler *scheduler, struct modelhost_request *request);
/* Answers it with MODEL_CANCELLED unless it has its answer. */
void scheduler_cancel(struct scheduler *scheduler, struct modelhost_request *request);

/* Whether all lanes take requests; the sentence says why not. */
bool scheduler_is_ready(struct scheduler *scheduler, struct model_error *err);

#endif
