/* host.h - what struct modelhost is. */
#ifndef HOST_H
#define HOST_H

#include "reaper.h"
#include "scheduler.h"

struct modelhost {
    char *store_dir;
    char *plugin_path;
    uint32_t lanes;
    uint32_t threads;
    uint32_t cpus; /* that the process may use */
    _Atomic uint64_t last_request_id;
    struct scheduler *scheduler;
    struct result_cache *results; /* NULL: nothing is kept */
    struct reaper *reaper;        /* has the log sink too */
};

/* Numbers the requests of a host, from 1. [any-thread] */
static inline uint64_t host_next_request_id(struct modelhost *host)
{
    return atomic_fetch_add_explicit(&host->last_request_id, 1, memory_order_relaxed) + 1;
}

#endif
