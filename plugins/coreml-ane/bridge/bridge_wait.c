/* bridge_wait.c - see bridge_wait.h. */
#include "bridge_wait.h"

bool bridge_wait_may_start(_Atomic int *unfinished)
{
    return *unfinished < BRIDGE_MAX_UNFINISHED;
}

/* The second who leaves takes back that nobody waits: the prediction has ended by then. */
static void leave(struct bridge_wait *wait, _Atomic int *unfinished)
{
    if (wait->left++ != 0)
        (*unfinished)--;
}

void bridge_wait_give_up(struct bridge_wait *wait, _Atomic int *unfinished)
{
    (*unfinished)++;
    leave(wait, unfinished);
}

void bridge_wait_end(struct bridge_wait *wait, _Atomic int *unfinished)
{
    leave(wait, unfinished);
}

bool bridge_wait_is_given_up(struct bridge_wait *wait)
{
    return wait->left != 0;
}

model_status bridge_wait_until(const struct model_cancel *cancel,
                               bool (*is_done)(void *context, int64_t ms), void *context)
{
    model_status status = MODEL_OK;
    while (status == MODEL_OK && !is_done(context, BRIDGE_POLL_MS))
        status = model_cancel_status(cancel);
    return status;
}
