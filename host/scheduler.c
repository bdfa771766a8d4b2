/* scheduler.c - see scheduler.h: claiming, answering, submitting and waiting. */
#include "scheduler.h"
#include "batch_queue.h"
#include "clock.h"
#include "errors.h"
#include "lane_lost.h"
#include "lane_suspend.h"
#include "loaded_model.h"
#include "model_route.h"
#include "parallel.h"
#include "result.h"
#include "scheduler_loop.h"
#include "thread_guard.h"

#include <stdlib.h>

bool scheduler_claim(struct scheduler *scheduler, struct modelhost_request *request,
                     model_status status, struct modelhost_result *result,
                     const struct model_error *error)
{
    if (request->state == REQUEST_ANSWERED)
        return false;
    if (request->state == REQUEST_QUEUED) { /* the queue's reference is the claimed list's then */
        request_queue_remove(&scheduler->queue, request);
        lane_suspend_ended(request);
    } else
        request_retain(request);
    deadline_heap_remove(&scheduler->deadlines, request);
    request->state = REQUEST_ANSWERED;
    request->status = status;
    request->result = result;
    if (status != MODEL_OK && (request->error = malloc(sizeof *error)) != NULL)
        *request->error = *error;
    request->next = NULL;
    *(scheduler->claimed != NULL ? &scheduler->last_claimed->next : &scheduler->claimed) = request;
    scheduler->last_claimed = request;
    return true;
}

/* From here on the answer is its receiver's. */
static void tell(struct scheduler *scheduler, struct modelhost_request *request)
{
    const bool was_computed = request->result == NULL || !request->result->is_cached;
    request_ended(request);
    model_route_end(request, request->status, request->started_ns != 0 && was_computed,
                    request->error);
    if (request->callback == NULL)
        wait_word_post(&request->answered);
    else if (request->async != NULL)
        (void)uv_async_send(request->async);
    else
        scheduler_loop_answer(scheduler, request);
}

void scheduler_unlock(struct scheduler *scheduler)
{
    struct modelhost_request *claimed = scheduler->claimed;
    scheduler->claimed = NULL;
    uv_mutex_unlock(&scheduler->mutex);
    while (claimed != NULL) {
        struct modelhost_request *request = claimed;
        claimed = request->next;
        tell(scheduler, request);
        model_route_settle(request->model);
        request_drop(request);
    }
}

void scheduler_give_up(struct scheduler *scheduler, struct modelhost_request *request,
                       model_status status, const char *sentence)
{
    struct model_error error = MODEL_ERROR_INIT;
    struct lane *lane = request->lane;
    (void)error_set(&error, status, "%s", sentence);
    request_raise(request, (uint32_t)status);
    if (!scheduler_claim(scheduler, request, status, NULL, &error) || lane == NULL)
        return;
    request->given_up_ns = clock_now_ns();
    if (request->joint != NULL && --request->joint->n_waiting == 0)
        __atomic_store_n(&request->joint->cancelled, (uint32_t)status, __ATOMIC_RELAXED);
    if (--lane->n_waiting > 0) /* others that run with it are still waited for */
        return;
    lane->given_up_ns = request->given_up_ns;
    if (!lane->is_direct)
        scheduler_loop_wake(scheduler); /* for the end of its grace */
}

static void say_late(const struct modelhost_request *request, int64_t now_ns,
                     struct model_error *err)
{
    (void)error_set(err, MODEL_DEADLINE, "deadline passed after %lld ms while the request %s",
                    (long long)((now_ns - request->submitted_ns) / NS_PER_MS),
                    request->is_held                   ? "waited for a backend that is being opened"
                    : request->state == REQUEST_QUEUED ? "waited for a lane"
                                                       : "was running");
}

void scheduler_expire(struct scheduler *scheduler, struct modelhost_request *request,
                      int64_t now_ns)
{
    struct model_error late = MODEL_ERROR_INIT;
    say_late(request, now_ns, &late);
    scheduler_give_up(scheduler, request, MODEL_DEADLINE, late.message);
}

