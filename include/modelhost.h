/* modelhost.h - run machine-learning models from C.
 *
 * The shortest useful program (examples/embed.c is this one, compiled and run by the tests):
 *
 *   modelhost_download("bert-base-uncased", NULL, &err);
 *   modelhost_create(NULL, &host, &err);
 *   modelhost_load(host, "bert-base-uncased", &model, &err);
 *   modelhost_run_text(model, &text, 1, NULL, &result, &err);
 *   puts(modelhost_result_json(result));
 *
 * Statuses, errors and tensors are those of model_abi.h, so that one set of names goes from the
 * application to the plugin. Every function that can fail returns a model_status and, unless `err` is
 * NULL, writes one sentence into it. What a ret_ pointer receives is set on success only.
 *
 * Threads: every function may be called from any thread, except where its comment says otherwise; a
 * host, a model and a request may be shared, a result belongs to one thread at a time. The library
 * starts one event-loop thread, one that frees models and `lanes` inference threads per host, prints
 * nothing, never exits, and reads the environment only where a NULL option stands for a default that
 * comes from there.
 *
 * Structs of options start with struct_size; set them with their _INIT macro and then fill in what
 * you want. Fields are only appended, so a program keeps working with a newer library. Structs that cross
 * in arrays or by value (modelhost_text, _image, _prompt and _timing) never grow. */
#ifndef MODELHOST_H
#define MODELHOST_H

#include "model_abi.h"
#include "modelhost_options.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MODELHOST_VERSION "0.1.0"

#define MODELHOST_API __attribute__((visibility("default")))

/* Statuses beyond those of model_abi.h. */
enum modelhost_status_code {
    MODELHOST_UNAUTHORIZED =
        64, /* no token, passphrase or key, a wrong one, or a gated repository */
    MODELHOST_NETWORK = 65,
    MODELHOST_RATE_LIMITED = 66,
    MODELHOST_OFFLINE = 67,  /* offline mode, and not everything is in the store */
    MODELHOST_CRASHED = 68,  /* the plugin's process ended during the call */
    MODELHOST_UNTRUSTED = 69 /* a signature that is wanted is missing, or not by a trusted key */
};

struct modelhost;
struct modelhost_model;
struct modelhost_request;
struct modelhost_result;
struct modelhost_session;
struct uv_loop_s;

/* ---------------------------------------------------------------- download */

struct modelhost_download_options {
    size_t struct_size;
    const char *store_dir;   /* where packages live; NULL: the default store */
    const char *endpoint;    /* NULL: "https://huggingface.co" */
    const char *token;       /* sent to the endpoint's own host only; NULL: none */
    const char *revision;    /* branch, tag or commit; NULL: "main" */
    const char *plugin_path; /* folders separated by ':' to look for a plugin in; NULL: default */
    uint32_t offline;        /* 1: no network, succeed only if the store has the package */
    uint32_t force;          /* 1: fetch again what the store has */
    /* Called now and then with the bytes so far and in all; may be NULL. [the calling thread] */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *progress_context;
    /* Which files: patterns as of `pkgmgr download --include` and `--exclude`; none: a package's own choice. */
    const char *const *includes; /* (n_includes) */
    uint64_t n_includes;
    const char *const *excludes; /* (n_excludes) */
    uint64_t n_excludes;
    const char *ca_file; /* certificates to trust instead of the system's (PEM); NULL: those */
    uint64_t limit_bytes_per_s; /* of all connections together; 0: no limit */
    uint32_t max_workers;       /* files at once, up to 64; 0: the default */
    uint32_t max_connections;   /* requests at once for one file, up to 16; 0: the default */
    /* Asked several times a second: other than 0 ends the download with MODEL_CANCELLED, and the next one
     * goes on where it was. May be NULL. [the calling thread] */
    int32_t (*cancelled)(void *context);
    void *cancel_context;
};

