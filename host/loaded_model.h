/* loaded_model.h - a package opened with its plugin: what struct modelhost_model is.
 *
 * Reference-counted: its user holds one reference, each request another. All plugin code of creating and
 * destroying runs on a thread of its own, never on the application's. */
#ifndef LOADED_MODEL_H
#define LOADED_MODEL_H

#include "batch_policy.h"
#include "device_plan.h"
#include "hosted_instance.h"
#include "lane_account.h"
#include "model_metrics.h"
#include "model_parts.h"
#include "package.h"
#include "page_guard.h"
#include "plugin_handle.h"
#include "prepared_share.h"
#include "prepared_weights.h"
#include "reaper.h"
#include "result_memory.h"
#include "services.h"
#include "weight_loading.h"

#include <stdatomic.h>
#include <stdbool.h>

struct backend_chain;
struct crash_quarantine;
struct generation_config;
struct image_pipeline;
struct model_cache;
struct model_route;
struct text_pipeline;
struct model_text;

struct modelhost_model {
    _Atomic uint32_t references;
    struct modelhost *host;
    struct reaper *reaper; /* holds a reference; the host may be gone before the model */
    struct reaper_item end;
    const struct log_sink *log; /* the reaper's */
    struct model_route *route;  /* the way to the package's next backend */
    struct model_cache *cache;  /* holds a reference, as the cache does of the model; NULL: none */
    char *name;                 /* loaded_model_name(); NULL: not named yet */
    struct package package;
    struct store_lease *lease; /* says that the package is in use; NULL: an author's folder */
    char *plugin_path;
    struct plugin_handle plugin;
    struct model_parts parts;           /* as the host has seen them, for its workers */
    char files_stamp[SHA256_HEX_BYTES]; /* the backend's files as it was opened; "": not known */
    struct archive_contents contents;   /* what it has decrypted for them */
    struct crash_quarantine *crashes;   /* of its workers; NULL: not counted */
    char *config_text;
    size_t config_bytes;
    json_node *config;
    struct weights *weights; /* NULL: none in the package */
    struct weight_loading loading;
    char *no_weights;           /* then the sentence that says so */
    struct page_guard **guards; /* (n_guards), one for each mapped file */
    size_t n_guards;
    struct services services;
    struct prepared_weights prepared;      /* of the services' blobs */
    struct prepared_share *prepared_share; /* for its workers; NULL: none */
    uint32_t lanes;
    struct batch_limits batching; /* how its requests are joined */
    struct modelhost_load_options load;
    struct model *model;
    struct model_device_plan plan; /* what it says of its devices; struct_size 0: nothing */
    char result_key
        [RESULT_KEY_BYTES]; /* names this model in the result cache; "": nothing is kept */
    int64_t load_ns;
    struct lane_account lane_account;
    struct model_metrics metrics;

    uv_mutex_t mutex; /* guards what follows */
    int has_mutex;
    struct hosted_instance **idle; /* (lanes) instances that nobody runs */
    uint32_t n_idle;
    struct text_pipeline *pipeline;        /* made at the first text */
    struct image_pipeline *image_pipeline; /* made at the first image */
    struct generation_config *generation;  /* read at the first prompt */
    struct model_text *texts;              /* what modelhost_describe() gave, the newest first */
};

/* What is to be opened: one backend of a package. */
struct model_source {
    const char *package_dir;
    const char *backend;                          /* NULL: package_open()'s choice */
    const struct modelhost_load_options *options; /* complete */
    struct backend_chain *chain;             /* NULL: there is no other backend, and no route */
    size_t position;                         /* in the chain */
    const struct model_parts *parts;         /* what has to be there; NULL: whatever is */
    const struct archive_secret *secret;     /* opens an encrypted archive; NULL: none */
    const struct archive_contents *contents; /* decrypted already; live longer. NULL: none */
    struct prepared_ends *prepared;          /* a worker's; NULL: the store has prepared weights */
    const struct model_compiled_models *compiled; /* the same of compiled models */
    const uint32_t
        *cancelled; /* atomic: raised, opening it in workers is given up. NULL: it is not */
};

/* Opens it with the host's lanes, threads and plugin path. */
model_status loaded_model_create(struct modelhost *host, const struct model_source *source,
                                 struct modelhost_model **ret, struct model_error *err);
/* What to call its plugin: where it lies in the package, or on the plugin path. */
const char *loaded_model_plugin_name(const struct modelhost_model *model);
/* What the host calls it in log lines and metrics: what its load asked for, or the package's id, or its folder's
 * name; of no other package (model_names.h). */
const char *loaded_model_name(const struct modelhost_model *model);
void loaded_model_retain(struct modelhost_model *model);
/* The last one has the host's reaper destroy it, and does not wait: it may be dropped in a callback. */
void loaded_model_drop(struct modelhost_model *model);

/* An instance for one call, the one that has read the most of ids(n_ids) if there are any; made when none
 * is idle. [lane-thread] */
model_status loaded_model_take_instance(struct modelhost_model *model, const int64_t *ids,
                                        size_t n_ids, struct hosted_instance **ret,
                                        struct model_error *err);
void loaded_model_return_instance(struct modelhost_model *model, struct hosted_instance *instance);
/* The same as far as no plugin code runs: false when the instance is one too many. [any-thread] */
bool loaded_model_keep_instance(struct modelhost_model *model, struct hosted_instance *instance);

/* Notes which files the backend has; before any of them is read. */
void loaded_model_note_files(struct modelhost_model *model);
/* Whether they are those: what was made of others must not be kept as theirs. */
bool loaded_model_is_of_its_files(const struct modelhost_model *model);

/* After a call: MODEL_CORRUPT when a weights file shrank under its mapping. */
model_status loaded_model_check_files(struct modelhost_model *model, struct model_error *err);

/* The image pipeline of the model, made once. [any-thread] */
model_status loaded_model_image_pipeline(struct modelhost_model *model, struct image_pipeline **ret,
                                         struct model_error *err);

/* How the package wants its text generated, read once; the model's. [any-thread] */
model_status loaded_model_generation(struct modelhost_model *model,
                                     const struct generation_config **ret, struct model_error *err);

/* The text pipeline of the model, made once. [any-thread] */
model_status loaded_model_pipeline(struct modelhost_model *model, struct text_pipeline **ret,
                                   struct model_error *err);

#endif
