/* thread_guard.c - see thread_guard.h. A function of its own, since what the macros mean for the variables of
 * the function that they are in is nobody's business. */
#include "thread_guard.h"

#include "errors.h"

#include <pthread.h>
#include <stddef.h>

struct thread_guard {
    void (*ended)(void *context);
    void *context;
};

/* AddressSanitizer does not see the C library jump over frames; what it knows of them is no longer so. */
#if defined(__SANITIZE_ADDRESS__)
#define FRAMES_BYTES ((size_t)128 << 10)
void __asan_unpoison_memory_region(const volatile void *address, size_t size_bytes);
#define FORGET_FRAMES()                                                                            \
    __asan_unpoison_memory_region((char *)__builtin_frame_address(0) - FRAMES_BYTES, FRAMES_BYTES)
#else
#define FORGET_FRAMES() ((void)0)
#endif

static _Thread_local const char *function_now;

void thread_guard_enter(const char *function)
{
    function_now = function;
}

const char *thread_guard_function(void)
{
    return function_now != NULL ? function_now : "run";
}

model_status thread_guard_say(const char *plugin, struct model_error *err)
{
    return error_set(err, MODELHOST_CRASHED,
                     "the plugin of '%s' ended the thread that it was called on, in %s() "
                     "(pthread_exit)",
                     plugin, thread_guard_function());
}

static void end(void *argument)
{
    const struct thread_guard *guard = argument;
    FORGET_FRAMES();
    guard->ended(guard->context);
}

void thread_guard_run(void (*body)(void *argument), void *argument, void (*ended)(void *context),
                      void *context)
{
    struct thread_guard guard = {ended, context};
    pthread_cleanup_push(end, &guard);
    body(argument);
    pthread_cleanup_pop(0);
}
