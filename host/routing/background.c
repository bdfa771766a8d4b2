/* background.c - see background.h. Ended threads are joined when the next one starts, or at the end. */
#include "background.h"
#include "errors.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct background_thread {
    struct background_thread *next;
    uv_thread_t thread;
    void (*body)(void *argument);
    void *argument;
    atomic_bool has_ended;
};

static void thread_main(void *argument)
{
    struct background_thread *thread = argument;
    thread->body(thread->argument);
    atomic_store(&thread->has_ended, true);
}

static void join(struct background_thread *thread)
{
    (void)uv_thread_join(&thread->thread);
    free(thread);
}

/* With the mutex held. */
static void join_ended(struct background *background)
{
    for (struct background_thread **at = &background->first; *at != NULL;) {
        struct background_thread *thread = *at;
        if (!atomic_load(&thread->has_ended)) {
            at = &thread->next;
            continue;
        }
        *at = thread->next;
        join(thread);
    }
}

model_status background_init(struct background *background, struct model_error *err)
{
    background->first = NULL;
    background->tokens = NULL;
    background->is_stopped = false;
    return uv_mutex_init(&background->mutex) == 0 ? MODEL_OK : error_no_memory(err, "a host");
}

model_status background_start(struct background *background, void (*body)(void *argument),
                              void *argument, struct model_error *err)
{
    struct background_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL)
        return error_no_memory(err, "a thread");
    thread->body = body;
    thread->argument = argument;
    uv_mutex_lock(&background->mutex);
    join_ended(background);
    const bool is_stopped = background->is_stopped;
    const int code =
        is_stopped ? UV_ECANCELED : uv_thread_create(&thread->thread, thread_main, thread);
    if (code == 0) {
        thread->next = background->first;
        background->first = thread;
    }
    uv_mutex_unlock(&background->mutex);
    if (code == 0)
        return MODEL_OK;
    free(thread);
    if (is_stopped)
        return error_set(err, MODEL_CANCELLED, "the host was shut down");
    return error_set(err, MODEL_OUT_OF_MEMORY, "cannot start a thread: %s", uv_strerror(code));
}

void background_raise(struct background_token *token)
{
    __atomic_store_n(&token->cancelled, MODEL_CANCELLED, __ATOMIC_RELEASE);
}

void background_watch(struct background *background, struct background_token *token)
{
    uv_mutex_lock(&background->mutex);
    token->next = background->tokens;
    background->tokens = token;
    if (background->is_stopped)
        background_raise(token);
    uv_mutex_unlock(&background->mutex);
}

void background_forget(struct background *background, struct background_token *token)
{
    uv_mutex_lock(&background->mutex);
    struct background_token **at = &background->tokens;
    while (*at != token)
        at = &(*at)->next;
    *at = token->next;
    uv_mutex_unlock(&background->mutex);
}

/* Lets nothing more in. */
static struct background_thread *take_first(struct background *background)
{
    uv_mutex_lock(&background->mutex);
    background->is_stopped = true;
    for (struct background_token *token = background->tokens; token != NULL; token = token->next)
        background_raise(token);
    struct background_thread *thread = background->first;
    if (thread != NULL)
        background->first = thread->next;
    uv_mutex_unlock(&background->mutex);
    return thread;
}

void background_stop(struct background *background)
{
    for (struct background_thread *thread; (thread = take_first(background)) != NULL;)
        join(thread);
}

void background_finish(struct background *background)
{
    background_stop(background);
    uv_mutex_destroy(&background->mutex);
}
