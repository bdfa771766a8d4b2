/* lane_lost.c - see lane_lost.h. */
#include "lane_lost.h"
#include "errors.h"
#include "loaded_model.h"
#include "scheduler_loop.h"
#include "services.h"

/* What runs together is told together; what it was told with is in frames that are gone. */
static void part(struct lane *lane)
{
    uv_mutex_lock(&lane->scheduler->mutex);
    lane->running->joint = NULL;
    for (uint32_t i = 1; i < lane->n_company; i++)
        if (lane->company[i] != NULL)
            lane->company[i]->joint = NULL;
    uv_mutex_unlock(&lane->scheduler->mutex);
}

void lane_lost(void *argument)
{
    struct lane *lane = argument, *next = NULL;
    struct scheduler *scheduler = lane->scheduler;
    struct lane_remains remains = {NULL, NULL};
    struct model_error error = MODEL_ERROR_INIT;
    (void)error_set(&error, MODELHOST_CRASHED,
                    "the plugin of '%s' ended its thread in run() (pthread_exit)",
                    loaded_model_name(lane->running->model));
    log_write(scheduler->options.log, MODEL_LOG_ERROR, "%s; another one takes its place",
              error.message);
    part(lane);
    for (uint32_t i = 1; i < lane->n_company; i++)
        if (lane->company[i] != NULL)
            lane_answer(lane, &lane->company[i], MODELHOST_CRASHED, NULL, &error);
    uv_mutex_lock(&scheduler->mutex);
    scheduler->n_missing_lanes += !lane->is_abandoned && !lane->is_direct;
    lane_end(lane, MODELHOST_CRASHED, NULL, &error, &remains);
    if (lane->is_direct) {
        lane_unlink(lane);
        next = lane_to_wake(scheduler);
    }
    scheduler_unlock(scheduler);
    if (next != NULL)
        wait_word_post(&next->work);
    lane_drop(&remains);
    services_release_scratch();
    if (lane->is_direct)
        return;
    uv_mutex_lock(&scheduler->mutex);
    lane_leave(lane);
    uv_mutex_unlock(&scheduler->mutex);
}
