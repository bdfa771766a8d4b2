/* bridge_wait.c - see bridge_wait.h. */
#include "bridge_wait.h"

void bridge_wait_give_up(struct bridge_wait *wait)
{
    wait->is_given_up = true;
}

bool bridge_wait_is_given_up(struct bridge_wait *wait)
{
    return wait->is_given_up;
}

model_status bridge_wait_until(const struct model_cancel *cancel,
                               bool (*is_done)(void *context, int64_t ms), void *context)
{
    model_status status = MODEL_OK;
    while (status == MODEL_OK && !is_done(context, BRIDGE_POLL_MS))
        status = model_cancel_status(cancel);
    return status;
}