#define MODELHOST_DOWNLOAD_OPTIONS_INIT                                                            \
    {                                                                                              \
        .struct_size = sizeof(struct modelhost_download_options)                                   \
    }

/* Fetches a repository of the hub ("ns/name", "name", or either with "@revision") into the store and
 * installs the plugin for its architecture if one is on the plugin path. Does nothing when the store
 * has it, and when the revision is a commit does not mind then that the hub cannot be reached. Blocks.
 * `options` NULL: HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, MODELHOST_STORE and the like as `pkgmgr download`
 * reads them. */
MODELHOST_API model_status modelhost_download(const char *id,
                                              const struct modelhost_download_options *options,
                                              struct model_error *err);

/* ---------------------------------------------------------------- host */

/* Starts the loop and the lanes. lanes x threads beyond the CPUs that the process may use (affinity
 * and cgroup quota) is MODEL_INVALID_ARGUMENT. `options` NULL: defaults, and MODELHOST_STORE and
 * MODELHOST_PLUGIN_PATH from the environment. */
MODELHOST_API model_status modelhost_create(const struct modelhost_options *options,
                                            struct modelhost **ret_host, struct model_error *err);

/* 1: all lanes take requests. 0, with a sentence in err: a lane has shown no progress for ten times what its
 * model's estimated_run_ns says, and a second at least, for a minute where that says nothing, or has not been
 * replaced yet. A model may refuse calls
 * all the same: modelhost_model_ready(). */
MODELHOST_API int32_t modelhost_ready(struct modelhost *host, struct model_error *err);

/* Cancels what waits and runs, waits for the lanes and for models being freed, frees everything. Models
 * must be released, and results destroyed, by then. What still holds a model (a request not yet given back,
 * an answer that waits for options->loop, a session) keeps it, and with it `log` and log_context in use: it
 * is freed, and its plugin may log, when that is released. NULL does nothing. Not from a callback. */
MODELHOST_API void modelhost_destroy(struct modelhost *host);

/* ---------------------------------------------------------------- metrics */

/* What the host has counted and measured, as text that a Prometheus server reads (format 0.0.4); docs/metrics.md
 * has each by name. A snapshot: it does not change, and may outlive the host. */
struct modelhost_metrics;

MODELHOST_API model_status modelhost_metrics_read(struct modelhost *host,
                                                  struct modelhost_metrics **ret_metrics,
                                                  struct model_error *err);
MODELHOST_API const char *modelhost_metrics_text(const struct modelhost_metrics *metrics);
/* NULL does nothing. */
MODELHOST_API void modelhost_metrics_destroy(struct modelhost_metrics *metrics);

/* ---------------------------------------------------------------- models */

/* Opens a package: a name in the store ("bert-base-uncased", "ns/name", with "@revision" if wanted)
 * or a folder. Checks the files, opens the plugin, prepares the weights; blocks until ready.
 *
 * A package may have several backends (its folders backends/cpu, backends/torch, ...): the first that
 * opens serves. It has a circuit breaker: when too many of its calls fail, or are too slow, calls go to
 * the next backend, which is opened then and must take and give the same tensors; after a cool-down a
 * few calls try the first one again. One that keeps failing stands behind the others for a while. A first backend that
 * always runs in a worker (coreml) is opened in the background, and calls go to the next one until it is ready
 * (modelhost_load_options.accelerator_start). See modelhost_result_backend(). While no backend takes calls they are
 * refused with MODEL_BUSY. Errors of a backend, crashes and deadlines that pass while it runs are
 * failures; what was cancelled, was refused or was the caller's mistake is not. */
MODELHOST_API model_status modelhost_load(struct modelhost *host, const char *name_or_folder,
                                          struct modelhost_model **ret_model,
                                          struct model_error *err);

/* The same with options; NULL: the defaults. */
MODELHOST_API model_status modelhost_load_with(struct modelhost *host, const char *name_or_folder,
                                               const struct modelhost_load_options *options,
                                               struct modelhost_model **ret_model,
                                               struct model_error *err);

