/* crash_quarantine.h - a plugin whose worker processes crash one after the other goes into quarantine for a while.
 *
 * Only crashes in a row count: an answer between them ends the row. Which file it was is known by its digest
 * when the model was opened: what takes its place is another plugin. Time is given by the caller; any thread. */
#ifndef CRASH_QUARANTINE_H
#define CRASH_QUARANTINE_H

#include "digest.h"
#include "log.h"
#include "modelhost.h"

#include <stdbool.h>
#include <uv.h>

#define CRASH_QUARANTINE_MAX       64
#define CRASH_QUARANTINE_WINDOW_MS 60000
#define CRASH_QUARANTINE_MS        600000

/* Its owner fills in the first part. */
struct crash_quarantine {
    uint32_t after_crashes; /* 1 to CRASH_QUARANTINE_MAX */
    int64_t window_ns;
    int64_t duration_s;
    const char *store_dir, *plugin_path; /* of plugin_path the file is digested by init() */
    const char *plugin;                  /* name and version */
    const struct log_sink *log;

    char sha256[SHA256_HEX_BYTES];
    uv_mutex_t mutex;                         /* guards what follows */
    int64_t crashes_ns[CRASH_QUARANTINE_MAX]; /* a ring of the last ones in the row */
    uint32_t n_crashes;                       /* in the row */
};

model_status crash_quarantine_init(struct crash_quarantine *quarantine, struct model_error *err);
void crash_quarantine_finish(struct crash_quarantine *quarantine);

/* A process crashed at now_ns (the monotonic clock), which is now_s since 1970; `had_worked`: it had
 * answered a call, so that a row begins. True when that put the plugin into quarantine. */
bool crash_quarantine_crashed(struct crash_quarantine *quarantine, bool had_worked, int64_t now_ns,
                              int64_t now_s, const char *sentence);

#endif
