/* process_state.h - what a library must leave as it finds it: a snapshot of the process, and what differs
 * between two. Of the calling thread where it is a thread's. */
#ifndef PROCESS_STATE_H
#define PROCESS_STATE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_SIGNALS 65

struct process_state {
    uint32_t n_threads;
    uint64_t descriptors[16]; /* one bit for each of the first 1,024 */
    struct {
        uintptr_t handler;
        int flags;
    } signals[PROCESS_SIGNALS];
    sigset_t blocked;
    char codeset[32], radix[8], date_format[64]; /* of the locale */
    uint32_t n_timers;                           /* of timer_create() */
    bool is_armed[3];                            /* timers of setitimer(), alarm() */
    int rounding;
    uint32_t float_control; /* masks, flush to zero; 0 where that is not known */
    uint64_t environment;   /* a digest */
    char folder[256];       /* the beginning of the working folder */
};

void process_state_take(struct process_state *ret);
/* The first thing that differs, in words, or NULL. Threads may be up to extra_threads more. */
const char *process_state_difference(const struct process_state *before,
                                     const struct process_state *after, uint32_t extra_threads,
                                     char *text, size_t text_bytes);

#endif
