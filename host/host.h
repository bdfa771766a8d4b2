/* host.h - what struct modelhost is. */
#ifndef HOST_H
#define HOST_H

#include "log.h"
#include "reaper.h"
#include "scheduler.h"

struct modelhost {
    struct log_sink log;
    char *store_dir;
    char *plugin_path;
    uint32_t lanes;
    uint32_t threads;
    struct scheduler *scheduler;
    struct reaper *reaper;
};

#endif
