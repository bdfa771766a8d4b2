/* worker_backoff.c - see worker_backoff.h. */
#include "worker_backoff.h"

void worker_backoff_refused(struct worker_backoff *backoff, int64_t now_ns)
{
    if (backoff->n_failures < UINT32_MAX)
        backoff->n_failures++;
    if (!worker_backoff_is_failing(backoff))
        return;
    int64_t pause_ns = WORKER_BACKOFF_FIRST_NS;
    for (uint32_t i = WORKER_BACKOFF_FREE + 1;
         i < backoff->n_failures && pause_ns < WORKER_BACKOFF_MAX_NS; i++)
        pause_ns *= 2;
    backoff->not_before_ns =
        now_ns + (pause_ns < WORKER_BACKOFF_MAX_NS ? pause_ns : WORKER_BACKOFF_MAX_NS);
}

void worker_backoff_died(struct worker_backoff *backoff, int64_t now_ns)
{
    if (backoff->n_deaths < UINT32_MAX)
        backoff->n_deaths++;
    worker_backoff_refused(backoff, now_ns);
}

bool worker_backoff_is_failing(const struct worker_backoff *backoff)
{
    return backoff->n_failures > WORKER_BACKOFF_FREE;
}

void worker_backoff_worked(struct worker_backoff *backoff)
{
    *backoff = (struct worker_backoff){0};
}

int64_t worker_backoff_left_ns(const struct worker_backoff *backoff, int64_t now_ns)
{
    return backoff->not_before_ns > now_ns ? backoff->not_before_ns - now_ns : 0;
}
