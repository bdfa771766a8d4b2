/* reaper.c - see reaper.h. One thread and a list: a host releases few models, and their plugins' code runs
 * one destroy() at a time. Only what goes aside has a thread of its own, which nobody joins: it is counted. Each
 * thread holds a reference, since it may be left behind. */
#include "reaper.h"
#include "clock.h"
#include "errors.h"
#include "thread_guard.h"

#include <pthread.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

struct reaper {
    _Atomic uint32_t references;
    struct log_sink log;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t work;
    uv_thread_t thread;
    struct reaper_item *first, *last;
    uint32_t n_under_way; /* destroyed just now */
    uint32_t n_aside;     /* of these, on threads of their own */
    bool stopping;        /* the thread ends when nothing is left */
    bool stopped;         /* it takes nothing more */
};

struct aside {
    struct reaper *reaper;
    struct reaper_item *item;
};

/* Behind a destroy(). Under the mutex. */
static void count_end(struct reaper *reaper, bool was_aside)
{
    reaper->n_under_way--;
    reaper->n_aside -= was_aside;
    uv_cond_broadcast(&reaper->work);
}

static void aside_main(void *argument)
{
    const struct aside aside = *(struct aside *)argument;
    struct reaper *reaper = aside.reaper;
    free(argument);
    (void)pthread_detach(pthread_self());
    aside.item->destroy(aside.item->object);
    uv_mutex_lock(&reaper->mutex);
    count_end(reaper, true);
    uv_mutex_unlock(&reaper->mutex);
    reaper_drop(reaper);
}

/* Under the mutex; false: there is no thread to be had. */
static bool start_aside(struct reaper *reaper, struct reaper_item *item)
{
    uv_thread_t thread;
    struct aside *aside = item->goes_aside ? malloc(sizeof *aside) : NULL;
    if (aside == NULL)
        return false;
    *aside = (struct aside){reaper, item};
    reaper_retain(reaper);
    reaper->n_aside++;
    if (uv_thread_create(&thread, aside_main, aside) == 0)
        return true;
    reaper->n_aside--;
    reaper_drop(reaper);
    free(aside);
    return false;
}

static void reap(void *argument)
{
    struct reaper *reaper = argument;
    uv_mutex_lock(&reaper->mutex);
    for (;;) {
        struct reaper_item *item = reaper->first;
        if (item == NULL && reaper->stopping && reaper->n_aside == 0)
            break;
        if (item == NULL) {
            uv_cond_wait(&reaper->work, &reaper->mutex);
            continue;
        }
        reaper->first = item->next;
        reaper->n_under_way++;
        if (start_aside(reaper, item))
            continue;
        uv_mutex_unlock(&reaper->mutex);
        item->destroy(item->object); /* the item is gone with it */
        uv_mutex_lock(&reaper->mutex);
        count_end(reaper, false);
    }
    reaper->stopped = true;
    uv_cond_broadcast(&reaper->work);
    uv_mutex_unlock(&reaper->mutex);
    reaper_drop(reaper);
}

static void reaper_main(void *reaper);

/* A plugin has ended the thread in destroy(): what it was about is left in memory, another thread does the rest. */
static void go_on_elsewhere(void *argument)
{
    struct reaper *reaper = argument;
    log_write(
        &reaper->log, MODEL_LOG_ERROR,
        "a plugin ended the thread that it was called on, in %s() (pthread_exit); what it had "
        "is left in memory",
        thread_guard_function());
    uv_mutex_lock(&reaper->mutex);
    count_end(reaper, false);
    (void)pthread_detach(pthread_self());
    const int code = uv_thread_create(&reaper->thread, reaper_main, reaper);
    uv_mutex_unlock(&reaper->mutex);
    if (code != 0)
        reap(reaper);
}

static void reaper_main(void *reaper)
{
    thread_guard_run(reap, reaper, go_on_elsewhere, reaper);
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
    reaper_retain(reaper); /* the thread's */
    int code = uv_thread_create(&reaper->thread, reaper_main, reaper);
    if (code != 0) {
        reaper_drop(reaper);
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
    const bool taken = !reaper->stopped;
    if (taken) {
        *(reaper->first != NULL ? &reaper->last->next : &reaper->first) = item;
        reaper->last = item;
        uv_cond_broadcast(&reaper->work);
    }
    uv_mutex_unlock(&reaper->mutex);
    if (!taken)
        reaper_run_on_own_thread(item->destroy, item->object);
}

bool reaper_stop(struct reaper *reaper, int64_t until_ns)
{
    uv_mutex_lock(&reaper->mutex);
    reaper->stopping = true;
    uv_cond_broadcast(&reaper->work);
    while (!reaper->stopped) {
        const int64_t left_ns = until_ns == INT64_MAX ? INT64_MAX : until_ns - clock_now_ns();
        if (left_ns <= 0)
            break;
        if (left_ns == INT64_MAX)
            uv_cond_wait(&reaper->work, &reaper->mutex);
        else
            (void)uv_cond_timedwait(&reaper->work, &reaper->mutex, (uint64_t)left_ns);
    }
    const bool stopped = reaper->stopped;
    if (!stopped)
        (void)pthread_detach(reaper->thread);
    uint32_t n_left = reaper->n_under_way;
    for (const struct reaper_item *item = reaper->first; item != NULL; item = item->next)
        n_left++;
    uv_mutex_unlock(&reaper->mutex);
    if (stopped)
        return uv_thread_join(&reaper->thread) == 0;
    log_write(&reaper->log, MODEL_LOG_ERROR,
              "%u model%s not freed, since a plugin does not come back from destroy(); left behind "
              "(worker processes, isolation \"worker\", would be ended)",
              n_left, n_left == 1 ? " is" : "s are");
    return false;
}

void reaper_run_on_own_thread(void (*body)(void *argument), void *argument)
{
    uv_thread_t thread;
    if (uv_thread_create(&thread, body, argument) == 0)
        (void)uv_thread_join(&thread);
    else
        body(argument);
}
