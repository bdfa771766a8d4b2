/* hub_loop.c - see hub_loop.h. Every handle is closed through the loop before its memory goes. */
#include "hub_loop.h"
#include "errors.h"

#include <stdlib.h>
#include <uv.h>

struct hub_watch {
    uv_poll_t poll;
    struct hub_loop *loop;
    int socket;
};

struct hub_loop {
    uv_loop_t loop;
    uv_timer_t timer, limit; /* of the owner, of a run */
    uv_async_t wake;
    struct hub_loop_events events;
};

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct hub_watch *watch = handle->data;
    const struct hub_loop_events *told = &watch->loop->events;
    /* what is broken is found out by reading it */
    bool readable = status < 0 || (events & (UV_READABLE | UV_DISCONNECT)) != 0;
    bool writable = status < 0 || (events & UV_WRITABLE) != 0;
    told->on_socket(told->context, watch->socket, readable, writable);
}

static void on_timer(uv_timer_t *handle)
{
    struct hub_loop *loop = handle->data;
    loop->events.on_timer(loop->events.context);
}

/* uv_run() calls timers before it waits, too: without a word it would wait on then, for whatever is next. */
static void on_limit(uv_timer_t *handle)
{
    uv_stop(handle->loop);
}

static void on_wake(uv_async_t *handle)
{
    (void)handle;
}

static void free_watch(uv_handle_t *handle)
{
    free(handle->data);
}

model_status hub_loop_create(const struct hub_loop_events *events, struct hub_loop **ret,
                             struct model_error *err)
{
    struct hub_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return error_no_memory(err, "the network loop");
    loop->events = *events;
    int code = uv_loop_init(&loop->loop);
    if (code != 0)
        goto fail;
    (void)uv_timer_init(&loop->loop, &loop->timer);
    (void)uv_timer_init(&loop->loop, &loop->limit);
    loop->timer.data = loop;
    code = uv_async_init(&loop->loop, &loop->wake, on_wake);
    if (code == 0) {
        *ret = loop;
        return MODEL_OK;
    }
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->limit, NULL);
    (void)uv_run(&loop->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop->loop);
fail:
    free(loop);
    return error_set_errno(err, -code, "cannot make a network loop");
}

void hub_loop_destroy(struct hub_loop *loop)
{
    if (loop == NULL)
        return;
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->limit, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    (void)uv_run(&loop->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop->loop);
    free(loop);
}

model_status hub_loop_watch(struct hub_loop *loop, struct hub_watch **watch, int socket, bool read,
                            bool write)
{
    struct hub_watch *watched = *watch;
    if (!read && !write) {
        if (watched != NULL) {
            (void)uv_poll_stop(&watched->poll);
            uv_close((uv_handle_t *)&watched->poll, free_watch);
        }
        *watch = NULL;
        return MODEL_OK;
    }
    if (watched == NULL) {
        watched = calloc(1, sizeof *watched);
        if (watched == NULL)
            return MODEL_OUT_OF_MEMORY;
        if (uv_poll_init_socket(&loop->loop, &watched->poll, socket) != 0) {
            free(watched);
            return MODEL_IO;
        }
        watched->poll.data = watched;
        watched->loop = loop;
        watched->socket = socket;
        *watch = watched;
    }
    int events = (read ? UV_READABLE : 0) | (write ? UV_WRITABLE : 0);
    return uv_poll_start(&watched->poll, events, on_poll) == 0 ? MODEL_OK : MODEL_IO;
}

void hub_loop_set_timer(struct hub_loop *loop, int64_t after_ms)
{
    if (after_ms < 0) {
        (void)uv_timer_stop(&loop->timer);
        return;
    }
    uv_update_time(&loop->loop);
    (void)uv_timer_start(&loop->timer, on_timer, (uint64_t)after_ms, 0);
}

void hub_loop_run(struct hub_loop *loop, int64_t timeout_ms)
{
    uv_update_time(&loop->loop);
    (void)uv_timer_start(&loop->limit, on_limit, timeout_ms > 0 ? (uint64_t)timeout_ms : 0, 0);
    (void)uv_run(&loop->loop, UV_RUN_ONCE);
}

void hub_loop_wake(struct hub_loop *loop)
{
    (void)uv_async_send(&loop->wake);
}
