/* lane.c - see lane.h. */
#include "lane.h"
#include "batch_queue.h"
#include "batch_run.h"
#include "clock.h"
#include "errors.h"
#include "execute.h"
#include "lane_lost.h"
#include "lane_pipeline.h"
#include "lane_place.h"
#include "lane_suspend.h"
#include "loaded_model.h"
#include "parallel.h"
#include "scheduler_loop.h"
#include "services.h"
#include "thread_guard.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

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

bool lane_has_place(const struct scheduler *scheduler, const struct modelhost_model *model)
{
    return scheduler->n_busy + model->lane_account.n_relieved < scheduler->options.n_lanes;
}

void lane_free_place(struct lane *lane)
{
    struct scheduler *scheduler = lane->scheduler;
    if (!lane->is_relieved) {
        scheduler->n_busy--;
        return;
    }
    scheduler->n_relieved--;
    lane->running->model->lane_account.n_relieved--;
    struct lane *next = lane_to_wake(scheduler); /* the model's next call may run: not here */
    if (next != NULL)
        wait_word_post(&next->work);
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
    const int64_t now_ns = clock_now_ns();
    request->state = REQUEST_RUNNING;
    if (!request->is_suspended)
        request->started_ns = now_ns;
    lane_suspend_ended(request);
    request->lane = lane;
    lane->running = request;
    lane->n_company = lane->n_waiting = 1;
    lane->given_up_ns = 0;
    scheduler->n_busy++;
    lane_progress_mark(&request->progress, 1, now_ns);
    const int64_t relief_ns = lane_watchdog_relief_ns(&request->progress, estimated_run_ns);
    if (relief_ns < scheduler->watch_ns) {
        scheduler->watch_ns =
            relief_ns; /* here: a short call is over when the loop comes to look */
        scheduler_loop_wake(scheduler);
    }
}

model_status lane_execute(struct lane *lane, struct modelhost_result **ret_result,
                          struct model_error *err)
{
    const struct modelhost_request *request = lane->running;
    const struct log_subject before = log_set_subject(request_subject(request));
    const model_status status = execute_request(lane->running, ret_result, err);
    (void)log_set_subject(before);
    return status;
}

/* Under the mutex: the plugin is done with a request; how long that took if it had been given up. */
static void count_cancel(struct modelhost_request *request)
{
    if (request->given_up_ns != 0)
        model_metrics_cancel_ended(&request->model->metrics, clock_now_ns() - request->given_up_ns);
    request->given_up_ns = 0;
}

