/* scheduler_loop.h - the host's libuv loop on its own thread: deadlines, lanes that take too long, and
 * callbacks that asked for no loop of their own. And what the files of the scheduler share. */
#ifndef SCHEDULER_LOOP_H
#define SCHEDULER_LOOP_H

#include "scheduler.h"

model_status scheduler_loop_start(struct scheduler *scheduler, struct model_error *err);
/* Runs the callbacks that are due, then ends the thread. */
void scheduler_loop_stop(struct scheduler *scheduler);

/* Runs body(loop, argument) on the loop's thread and waits for it: for handles of others, which must be
 * closed by another visit before the scheduler ends. Not on the loop, not after scheduler_destroy(). */
void scheduler_loop_visit(struct scheduler *scheduler,
                          void (*body)(uv_loop_t *loop, void *argument), void *argument);

/* Makes the loop look at deadlines, lanes and answers again. [any-thread] */
void scheduler_loop_wake(struct scheduler *scheduler);
/* Hands an answered request to the loop for its callback. */
void scheduler_loop_answer(struct scheduler *scheduler, struct modelhost_request *request);

/* The rest in scheduler.c. */

/* Unlocks the mutex, then tells those who wait what was claimed under it. */
void scheduler_unlock(struct scheduler *scheduler);

/* With the mutex: makes this the request's answer unless it has one, takes it out of the queue, and takes
 * `result` over on success. Returns whether it was claimed: its caller is told by scheduler_unlock(). */
bool scheduler_claim(struct scheduler *scheduler, struct modelhost_request *request,
                     model_status status, struct modelhost_result *result,
                     const struct model_error *error);

/* With the mutex: answers the request with this status unless it has its answer, and raises its token. */
void scheduler_give_up(struct scheduler *scheduler, struct modelhost_request *request,
                       model_status status, const char *sentence);

/* With the mutex: gives the request up because its deadline has passed. */
void scheduler_expire(struct scheduler *scheduler, struct modelhost_request *request,
                      int64_t now_ns);

/* With the mutex: `status`, or MODEL_DEADLINE and its sentence if that has passed. A deadline holds although
 * timers may be late: what ends behind it is no answer. */
model_status scheduler_hold_deadline(const struct modelhost_request *request, model_status status,
                                     struct model_error *error);

/* Whether more callers wait than there are CPUs beside a lane's: whoever looks for work or for an answer gives
 * way to them then. Without the mutex. */
bool scheduler_is_crowded(const struct scheduler *scheduler);

#endif