/* A file of options: {"host": {...}, "models": {"*": {...}, "NAME": {...}}}, whose keys are the names of the
 * fields of modelhost_options and modelhost_load_options; docs/config.md lists them. Unknown keys and values out
 * of their bounds are MODEL_INVALID_ARGUMENT. */
struct modelhost_config;
MODELHOST_API model_status modelhost_config_read(const char *path,
                                                 struct modelhost_config **ret_config,
                                                 struct model_error *err);
/* Sets the fields that the file names and leaves the others. Strings live as long as the config. */
MODELHOST_API void modelhost_config_host(const struct modelhost_config *config,
                                         struct modelhost_options *options);
/* The same for the model that is loaded under this name: first what "*" says, then what NAME does. */
MODELHOST_API void modelhost_config_model(const struct modelhost_config *config, const char *name,
                                          struct modelhost_load_options *options);
/* All options as they are with this file, the defaults among them, as JSON to be freed with free(). */
MODELHOST_API model_status modelhost_config_show(const struct modelhost_config *config,
                                                 char **ret_json, struct model_error *err);
/* NULL does nothing. */
MODELHOST_API void modelhost_config_destroy(struct modelhost_config *config);

/* Requests that are under way keep the model alive until they end. It is freed in the background, so that
 * this may be called on an event loop and in a callback; modelhost_destroy() waits for it. NULL does
 * nothing. */
MODELHOST_API void modelhost_release(struct modelhost_model *model);

/* 1: it takes calls. 0, with a sentence in err: too many lanes are stuck in its plugin, or its breaker is open, or
 * its workers have ended and none can soon be counted on, and no other backend of the package takes calls, or is open yet. */
MODELHOST_API int32_t modelhost_model_ready(struct modelhost_model *model, struct model_error *err);

/* What the plugin says of the model; inputs and outputs by name, type and shape. Lives as long as the
 * model. */
MODELHOST_API const struct model_description *modelhost_description(
    const struct modelhost_model *model);

/* The same and the package's facts (id, revision, folder, plugin, parameters, memory) as JSON text
 * that lives as long as the model. */
MODELHOST_API const char *modelhost_describe(const struct modelhost_model *model);

/* ---------------------------------------------------------------- running */

struct modelhost_text {
    size_t struct_size;
    const char *text; /* UTF-8 */
    size_t text_bytes;
    const char *pair; /* second text (the context, for a question), or NULL */
    size_t pair_bytes;
};

struct modelhost_image {
    size_t struct_size;
    const void *data; /* a whole PNG or JPEG file */
    size_t size_bytes;
};

/* Runs named tensors through the model and waits. The inputs are read, not kept. At the deadline the
 * answer is MODEL_DEADLINE even when the plugin does not stop; what it still writes goes nowhere.
 * `options` may be NULL. */
MODELHOST_API model_status modelhost_run(struct modelhost_model *model,
                                         const struct model_tensor *const *inputs,
                                         uint32_t n_inputs,
                                         const struct modelhost_run_options *options,
                                         struct modelhost_result **ret_result,
                                         struct model_error *err);

/* Runs texts through tokenizer, model and task. A list of texts is one batch, padded to the longest. A text
 * that is longer than the model takes is MODEL_INVALID_ARGUMENT unless options->truncate; a package
 * without a tokenizer is MODEL_NOT_FOUND, a task that the model does not do MODEL_UNSUPPORTED. */
MODELHOST_API model_status modelhost_run_text(struct modelhost_model *model,
                                              const struct modelhost_text *texts, uint32_t n_texts,
                                              const struct modelhost_run_options *options,
                                              struct modelhost_result **ret_result,
                                              struct model_error *err);

