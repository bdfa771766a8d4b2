/* bridge_wait.h - waiting for a prediction, and counting those that nobody waits for any more. Plain C, any thread. */
#ifndef BRIDGE_WAIT_H
#define BRIDGE_WAIT_H

#include "model_abi.h"

#include <stdbool.h>

#define BRIDGE_MAX_UNFINISHED 4
#define BRIDGE_POLL_MS        10

/* One prediction; 0 when it starts. Its caller and the prediction itself leave it once each, the caller only when it gives up. */
struct bridge_wait {
    _Atomic int left;
};

/* `unfinished` is a model's: predictions that were given up and go on. */
bool bridge_wait_may_start(_Atomic int *unfinished);
void bridge_wait_give_up(struct bridge_wait *wait, _Atomic int *unfinished); /* the caller */
void bridge_wait_end(struct bridge_wait *wait, _Atomic int *unfinished);     /* the prediction */
bool bridge_wait_is_given_up(struct bridge_wait *wait);

/* Until is_done(), which itself waits up to `ms`; or what the token says, looked at every BRIDGE_POLL_MS. */
model_status bridge_wait_until(const struct model_cancel *cancel,
                               bool (*is_done)(void *context, int64_t ms), void *context);

#endif
