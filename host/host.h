/* host.h - what struct modelhost is. */
#ifndef HOST_H
#define HOST_H

#include "background.h"
#include "model_cache.h"
#include "reaper.h"
#include "scheduler.h"

#include <stdbool.h>

struct modelhost {
    char *store_dir;
    char *plugin_path;
    uint32_t lanes;
    uint32_t threads;
    struct scheduler *scheduler;
    struct result_cache *results; /* NULL: nothing is kept */
    struct reaper *reaper;        /* has the log sink too */
    struct background background;
    bool has_background;
    struct model_cache *cache; /* NULL: none */
    int64_t (*now_ns)(void);   /* the clock of breakers and of the model cache */
};

/* modelhost_create() with another clock for them. */
model_status host_create(const struct modelhost_options *options, int64_t (*now_ns)(void),
                         struct modelhost **ret_host, struct model_error *err);

#endif
