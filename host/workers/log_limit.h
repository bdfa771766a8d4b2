/* log_limit.h - how many lines a plugin's process may add to the host's log: a token bucket, on a given clock.
 *
 * A burst passes whole, so that a traceback does; what goes on beyond that is thinned out to a steady rate, and
 * counted. Pure; one thread at a time. */
#ifndef LOG_LIMIT_H
#define LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_LIMIT_BURST  200 /* lines at once */
#define LOG_LIMIT_RATE   20  /* lines a second from then on */
#define LOG_LIMIT_SAY_NS INT64_C(1000000000)

struct log_limit {
    int64_t free_ns;    /* when the bucket is full again; 0 at first */
    int64_t said_ns;    /* when left-out lines may be told of next */
    uint64_t n_omitted; /* since they were told of */
};

/* Whether a line passes; one that does not is counted. */
bool log_limit_admit(struct log_limit *limit, int64_t now_ns);

/* How many lines were left out, if it is time to say so (`force`: at once), and forgets them; 0: nothing is to
 * be said. */
uint64_t log_limit_take_omitted(struct log_limit *limit, int64_t now_ns, bool force);
/* When log_limit_take_omitted() has something to say; INT64_MAX: nothing was left out. */
int64_t log_limit_due_ns(const struct log_limit *limit);

#endif
