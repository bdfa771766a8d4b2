/* thread_guard.c - see thread_guard.h. A function of its own, since what the macros mean for the variables of
 * the function that they are in is nobody's business. */
#include "thread_guard.h"

#include <pthread.h>

void thread_guard_run(void (*body)(void *argument), void *argument, void (*ended)(void *context),
                      void *context)
{
    pthread_cleanup_push(ended, context);
    body(argument);
    pthread_cleanup_pop(0);
}
