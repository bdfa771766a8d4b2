/* subject.h - the plugin and the package that a check looks at, opened in the check's own process.
 *
 * A trial is one model made of them, with the host's services behind a table that counts what is held,
 * lets an allocation fail, and hands out weights other than those of the package. A trial that is
 * destroyed stays allocated: a plugin that calls its services afterwards is seen, not followed into freed
 * memory. One thread at a time, but for the services. */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "guarded_memory.h"
#include "package.h"
#include "plugin_handle.h"
#include "services.h"

#include <stdatomic.h>

#define SUBJECT_REFERENCE_NAME "reference.safetensors" /* in a package, of a check */

struct subject_options {
    const char *plugin;
    const char *
        package; /* a folder or an archive; NULL: an empty package for the plugin's first architecture */
    const struct archive_secret *secret;     /* of an encrypted package; NULL: none */
    const struct archive_contents *contents; /* of it, decrypted already; live longer. NULL: none */
    uint32_t threads;                        /* of a run; 0: 1 */
    int record_fd; /* where the plugin's functions that are called are told; -1: nowhere */
};

struct subject {
    const char *plugin_path;
    struct plugin_file file; /* what its note says; read before it is opened */
    struct plugin_handle plugin;
    bool is_open; /* the plugin */
    bool has_package;
    struct package package; /* zeros of a folder that is none, with config.json in it */
    char *package_dir, *backend_dir, *config_text;
    json_node *config;
    struct weights *weights; /* NULL: none */
    struct log_sink log;     /* keeps the last line */
    char last_line[240];
    uint32_t threads;
    int record_fd;
};

/* Opens the package and reads the plugin's note. The errors are those of the package and the file. */
model_status subject_open(const struct subject_options *options, struct subject *ret,
                          struct model_error *err);
/* Opens the plugin itself: its code runs from here on. Once; further calls do nothing. */
model_status subject_open_plugin(struct subject *subject, struct model_error *err);
/* Says which of the plugin's functions is called now; "" when it is back. */
void subject_enter(const struct subject *subject, const char *function);
/* Frees all but the plugin, which stays open. */
void subject_finish(struct subject *subject);

/* How weight `index` is told wrongly. */
enum weight_lie {
    LIE_NONE = 0,
    LIE_MISSING,
    LIE_DTYPE,  /* as I32, or F32 where it is one: the same number of bytes per element or others */
    LIE_LONGER, /* one more along the first dimension */
    LIE_SHORTER,
    LIE_RANK, /* one more dimension, of size 1 */
    N_WEIGHT_LIES
};

struct trial_options {
    const json_node *config; /* instead of the package's; NULL: that one */
    const char *config_text; /* goes with it */
    size_t fail_at;          /* the allocation of this number, from 1, finds no memory; 0: none */
    enum weight_lie lie;
    size_t lie_index;
    size_t table_bytes, args_bytes; /* struct_size of what create_model() is given, 0: the whole;
                                       larger: what is behind it is filled with 0xA5 */
};

struct trial {
    struct subject *subject;
    struct trial_options options;
    struct services services;         /* the host's */
    struct model_backend_files files; /* what the plugin sees of theirs */
    struct guarded *table, *args;     /* what the plugin sees, each before a guard page */
    struct guarded *lie;              /* the data of the weight that is told wrongly */
    struct model_tensor lie_view;
    unsigned char *asked;       /* (weights) 1: this one was looked at */
    _Atomic size_t n_allocated; /* allocations so far, failed ones included */
    _Atomic int64_t n_held;     /* blocks that were not given back */
    atomic_bool has_failed;     /* the one of fail_at was reached */
    atomic_bool is_over;        /* model->destroy() has returned */
    atomic_bool called_when_over;
    struct model *model;
    struct model_instance *instance;
    struct model_error err; /* of the last failed call */
};

/* A trial without a model. NULL: no memory. */
struct trial *trial_create(struct subject *subject, const struct trial_options *options);
/* create_model(), the description checked, and one instance. The status is the plugin's own; MODEL_INTERNAL
 * with a sentence where it broke a rule. What was made is destroyed by trial_end(). */
model_status trial_load(struct trial *trial);
/* An instance more, to be destroyed by the caller. */
model_status trial_create_instance(struct trial *trial, struct model_instance **ret);
/* Destroys instance and model. */
void trial_end(struct trial *trial);
/* Frees the trial itself, when nothing of the plugin can call any more. */
void trial_destroy(struct trial *trial);
/* The next allocation with this number, counted from now, fails. */
void trial_fail_at(struct trial *trial, size_t number);

/* The services of a trial (trial_services.c): fills in the table before the guard page. */
bool trial_make_services(struct trial *trial, struct model_error *err);
/* Whether the current allocation is one that has to fail. */
bool trial_refuses(struct trial *trial);

#endif
