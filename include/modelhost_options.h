/* modelhost_options.h - what may be asked of a host, of a model and of a call; a part of modelhost.h, which
 * includes it.
 *
 * Each struct starts with struct_size; set it with its _INIT macro and then fill in what you want. Fields are
 * only appended. 0 and NULL stand for the default that the field's comment says. Files of options
 * (docs/config.md) have the same names. */
#ifndef MODELHOST_OPTIONS_H
#define MODELHOST_OPTIONS_H

#include "model_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct modelhost_session;
struct uv_loop_s;

/* ---------------------------------------------------------------- of a host */

/* A line of the log, with what it is about. Lives during the call that hands it over. */
struct modelhost_log_record {
    size_t struct_size;
    int32_t level;       /* enum model_log_level */
    uint32_t reserved;   /* 0 */
    int64_t time_ns;     /* since 1970, UTC */
    uint64_t request_id; /* unique in its host; 0: no request */
    const char *model;   /* NULL: no model */
    const char *message; /* one line of UTF-8 */
};

/* Which plugins a host opens. One that is in quarantine (modelhost quarantine) is never opened. */
enum modelhost_load_policy {
    MODELHOST_LOAD_ANY = 0,
    MODELHOST_LOAD_CONFORMANT = 1 /* those that passed all checks of modelhost check-plugin */
};

struct modelhost_options {
    size_t struct_size;
    const char *store_dir;   /* NULL: the default store */
    const char *plugin_path; /* folders separated by ':'; NULL: default */
    uint32_t lanes;          /* requests that run at the same time; 0: 1 */
    uint32_t threads;        /* of each lane; 0: all that the process may use, shared out */
    uint32_t max_queue;      /* requests that may wait; more are refused with BUSY; 0: 1024 */
    int32_t log_level;       /* enum model_log_level */
    /* [any-thread]; NULL: silent. Called until the host and the last of its models are gone: see
     * modelhost_destroy() */
    void (*log)(void *context, int32_t level, const char *message);
    void *log_context;
    /* Outputs of equal inputs are computed once, while they find room; 0: each time. Tensors, texts and
     * pictures; not sessions, streams and generated text */
    uint64_t result_cache_bytes;
    /* With it: a Redis server that shares them, redis://[:PASSWORD@]HOST[:PORT][/DATABASE]; NULL:
     * MODELHOST_REDIS_URL; "": none. One that does not answer is left alone for a while */
    const char *redis_url;
    /* Instead of log, for logs that machines read; log_context is its context, too. [any-thread] */
    void (*log_record)(void *context, const struct modelhost_log_record *record);
    const char *statsd_address; /* "host:port": metrics are pushed there over UDP; NULL: nowhere */
    int64_t statsd_interval_ms; /* 0: 10,000; at least 10 */
    int64_t abandon_grace_ms; /* how long a lane may take to come back once its request was given up
                                 before another one takes its place; 0: 100 */
    /* The modelhost command, which runs workers; NULL: that of this library's installation, else the one
     * beside the running program */
    const char *worker_path;
    int32_t load_policy;      /* enum modelhost_load_policy */
    uint32_t policy_reserved; /* 0 */
    /* Models that stay open when nobody holds them, so that the next modelhost_load() of the same package,
     * files and options has them at once. Those in use are never closed, and count. */
    uint32_t cache_items;    /* 0: models go when they are released */
    uint32_t cache_reserved; /* 0 */
    uint64_t cache_bytes;    /* mapped weights and what plugins say that they hold; 0: no limit */
    int64_t cache_idle_ms;   /* one that nobody held for so long goes; 0: no limit */
    /* What plugins have packed is kept in the store for the next load; the least recently used goes. A model that has
     * more than all may have is not kept, so that 1 keeps nothing. 0: 16 GiB */
    uint64_t prepared_max_bytes;
    /* 1: the threads of each lane stay on processors of its own, of those that the thread which creates the host may run
     * on. Linux; elsewhere MODEL_UNSUPPORTED. Worker processes are not kept anywhere */
    uint32_t pin_threads;
    uint32_t pin_reserved; /* 0 */
    /* What frameworks compiled of models (Core ML) is kept in the store for the next load; the least recently used
     * goes. 1 keeps nothing. 0: 8 GiB */
    uint64_t compiled_max_bytes;
};

#define MODELHOST_OPTIONS_INIT                                                                     \
    {                                                                                              \
        .struct_size = sizeof(struct modelhost_options), .log_level = MODEL_LOG_WARN               \
    }

/* ---------------------------------------------------------------- of a model */

/* Where a plugin's code runs. */
enum modelhost_isolation {
    MODELHOST_INPROC = 0, /* in this process: fastest; a crash is the process's own */
    MODELHOST_WORKER = 1  /* in a child process, which can be killed at a deadline and replaced */
};

/* When weights become memory. */
enum modelhost_loading {
    MODELHOST_MAPPED = 0,    /* pages are read when they are used */
    MODELHOST_EAGER = 1,     /* all at once, and locked where the process may do that */
    MODELHOST_STREAMING = 2, /* pages are given back behind the reader: little stays in memory */
    MODELHOST_LAZY = 3       /* mapped; files of an archive are verified when they are first used */
};

