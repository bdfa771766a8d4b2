/* lane_lost.c - see lane_lost.h. */
#include "lane_lost.h"
#include "errors.h"
#include "loaded_model.h"
#include "scheduler_loop.h"
#include "services.h"
#include "session.h"
#include "thread_guard.h"

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

/* Answers what it runs. */
static void answer(struct lane *lane, struct lane_remains *ret_remains)
{
    struct scheduler *scheduler = lane->scheduler;
    struct modelhost_request *request = lane->running;
    struct model_error error = MODEL_ERROR_INIT;
    (void)thread_guard_say(loaded_model_name(request->model), &error);
    log_write(scheduler->options.log, MODEL_LOG_ERROR, "%s; another one takes its place",
              error.message);
    part(lane);
    for (uint32_t i = 1; i < lane->n_company; i++)
        if (lane->company[i] != NULL)
            lane_answer(lane, &lane->company[i], MODELHOST_CRASHED, NULL, &error);
    if (request->session != NULL)
        session_leave_instance(request->session);
    uv_mutex_lock(&scheduler->mutex);
    lane_end(lane, MODELHOST_CRASHED, NULL, &error, ret_remains);
    scheduler_unlock(scheduler);
}

/* Of an abandoned lane's instance, which was dropped: it runs nothing. */
static void say_dropped(const struct lane *lane)
{
    log_write(lane->scheduler->options.log, MODEL_LOG_ERROR,
              "a plugin ended the thread of a lane in %s() (pthread_exit)",
              thread_guard_function());
}

static void leave_direct(struct lane *lane)
{
    struct scheduler *scheduler = lane->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    lane_unlink(lane);
    struct lane *next = lane_to_wake(scheduler);
    uv_mutex_unlock(&scheduler->mutex);
    if (next != NULL)
        wait_word_post(&next->work);
}

void lane_lost(void *argument)
{
    struct lane *lane = argument;
    struct scheduler *scheduler = lane->scheduler;
    struct lane_remains remains = {NULL, NULL};
    if (lane->running != NULL)
        answer(lane, &remains);
    else
        say_dropped(lane);
    lane_drop(&remains);
    services_release_scratch();
    if (lane->is_direct) {
        leave_direct(lane);
        return;
    }
    uv_mutex_lock(&scheduler->mutex);
    scheduler->n_missing_lanes += !lane->is_abandoned && !lane->is_relieved;
    lane_leave(lane);
    uv_mutex_unlock(&scheduler->mutex);
}