model_status scheduler_hold_deadline(const struct modelhost_request *request, model_status status,
                                     struct model_error *error)
{
    if (request->deadline_ns == INT64_MAX)
        return status;
    const int64_t now_ns = clock_now_ns();
    if (now_ns < request->deadline_ns)
        return status;
    say_late(request, now_ns, error);
    return MODEL_DEADLINE;
}

/* Under the mutex: puts it into the queue, and a callback's deadline to the loop's. */
static model_status enqueue(struct scheduler *scheduler, struct modelhost_request *request,
                            struct model_error *err)
{
    const bool has_callback = request->callback != NULL;
    if (has_callback && request->deadline_ns != INT64_MAX &&
        deadline_heap_add(&scheduler->deadlines, request) != MODEL_OK)
        return error_no_memory(err, "a deadline");
    if (request->waits_for_backend)
        request_queue_hold(&scheduler->queue, request);
    else if (request_queue_add(&scheduler->queue, request) != MODEL_OK) {
        deadline_heap_remove(&scheduler->deadlines, request);
        return error_no_memory(err, "a place in the queue");
    }
    request_retain(request);
    if (has_callback)
        request_retain(request);
    request->state = REQUEST_QUEUED;
    return MODEL_OK;
}

static model_status admit(struct scheduler *scheduler, struct modelhost_request *request,
                          struct model_error *err)
{
    if (scheduler->stopping)
        return error_set(err, MODEL_CANCELLED, "the host was shut down");
    if (request_queue_is_full(&scheduler->queue))
        return error_set(
            err, MODEL_BUSY, "%u requests wait already (max_queue %u); try again later",
            scheduler->queue.n_requests + scheduler->queue.n_held, scheduler->queue.max_requests);
    model_status status =
        request->waits_for_backend ? MODEL_OK : lane_check_model(request->model, err);
    return status == MODEL_OK ? enqueue(scheduler, request, err) : status;
}

model_status scheduler_submit(struct scheduler *scheduler, struct modelhost_request *request,
                              struct model_error *err)
{
    struct modelhost_model *model = request->model; /* which is the caller's, too */
    const bool waits = request->waits_for_backend;
    request->scheduler = scheduler;
    batch_describe(request);
    uv_mutex_lock(&scheduler->mutex);
    model_status status = admit(scheduler, request, err);
    const bool is_next =
        status == MODEL_OK &&
        (scheduler->has_slow ||
         (request->callback != NULL && deadline_heap_first(&scheduler->deadlines) == request));
    struct lane *lane = status == MODEL_OK ? lane_to_wake(scheduler) : NULL;
    uv_mutex_unlock(&scheduler->mutex);
    if (lane != NULL)
        wait_word_post(&lane->work);
    if (is_next)
        scheduler_loop_wake(scheduler);
    if (status == MODEL_OK && waits && !model_route_is_opening(model)) /* it has just ended */
        scheduler_route_held(scheduler, model_route_chain(model));
    return status;
}

void scheduler_count(struct scheduler *scheduler, uint32_t *ret_queued, uint32_t *ret_running)
{
    uv_mutex_lock(&scheduler->mutex);
    *ret_queued = scheduler->queue.n_requests + scheduler->queue.n_held;
    *ret_running = scheduler->n_busy + scheduler->n_relieved;
    uv_mutex_unlock(&scheduler->mutex);
}

bool scheduler_is_crowded(const struct scheduler *scheduler)
{
    return atomic_load_explicit(&scheduler->n_waiting, memory_order_relaxed) >=
           scheduler->options.n_cpus;
}

