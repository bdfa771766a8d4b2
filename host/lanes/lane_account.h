/* lane_account.h - what lanes keep of a model; embedded in struct modelhost_model. */
#ifndef LANE_ACCOUNT_H
#define LANE_ACCOUNT_H

#include "wait_word.h"

#define LANE_ACCOUNT_MAX_ABANDONED 2 /* where nobody said */

struct request_group;

struct lane_account {
    /* Set before the model's first request. */
    uint32_t max_abandoned; /* 0: LANE_ACCOUNT_MAX_ABANDONED */
    bool always_returns;    /* run() comes back by itself (a worker's): never abandoned */

    struct wait_spin answer_spin; /* of callers who wait for this model */

    _Atomic int64_t mean_run_ns; /* see lane_account_ran(); 0: nothing is known */

    /* Guarded by the scheduler's mutex. */
    struct request_group *waiting; /* its groups in the queue */
    _Atomic uint32_t n_abandoned;  /* lanes stuck in its plugin now; read without it, too */
    uint32_t
        n_relieved; /* lanes that run it beside the scheduler's n_lanes; they count for it alone */
    uint32_t n_suspended; /* requests in the queue that have begun */
};

/* A call of the model has taken so long: a longer one counts at once, shorter ones little by little. It need not
 * be exact: a lost update is one call less. run_ns may be a worker's word, so that it counts as 0 to most_ns: what the
 * host itself saw go by. [lane-thread] */
static inline void lane_account_ran(struct lane_account *account, int64_t run_ns, int64_t most_ns)
{
    run_ns = run_ns < 0 ? 0 : run_ns > most_ns ? most_ns : run_ns;
    const int64_t mean_ns = atomic_load_explicit(&account->mean_run_ns, memory_order_relaxed);
    int64_t next_ns = run_ns < mean_ns ? mean_ns - (mean_ns - run_ns) / 4 : run_ns;
    if (next_ns <= 0)
        next_ns = 1;
    if (next_ns != mean_ns)
        atomic_store_explicit(&account->mean_run_ns, next_ns, memory_order_relaxed);
}

static inline int64_t lane_account_mean_ns(const struct lane_account *account)
{
    return atomic_load_explicit(&account->mean_run_ns, memory_order_relaxed);
}

#endif
