/* worker_model.h - a model whose plugin runs in child processes: a struct model like a plugin's own.
 *
 * Its functions forward to processes `modelhost worker` that open the same package: what the host does with a
 * model knows nothing of that. The weights are mappings of the same files, so that several processes have
 * them once. What they are for: a call that does not come back at its deadline is ended by ending its
 * process, and a plugin that crashes takes nothing else along; the next process is started at once. */
#ifndef WORKER_MODEL_H
#define WORKER_MODEL_H

#include "log.h"
#include "metrics.h"
#include "worker_slot.h"

#include <stdbool.h>

#define WORKER_MAX_PROCESSES 64
#define WORKER_KILL_GRACE_MS 50 /* when none is given */

struct worker_model_options {
    const char *command;     /* the modelhost command; NULL: not found */
    const char *model_name;  /* in log lines; NULL: none */
    const char *package_dir; /* absolute */
    const char *backend;     /* which of the package's; NULL: its own choice */
    const char *plugin_path; /* where to look when the package brings no plugin */
    uint32_t n_processes;    /* 0: 1 */
    uint32_t lanes, threads;
    int64_t kill_grace_ns;
    uint64_t memory_bytes;
    int32_t loading, verification, dtype; /* as in modelhost_load_options */
    uint64_t memory_budget_bytes;
    struct prepared_share *prepared; /* NULL: nothing is kept. Lives as long as the model */
    const struct model_compiled_models
        *compiled;      /* folder NULL: nothing is kept. Lives as long as the model; may be NULL */
    int64_t load_ns;    /* for opening the package, and for each instance; 0: WORKER_LOAD_NS */
    const char *plugin; /* its name and version, for sentences */
    struct model_parts parts; /* what the processes have to find */
    const struct archive_contents
        *contents; /* that they cannot decrypt; lives as long as the model. NULL: none */
    bool can_spin; /* there is more than one processor */
    const struct log_sink *log;
    struct metric_series *metrics; /* NULL: not counted */
    struct worker_guard guard;     /* lives as long as the model */
    /* Atomic: raised, worker_model_create() and the first create_instance() end with it. Lives until then; NULL: nobody
     * raises it */
    const uint32_t *cancelled;
};

/* Starts the processes and waits until they have opened the model. What went wrong there is told as if it
 * had happened here. [create-thread] */
model_status worker_model_create(const struct worker_model_options *options, struct model **ret,
                                 struct model_error *err);

/* Of a model made so: whether a call would soon find a process; if not, the sentence is the first one's.
 * [any-thread] */
model_status worker_model_check(const struct model *model, struct model_error *err);
/* Of a model made so: how many of its processes have ended in a row without a call that came back, in the place where most
 * have. [any-thread] */
uint32_t worker_model_ends(const struct model *model);
/* Of a model made so: the processes that run now; returns how many were written. [any-thread] */
uint32_t worker_model_pids(const struct model *model, int64_t ret[WORKER_MAX_PROCESSES]);

#endif
