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

    /* Guarded by the scheduler's mutex. */
    struct request_group *waiting; /* its groups in the queue */
    _Atomic uint32_t n_abandoned;  /* lanes stuck in its plugin now; read without it, too */
};

#endif
