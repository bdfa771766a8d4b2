/* scheduler.c - see scheduler.h: the queue, claiming and answering; scheduler_loop.c keeps time. */
#include "scheduler.h"
#include "batch_queue.h"
#include "batch_run.h"
#include "clock.h"
#include "errors.h"
#include "execute.h"
#include "loaded_model.h"
#include "parallel.h"
#include "result.h"
#include "scheduler_loop.h"
#include "services.h"

#include <stdlib.h>

#define STOP_GRACE_NS (5 * NS_PER_S)

static void queue_append(struct scheduler *scheduler, struct modelhost_request *request)
{
    request->previous = scheduler->last;
    request->next = NULL;
    *(scheduler->last != NULL ? &scheduler->last->next : &scheduler->first) = request;
    scheduler->last = request;
    scheduler->n_queued++;
}

static void queue_unlink(struct scheduler *scheduler, struct modelhost_request *request)
{
    *(request->previous != NULL ? &request->previous->next : &scheduler->first) = request->next;
    *(request->next != NULL ? &request->next->previous : &scheduler->last) = request->previous;
    request->previous = request->next = NULL;
    scheduler->n_queued--;
}

/* Under the mutex: makes this the request's answer unless it has one. `result` is taken over on
 * success. Returns whether it was claimed. */
static int claim(struct scheduler *scheduler, struct modelhost_request *request,
                 model_status status, struct modelhost_result *result,
                 const struct model_error *error)
{
    if (request->state == REQUEST_ANSWERED)
        return 0;
    int queued = request->state == REQUEST_QUEUED;
    if (queued)
        queue_unlink(scheduler, request);
    deadline_heap_remove(&scheduler->deadlines, request);
    request->state = REQUEST_ANSWERED;
    request->status = status;
    request->result = result;
    if (error != NULL)
        request->error = *error;
    if (request->callback == NULL)
        uv_cond_signal(&request->answered);
    else if (request->async != NULL)
        (void)uv_async_send(request->async);
    else
        scheduler_loop_answer(scheduler, request);
    if (queued) { /* the queue's reference; it may be the last by now */
        request->previous = scheduler->discarded;
        scheduler->discarded = request;
    }
    return 1;
}

void scheduler_unlock(struct scheduler *scheduler)
{
    struct modelhost_request *discarded = scheduler->discarded;
    scheduler->discarded = NULL;
    uv_mutex_unlock(&scheduler->mutex);
    while (discarded != NULL) {
        struct modelhost_request *request = discarded;
        discarded = request->previous;
        request_drop(request);
    }
}

void scheduler_give_up(struct scheduler *scheduler, struct modelhost_request *request,
                       model_status status, const char *sentence)
{
    struct model_error error = MODEL_ERROR_INIT;
    (void)error_set(&error, status, "%s", sentence);
    __atomic_store_n(&request->cancelled, (uint32_t)status, __ATOMIC_RELAXED);
    struct joint_run *joint = request->joint;
    if (claim(scheduler, request, status, NULL, &error) && joint != NULL && --joint->n_waiting == 0)
        __atomic_store_n(&joint->cancelled, (uint32_t)status, __ATOMIC_RELAXED);
}

void scheduler_join(struct scheduler *scheduler, struct modelhost_request ***places, uint32_t n,
                    struct joint_run *joint)
{
    uv_mutex_lock(&scheduler->mutex);
    for (uint32_t i = 0; i < n; i++) {
        (*places[i])->joint = joint;
        joint->n_waiting += (*places[i])->state != REQUEST_ANSWERED;
    }
    if (joint->n_waiting == 0)
        __atomic_store_n(&joint->cancelled, MODEL_CANCELLED, __ATOMIC_RELAXED);
    uv_mutex_unlock(&scheduler->mutex);
}

void scheduler_part(struct scheduler *scheduler, struct modelhost_request ***places, uint32_t n)
{
    uv_mutex_lock(&scheduler->mutex);
    for (uint32_t i = 0; i < n; i++)
        (*places[i])->joint = NULL;
    uv_mutex_unlock(&scheduler->mutex);
}

/* Under the mutex. A deadline holds although the timer may be late: what ends behind it is no answer. */
static model_status hold_deadline(const struct modelhost_request *request, model_status status,
                                  struct model_error *error)
{
    int64_t now_ns = clock_now_ns();
    if (now_ns < request->deadline_ns)
        return status;
    scheduler_loop_say_late(request, now_ns, error);
    return MODEL_DEADLINE;
}

void scheduler_answer(struct scheduler *scheduler, struct modelhost_request **place,
                      model_status status, struct modelhost_result *result,
                      const struct model_error *error)
{
    struct modelhost_request *request = *place;
    struct model_error own = *error;
    uv_mutex_lock(&scheduler->mutex);
    *place = NULL;
    status = hold_deadline(request, status, &own);
    int claimed = claim(scheduler, request, status, status == MODEL_OK ? result : NULL, &own);
    request_end_session(request, claimed && status == MODEL_OK);
    uv_mutex_unlock(&scheduler->mutex);
    if (!claimed || status != MODEL_OK)
        modelhost_result_destroy(result);
    request_drop(request); /* the queue's reference, which the lane took over */
}