/* What is compared with its SHA-256 before it is used. */
enum modelhost_verification {
    MODELHOST_CHECKSUM = 0, /* of an archive all but the weights; of a folder nothing */
    MODELHOST_STANDARD =
        1, /* every file that is used; of a folder all that its metadata.json lists */
    MODELHOST_PARANOID =
        2 /* of an archive the whole file and its form, and what is seen in mappings */
};

/* What products of weights are computed in. Less precise ones are faster and take less memory, and give slightly
 * other numbers; a plugin that has not the one that is asked for is MODEL_UNSUPPORTED. */
enum modelhost_dtype {
    MODELHOST_F32 = 0,
    MODELHOST_BF16 = 1, /* products of bfloat16, summed in float32 */
    MODELHOST_INT8 =
        2, /* weights of 8 bits with a scale each row; activations rounded row by row */
    MODELHOST_INT4 = 3, /* weights of 4 bits in groups with a scale each; for generating */
    /* The fewest bits of which the store has a report of `modelhost quantize` that kept its budget; F32 where there is
     * none */
    MODELHOST_AUTO = 4
};

/* What the reports of `modelhost quantize` in the store decide. They belong to one plugin, configuration and weights. */
enum modelhost_accuracy_policy {
    MODELHOST_ACCURACY_MEASURED =
        0,                      /* a dtype whose report missed its budget is MODEL_UNSUPPORTED */
    MODELHOST_ACCURACY_ANY = 1, /* nobody asks for reports */
    MODELHOST_ACCURACY_REQUIRED = 2 /* and one without a report is, too */
};

/* Several tokens of one call where text repeats itself. The text is the same. */
enum modelhost_speculation {
    MODELHOST_SPECULATION_DEFAULT = 0, /* of a call: the model's; of a model: prompt lookup */
    MODELHOST_SPECULATION_OFF = 1,
    MODELHOST_SPECULATION_PROMPT = 2 /* what followed the last tokens before is proposed again */
};

/* Whether a load waits for the package's first backend. In the background the next one answers calls until it is ready,
 * and modelhost_load() fails only when none opens. */
enum modelhost_accelerator_start {
    /* In the background where the first one always runs in a worker (coreml) and another one follows; else it waits */
    MODELHOST_ACCELERATOR_DEFAULT = 0,
    MODELHOST_ACCELERATOR_WAIT = 1,
    MODELHOST_ACCELERATOR_BACKGROUND = 2 /* whichever is first, if another one follows */
};