static bool wait_for_answer(struct scheduler *scheduler, struct modelhost_request *request,
                            struct wait_spin *spin)
{
    (void)atomic_fetch_add_explicit(&scheduler->n_waiting, 1, memory_order_relaxed);
    const bool came = wait_word_wait(&request->answered, spin, scheduler_is_crowded(scheduler),
                                     request->deadline_ns);
    (void)atomic_fetch_sub_explicit(&scheduler->n_waiting, 1, memory_order_relaxed);
    return came;
}

void scheduler_wait(struct scheduler *scheduler, struct modelhost_request *request,
                    struct wait_spin *spin)
{
    if (wait_for_answer(scheduler, request, spin))
        return;
    uv_mutex_lock(&scheduler->mutex);
    scheduler_expire(scheduler, request, clock_now_ns());
    scheduler_unlock(scheduler);
    /* Mine, or somebody's just before. */
    (void)wait_word_wait(&request->answered, NULL, false, INT64_MAX);
}

/* Under the mutex: takes the place of a lane. */
static bool begin_direct(struct scheduler *scheduler, struct lane *lane,
                         struct modelhost_request *request)
{
    if (scheduler->stopping || scheduler->queue.n_requests > 0 ||
        !lane_has_place(scheduler, request->model) ||
        lane_check_model(request->model, NULL) != MODEL_OK)
        return false;
    request->scheduler = scheduler;
    request_retain(request);
    lane_link(scheduler, lane);
    lane_begin(lane, request);
    return true;
}

/* A request that runs on its caller's thread. */
struct direct_run {
    struct lane lane;
    struct modelhost_result *result;
    struct model_error error;
    model_status status;
};

static void run_direct(void *argument)
{
    struct direct_run *run = argument;
    run->status = lane_execute(&run->lane, &run->result, &run->error);
}

bool scheduler_run_direct(struct scheduler *scheduler, struct modelhost_request *request)
{
    struct direct_run run;
    run.lane = (struct lane){.is_direct = true};
    uv_mutex_lock(&scheduler->mutex);
    const bool begun = begin_direct(scheduler, &run.lane, request);
    uv_mutex_unlock(&scheduler->mutex);
    if (!begun)
        return false;
    run.result = NULL;
    error_init(&run.error);
    struct lane_remains remains;
    const struct parallel_team own = parallel_lend_thread(scheduler->options.threads);
    thread_guard_run(run_direct, &run, lane_lost, &run.lane);
    parallel_return_thread(own);
    uv_mutex_lock(&scheduler->mutex);
    lane_end(&run.lane, run.status, run.result, &run.error, &remains);
    lane_unlink(&run.lane);
    struct lane *next = lane_to_wake(scheduler);
    scheduler_unlock(scheduler);
    if (next != NULL)
        wait_word_post(&next->work);
    lane_drop(&remains);
    return true;
}

void scheduler_cancel(struct scheduler *scheduler, struct modelhost_request *request)
{
    uv_mutex_lock(&scheduler->mutex);
    scheduler_give_up(scheduler, request, MODEL_CANCELLED, "the request was cancelled");
    scheduler_unlock(scheduler);
}

bool scheduler_is_ready(struct scheduler *scheduler, struct model_error *err)
{
    bool is_ready = true;
    uv_mutex_lock(&scheduler->mutex);
    for (struct lane *lane = scheduler->lanes; lane != NULL && is_ready; lane = lane->next)
        if (lane->is_late) {
            is_ready = false;
            (void)error_set(err, MODEL_BUSY,
                            "request %llu of '%s' shows no progress: its lane is held up until it "
                            "comes back, or is given up and replaced",
                            (unsigned long long)lane->running->id,
                            loaded_model_name(lane->running->model));
        }
    if (is_ready && scheduler->n_missing_lanes > 0) {
        is_ready = false;
        (void)error_set(err, MODEL_BUSY, "%u of %u lanes are being replaced",
                        scheduler->n_missing_lanes, scheduler->options.n_lanes);
    }
    uv_mutex_unlock(&scheduler->mutex);
    return is_ready;
}