/* Under the mutex: takes what is to run next out of the queue. Returns false when there is nothing, or only
 * what had better wait for company, until *ret_run_at_ns. */
static bool take_work(struct scheduler *scheduler, struct lane_work *work, int64_t *ret_run_at_ns)
{
    const int64_t now_ns = clock_now_ns();
    const uint64_t look = ++scheduler->n_looks;
    *ret_run_at_ns = INT64_MAX;
    work->n = 0;
    for (struct modelhost_request *first = scheduler->first; first != NULL && work->n == 0;
         first = first->next) {
        int64_t run_at_ns = INT64_MAX;
        if (first->model->waits_at_look == look)
            continue;
        work->n = batch_gather(first, now_ns, work->requests, &run_at_ns);
        first->model->waits_at_look = look;
        if (work->n == 0 && run_at_ns < *ret_run_at_ns)
            *ret_run_at_ns = run_at_ns;
    }
    /* Idle lanes take their share: two half batches side by side are done before a whole one. */
    work->n = (work->n + scheduler->n_idle) / (1 + scheduler->n_idle);
    for (uint32_t i = 0; i < work->n; i++) {
        queue_unlink(scheduler, work->requests[i]);
        work->requests[i]->state = REQUEST_RUNNING;
    }
    return work->n > 0;
}

/* A request by itself. */
static void run_one(struct scheduler *scheduler, struct modelhost_request **place)
{
    struct modelhost_request *request = *place;
    struct modelhost_result *result = NULL;
    struct model_error error = MODEL_ERROR_INIT;
    model_status status = hold_deadline(request, MODEL_OK, &error);
    if (status == MODEL_OK)
        status = execute_request(request, &result, &error);
    scheduler_answer(scheduler, place, status, result, &error);
}

/* Runs and answers work on the calling lane. Called and returns with the mutex held. */
static void run_work(struct scheduler *scheduler, uint32_t lane, struct lane_work *work)
{
    scheduler->running[lane] = work;
    if (scheduler->first != NULL)
        uv_cond_signal(
            &scheduler->work); /* somebody must keep the time of what waits for company */
    uv_mutex_unlock(&scheduler->mutex);
    if (work->n == 1)
        run_one(scheduler, &work->requests[0]);
    else
        execute_batch(scheduler, work->requests, work->n);
    uv_mutex_lock(&scheduler->mutex);
    scheduler->running[lane] = NULL;
}

/* Waits for work, until then at the latest. With the mutex held. */
static void wait_for_work(struct scheduler *scheduler, int64_t until_ns)
{
    const int64_t left_ns = until_ns - clock_now_ns();
    scheduler->n_idle++;
    if (until_ns == INT64_MAX)
        uv_cond_wait(&scheduler->work, &scheduler->mutex);
    else if (left_ns > 0)
        (void)uv_cond_timedwait(&scheduler->work, &scheduler->mutex, (uint64_t)left_ns);
    scheduler->n_idle--;
}

struct lane_start {
    struct scheduler *scheduler;
    uint32_t lane;
};

static void lane_main(void *argument)
{
    struct lane_start start = *(struct lane_start *)argument;
    free(argument);
    struct scheduler *scheduler = start.scheduler;
    parallel_adopt_thread(scheduler->threads);
    struct lane_work work = {0};
    int64_t run_at_ns = INT64_MAX;
    uv_mutex_lock(&scheduler->mutex);
    while (!scheduler->stopping) {
        if (take_work(scheduler, &work, &run_at_ns))
            run_work(scheduler, start.lane, &work);
        else
            wait_for_work(scheduler, run_at_ns);
    }
    scheduler->n_live_lanes--;
    uv_cond_signal(&scheduler->lane_ended);
    uv_mutex_unlock(&scheduler->mutex);
    services_release_scratch();
}

static int start_lane(struct scheduler *scheduler, uint32_t lane)
{
    struct lane_start *start = malloc(sizeof *start);
    if (start == NULL)
        return UV_ENOMEM;
    *start = (struct lane_start){scheduler, lane};
    int code = uv_thread_create(&scheduler->lanes[lane], lane_main, start);
    if (code != 0)
        free(start);
    return code;
}

static void free_scheduler(struct scheduler *scheduler)
{
    deadline_heap_finish(&scheduler->deadlines);
    free(scheduler->running);
    free(scheduler->lanes);
    uv_cond_destroy(&scheduler->work);
    uv_cond_destroy(&scheduler->lane_ended);
    uv_mutex_destroy(&scheduler->mutex);
    free(scheduler);
}