/* Classifies pictures: decodes them, does what the package's preprocessor_config.json says, runs the model
 * on pixel_values, or on the one input that takes bytes (a picture of Core ML), and gives labels by config.json's
 * id2label, the top_k best: of logits, or of the first output with a number for each. The images are one batch;
 * the answer has one array for each: [{"label", "score", "index"}, ...]. At most 1,024 images of 128 MiB,
 * 65,535 pixels a side and 89,478,485 pixels each; a damaged or truncated one is MODEL_INVALID_ARGUMENT,
 * another format than PNG and JPEG MODEL_UNSUPPORTED. They are decoded on the lane. */
MODELHOST_API model_status modelhost_run_image(struct modelhost_model *model,
                                               const struct modelhost_image *images,
                                               uint32_t n_images,
                                               const struct modelhost_run_options *options,
                                               struct modelhost_result **ret_result,
                                               struct model_error *err);

/* The answer of an asynchronous call: exactly one per call that returned MODEL_OK. `result` is the
 * callee's to destroy, NULL unless status is MODEL_OK; `err` lives during the callback. */
typedef void (*modelhost_callback)(void *user, model_status status, struct modelhost_result *result,
                                   const struct model_error *err);

/* As above without waiting. The inputs are copied. *ret_request (may be NULL) is for
 * modelhost_cancel() and must be given back with modelhost_request_release(), before or after the
 * answer. On failure no callback comes. Texts are tokenized and pictures decoded on the lane: what is wrong
 * with them comes with the answer. */
MODELHOST_API model_status modelhost_run_async(
    struct modelhost_model *model, const struct model_tensor *const *inputs, uint32_t n_inputs,
    const struct modelhost_run_options *options, modelhost_callback callback, void *user,
    struct modelhost_request **ret_request, struct model_error *err);

MODELHOST_API model_status modelhost_run_text_async(
    struct modelhost_model *model, const struct modelhost_text *texts, uint32_t n_texts,
    const struct modelhost_run_options *options, modelhost_callback callback, void *user,
    struct modelhost_request **ret_request, struct model_error *err);

MODELHOST_API model_status modelhost_run_image_async(
    struct modelhost_model *model, const struct modelhost_image *images, uint32_t n_images,
    const struct modelhost_run_options *options, modelhost_callback callback, void *user,
    struct modelhost_request **ret_request, struct model_error *err);

/* The answer becomes MODEL_CANCELLED, at once, unless it was there already. Not after the host is
 * destroyed, which answers everything anyway. */
MODELHOST_API void modelhost_cancel(struct modelhost_request *request);
MODELHOST_API void modelhost_request_release(struct modelhost_request *request);

/* What a classifier says, where tensors are asked for. */
struct modelhost_class {
    size_t struct_size;
    const char *label;  /* by config.json's id2label, UTF-8; lives as long as the model */
    const char *output; /* where; lives as long as the result */
    int64_t index;      /* of the class */
};
/* The class of the largest number, the first of equals, in the first F32 output with as many numbers as
 * id2label has labels. MODEL_NOT_FOUND: there is no such output, or no number in it; no sentence. [any-thread] */
MODELHOST_API model_status modelhost_result_class(const struct modelhost_model *model,
                                                  const struct modelhost_result *result,
                                                  struct modelhost_class *ret);

/* ---------------------------------------------------------------- generating text */

/* A text or a row of token ids is continued. Numbers that are MODELHOST_AS_CONFIGURED come from the
 * package's generation_config.json, else they are what transformers' generate() takes. */
#define MODELHOST_AS_CONFIGURED (-1e300)

/* What is to be continued. Empty: begins with the model's bos_token_id. */
struct modelhost_prompt {
    size_t struct_size;
    const char *text; /* UTF-8; NULL: token_ids */
    size_t text_bytes;
    const int64_t *token_ids; /* (n_token_ids) */
    size_t n_token_ids;
};

