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
    struct scheduler *scheduler;
    struct result_cache *results; /* NULL: nothing is kept */
    struct reaper *reaper;        /* has the log sink too */
};

#endif