void lane_end(struct lane *lane, model_status status, struct modelhost_result *result,
              struct model_error *error, struct lane_remains *ret_remains)
{
    struct scheduler *scheduler = lane->scheduler;
    struct modelhost_request *request = lane->running;
    struct lane_account *account = &request->model->lane_account;
    count_cancel(request);
    if (!lane->is_abandoned) {
        lane_free_place(lane);
    } else {
        account->n_abandoned--;
        model_metrics_lane_returned(&request->model->metrics);
    }
    lane->running = NULL;
    lane->n_company = 0;
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

/* ---- several requests on a lane */

void lane_begin_company(struct lane *lane, uint32_t n)
{
    lane_begin(lane, lane->company[0]);
    lane->n_company = lane->n_waiting = n;
    for (uint32_t i = 1; i < n; i++) {
        lane->company[i]->state = REQUEST_RUNNING;
        lane->company[i]->started_ns = lane->running->started_ns;
        lane->company[i]->lane = lane;
    }
}

void lane_answer(struct lane *lane, struct modelhost_request **place, model_status status,
                 struct modelhost_result *result, struct model_error *error)
{
    struct scheduler *scheduler = lane->scheduler;
    struct modelhost_request *request = *place;
    const bool goes = request != lane->running;
    uv_mutex_lock(&scheduler->mutex);
    count_cancel(request);
    status = scheduler_hold_deadline(request, status, error);
    const bool claimed =
        scheduler_claim(scheduler, request, status, status == MODEL_OK ? result : NULL, error);
    lane->n_waiting -= claimed;
    if (goes) {
        request->lane = NULL;
        *place = NULL;
    }
    scheduler_unlock(scheduler);
    if (!claimed || status != MODEL_OK)
        modelhost_result_destroy(result);
    if (goes)
        request_drop(request);
}

void lane_join(struct lane *lane, struct modelhost_request ***places, uint32_t n,
               struct joint_run *joint)
{
    uv_mutex_lock(&lane->scheduler->mutex);
    for (uint32_t i = 0; i < n; i++) {
        (*places[i])->joint = joint;
        joint->n_waiting += (*places[i])->state != REQUEST_ANSWERED;
    }
    if (joint->n_waiting == 0)
        __atomic_store_n(&joint->cancelled, MODEL_CANCELLED, __ATOMIC_RELAXED);
    uv_mutex_unlock(&lane->scheduler->mutex);
}

void lane_part(struct lane *lane, struct modelhost_request ***places, uint32_t n)
{
    uv_mutex_lock(&lane->scheduler->mutex);
    for (uint32_t i = 0; i < n; i++)
        (*places[i])->joint = NULL;
    uv_mutex_unlock(&lane->scheduler->mutex);
}

/* ---- the thread */

/* Under the mutex: whether a request may run; answers it if not. */
static bool may_run(struct scheduler *scheduler, struct modelhost_request *request)
{
    struct model_error error;
    error_init(&error);
    model_status status = scheduler_hold_deadline(request, MODEL_OK, &error);
    if (status == MODEL_OK)
        status = lane_check_model(request->model, &error);
    if (status != MODEL_OK)
        (void)scheduler_claim(scheduler, request, status, NULL, &error);
    return status == MODEL_OK;
}

/* Under the mutex: takes what is to run next into lane->company; returns how many there are. 0: nothing, or only
 * what had better wait for company, until *ret_run_at_ns. */
static uint32_t take(struct lane *lane, int64_t *ret_run_at_ns)
{
    struct scheduler *scheduler = lane->scheduler;
    *ret_run_at_ns = INT64_MAX;
    if (scheduler->n_busy >= scheduler->options.n_lanes)
        return 0;
    const uint32_t n_free = scheduler->options.n_lanes - scheduler->n_busy - 1;
    for (struct request_group *group = scheduler->queue.first; group != NULL;) {
        if (!may_run(scheduler, group->first)) {
            group = scheduler->queue.first; /* this one may be gone */
            continue;
        }
        if (!lane_has_place(scheduler, group->model)) {
            group = group->next;
            continue;
        }
        const bool looks_for_company = group->first->candidate.key != 0;
        int64_t run_at_ns = INT64_MAX;
        uint32_t n = batch_gather(group->first, looks_for_company ? clock_now_ns() : 0,
                                  lane->company, &run_at_ns);
        if (n == 1)
            n = lane_pipeline_gather(group->first, lane->company);
        if (n > 0) { /* free lanes have their share: two half batches are done before a whole one */
            n = (n + n_free) / (1 + n_free);
            request_queue_take(&scheduler->queue, lane->company, n);
            return n;
        }
        if (run_at_ns < *ret_run_at_ns)
            *ret_run_at_ns = run_at_ns;
        group = group->next;
    }
    return 0;
}

void lane_leave(struct lane *lane)
{
    struct scheduler *scheduler = lane->scheduler;
    lane_unlink(lane);
    lane->next = scheduler->ended;
    scheduler->ended = lane;
    scheduler_loop_wake(scheduler);
}

/* Looks for a while before it sleeps, unless it would only be in the way of the other lanes. */
static bool wait_for_work(struct lane *lane, int64_t until_ns)
{
    const struct scheduler_options *options = &lane->scheduler->options;
    const bool is_crowded = scheduler_is_crowded(lane->scheduler);
    const bool looks = is_crowded || options->n_lanes < options->n_cpus;
    return wait_word_wait(&lane->work, looks ? &lane->spin : NULL, is_crowded, until_ns);
}

/* Under the mutex: waits, without it, until there may be work, or until then. */
static void be_idle(struct lane *lane, int64_t until_ns, struct lane_remains *remains)
{
    struct scheduler *scheduler = lane->scheduler;
    wait_word_reset(&lane->work);
    lane->next_idle = scheduler->idle;
    scheduler->idle = lane;
    scheduler_unlock(scheduler);
    lane_drop(remains);
    const bool posted = wait_for_work(lane, until_ns);
    uv_mutex_lock(&scheduler->mutex);
    if (posted)
        return;
    struct lane **link = &scheduler->idle;
    while (*link != NULL && *link != lane)
        link = &(*link)->next_idle;
    if (*link != NULL) {
        *link = lane->next_idle;
        return;
    }
    uv_mutex_unlock(&scheduler->mutex); /* chosen just now: the post is on its way */
    (void)wait_word_wait(&lane->work, NULL, false, INT64_MAX);
    uv_mutex_lock(&scheduler->mutex);
}

/* Under the mutex: whether something in the queue may be waiting for company, so that another lane must keep the
 * time when this one has got work. */
static bool waits_for_company(const struct scheduler *scheduler)
{
    for (const struct request_group *group = scheduler->queue.first; group != NULL;
         group = group->next)
        if (group->model->batching.max_delay_ns > 0)
            return true;
    return false;
}

/* What take() took, and what becomes of it. */
struct lane_work {
    struct lane *lane;
    uint32_t n;
    model_status status;
    struct modelhost_result *result;
    struct model_error error;
};

static void do_work(struct lane_work *work)
{
    struct lane *lane = work->lane;
    if (work->n > 1 && lane_pipeline_suits(lane->running->model))
        lane_pipeline_run(lane);
    else if (work->n > 1)
        execute_batch(lane);
    else
        work->status = lane_execute(lane, &work->result, &work->error);
}

/* Under the mutex: runs, without it, what take() took. */
static void run(struct lane *lane, uint32_t n, struct lane_remains *remains)
{
    struct scheduler *scheduler = lane->scheduler;
    struct lane_work work;
    work.lane = lane;
    work.n = n;
    work.status = MODEL_OK;
    work.result = NULL;
    error_init(&work.error);
    lane_begin_company(lane, n);
    struct lane *next = waits_for_company(scheduler) ? lane_to_wake(scheduler) : NULL;
    scheduler_unlock(scheduler);
    if (next != NULL)
        wait_word_post(&next->work);
    lane_drop(remains);
    for (bool goes_on = true; goes_on;) {
        do_work(&work);
        uv_mutex_lock(&scheduler->mutex);
        if (!lane->running->is_suspended)
            goes_on = false;
        else if (lane_suspend(lane))
            return;
        else
            uv_mutex_unlock(&scheduler->mutex);
    }
    lane_end(lane, work.status, work.result, &work.error, remains);
}

static void say_back(const struct scheduler *scheduler, const struct modelhost_request *request)
{
    const struct log_subject before = log_set_subject(request_subject(request));
    log_write(scheduler->options.log, MODEL_LOG_WARN,
              "its abandoned lane came back; what it held is dropped");
    (void)log_set_subject(before);
}

static void serve(void *argument)
{
    struct lane *lane = argument;
    struct scheduler *scheduler = lane->scheduler;
    struct lane_remains remains = {NULL, NULL};
    parallel_adopt_thread(scheduler->options.threads);
    lane_pin(lane);
    uv_mutex_lock(&scheduler->mutex);
    while (!scheduler->stopping && !lane->is_abandoned && !lane->is_relieved) {
        int64_t run_at_ns = INT64_MAX;
        const uint32_t n = take(lane, &run_at_ns);
        if (n > 0)
            run(lane, n, &remains);
        else
            be_idle(lane, run_at_ns, &remains);
    }
    const bool was_abandoned = lane->is_abandoned;
    scheduler_unlock(scheduler);
    if (was_abandoned)
        say_back(scheduler, remains.request);
    lane_drop(&remains);
    services_release_scratch();
    uv_mutex_lock(&scheduler->mutex);
    lane_leave(lane);
    uv_mutex_unlock(&scheduler->mutex);
}

static void lane_main(void *lane)
{
    thread_guard_run(serve, lane, lane_lost, lane);
}

model_status lane_start(struct scheduler *scheduler, struct model_error *err)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane != NULL)
        lane->company = calloc(BATCH_MAX_ITEMS, sizeof(void *));
    if (lane == NULL || lane->company == NULL) {
        free(lane);
        return error_no_memory(err, "a lane");
    }
    wait_spin_init(&lane->spin, scheduler->options.n_cpus);
    uv_mutex_lock(&scheduler->mutex);
    lane->place = lane_find_place(scheduler);
    lane_link(scheduler, lane);
    const int code = uv_thread_create(&lane->thread, lane_main, lane);
    if (code != 0)
        lane_unlink(lane);
    uv_mutex_unlock(&scheduler->mutex);
    if (code == 0)
        return MODEL_OK;
    free(lane->company);
    free(lane);
    return error_set(err, MODEL_OUT_OF_MEMORY, "cannot start a lane: %s", uv_strerror(code));
}

