/* worker_slot.h - the place of one worker process of a model: it is started, watched, and replaced when it ends.
 *
 * A thread of the slot starts the process, reads its messages and what it prints, reaps it, and starts the
 * next one, after a pause when it keeps dying (worker_backoff.h). Each process of a slot has a number, its
 * generation; whoever used one that has ended sees that by the number. Functions are [any-thread] unless
 * they say otherwise. */
#ifndef WORKER_SLOT_H
#define WORKER_SLOT_H

#include "archive_contents.h"
#include "buffer.h"
#include "log.h"
#include "metrics.h"
#include "model_extensions.h"
#include "model_parts.h"
#include "prepared_share.h"
#include "worker_channel.h"
#include "worker_patience.h"

#define WORKER_GREETING_NS INT64_C(60000000000)
#define WORKER_LOAD_NS     INT64_C(300000000000)
/* Of memory that the instances of a process share with it, where worker_memory_bytes does not say less. */
#define WORKER_MAX_SHARED_BYTES (1ull << 38)

#define WORKER_GOODBYE_NS INT64_C(1000000000) /* for a model's destroy() */

/* Who counts crashes, and says whether the next process may be started. By the slots' threads. */
struct worker_guard {
    /* A process ended by itself, and not well; `had_worked`: it had answered a call. NULL: nobody counts. */
    void (*crashed)(void *context, bool had_worked, const char *sentence);
    /* Before each start; NULL: always. */
    model_status (*admit)(void *context, struct model_error *err);
    void *context;
};

/* What all workers of a model have in common. Lives in its model. */
struct worker_config {
    char *command;                           /* the modelhost command */
    char *package_dir;                       /* absolute */
    char *backend;                           /* NULL: the package's own choice */
    char *model_name;                        /* in log lines; NULL: none */
    char *plugin_path;                       /* the plugin to use, or NULL: the package's own */
    struct model_parts parts;                /* what a process has to find there */
    const struct archive_contents *contents; /* of an encrypted archive: what it needs; or NULL */
    uint32_t lanes; /* instances of each process that may run at the same time */
    uint32_t threads;
    int64_t kill_grace_ns;
    uint64_t memory_bytes; /* 0: no limit */
    int64_t greeting_ns;   /* for the first message of a process; 0: WORKER_GREETING_NS */
    int64_t load_ns;       /* for opening the package, and for each instance; 0: WORKER_LOAD_NS */
    const char *plugin;    /* its name and version, for sentences; NULL: not known. The model's */
    int32_t loading, verification, dtype; /* as in modelhost_load_options */
    uint64_t memory_budget_bytes;
    struct prepared_share *prepared; /* NULL: nothing is kept. Lives as long as the model */
    const struct model_compiled_models
        *compiled; /* what the processes may write to; folder NULL: nothing. As long, too */
    const struct log_sink *log;
    struct metric_series *metrics; /* NULL: not counted */
    struct worker_guard guard;
    const uint32_t *cancelled; /* as in worker_model_options */
};

/* An instance in a worker, as the slot knows it. In the instance that uses it. */
struct worker_link {
    struct worker_link *next;
    uint32_t id;
    struct worker_channel *channel; /* signalled when the process ends */
    uint64_t channel_bytes;         /* of the memory that it is in */
    uint64_t generation;            /* of the process that it was attached in */
    uint64_t shared_bytes;          /* with that: the channel and all segments */
    bool is_created;                /* the worker has answered */
    model_status status;
    struct model_error error;
};

struct worker_slot;

/* Starts the first process and waits until it has opened the model, or the config's `cancelled` is raised. The description is the first slot's;
 * NULL then; others must describe the same model. */
model_status worker_slot_create(const struct worker_config *config,
                                const struct buffer *description, struct worker_slot **ret,
                                struct model_error *err);
/* Asks the process to end; of several all are asked before the first is waited for. All its instances are gone
 * by then. */
void worker_slot_say_goodbye(struct worker_slot *slot);
/* Says goodbye, unless that was done, and waits until until_ns; ends the process then, and logs that. NULL does
 * nothing. */
