/* host.h - what struct modelhost is. */
#ifndef HOST_H
#define HOST_H

#include "metrics.h"
#include "reaper.h"
#include "scheduler.h"

#include <stdatomic.h>

struct statsd_timer;

struct modelhost {
    char *store_dir;
    char *plugin_path;
    uint32_t lanes;
    uint32_t threads;
    _Atomic uint64_t last_request_id;
    struct scheduler *scheduler;
    struct reaper *reaper;   /* has the log sink too */
    struct metrics *metrics; /* holds a reference */
    struct metric_source gauges;
    struct statsd_timer *statsd; /* NULL: none */
};

/* Numbers the requests of a host, from 1. [any-thread] */
static inline uint64_t host_next_request_id(struct modelhost *host)
{
    return atomic_fetch_add_explicit(&host->last_request_id, 1, memory_order_relaxed) + 1;
}

#endif
