/* reaper.c - see reaper.h. One thread and a list: a host releases few models, and their plugins' code runs
 * one destroy() at a time. */
#include "reaper.h"
#include "errors.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

struct reaper {
    _Atomic uint32_t references;
    struct log_sink log;
    uv_thread_t thread;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t work;
    struct reaper_item *first, *last;
    int stopping; /* the thread ends when the list is empty */
    int stopped;  /* it takes nothing more */
};

static void reaper_main(void *argument)
{
    struct reaper *reaper = argument;
    uv_mutex_lock(&reaper->mutex);
    for (;;) {
        struct reaper_item *item = reaper->first;
        if (item == NULL && reaper->stopping)
            break;
        if (item == NULL) {
            uv_cond_wait(&reaper->work, &reaper->mutex);
            continue;
        }
        reaper->first = item->next;
        uv_mutex_unlock(&reaper->mutex);
        item->destroy(item->object); /* the item is gone with it */
        uv_mutex_lock(&reaper->mutex);
    }
    reaper->stopped = 1;
    uv_mutex_unlock(&reaper->mutex);
}

model_status reaper_create(const struct log_sink *log, struct reaper **ret, struct model_error *err)
{
    struct reaper *reaper = calloc(1, sizeof *reaper);
    if (reaper == NULL || uv_mutex_init(&reaper->mutex) != 0) {
        free(reaper);
        return error_no_memory(err, "a host");
    }
    if (uv_cond_init(&reaper->work) != 0) {
        uv_mutex_destroy(&reaper->mutex);
        free(reaper);
        return error_no_memory(err, "a host");
    }
    atomic_store(&reaper->references, 1);
    reaper->log = *log;
    int code = uv_thread_create(&reaper->thread, reaper_main, reaper);
    if (code != 0) {
        reaper_drop(reaper);
        return error_set(err, MODEL_OUT_OF_MEMORY, "cannot start the thread that frees models: %s",
                         uv_strerror(code));
    }
    *ret = reaper;
    return MODEL_OK;
}

const struct log_sink *reaper_log(const struct reaper *reaper)
{
    return &reaper->log;
}

void reaper_retain(struct reaper *reaper)
{
    (void)atomic_fetch_add(&reaper->references, 1);
}

void reaper_drop(struct reaper *reaper)
{
    if (reaper == NULL || atomic_fetch_sub(&reaper->references, 1) != 1)
        return;
    uv_cond_destroy(&reaper->work);
    uv_mutex_destroy(&reaper->mutex);
    free(reaper);
}

void reaper_give(struct reaper *reaper, struct reaper_item *item)
{
    item->next = NULL;
    uv_mutex_lock(&reaper->mutex);
    int taken = !reaper->stopped;
    if (taken) {
        *(reaper->first != NULL ? &reaper->last->next : &reaper->first) = item;
        reaper->last = item;
        uv_cond_signal(&reaper->work);
    }
    uv_mutex_unlock(&reaper->mutex);
    if (!taken)
        reaper_run_on_own_thread(item->destroy, item->object);
}

void reaper_stop(struct reaper *reaper)
{
    uv_mutex_lock(&reaper->mutex);
    reaper->stopping = 1;
    uv_cond_signal(&reaper->work);
    uv_mutex_unlock(&reaper->mutex);
    (void)uv_thread_join(&reaper->thread);
}

void reaper_run_on_own_thread(void (*body)(void *argument), void *argument)
{
    uv_thread_t thread;
    if (uv_thread_create(&thread, body, argument) == 0)
        (void)uv_thread_join(&thread);
    else
        body(argument);
}