struct modelhost_load_options {
    size_t struct_size;
    int32_t isolation;            /* enum modelhost_isolation */
    uint32_t workers;             /* worker: child processes; 0: 1 */
    int64_t kill_grace_ms;        /* worker: from the deadline to its end; 0: 50, of coreml 250 */
    uint64_t worker_memory_bytes; /* worker: address space of each, and what it may share with the
                                     host; 0: no limit */
    uint32_t max_abandoned_lanes; /* in this process: lanes stuck in its plugin before the model
                                     refuses with MODEL_BUSY; 0: 2 */
    uint32_t reserved;            /* 0 */
    /* Which backends, in order of preference, such as "torch" or "coreml,cpu"; ":cpu" behind a name: its plugin shall compute by
     * the processor, without an accelerator. NULL: all that the package has, in the usual order (on Apple's systems coreml
     * and "coreml:cpu"; cpu, torch, onnx, others by name). */
    const char *backend;
    int64_t sla_ms; /* breaker: p99 from the call to the answer, of the last calls; 0: none */
    uint32_t breaker_window;     /* calls that it looks at, of the last minute; 0: 200 */
    uint32_t breaker_min_calls;  /* fewer of them say nothing; 0: 20 */
    double breaker_success_rate; /* of good calls; 0: 0.95, with one backend none; negative: none */
    int64_t breaker_cooldown_ms; /* until it is tried again; doubles to 60 times; 0: 5000 */
    /* Requests that wait for the model together run together, and each gets what it would have got alone.
     * For calls without session and on_tensors; not for generating. */
    uint32_t max_batch; /* items in a joint run, up to 1,024; 0, 1: nothing is joined */
    uint32_t
        max_delay_us; /* that a request may wait for others, up to 60 s, and never more than half
                              of its time; 0: what waits already */
    uint64_t max_batch_tokens; /* of the joined texts' own lengths, the sum; 0: no limit */
    const char
        *name; /* what the model is called in log lines and metrics, at most 200 bytes; NULL: the
                         package's id, or its folder's name. A name that another package of the host has gets
                         a number behind it */
    int64_t
        load_timeout_ms; /* worker: for opening the package (create_model()), then its process is
                                  ended and the load fails with MODEL_DEADLINE; 0: 300,000. In this
                                  process nothing can stop a plugin that hangs there. */
    /* worker: a plugin whose processes crash so often in a row within quarantine_window_ms (0: 60,000), without
     * an answer between them, is put into quarantine (modelhost quarantine) for quarantine_ms (0: 600,000). */
    uint32_t quarantine_after_crashes; /* 0: never; up to 64 */
    uint32_t quarantine_reserved;      /* 0 */
    int64_t quarantine_window_ms;
    int64_t quarantine_ms;
    int32_t loading;      /* enum modelhost_loading */
    int32_t verification; /* enum modelhost_verification */
    /* A model that takes more, by its weights and by what its plugin says, is MODEL_OUT_OF_MEMORY with both
     * numbers; 0: no limit */
    uint64_t memory_budget_bytes;
    int64_t timeout_ms; /* of calls that name none: modelhost_run_options.timeout_ms; 0: none */
    /* What opens an encrypted archive, one of: a file whose first line is the passphrase, a file with a key of 32
     * bytes, the passphrase, the key. Kept as long as the package has backends to open, in memory of their own. */
    const char *passphrase_file;
    const char *key_file;
    const char *passphrase; /* (passphrase_bytes), none of them NUL */
    uint64_t passphrase_bytes;
    const uint8_t *key; /* (32) */
    int32_t dtype;      /* enum modelhost_dtype */
    /* 1: the package must be signed by a trusted key, else MODELHOST_UNTRUSTED; what is used of it, the plugin first
     * of all, is compared with the signed digests, and the plugin must be the package's own */
    uint32_t require_signature;
    const char *trusted_keys; /* whose, the file of `pkgmgr keys`; NULL: the user's own */
    /* Of generating text, with models that have a memory (max_slots). */
    int32_t speculation; /* enum modelhost_speculation, of greedy calls that name none */
    int32_t
        prefix_cache; /* texts that an instance remembers between requests, so that one that begins alike
                               is read from there on, up to 1,024; 0: 4; negative: none */
    uint32_t
        prefill_chunk; /* tokens of a prompt, or of several of one call, that are read at once, behind which
                               requests that wait have their turn, up to 2^20; 0: 256 */
    uint32_t generation_reserved; /* 0 */
    int32_t accuracy_policy;      /* enum modelhost_accuracy_policy */
    uint32_t accuracy_reserved;   /* 0 */
    double
        max_cosine_loss; /* 1 - cosine that a report may have, 0 to 2; 0: the budget in the report */
    double
        min_top1_agreement; /* of the rows of logits in a report, those whose largest must be where
                               float32 has it, 0 to 1; 0: the budget in the report */
    int32_t accelerator_start; /* enum modelhost_accelerator_start */
    /* A backend whose breaker opened so often within demotion_window_ms (0: 600,000) stands behind the package's other
     * backends for demotion_ms (0: 1,800,000); failing when it is tried again then, it does at once. */
    int32_t demote_after_openings; /* 0: 3; up to 16; negative: never */
    int64_t demotion_window_ms;
    int64_t demotion_ms;
};

#define MODELHOST_LOAD_OPTIONS_INIT                                                                \
    {                                                                                              \
        .struct_size = sizeof(struct modelhost_load_options)                                       \
    }

/* ---------------------------------------------------------------- of a call */

struct modelhost_run_options {
    size_t struct_size;
    int64_t timeout_ms;              /* from the call to the answer; 0: what the load options say */
    const char *const *output_names; /* tensor form: wanted outputs; NULL: the usual ones */
    uint32_t n_output_names;
    uint32_t top_k;         /* text and image form: how many candidates; 0: 5 */
    uint32_t truncate;      /* text form: 1 cuts long texts instead of refusing them */
    const char *task;       /* text form: "embed", "fill-mask", "classify", "token-classify",
                               "question", or the hub's word; NULL: the model's own task */
    struct uv_loop_s *loop; /* async: run the callback on this loop, whose thread must make
                                         the call; NULL: on the host's own loop thread */
    struct modelhost_session
        *session; /* tensor and text form: what the call goes on with; NULL: it starts
                     from nothing */
    /* Tensor form: called with what the model emits before its answer, pieces of outputs that live during
     * the call; NULL: nothing is emitted. Must be short: the model waits. Not called after the answer.
     * MODEL_UNSUPPORTED when the model does not stream (MODEL_CAN_STREAM). [lane-thread] */
    void (*on_tensors)(void *context, const struct model_tensor *const *tensors,
                       uint32_t n_tensors);
    void *on_tensors_context;
    int32_t priority; /* higher goes first; models of one priority take turns */
    /* Synchronous calls: 1 runs the plugin on the calling thread if a lane is free, whose place it takes, so
     * that nobody need be woken: for calls of microseconds. The deadline is then polled only, by the plugin
     * at its cancel token and by the host behind it: a plugin that is stuck holds the caller. [lane-thread]
     * functions are called on that thread; with `threads` above 1 it gets a team of its own. */
    uint32_t direct;
};

#define MODELHOST_RUN_OPTIONS_INIT                                                                 \
    {                                                                                              \
        .struct_size = sizeof(struct modelhost_run_options)                                        \
    }

#ifdef __cplusplus
}
#endif

#endif
