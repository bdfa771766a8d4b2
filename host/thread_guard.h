/* thread_guard.h - running code that may end the thread it is on.
 *
 * A plugin can call pthread_exit(), or be cancelled by a thread of its own. What called it is then never come
 * back to; what is known to be wrong by that can be put right on the way out. */
#ifndef THREAD_GUARD_H
#define THREAD_GUARD_H

#include "modelhost.h"

/* Runs body(argument). If that ends the thread, `ended(context)` is called on it, when the frames of body are
 * gone and this one's caller's are still there; then the thread ends. [any-thread] */
void thread_guard_run(void (*body)(void *argument), void *argument, void (*ended)(void *context),
                      void *context);

/* Which function of a plugin this thread is in, for `ended`: set in front of one, NULL behind it. Without a word it
 * is run(). [any-thread] */
void thread_guard_enter(const char *function);
const char *thread_guard_function(void);
/* The sentence of MODELHOST_CRASHED about a plugin that ended its thread; `plugin` names it. */
model_status thread_guard_say(const char *plugin, struct model_error *err);

#endif
