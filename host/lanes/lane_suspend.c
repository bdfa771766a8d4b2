/* lane_suspend.c - see lane_suspend.h. */
#include "lane_suspend.h"
#include "loaded_model.h"
#include "scheduler.h"

#define MAX_SUSPENDED 4 /* of a model */

/* Under the mutex. */
static bool is_ones_turn(const struct scheduler *scheduler, const struct modelhost_request *request)
{
    const struct lane *lane = request->lane;
    const struct modelhost_request *next = request_queue_first(&scheduler->queue);
    return next != NULL && next->priority >= request->priority && !scheduler->stopping &&
           request->state == REQUEST_RUNNING && lane != NULL && !lane->is_direct &&
           !lane->is_abandoned && !lane->is_relieved && lane->n_company == 1 &&
           request->model->lane_account.n_suspended < MAX_SUSPENDED;
}

bool lane_may_suspend(struct modelhost_request *request)
{
    struct scheduler *scheduler = request->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    request->is_suspended = is_ones_turn(scheduler, request);
    uv_mutex_unlock(&scheduler->mutex);
    return request->is_suspended;
}

bool lane_suspend(struct lane *lane)
{
    struct scheduler *scheduler = lane->scheduler;
    struct modelhost_request *request = lane->running;
    request->is_suspended = request->is_suspended && is_ones_turn(scheduler, request) &&
                            request_queue_add(&scheduler->queue, request) == MODEL_OK;
    if (!request->is_suspended)
        return false;
    lane_free_place(lane);
    request->model->lane_account.n_suspended++;
    request->state = REQUEST_QUEUED;
    request->lane = NULL;
    lane->running = NULL;
    lane->n_company = lane->n_waiting = 0;
    lane->is_late = false;
    return true;
}

void lane_suspend_ended(struct modelhost_request *request)
{
    if (!request->is_suspended)
        return;
    request->is_suspended = false;
    request->model->lane_account.n_suspended--;
}