void worker_slot_destroy(struct worker_slot *slot, int64_t until_ns);

/* What loading, or making an instance, may take at most. */
int64_t worker_slot_load_ns(const struct worker_slot *slot);

/* What the first process said of the model, as bytes (worker_description.h). Never changes. */
const struct buffer *worker_slot_description(const struct worker_slot *slot);
const struct log_sink *worker_slot_log(const struct worker_slot *slot);
/* The process that runs now, 0: none. */
int64_t worker_slot_pid(struct worker_slot *slot);
/* How many processes were started. */
uint64_t worker_slot_generation(struct worker_slot *slot);

/* Whether a call need not wait long for a process: MODELHOST_CRASHED when the last ones ended early or none may
 * be started, MODEL_BUSY when one takes long to start. */
model_status worker_slot_check(struct worker_slot *slot, struct model_error *err);

/* Waits until a process is ready. MODELHOST_CRASHED when it keeps ending; MODEL_DEADLINE, or what was
 * raised, when the patience is over. */
model_status worker_slot_wait(struct worker_slot *slot, struct worker_patience *patience,
                              uint64_t *ret_generation, struct model_error *err);

/* Has the process make an instance that talks through the link's channel, whose descriptor this is (and stays
 * the caller's). The link is the slot's until worker_slot_detach(), also when it fails. */
model_status worker_slot_attach(struct worker_slot *slot, uint64_t generation,
                                struct worker_link *link, int channel_fd,
                                struct worker_patience *patience, struct model_error *err);
void worker_slot_detach(struct worker_slot *slot, uint64_t generation, struct worker_link *link);

/* Shares a segment of an instance with the process, or takes it back; the process sees this in its order.
 * MODEL_OUT_OF_MEMORY when all instances of the process would share more with it than its limit of memory is. */
model_status worker_slot_share(struct worker_slot *slot, uint64_t generation,
                               struct worker_link *link, uint32_t segment_id, uint64_t size_bytes,
                               int fd, struct model_error *err);
void worker_slot_drop_segment(struct worker_slot *slot, uint64_t generation,
                              struct worker_link *link, uint32_t segment_id, uint64_t size_bytes);

/* Whether it has ended. Cheap. */
bool worker_slot_has_ended(const struct worker_slot *slot, uint64_t generation);
/* A call came back: the process works. Cheap. */
void worker_slot_worked(struct worker_slot *slot, uint64_t generation);
/* How many processes have ended in a row, by themselves or because they had to be, without a call that came back. Cheap. */
uint32_t worker_slot_ends(const struct worker_slot *slot);
/* Ends this process, because a call in it does not come back. */
void worker_slot_kill(struct worker_slot *slot, uint64_t generation);
/* Around a call in the process. `alone`: without another one beside it. Waits for its turn, while the patience
 * lasts; behind an error there is no end_call(). */
model_status worker_slot_begin_call(struct worker_slot *slot, bool alone,
                                    struct worker_patience *patience, struct model_error *err);
void worker_slot_end_call(struct worker_slot *slot, bool alone);

/* Whether calls in it may lack memory for the sake of others. Cheap. */
bool worker_slot_limits_memory(const struct worker_slot *slot);

/* How something is tried. Starts with 0. */
struct worker_attempt {
    bool alone;
    uint32_t n; /* that came to nothing */
};

/* Whether what came to this status is to be tried again, and (attempt->alone) how: the process ended, and another
 * call in it hung or may have been the cause, or it has a limit of memory that others in it may have
 * reached. Alone is the last time. Behind worker_slot_end_call(). */
bool worker_slot_may_repeat(struct worker_slot *slot, uint64_t generation, model_status status,
                            struct worker_attempt *attempt);
/* Writes how it ended, during `doing`; returns MODELHOST_CRASHED. Behind worker_slot_has_ended(). */
model_status worker_slot_say_end(struct worker_slot *slot, uint64_t generation, const char *doing,
                                 struct model_error *err);

#endif
