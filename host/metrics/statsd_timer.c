/* statsd_timer.c - see statsd_timer.h. The handle belongs to the loop: it is made and closed there, and its
 * closing frees the rest. */
#include "statsd_timer.h"
#include "clock.h"
#include "errors.h"
#include "scheduler_loop.h"

#include <stdlib.h>

struct statsd_timer {
    uv_timer_t handle;
    struct scheduler *scheduler;
    struct statsd *statsd;
    uint64_t interval_ms;
};

static void push(struct statsd_timer *timer)
{
    statsd_push(timer->statsd, clock_now_ns());
}

static void on_timer(uv_timer_t *handle)
{
    push(handle->data);
}

static void on_close(uv_handle_t *handle)
{
    struct statsd_timer *timer = handle->data;
    statsd_destroy(timer->statsd);
    free(timer);
}

static void start_on_loop(uv_loop_t *loop, void *argument)
{
    struct statsd_timer *timer = argument;
    (void)uv_timer_init(loop, &timer->handle); /* cannot fail */
    timer->handle.data = timer;
    (void)uv_timer_start(&timer->handle, on_timer, timer->interval_ms, timer->interval_ms);
    push(timer); /* begins with looking the server up */
}

static void stop_on_loop(uv_loop_t *loop, void *argument)
{
    struct statsd_timer *timer = argument;
    (void)loop;
    push(timer);
    uv_close((uv_handle_t *)&timer->handle, on_close);
}

model_status statsd_timer_start(struct scheduler *scheduler, struct statsd *statsd,
                                int64_t interval_ms, struct statsd_timer **ret,
                                struct model_error *err)
{
    struct statsd_timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL)
        return error_no_memory(err, "a StatsD client");
    timer->scheduler = scheduler;
    timer->statsd = statsd;
    timer->interval_ms = (uint64_t)interval_ms;
    scheduler_loop_visit(scheduler, start_on_loop, timer);
    *ret = timer;
    return MODEL_OK;
}

void statsd_timer_stop(struct statsd_timer *timer)
{
    if (timer != NULL)
        scheduler_loop_visit(timer->scheduler, stop_on_loop, timer);
}
