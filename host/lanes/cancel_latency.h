/* cancel_latency.h - how long a model's run() takes to come back once its token is raised. Guarded by its
 * user. */
#ifndef CANCEL_LATENCY_H
#define CANCEL_LATENCY_H

#include <stdint.h>

#define CANCEL_LATENCY_BUCKETS 12

/* The upper bounds of all buckets but the last, which has none. */
extern const int64_t cancel_latency_bounds_ns[CANCEL_LATENCY_BUCKETS - 1];

struct cancel_latency {
    uint64_t counts[CANCEL_LATENCY_BUCKETS]; /* [i]: at most bounds_ns[i], not cumulative */
    uint64_t n_calls;
    int64_t sum_ns, max_ns;
};

void cancel_latency_add(struct cancel_latency *latency, int64_t ns);

#endif
