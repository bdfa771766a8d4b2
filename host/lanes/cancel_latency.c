/* cancel_latency.c - see cancel_latency.h. */
#include "cancel_latency.h"
#include "clock.h"

const int64_t cancel_latency_bounds_ns[CANCEL_LATENCY_BUCKETS - 1] = {
    100000,         NS_PER_MS,       2 * NS_PER_MS, 5 * NS_PER_MS, 10 * NS_PER_MS, 20 * NS_PER_MS,
    50 * NS_PER_MS, 100 * NS_PER_MS, NS_PER_S / 2,  NS_PER_S,      5 * NS_PER_S};

void cancel_latency_add(struct cancel_latency *latency, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    int bucket = 0;
    while (bucket < CANCEL_LATENCY_BUCKETS - 1 && ns > cancel_latency_bounds_ns[bucket])
        bucket++;
    latency->counts[bucket]++;
    latency->n_calls++;
    latency->sum_ns += ns;
    if (ns > latency->max_ns)
        latency->max_ns = ns;
}
