/* scheduler_loop.c - see scheduler_loop.h. One timer stands for all deadlines: it is set to the
 * earliest one whenever that changes. A request that ends in time costs the loop nothing. */
#include "scheduler_loop.h"
#include "clock.h"
#include "errors.h"
#include "standard_descriptors.h"

void scheduler_loop_say_late(const struct modelhost_request *request, int64_t now_ns,
                             struct model_error *err)
{
    (void)error_set(err, MODEL_DEADLINE, "deadline passed after %lld ms while the request %s",
                    (long long)((now_ns - request->submitted_ns) / NS_PER_MS),
                    request->state == REQUEST_QUEUED ? "waited for a lane" : "was running");
}

static void expire(struct scheduler *scheduler, struct modelhost_request *request, int64_t now_ns)
{
    struct model_error late = MODEL_ERROR_INIT;
    scheduler_loop_say_late(request, now_ns, &late);
    scheduler_give_up(scheduler, request, MODEL_DEADLINE, late.message);
}

static void on_timer(uv_timer_t *timer);

/* Expires what is due and sets the timer for what comes next. With the mutex held. */
static void keep_deadlines(struct scheduler *scheduler)
{
    int64_t now_ns = clock_now_ns();
    struct modelhost_request *first;
    while ((first = deadline_heap_first(&scheduler->deadlines)) != NULL &&
           first->deadline_ns <= now_ns)
        expire(scheduler, first, now_ns);
    if (first == NULL) {
        (void)uv_timer_stop(&scheduler->timer);
        return;
    }
    /* Rounded up, so that the timer never fires just before the deadline. */
    uint64_t wait_ms = (uint64_t)((first->deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
    uv_update_time(&scheduler->loop);
    (void)uv_timer_start(&scheduler->timer, on_timer, wait_ms, 0);
}

static struct modelhost_request *take_answers(struct scheduler *scheduler)
{
    struct modelhost_request *reversed = scheduler->answers, *ordered = NULL;
    scheduler->answers = NULL;
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
    uv_mutex_lock(&scheduler->mutex);
    keep_deadlines(scheduler);
    struct modelhost_request *answers = take_answers(scheduler);
    struct loop_visit *visits = scheduler->visits;
    scheduler->visits = NULL;
    scheduler_unlock(scheduler);
    make_visits(scheduler, visits);
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
    int end = scheduler->stopping && scheduler->answers == NULL && scheduler->n_live_lanes == 0;
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
    request->next = scheduler->answers;
    scheduler->answers = request;
    scheduler_loop_wake(scheduler);
}