/* Whether the thread has ended, within the time. It runs no code of ours any more, but destructors of what a plugin
 * keeps for each thread, which may hang. */
static bool join_thread(uv_thread_t thread, int64_t wait_ns)
{
#ifdef __linux__
    struct timespec end;
    if (wait_ns <= 0)
        return pthread_tryjoin_np(thread, NULL) == 0;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    const int64_t end_ns = end.tv_nsec + wait_ns;
    end.tv_sec += (time_t)(end_ns / NS_PER_S);
    end.tv_nsec = (long)(end_ns % NS_PER_S);
    return pthread_timedjoin_np(thread, NULL, &end) == 0;
#else
    (void)wait_ns;
    return uv_thread_join(&thread) == 0;
#endif
}

uint32_t lane_join_ended(struct scheduler *scheduler, int64_t wait_ns)
{
    uv_mutex_lock(&scheduler->mutex);
    struct lane *lane = scheduler->ended, *left = NULL;
    scheduler->ended = NULL;
    uv_mutex_unlock(&scheduler->mutex);
    const int64_t end_ns = clock_now_ns() + wait_ns;
    uint32_t n_left = 0;
    while (lane != NULL) {
        struct lane *ended = lane;
        lane = ended->next;
        if (join_thread(ended->thread, wait_ns > 0 ? end_ns - clock_now_ns() : 0)) {
            free(ended->company);
            free(ended);
            continue;
        }
        ended->next = left;
        left = ended;
        n_left++;
    }
    uv_mutex_lock(&scheduler->mutex);
    while (left != NULL) {
        struct lane *back = left;
        left = back->next;
        back->next = scheduler->ended;
        scheduler->ended = back;
    }
    uv_mutex_unlock(&scheduler->mutex);
    return n_left;
}