model_status scheduler_create(uint32_t n_lanes, uint32_t threads, uint32_t max_queue,
                              const struct log_sink *log, struct scheduler **ret,
                              struct model_error *err)
{
    struct scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (scheduler == NULL)
        return error_no_memory(err, "a scheduler");
    scheduler->log = log;
    scheduler->n_lanes = n_lanes;
    scheduler->threads = threads;
    scheduler->max_queue = max_queue;
    scheduler->running = calloc(n_lanes, sizeof(void *));
    scheduler->lanes = calloc(n_lanes, sizeof *scheduler->lanes);
    int ready = uv_mutex_init(&scheduler->mutex) == 0 && uv_cond_init(&scheduler->work) == 0 &&
                uv_cond_init(&scheduler->lane_ended) == 0;
    if (!ready || scheduler->running == NULL || scheduler->lanes == NULL) {
        free(scheduler->running);
        free(scheduler->lanes);
        free(scheduler);
        return error_no_memory(err, "a scheduler");
    }
    model_status status = scheduler_loop_start(scheduler, err);
    if (status != MODEL_OK) {
        free_scheduler(scheduler);
        return status;
    }
    for (uint32_t i = 0; i < n_lanes; i++) {
        int code = start_lane(scheduler, i);
        if (code != 0) {
            scheduler->n_lanes = i;
            (void)scheduler_destroy(scheduler);
            return error_set(err, MODEL_OUT_OF_MEMORY, "cannot start lane %u of %u: %s", i + 1,
                             n_lanes, uv_strerror(code));
        }
        uv_mutex_lock(&scheduler->mutex);
        scheduler->n_live_lanes++;
        uv_mutex_unlock(&scheduler->mutex);
    }
    *ret = scheduler;
    return MODEL_OK;
}

/* Waits for all lanes to end, up to the grace; returns how many did not. With the mutex held. */
static uint32_t wait_for_lanes(struct scheduler *scheduler)
{
    int64_t end_ns = clock_now_ns() + STOP_GRACE_NS;
    for (int64_t left_ns; scheduler->n_live_lanes > 0 && (left_ns = end_ns - clock_now_ns()) > 0;)
        (void)uv_cond_timedwait(&scheduler->lane_ended, &scheduler->mutex, (uint64_t)left_ns);
    return scheduler->n_live_lanes;
}

uint32_t scheduler_destroy(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return 0;
    uv_mutex_lock(&scheduler->mutex);
    scheduler->stopping = 1;
    while (scheduler->first != NULL)
        scheduler_give_up(scheduler, scheduler->first, MODEL_CANCELLED, "the host was shut down");
    for (uint32_t i = 0; i < scheduler->n_lanes; i++)
        for (uint32_t k = 0; scheduler->running[i] != NULL && k < scheduler->running[i]->n; k++)
            if (scheduler->running[i]->requests[k] != NULL)
                scheduler_give_up(scheduler, scheduler->running[i]->requests[k], MODEL_CANCELLED,
                                  "the host was shut down");
    uv_cond_broadcast(&scheduler->work);
    uint32_t n_stuck = wait_for_lanes(scheduler);
    scheduler_unlock(scheduler);
    scheduler_loop_stop(scheduler);
    if (n_stuck > 0) {
        log_write(scheduler->log, MODEL_LOG_ERROR,
                  "%u lanes are stuck in a plugin that does not look at its cancel token; leaving "
                  "them behind",
                  n_stuck);
        return n_stuck;
    }
    for (uint32_t i = 0; i < scheduler->n_lanes; i++)
        (void)uv_thread_join(&scheduler->lanes[i]);
    free_scheduler(scheduler);
    return 0;
}

model_status scheduler_submit(struct scheduler *scheduler, struct modelhost_request *request,
                              struct model_error *err)
{
    int wake = 0;
    model_status status = MODEL_OK;
    request->scheduler = scheduler;
    batch_describe(request);
    uv_mutex_lock(&scheduler->mutex);
    if (scheduler->stopping) {
        status = error_set(err, MODEL_CANCELLED, "the host was shut down");
    } else if (scheduler->n_queued >= scheduler->max_queue) {
        status =
            error_set(err, MODEL_BUSY, "%u requests wait already (max_queue %u); try again later",
                      scheduler->n_queued, scheduler->max_queue);
    } else if (request->deadline_ns != INT64_MAX) {
        status = deadline_heap_add(&scheduler->deadlines, request);
        wake = deadline_heap_first(&scheduler->deadlines) == request;
        if (status != MODEL_OK)
            (void)error_no_memory(err, "a deadline");
    }
    if (status == MODEL_OK) {
        request_retain(request);
        if (request->callback != NULL)
            request_retain(request);
        request->state = REQUEST_QUEUED;
        queue_append(scheduler, request);
        uv_cond_signal(&scheduler->work);
    }
    uv_mutex_unlock(&scheduler->mutex);
    if (status == MODEL_OK && wake)
        scheduler_loop_wake(scheduler);
    return status;
}

void scheduler_wait(struct scheduler *scheduler, struct modelhost_request *request)
{
    uv_mutex_lock(&scheduler->mutex);
    while (request->state != REQUEST_ANSWERED)
        uv_cond_wait(&request->answered, &scheduler->mutex);
    uv_mutex_unlock(&scheduler->mutex);
}

void scheduler_cancel(struct scheduler *scheduler, struct modelhost_request *request)
{
    uv_mutex_lock(&scheduler->mutex);
    scheduler_give_up(scheduler, request, MODEL_CANCELLED, "the request was cancelled");
    scheduler_unlock(scheduler);
}
