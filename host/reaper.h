/* reaper.h - a thread that destroys what nobody uses any more.
 *
 * The last reference of a model may go in a callback, on a loop or a lane, and a plugin may take seconds
 * to free its memory: nobody waits for that but reaper_stop(), and that not for ever. Reference-counted: the host and each
 * model hold one, so that a model which outlives its host still has somewhere to go. It keeps the log sink
 * for the same reason: a plugin may log while it is destroyed. [any-thread] */
#ifndef REAPER_H
#define REAPER_H

#include "log.h"
#include "modelhost.h"

#include <stdbool.h>

struct reaper;

/* Embedded in what is to be destroyed. */
struct reaper_item {
    struct reaper_item *next;
    void (*destroy)(void *object);
    void *object;
    bool
        goes_aside; /* no code of a plugin runs, but it waits: on a thread of its own, beside others */
};

/* Starts the thread; the sink is copied. */
model_status reaper_create(const struct log_sink *log, struct reaper **ret,
                           struct model_error *err);
/* Lives as long as the last reference. */
const struct log_sink *reaper_log(const struct reaper *reaper);
void reaper_retain(struct reaper *reaper);
void reaper_drop(struct reaper *reaper);

/* Has item->destroy(item->object) called, in the order of calls; the item may lie in the object. After
 * reaper_stop() a thread of its own does it, and the caller waits. */
void reaper_give(struct reaper *reaper, struct reaper_item *item);

/* Waits until everything given so far is destroyed, and what that gives in turn; ends the thread. Once.
 * Not from what a reaper calls. false: at until_ns (of clock.h; INT64_MAX: no limit) something had not come
 * back; it is left behind with its thread, the log says so, and what it may still use must stay. */
bool reaper_stop(struct reaper *reaper, int64_t until_ns);

/* Runs body(argument) on a new thread and waits for it; on the calling thread when there is none to be
 * had. */
void reaper_run_on_own_thread(void (*body)(void *argument), void *argument);

#endif
