/* lane.c - see lane.h. */
#include "lane.h"
#include "clock.h"
#include "errors.h"
#include "execute.h"
#include "loaded_model.h"
#include "parallel.h"
#include "scheduler_loop.h"
#include "services.h"

#include <stdlib.h>

void lane_link(struct scheduler *scheduler, struct lane *lane)
{
    lane->scheduler = scheduler;
    lane->previous = NULL;
    lane->next = scheduler->lanes;
    if (lane->next != NULL)
        lane->next->previous = lane;
    scheduler->lanes = lane;
    scheduler->n_live_lanes++;
}

void lane_unlink(struct lane *lane)
{
    struct scheduler *scheduler = lane->scheduler;
    *(lane->previous != NULL ? &lane->previous->next : &scheduler->lanes) = lane->next;
    if (lane->next != NULL)
        lane->next->previous = lane->previous;
    scheduler->n_live_lanes--;
    uv_cond_signal(&scheduler->lane_ended);
}

struct lane *lane_to_wake(struct scheduler *scheduler)
{
    struct lane *lane = scheduler->idle;
    if (lane == NULL || scheduler->queue.n_requests == 0 ||
        scheduler->n_busy >= scheduler->options.n_lanes)
        return NULL;
    scheduler->idle = lane->next_idle;
    return lane;
}

model_status lane_check_model(const struct modelhost_model *model, struct model_error *err)
{
    const struct lane_account *account = &model->lane_account;
    const uint32_t max =
        account->max_abandoned > 0 ? account->max_abandoned : LANE_ACCOUNT_MAX_ABANDONED;
    if (account->n_abandoned < max)
        return MODEL_OK;
    return error_set(
        err, MODEL_BUSY,
        "%u lanes are stuck in the plugin of '%s', which did not stop when it was told "
        "to (max_abandoned_lanes %u); wait until they come back, or load the model with "
        "isolation worker, where a stuck call can be killed",
        account->n_abandoned, loaded_model_name(model), max);
}

/* ---- one request on a lane */

void lane_begin(struct lane *lane, struct modelhost_request *request)
{
    struct scheduler *scheduler = lane->scheduler;
    const int64_t estimated_run_ns = modelhost_description(request->model)->estimated_run_ns;
    request->state = REQUEST_RUNNING;
    request->started_ns = clock_now_ns();
    request->lane = lane;
    lane->running = request;
    lane->given_up_ns = 0;
    scheduler->n_busy++;
    if (estimated_run_ns > 0) {
        lane_progress_mark(&request->progress, 1, request->started_ns);
        if (lane_watchdog_due_ns(&request->progress, estimated_run_ns) < scheduler->watch_ns)
            scheduler_loop_wake(scheduler);
    }
}

model_status lane_execute(struct lane *lane, struct modelhost_result **ret_result,
                          struct model_error *err)
{
    const struct modelhost_request *request = lane->running;
    const struct log_subject before =
        log_set_subject((struct log_subject){loaded_model_name(request->model), request->id});
    const model_status status = execute_request(lane->running, ret_result, err);
    (void)log_set_subject(before);
    return status;
}

void lane_end(struct lane *lane, model_status status, struct modelhost_result *result,
              struct model_error *error, struct lane_remains *ret_remains)
{
    struct scheduler *scheduler = lane->scheduler;
    struct modelhost_request *request = lane->running;
    struct lane_account *account = &request->model->lane_account;
    if (request->raised_ns != 0)
        model_metrics_cancel_ended(&request->model->metrics, clock_now_ns() - request->raised_ns);
    if (!lane->is_abandoned) {
        scheduler->n_busy--;
    } else {
        account->n_abandoned--;
        model_metrics_lane_returned(&request->model->metrics);
    }
    lane->running = NULL;
    request->lane = NULL;
    lane->is_late = false;
    status = scheduler_hold_deadline(request, status, error);
    const bool wanted =
        scheduler_claim(scheduler, request, status, status == MODEL_OK ? result : NULL, error);
    if (!lane->is_abandoned) /* else it may run the plugin's code: lane_drop() */
        request_end_session(request, wanted && status == MODEL_OK);
    *ret_remains = (struct lane_remains){request, wanted && status == MODEL_OK ? NULL : result};
}