/* A token as it comes. The text is what is certain by then: never half a character, never the start of
 * a stop string, U+FFFD for NUL; pieces together are the generated text. The last one of a sequence has finish_reason,
 * and may have no token (token_id -1). */
struct modelhost_token {
    size_t struct_size;
    uint32_t prompt, sequence; /* which of the call, and which of its sequences */
    int64_t token_id;
    const char *text; /* "" when there is none yet; NULL without a tokenizer */
    size_t text_bytes;
    double logprob;            /* NaN unless asked for */
    const char *finish_reason; /* NULL, "stop", "length", "context" */
};

struct modelhost_generation {
    size_t struct_size;
    int64_t max_new_tokens; /* up to 2^24; -1: as configured, else 128 */
    int64_t top_k;          /* -1: as configured, else 50; 0: all */
    int32_t do_sample; /* -1: as configured, or 1 if a number of sampling is given; 0: greedy */
    uint32_t num_sequences; /* of each prompt, up to 64; 0: 1; best first in the result */
    double temperature;     /* 0 (greedy) to 100; usually 1 */
    double top_p, min_p;    /* 0 to 1; usually 1 and 0, which leave all tokens */
    double repetition_penalty, presence_penalty, frequency_penalty; /* usually 1, 0, 0: none */
    uint64_t seed; /* the same seed, the same text for a prompt in the same place of the call: each
                      prompt and each of its sequences has its own random numbers. In bf16, int8 and
                      int4 a text may also depend on how many sequences the call has, if more than 6 */
    const char *const *stop_strings; /* (n_stop_strings), up to 64 of 4,096 bytes; they are not
                                        part of the text */
    const int64_t *stop_token_ids;   /* (n_stop_token_ids); besides the model's own end */
    uint32_t n_stop_strings, n_stop_token_ids;
    uint32_t ignore_eos;     /* 1: goes on behind the model's end of text */
    uint32_t sliding_window; /* 1: forgets the oldest half when the context is full, and goes on */
    uint32_t logprobs;       /* 1: of each token; n: and of the n - 1 most probable ones */
    uint32_t
        first_prompt; /* the place of the first prompt in a longer row, when the call is a part of
                                one: it draws the numbers of that place */
    /* Called with each token of each sequence; may be NULL. Must be short: the model waits. Not called
     * after the call's answer. [lane-thread] */
    void (*on_token)(void *context, const struct modelhost_token *token);
    void *context;
    int32_t speculation; /* enum modelhost_speculation; without sampling and penalties only */
    uint32_t reserved;   /* 0 */
};

#define MODELHOST_GENERATION_INIT                                                                  \
    {                                                                                              \
        .struct_size = sizeof(struct modelhost_generation), .max_new_tokens = -1, .top_k = -1,     \
        .do_sample = -1, .temperature = MODELHOST_AS_CONFIGURED, .top_p = MODELHOST_AS_CONFIGURED, \
        .min_p = MODELHOST_AS_CONFIGURED, .repetition_penalty = MODELHOST_AS_CONFIGURED,           \
        .presence_penalty = MODELHOST_AS_CONFIGURED, .frequency_penalty = MODELHOST_AS_CONFIGURED  \
    }

/* Continues prompts with a model of task "text-generation" and waits. The result's JSON is an array with
 * one item per sequence: {"task", "text" (the prompt), "prompt_token_ids", "sequence", "generated_text",
 * "token_ids" (new ones), "finish_reason", with several sequences or logprobs "cumulative_logprob", with
 * logprobs "logprobs", and where speculation proposed tokens "proposed_tokens" and "accepted_tokens"}. What a model has read of an earlier prompt is used again where prompts begin
 * alike; the last bits of logits, and so of logprobs, may depend on how much that was. At most 1,024
 * prompts. MODEL_INVALID_ARGUMENT: a prompt beyond the model's context, an unknown id, a number out of its
 * range; MODEL_UNSUPPORTED: the model gives no logits of next tokens, or options have a session.
 * `generation` and `options` may be NULL; of the options timeout_ms and loop count. */
