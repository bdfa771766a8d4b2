/* scheduler.c - see scheduler.h: the queue, claiming and answering; scheduler_loop.c keeps time. */
#include "scheduler.h"
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

/* Every end of a request that was submitted, once, before anybody is told. Under the mutex. */
static void request_ended(struct modelhost_request *request, model_status status)
{
    const int64_t now_ns = clock_now_ns(), started_ns = request->started_ns;
    const bool ran = started_ns != 0;
    model_metrics_request_ended(&request->model->metrics, status,
                                (ran ? started_ns : now_ns) - request->submitted_ns,
                                ran ? now_ns - started_ns : -1);
    if (ran && (status == MODEL_DEADLINE || status == MODEL_CANCELLED))
        request->raised_ns = now_ns;
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
    request_ended(request, status);
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
    (void)claim(scheduler, request, status, NULL, &error);
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

/* With what the request's lines say it is. */
static model_status execute(struct scheduler *scheduler, struct modelhost_request *request,
                            struct modelhost_result **ret_result, struct model_error *err)
{
    const struct log_subject before =
        log_set_subject((struct log_subject){request->model->services.model_name, request->id});
    const model_status status = execute_request(request, ret_result, err);
    log_write(scheduler->log, MODEL_LOG_DEBUG, "%s, %lld us queued, %lld us run",
              status_name(status),
              (long long)((request->started_ns - request->submitted_ns) / NS_PER_US),
              (long long)((clock_now_ns() - request->started_ns) / NS_PER_US));
    (void)log_set_subject(before);
    return status;
}

/* Runs one request on the calling lane and answers it. Called and returns with the mutex held. */
static void run_one(struct scheduler *scheduler, uint32_t lane, struct modelhost_request *request)
{
    struct modelhost_result *result = NULL;
    struct model_error error = MODEL_ERROR_INIT;
    queue_unlink(scheduler, request);
    model_status status = hold_deadline(request, MODEL_OK, &error);
    request->state = REQUEST_RUNNING;
    request->started_ns = status == MODEL_OK ? clock_now_ns() : 0;
    scheduler->running[lane] = request;
    uv_mutex_unlock(&scheduler->mutex);

    if (status == MODEL_OK)
        status = execute(scheduler, request, &result, &error);

    uv_mutex_lock(&scheduler->mutex);
    if (request->raised_ns != 0)
        model_metrics_cancel_ended(&request->model->metrics, clock_now_ns() - request->raised_ns);
    scheduler->running[lane] = NULL;
    status = hold_deadline(request, status, &error);
    int claimed = claim(scheduler, request, status, status == MODEL_OK ? result : NULL, &error);
    request_end_session(request, claimed && status == MODEL_OK);
    uv_mutex_unlock(&scheduler->mutex);
    if (!claimed || status != MODEL_OK)
        modelhost_result_destroy(result);
    request_drop(request); /* the queue's reference, which the lane took over */
    uv_mutex_lock(&scheduler->mutex);
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
    uv_mutex_lock(&scheduler->mutex);
    while (!scheduler->stopping) {
        if (scheduler->first != NULL)
            run_one(scheduler, start.lane, scheduler->first);
        else
            uv_cond_wait(&scheduler->work, &scheduler->mutex);
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
    uv_cond_destroy(&scheduler->visited);
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
                uv_cond_init(&scheduler->lane_ended) == 0 && uv_cond_init(&scheduler->visited) == 0;
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
        if (scheduler->running[i] != NULL)
            scheduler_give_up(scheduler, scheduler->running[i], MODEL_CANCELLED,
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

void scheduler_count(struct scheduler *scheduler, uint32_t *ret_queued, uint32_t *ret_running)
{
    uint32_t n_running = 0;
    uv_mutex_lock(&scheduler->mutex);
    for (uint32_t i = 0; i < scheduler->n_lanes; i++)
        n_running += scheduler->running[i] != NULL;
    *ret_queued = scheduler->n_queued;
    *ret_running = n_running;
    uv_mutex_unlock(&scheduler->mutex);
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
