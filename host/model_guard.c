/* model_guard.c - see model_guard.h. The host may be gone before the model, so that nothing of it is used. */
#include "model_guard.h"
#include "backend_chain.h"
#include "buffer.h"
#include "clock.h"
#include "crash_quarantine.h"
#include "errors.h"
#include "host.h"
#include "plugin_admission.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct guard {
    struct crash_quarantine quarantine; /* the first: loaded_model.h */
    char *store_dir, *plugin;
    int64_t (*now_ns)(void);
};

static void count_crash(void *context, bool had_worked, const char *sentence)
{
    struct guard *guard = context;
    (void)crash_quarantine_crashed(&guard->quarantine, had_worked, guard->now_ns(),
                                   (int64_t)time(NULL), sentence);
}

static model_status admit(void *context, struct model_error *err)
{
    const struct guard *guard = context;
    return plugin_admission_check_digest(guard->store_dir, guard->quarantine.plugin_path,
                                         guard->quarantine.sha256, MODELHOST_LOAD_ANY,
                                         (int64_t)time(NULL), err);
}

static void free_guard(struct guard *guard)
{
    free(guard->store_dir);
    free(guard->plugin);
    free(guard);
}

static int64_t or_usual(int64_t value, int64_t usual)
{
    return value > 0 ? value : usual;
}

model_status model_guard_init(struct modelhost_model *model, struct worker_guard *ret,
                              struct model_error *err)
{
    const struct modelhost_load_options *load = &model->load;
    *ret = (struct worker_guard){.crashed = NULL};
    if (load->quarantine_after_crashes == 0 || backend_chain_wants_worker(model->package.backend))
        return MODEL_OK; /* a framework's crashes are not the file's, which opens without it, too */
    struct guard *guard = calloc(1, sizeof *guard);
    if (guard == NULL)
        return error_no_memory(err, "a model");
    guard->store_dir = text_format("%s", model->host->store_dir);
    guard->plugin = text_format("%s %s", model->plugin.file.name, model->plugin.file.version);
    guard->now_ns = model->host->now_ns;
    guard->quarantine = (struct crash_quarantine){
        .after_crashes = load->quarantine_after_crashes,
        .window_ns = or_usual(load->quarantine_window_ms, CRASH_QUARANTINE_WINDOW_MS) * NS_PER_MS,
        .duration_s = (or_usual(load->quarantine_ms, CRASH_QUARANTINE_MS) + 999) / 1000,
        .store_dir = guard->store_dir,
        .plugin_path = model->plugin_path,
        .plugin = guard->plugin,
        .log = model->log,
    };
    model_status status = guard->store_dir != NULL && guard->plugin != NULL
                              ? crash_quarantine_init(&guard->quarantine, err)
                              : error_no_memory(err, "a model");
    if (status != MODEL_OK) {
        free_guard(guard);
        return status;
    }
    memcpy(guard->quarantine.sha256, model->parts.plugin, sizeof guard->quarantine.sha256);
    model->crashes = &guard->quarantine;
    *ret = (struct worker_guard){count_crash, admit, guard};
    return MODEL_OK;
}

void model_guard_finish(struct modelhost_model *model)
{
    if (model->crashes == NULL)
        return;
    crash_quarantine_finish(model->crashes);
    free_guard((struct guard *)model->crashes);
}