MODELHOST_API model_status modelhost_generate(
    struct modelhost_model *model, const struct modelhost_prompt *prompts, uint32_t n_prompts,
    const struct modelhost_generation *generation, const struct modelhost_run_options *options,
    struct modelhost_result **ret_result, struct model_error *err);

/* As modelhost_run_text_async(): everything is copied but on_token's context. */
MODELHOST_API model_status modelhost_generate_async(
    struct modelhost_model *model, const struct modelhost_prompt *prompts, uint32_t n_prompts,
    const struct modelhost_generation *generation, const struct modelhost_run_options *options,
    modelhost_callback callback, void *user, struct modelhost_request **ret_request,
    struct model_error *err);

/* ---------------------------------------------------------------- sessions */

/* The memory of one conversation or stream: calls of modelhost_run() and modelhost_run_text() with the same
 * session go on where the last one stopped (past_key_values of a decoder, the state of a recurrent
 * network; modelhost_generate() remembers by itself). Item i of the batch goes on with item i of the calls
 * before. A call that fails leaves the session as it was; but one that is given up (deadline, cancel) when the
 * model has just read its input ends the session: its next call says so with MODEL_INVALID_ARGUMENT. One call at a time: another one meanwhile, also
 * one that outlives its deadline, is answered with MODEL_BUSY. A session holds its model. MODEL_UNSUPPORTED
 * for a model without memory. */
MODELHOST_API model_status modelhost_session_create(struct modelhost_model *model,
                                                    struct modelhost_session **ret_session,
                                                    struct model_error *err);

/* A call under way keeps it alive until it ends. NULL does nothing. */
MODELHOST_API void modelhost_session_release(struct modelhost_session *session);

/* ---------------------------------------------------------------- results */

struct modelhost_timing {
    size_t struct_size;
    int64_t queue_ns; /* from the call until a lane took it */
    int64_t run_ns;   /* in the plugin, all its calls together; of a joint run, the whole of it */
    int64_t total_ns; /* from the call until the answer */
    /* Of generating, else 0: tokens of the prompts, how many of them were read before and kept, the time
     * to read the others; new tokens, and the time for those behind the first. */
    int64_t prompt_tokens, cached_tokens, prefill_ns;
    int64_t new_tokens, decode_ns;
};

/* NULL does nothing. */
MODELHOST_API void modelhost_result_destroy(struct modelhost_result *result);
MODELHOST_API uint32_t modelhost_result_count(const struct modelhost_result *result);
/* A tensor of the result by index or name (NULL: no such), valid until it is destroyed. The text form
 * of "feature-extraction" gives one: "embeddings" (n_texts, size). */
MODELHOST_API const struct model_tensor *modelhost_result_at(const struct modelhost_result *result,
                                                             uint32_t index);
MODELHOST_API const struct model_tensor *modelhost_result_find(
    const struct modelhost_result *result, const char *name);
/* An array with one item per text, image or generated sequence, as `modelhost run --json` prints it; "[]" for
 * the tensor form. Lives as long as the result. */
MODELHOST_API const char *modelhost_result_json(const struct modelhost_result *result);
/* 1: the model's outputs come from the result cache (modelhost_options.result_cache_bytes). */
MODELHOST_API uint32_t modelhost_result_is_cached(const struct modelhost_result *result);
MODELHOST_API struct modelhost_timing modelhost_result_timing(
    const struct modelhost_result *result);
/* The backend that served the call ("cpu"), and why no earlier one of the package did: a sentence, or NULL
 * when it is the first. Both live as long as the result. */
MODELHOST_API const char *modelhost_result_backend(const struct modelhost_result *result);
MODELHOST_API const char *modelhost_result_fallback_reason(const struct modelhost_result *result);

#ifdef __cplusplus
}
#endif

#endif
