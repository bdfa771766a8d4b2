/* worker_backoff.h - when a process that ended may be started again.
 *
 * A process that the host killed, or that had done some work, is replaced at once. Deaths without work in
 * between make the pause longer, from WORKER_BACKOFF_FIRST_NS doubling up to WORKER_BACKOFF_MAX_NS, so
 * that a plugin which crashes whenever it starts does not keep the processor busy; a start that came to nothing
 * counts as such a death but is not told as one. Pure: the caller has the clock, and the lock. */
#ifndef WORKER_BACKOFF_H
#define WORKER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define WORKER_BACKOFF_FREE     2 /* deaths in a row that cost no pause */
#define WORKER_BACKOFF_FIRST_NS 20000000ll
#define WORKER_BACKOFF_MAX_NS   30000000000ll

struct worker_backoff {
    uint32_t
        n_failures; /* in a row, without work in between: processes that ended, and refused starts */
    uint32_t n_deaths;     /* those of them that were processes */
    int64_t not_before_ns; /* 0: at once */
};

/* A process ended at now_ns. */
void worker_backoff_died(struct worker_backoff *backoff, int64_t now_ns);
/* None could be started, or may be, at now_ns. */
void worker_backoff_refused(struct worker_backoff *backoff, int64_t now_ns);
/* Whether so many failed that the next one is not to be counted on. */
bool worker_backoff_is_failing(const struct worker_backoff *backoff);
/* It answered a call, or the host itself killed it. */
void worker_backoff_worked(struct worker_backoff *backoff);
/* How long from now_ns until the next may be started; 0: now. */
int64_t worker_backoff_left_ns(const struct worker_backoff *backoff, int64_t now_ns);

#endif
