/* scheduler_life.c - see scheduler.h: how a scheduler begins and ends. */
#include "clock.h"
#include "errors.h"
#include "scheduler.h"
#include "scheduler_loop.h"

#include <stdlib.h>

#define STOP_GRACE_NS (5 * NS_PER_S)

static void free_scheduler(struct scheduler *scheduler)
{
    deadline_heap_finish(&scheduler->deadlines);
    request_queue_finish(&scheduler->queue);
    uv_cond_destroy(&scheduler->lane_ended);
    uv_cond_destroy(&scheduler->visited);
    uv_mutex_destroy(&scheduler->mutex);
    free(scheduler);
}

static model_status make_scheduler(const struct scheduler_options *options, struct scheduler **ret,
                                   struct model_error *err)
{
    struct scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (scheduler == NULL || uv_mutex_init(&scheduler->mutex) != 0) {
        free(scheduler);
        return error_no_memory(err, "a scheduler");
    }
    const bool has_ended = uv_cond_init(&scheduler->lane_ended) == 0;
    if (!has_ended || uv_cond_init(&scheduler->visited) != 0) {
        if (has_ended)
            uv_cond_destroy(&scheduler->lane_ended);
        uv_mutex_destroy(&scheduler->mutex);
        free(scheduler);
        return error_no_memory(err, "a scheduler");
    }
    scheduler->options = *options;
    if (options->stop_grace_ns == 0)
        scheduler->options.stop_grace_ns = STOP_GRACE_NS;
    scheduler->queue.max_requests = options->max_queue;
    scheduler->watch_ns = INT64_MAX;
    *ret = scheduler;
    return MODEL_OK;
}

model_status scheduler_create(const struct scheduler_options *options, struct scheduler **ret,
                              struct model_error *err)
{
    struct scheduler *scheduler = NULL;
    model_status status = make_scheduler(options, &scheduler, err);
    if (status != MODEL_OK)
        return status;
    status = scheduler_loop_start(scheduler, err);
    if (status != MODEL_OK) {
        free_scheduler(scheduler);
        return status;
    }
    for (uint32_t i = 0; i < options->n_lanes && status == MODEL_OK; i++)
        status = lane_start(scheduler, err);
    if (status != MODEL_OK)
        (void)scheduler_destroy(scheduler);
    else
        *ret = scheduler;
    return status;
}

/* Under the mutex: waits for all lanes to end, up to the grace; returns how many did not. */
static uint32_t wait_for_lanes(struct scheduler *scheduler)
{
    const int64_t end_ns = clock_now_ns() + scheduler->options.stop_grace_ns;
    for (int64_t left_ns; scheduler->n_live_lanes > 0 && (left_ns = end_ns - clock_now_ns()) > 0;)
        (void)uv_cond_timedwait(&scheduler->lane_ended, &scheduler->mutex, (uint64_t)left_ns);
    return scheduler->n_live_lanes;
}

/* Under the mutex: all that the lane runs. */
static void give_up_all(struct scheduler *scheduler, struct lane *lane)
{
    if (lane->running != NULL)
        scheduler_give_up(scheduler, lane->running, MODEL_CANCELLED, "the host was shut down");
    for (uint32_t i = 1; i < lane->n_company; i++)
        if (lane->company[i] != NULL)
            scheduler_give_up(scheduler, lane->company[i], MODEL_CANCELLED,
                              "the host was shut down");
}

/* Answers what waits and runs, and lets idle lanes see that it is over. */
static void stop(struct scheduler *scheduler)
{
    uv_mutex_lock(&scheduler->mutex);
    scheduler->stopping = 1;
    for (struct modelhost_request *request;
         (request = request_queue_first(&scheduler->queue)) != NULL ||
         (request = scheduler->queue.first_held) != NULL;)
        scheduler_give_up(scheduler, request, MODEL_CANCELLED, "the host was shut down");
    for (struct lane *lane = scheduler->lanes; lane != NULL; lane = lane->next)
        give_up_all(scheduler, lane);
    struct lane *idle = scheduler->idle;
    scheduler->idle = NULL;
    for (struct lane *next = NULL; idle != NULL; idle = next) {
        next = idle->next_idle;
        wait_word_post(&idle->work);
    }
    scheduler_unlock(scheduler);
}

uint32_t scheduler_destroy(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return 0;
    stop(scheduler);
    uv_mutex_lock(&scheduler->mutex);
    const uint32_t n_stuck = wait_for_lanes(scheduler);
    uv_mutex_unlock(&scheduler->mutex);
    scheduler_loop_stop(scheduler);
    if (n_stuck > 0) {
        log_write(scheduler->options.log, MODEL_LOG_ERROR,
                  "%u lanes are stuck in a plugin that does not look at its cancel token; leaving "
                  "them behind",
                  n_stuck);
        return n_stuck;
    }
    const uint32_t n_ending = lane_join_ended(scheduler, scheduler->options.stop_grace_ns);
    if (n_ending > 0) {
        log_write(scheduler->options.log, MODEL_LOG_ERROR,
                  "%u threads of lanes do not end: what a plugin keeps for each thread has a "
                  "destructor that hangs; leaving them behind",
                  n_ending);
        return n_ending;
    }
    free_scheduler(scheduler);
    return 0;
}
