/* worker_patience.h - how long those who use a worker process wait for it. */
#ifndef WORKER_PATIENCE_H
#define WORKER_PATIENCE_H

#include "model_abi.h"

#include <stdbool.h>

/* Until until_ns, or grace_ns from when it finds *cancelled raised. */
struct worker_patience {
    const uint32_t *cancelled; /* NULL: nobody raises it */
    int64_t until_ns;
    int64_t grace_ns;
    bool was_cancelled;
};

/* Whether it is over; moves until_ns when it was cancelled. */
bool worker_patience_is_over(struct worker_patience *patience, int64_t now_ns);
/* Why it is over: cancelled or late. Returns that. */
model_status worker_patience_say_over(const struct worker_patience *patience, const char *what,
                                      struct model_error *err);

#endif
