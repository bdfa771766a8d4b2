/* bridge_wait.h - waiting for a prediction, and giving it up. Plain C, any thread. */
#ifndef BRIDGE_WAIT_H
#define BRIDGE_WAIT_H

#include "model_abi.h"

#include <stdbool.h>

#define BRIDGE_POLL_MS 10

/* One prediction; 0 when it starts. What has begun goes on though it is given up; what still waits to begin does not. */
struct bridge_wait {
    _Atomic bool is_given_up;
};

void bridge_wait_give_up(struct bridge_wait *wait);
bool bridge_wait_is_given_up(struct bridge_wait *wait);

/* Until is_done(), which itself waits up to `ms`; or what the token says, looked at every BRIDGE_POLL_MS. */
model_status bridge_wait_until(const struct model_cancel *cancel,
                               bool (*is_done)(void *context, int64_t ms), void *context);

#endif
