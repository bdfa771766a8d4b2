/* scheduler_loop.c - see scheduler_loop.h. One timer stands for all deadlines: it is set to the
 * earliest one whenever that changes. A request that ends in time costs the loop nothing. What the loop
 * says and calls, it does without the mutex. */
#include "scheduler_loop.h"
#include "clock.h"
#include "errors.h"
#include "standard_descriptors.h"

#define RETRY_NS NS_PER_S /* for a lane that could not be started */

static void on_timer(uv_timer_t *timer);

/* With the mutex held: expires what is due, sees to the lanes, and sets the timer for what comes next. */
static void keep_time(struct scheduler *scheduler, struct lane_news *news)
{
    const int64_t now_ns = clock_now_ns();
    struct modelhost_request *first;
    while ((first = deadline_heap_first(&scheduler->deadlines)) != NULL &&
           first->deadline_ns <= now_ns)
        scheduler_expire(scheduler, first, now_ns);
    int64_t next_ns = lane_keep_time(scheduler, now_ns, news);
    if (next_ns < scheduler->watch_ns || scheduler->watch_ns <= now_ns)
        scheduler->watch_ns =
            next_ns; /* else it stays, so that the next short call need not wake us */
    next_ns = scheduler->watch_ns;
    if (first != NULL && first->deadline_ns < next_ns)
        next_ns = first->deadline_ns;
    if (scheduler->n_missing_lanes > 0 && next_ns > now_ns + RETRY_NS)
        next_ns = now_ns + RETRY_NS;
    if (next_ns == INT64_MAX) {
        (void)uv_timer_stop(&scheduler->timer);
        return;
    }
    /* Rounded up, so that the timer never fires just before the deadline. */
    const uint64_t wait_ms = (uint64_t)((next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
    uv_update_time(&scheduler->loop);
    (void)uv_timer_start(&scheduler->timer, on_timer, wait_ms, 0);
}

/* Starts lanes in the place of abandoned ones; what fails is tried again at the next turn. */
static void replace_lanes(struct scheduler *scheduler)
{
    for (;;) {
        uv_mutex_lock(&scheduler->mutex);
        const bool is_missing = scheduler->n_missing_lanes > 0 && !scheduler->stopping;
        uv_mutex_unlock(&scheduler->mutex);
        struct model_error error = MODEL_ERROR_INIT;
        if (!is_missing)
            return;
        if (lane_start(scheduler, &error) != MODEL_OK) {
            log_write(scheduler->options.log, MODEL_LOG_ERROR, "%s; trying again", error.message);
            return;
        }
        uv_mutex_lock(&scheduler->mutex);
        scheduler->n_missing_lanes--;
        uv_mutex_unlock(&scheduler->mutex);
    }
}

static struct modelhost_request *take_answers(struct scheduler *scheduler)
{
    struct modelhost_request *reversed = atomic_exchange(&scheduler->answers, NULL);
    struct modelhost_request *ordered = NULL;
    while (reversed != NULL) {
        struct modelhost_request *request = reversed;
        reversed = request->next;
        request->next = ordered;
        ordered = request;
    }
    return ordered;
}

struct loop_visit {
    struct loop_visit *next;
    void (*body)(uv_loop_t *loop, void *argument);
    void *argument;
    bool has_ended; /* guarded by the scheduler's mutex */
};

static void make_visits(struct scheduler *scheduler, struct loop_visit *visits)
{
    while (visits != NULL) {
        struct loop_visit *visit = visits;
        visits = visit->next;
        visit->body(&scheduler->loop, visit->argument);
        uv_mutex_lock(&scheduler->mutex);
        visit->has_ended = true; /* its caller may be gone from here on */
        uv_cond_broadcast(&scheduler->visited);
        uv_mutex_unlock(&scheduler->mutex);
    }
}

static void turn(struct scheduler *scheduler)
{
    struct lane_news news = {.n_lines = 0};
    uv_mutex_lock(&scheduler->mutex);
    keep_time(scheduler, &news);
    struct loop_visit *visits = scheduler->visits;
    scheduler->visits = NULL;
    scheduler_unlock(scheduler);
    make_visits(scheduler, visits);
    lane_tell(scheduler, &news);
    replace_lanes(scheduler);
    (void)lane_join_ended(scheduler, 0);
    struct modelhost_request *answers = take_answers(scheduler);
    while (answers != NULL) {
        struct modelhost_request *request = answers;
        answers = request->next;
        request->next = NULL;
        request_call_back(request);
    }
}

static void on_timer(uv_timer_t *timer)
{
    turn(timer->data);
}

static void on_wake(uv_async_t *wake)
{
    struct scheduler *scheduler = wake->data;
    turn(scheduler);
    uv_mutex_lock(&scheduler->mutex);
    int end = scheduler->has_stopped && scheduler->n_live_lanes == 0 &&
              atomic_load(&scheduler->answers) == NULL;
    uv_mutex_unlock(&scheduler->mutex);
    if (end && !uv_is_closing((uv_handle_t *)wake)) {
        uv_close((uv_handle_t *)wake, NULL);
        uv_close((uv_handle_t *)&scheduler->timer, NULL);
    }
}

static void loop_main(void *argument)
{
    struct scheduler *scheduler = argument;
    (void)uv_run(&scheduler->loop, UV_RUN_DEFAULT);
}

/* The loop's descriptors must not be those of a closed standard stream: what the process prints would go
 * there, and libuv refuses to close them. */
static int init_loop(struct scheduler *scheduler)
{
    unsigned filled = standard_descriptors_fill();
    int code = uv_loop_init(&scheduler->loop);
    if (code == 0)
        code = uv_async_init(&scheduler->loop, &scheduler->wake, on_wake);
    if (code == 0)
        code = uv_timer_init(&scheduler->loop, &scheduler->timer);
    standard_descriptors_clear(filled);
    return code;
}

model_status scheduler_loop_start(struct scheduler *scheduler, struct model_error *err)
{
    int code = init_loop(scheduler);
    if (code != 0)
        return error_set(err, MODEL_INTERNAL, "cannot make an event loop: %s", uv_strerror(code));
    scheduler->wake.data = scheduler->timer.data = scheduler;
    code = uv_thread_create(&scheduler->loop_thread, loop_main, scheduler);
    if (code != 0)
        return error_set(err, MODEL_INTERNAL, "cannot start the event loop: %s", uv_strerror(code));
    return MODEL_OK;
}

void scheduler_loop_stop(struct scheduler *scheduler)
{
    uv_mutex_lock(&scheduler->mutex);
    int stuck = scheduler->n_live_lanes > 0;
    scheduler->has_stopped = true;
    uv_mutex_unlock(&scheduler->mutex);
    scheduler_loop_wake(scheduler);
    if (stuck)
        return; /* the loop lives on for the lane that may come back */
    (void)uv_thread_join(&scheduler->loop_thread);
    (void)uv_loop_close(&scheduler->loop);
}

void scheduler_loop_visit(struct scheduler *scheduler,
                          void (*body)(uv_loop_t *loop, void *argument), void *argument)
{
    struct loop_visit visit = {.body = body, .argument = argument};
    uv_mutex_lock(&scheduler->mutex);
    visit.next = scheduler->visits;
    scheduler->visits = &visit;
    scheduler_loop_wake(scheduler);
    while (!visit.has_ended)
        uv_cond_wait(&scheduler->visited, &scheduler->mutex);
    uv_mutex_unlock(&scheduler->mutex);
}

void scheduler_loop_wake(struct scheduler *scheduler)
{
    (void)uv_async_send(&scheduler->wake);
}

void scheduler_loop_answer(struct scheduler *scheduler, struct modelhost_request *request)
{
    request->next = atomic_load(&scheduler->answers);
    while (!atomic_compare_exchange_weak(&scheduler->answers, &request->next, request))
        continue;
    scheduler_loop_wake(scheduler);
}
