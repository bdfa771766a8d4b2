/* lane_suspend.c - see lane_suspend.h. */
#include "lane_suspend.h"
#include "loaded_model.h"
#include "scheduler.h"

#define MAX_SUSPENDED 4 /* of a model */

/* Whether no further request of its model is to be begun. */
static bool is_full(const struct modelhost_request *request)
{
    return request->model->lane_account.n_suspended >= MAX_SUSPENDED;
}

/* Under the mutex: whose turn it would be, or NULL: the first in the queue; where that is one of the same model that is
 * not to be begun, the first behind it that has. */
static struct modelhost_request *next_turn(const struct scheduler *scheduler,
                                           const struct modelhost_request *request)
{
    struct modelhost_request *next = request_queue_first(&scheduler->queue);
    if (next != NULL && next->model == request->model && is_full(request))
        while (next != NULL && !next->is_suspended)
            next = next->next;
    return next;
}

/* Under the mutex. */
static bool is_ones_turn(const struct scheduler *scheduler, const struct modelhost_request *request,
                         enum lane_turn whose)
{
    const struct lane *lane = request->lane;
    const struct modelhost_request *next = next_turn(scheduler, request);
    return next != NULL && (whose == LANE_TURN_OF_ANYBODY || !next->is_suspended) &&
           next->priority >= request->priority && !scheduler->stopping &&
           request->state == REQUEST_RUNNING && lane != NULL && !lane->is_direct &&
           !lane->is_abandoned && !lane->is_relieved && lane->n_company == 1;
}

/* Under the mutex: at the end of its group, and `next` at the beginning of its own. Where another model's request is let
 * through and the next of its own model is not to be begun, at the beginning, too. */
static bool put_back(struct scheduler *scheduler, struct modelhost_request *request,
                     struct modelhost_request *next)
{
    struct request_queue *queue = &scheduler->queue;
    const bool stays_first = next->model != request->model && is_full(request);
    if ((stays_first ? request_queue_add_first(queue, request)
                     : request_queue_add(queue, request)) != MODEL_OK)
        return false;
    if (request_queue_first(queue) != next) {
        request_queue_remove(queue, next);
        (void)request_queue_add_first(queue, next); /* its group is there, or just emptied */
    }
    return true;
}

bool lane_may_suspend(struct modelhost_request *request, enum lane_turn whose)
{
    struct scheduler *scheduler = request->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    request->is_suspended = is_ones_turn(scheduler, request, whose);
    uv_mutex_unlock(&scheduler->mutex);
    return request->is_suspended;
}

bool lane_suspend(struct lane *lane)
{
    struct scheduler *scheduler = lane->scheduler;
    struct modelhost_request *request = lane->running;
    request->is_suspended = request->is_suspended &&
                            is_ones_turn(scheduler, request, LANE_TURN_OF_ANYBODY) &&
                            put_back(scheduler, request, next_turn(scheduler, request));
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
