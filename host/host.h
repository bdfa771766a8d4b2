/* host.h - what struct modelhost is. */
#ifndef HOST_H
#define HOST_H

#include "background.h"
#include "host_metrics.h"
#include "model_cache.h"
#include "plugin_handle.h"
#include "reaper.h"
#include "scheduler.h"

#include <stdatomic.h>
#include <stdbool.h>

struct modelhost {
    char *store_dir;
    char *plugin_path;
    char *worker_path;   /* the modelhost command */
    int32_t load_policy; /* enum modelhost_load_policy */
    uint64_t prepared_max_bytes, compiled_max_bytes;
    uint32_t lanes;
    uint32_t threads;
    uint32_t cpus; /* that the process may use */
    _Atomic uint64_t last_request_id;
    struct scheduler *scheduler;
    struct result_cache *results; /* NULL: nothing is kept */
    struct reaper *reaper;        /* has the log sink too */
    struct host_metrics metrics;
    struct background background;
    bool has_background;
    struct model_cache *cache; /* NULL: none */
    bool has_core_ml;          /* this system has; packages' order of backends depends on it */
    int64_t (*now_ns)(void);   /* the clock of breakers and of the model cache */
    plugin_barrier barrier;    /* in front of the code of plugins; NULL: none */
    /* Behind create_model(), in front of a model's first instance; NULL: nobody wants to know. [create-thread] */
    void (*model_created)(struct modelhost *host);
};

/* modelhost_create() with another clock for them. */
model_status host_create(const struct modelhost_options *options, int64_t (*now_ns)(void),
                         struct modelhost **ret_host, struct model_error *err);

/* Numbers the requests of a host, from 1. [any-thread] */
static inline uint64_t host_next_request_id(struct modelhost *host)
{
    return atomic_fetch_add_explicit(&host->last_request_id, 1, memory_order_relaxed) + 1;
}

#endif