void lane_drop(struct lane_remains *remains)
{
    modelhost_result_destroy(remains->result);
    if (remains->request != NULL) {
        request_end_session(remains->request, false);
        request_drop(remains->request);
    }
    *remains = (struct lane_remains){NULL, NULL};
}

/* ---- the thread */

/* Under the mutex: the next request that may run; answers those that may not. */
static struct modelhost_request *take(struct scheduler *scheduler)
{
    if (scheduler->n_busy >= scheduler->options.n_lanes)
        return NULL;
    for (struct modelhost_request *request;
         (request = request_queue_first(&scheduler->queue)) != NULL;) {
        struct model_error error;
        error_init(&error);
        model_status status = scheduler_hold_deadline(request, MODEL_OK, &error);
        if (status == MODEL_OK)
            status = lane_check_model(request->model, &error);
        if (status == MODEL_OK)
            return request_queue_take(&scheduler->queue);
        (void)scheduler_claim(scheduler, request, status, NULL, &error);
    }
    return NULL;
}

/* Under the mutex: the lane's last step. */
static void leave(struct lane *lane)
{
    struct scheduler *scheduler = lane->scheduler;
    lane_unlink(lane);
    lane->next = scheduler->ended;
    scheduler->ended = lane;
    scheduler_loop_wake(scheduler);
}

/* Looks for a while before it sleeps, unless it would only be in the way of the other lanes. */
static void wait_for_work(struct lane *lane)
{
    const struct scheduler_options *options = &lane->scheduler->options;
    const bool is_crowded = scheduler_is_crowded(lane->scheduler);
    const bool looks = is_crowded || options->n_lanes < options->n_cpus;
    (void)wait_word_wait(&lane->work, looks ? &lane->spin : NULL, is_crowded, INT64_MAX);
}

static void lane_main(void *argument)
{
    struct lane *lane = argument;
    struct scheduler *scheduler = lane->scheduler;
    struct lane_remains remains = {NULL, NULL};
    parallel_adopt_thread(scheduler->options.threads);
    uv_mutex_lock(&scheduler->mutex);
    while (!scheduler->stopping && !lane->is_abandoned) {
        struct modelhost_request *request = take(scheduler);
        if (request != NULL) {
            lane_begin(lane, request);
        } else {
            wait_word_reset(&lane->work);
            lane->next_idle = scheduler->idle;
            scheduler->idle = lane;
        }
        scheduler_unlock(scheduler);
        lane_drop(&remains);
        if (request == NULL) {
            wait_for_work(lane);
            uv_mutex_lock(&scheduler->mutex);
            continue;
        }
        struct modelhost_result *result = NULL;
        struct model_error error;
        error_init(&error);
        const model_status status = lane_execute(lane, &result, &error);
        uv_mutex_lock(&scheduler->mutex);
        lane_end(lane, status, result, &error, &remains);
    }
    const bool was_abandoned = lane->is_abandoned;
    scheduler_unlock(scheduler);
    if (was_abandoned)
        log_write(scheduler->options.log, MODEL_LOG_WARN,
                  "%s: request %llu: its abandoned lane came back; what it held is dropped",
                  loaded_model_name(remains.request->model),
                  (unsigned long long)remains.request->id);
    lane_drop(&remains);
    services_release_scratch();
    uv_mutex_lock(&scheduler->mutex);
    leave(lane);
    uv_mutex_unlock(&scheduler->mutex);
}

model_status lane_start(struct scheduler *scheduler, struct model_error *err)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL)
        return error_no_memory(err, "a lane");
    wait_spin_init(&lane->spin, scheduler->options.n_cpus);
    uv_mutex_lock(&scheduler->mutex);
    lane_link(scheduler, lane);
    const int code = uv_thread_create(&lane->thread, lane_main, lane);
    if (code != 0)
        lane_unlink(lane);
    uv_mutex_unlock(&scheduler->mutex);
    if (code == 0)
        return MODEL_OK;
    free(lane);
    return error_set(err, MODEL_OUT_OF_MEMORY, "cannot start a lane: %s", uv_strerror(code));
}

void lane_join_ended(struct scheduler *scheduler)
{
    uv_mutex_lock(&scheduler->mutex);
    struct lane *lane = scheduler->ended;
    scheduler->ended = NULL;
    uv_mutex_unlock(&scheduler->mutex);
    while (lane != NULL) {
        struct lane *ended = lane;
        lane = ended->next;
        (void)uv_thread_join(&ended->thread);
        free(ended);
    }
}
