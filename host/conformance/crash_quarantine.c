/* crash_quarantine.c - see crash_quarantine.h. */
#include "crash_quarantine.h"
#include "errors.h"
#include "quarantine.h"

#include <stdio.h>

model_status crash_quarantine_init(struct crash_quarantine *quarantine, struct model_error *err)
{
    uint64_t size_bytes = 0;
    model_status status =
        digest_file_sha256(quarantine->plugin_path, quarantine->sha256, &size_bytes, err);
    quarantine->n_crashes = 0;
    if (status == MODEL_OK && uv_mutex_init(&quarantine->mutex) != 0)
        status = error_no_memory(err, "a model");
    return status;
}

void crash_quarantine_finish(struct crash_quarantine *quarantine)
{
    uv_mutex_destroy(&quarantine->mutex);
}

static void put_away(struct crash_quarantine *quarantine, int64_t now_s, const char *sentence)
{
    struct quarantine_entry entry = {.since_s = now_s, .expires_s = now_s + quarantine->duration_s};
    struct model_error err = MODEL_ERROR_INIT;
    (void)snprintf(entry.sha256, sizeof entry.sha256, "%s", quarantine->sha256);
    (void)snprintf(entry.plugin, sizeof entry.plugin, "%s", quarantine->plugin);
    (void)snprintf(entry.path, sizeof entry.path, "%s", quarantine->plugin_path);
    (void)snprintf(entry.reason, sizeof entry.reason, "%u crash%s in a row, the last one: %s",
                   quarantine->after_crashes, quarantine->after_crashes == 1 ? "" : "es", sentence);
    if (quarantine_add(quarantine->store_dir, &entry, &err) == MODEL_OK)
        log_write(quarantine->log, MODEL_LOG_ERROR,
                  "%s is in quarantine for %lld s: %s; to open it all the same: modelhost "
                  "quarantine clear %.12s",
                  quarantine->plugin_path, (long long)quarantine->duration_s, entry.reason,
                  entry.sha256);
    else
        log_write(quarantine->log, MODEL_LOG_ERROR, "%s should be in quarantine (%s): %s",
                  quarantine->plugin_path, entry.reason, err.message);
}

bool crash_quarantine_crashed(struct crash_quarantine *quarantine, bool had_worked, int64_t now_ns,
                              int64_t now_s, const char *sentence)
{
    const uint32_t limit = quarantine->after_crashes;
    uv_mutex_lock(&quarantine->mutex);
    if (had_worked)
        quarantine->n_crashes = 0;
    quarantine->crashes_ns[quarantine->n_crashes++ % limit] = now_ns;
    /* The oldest of the last `limit` ones is where the next will be. */
    const int64_t oldest_ns = quarantine->crashes_ns[quarantine->n_crashes % limit];
    const bool is_full =
        quarantine->n_crashes >= limit && now_ns - oldest_ns <= quarantine->window_ns;
    if (is_full)
        quarantine->n_crashes = 0;
    else if (quarantine->n_crashes == 2 * limit) /* it only tells where the next will be */
        quarantine->n_crashes = limit;
    uv_mutex_unlock(&quarantine->mutex);
    if (is_full)
        put_away(quarantine, now_s, sentence);
    return is_full;
}
