/* scheduler_loop.h - the host's libuv loop on its own thread: deadlines, and callbacks that asked for no
 * loop of their own. */
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

/* Makes the loop look at the deadlines again. [any-thread] */
void scheduler_loop_wake(struct scheduler *scheduler);
/* Hands an answered request to the loop for its callback. With the scheduler's mutex held. */
void scheduler_loop_answer(struct scheduler *scheduler, struct modelhost_request *request);
/* The sentence of a deadline that has passed. With the mutex held. */
void scheduler_loop_say_late(const struct modelhost_request *request, int64_t now_ns,
                             struct model_error *err);

/* In scheduler.c: unlocks the mutex and drops what was discarded under it: a last reference frees a
 * request, which must not happen inside. */
void scheduler_unlock(struct scheduler *scheduler);

/* In scheduler.c: answers the request with this status unless it has its answer, and raises its token.
 * With the mutex held. */
void scheduler_give_up(struct scheduler *scheduler, struct modelhost_request *request,
                       model_status status, const char *sentence);

#endif
