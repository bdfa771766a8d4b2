/* download.h - from a hub to a package in the store: resolve, plan, transfer, install.
 *
 *   download_begin()     asks the hub what the revision is and which files it has; decides
 *   download_transfer()  fetches what the store lacks or has with wrong bytes, checking every byte
 *   download_install()   makes the package visible, with the plugin for its architecture
 *   download_end()
 *
 * or download_run() for all of it. Nothing of a package is seen by anyone before download_install()
 * ends; blobs that have arrived stay in the store, so that a second try need not fetch them again.
 * One download belongs to one thread. */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include "download_plan.h"

struct download_options {
    const char *id;          /* "ns/name" or "name" */
    const char *revision;    /* NULL: "main" */
    const char *store_dir;   /* made when it is not there */
    const char *plugin_path; /* where to look for a plugin */
    struct selection_rules rules;
    struct hub_config hub;     /* its log is the download's too */
    const char *hub_cache_dir; /* bytes are taken from the hub's cache there; NULL: they are not */
    bool lay_cache;            /* and laid down there */
    unsigned max_workers;      /* files at once; 0: the default */
    unsigned max_connections;  /* for one file; 0: the default */
    bool force;                /* fetch what the store has as well */
    bool offline;              /* no network: succeed only if the store has the package */
    const struct signature_policy *
        signature; /* the package must be in the store, signed so: nothing is fetched for others; NULL */
    bool dry_run; /* the store is only read: it is not made when it is not there */
    /* Bytes of the files to fetch, so far and in all, and the file under way. May be NULL. */
    void (*progress)(void *context, const struct download_plan *plan, size_t file_index,
                     uint64_t done_bytes);
    /* A file is there: fetched, or found in the store. May be NULL. */
    void (*file_done)(void *context, const struct plan_file *file);
    void *observer;
};

struct download_result {
    char *dir; /* the package */
    char *id, *revision;
    char *plugin_advice; /* what to do when no plugin was found; NULL: there is one */
    uint64_t downloaded_bytes, reused_bytes; /* by this download; there before, also in part */
};

struct download {
    const struct download_options *options;
    const char *revision; /* as asked */
    struct hub *hub;
    struct store *store;
    struct hub_model model;
    struct hub_files files;
    enum file_verdict *verdicts; /* (files.n_files) */
    struct download_plan plan;
    char *present; /* a package in the store that has all of the plan already, or NULL */
    char *staging; /* NULL until something is written */
};

/* options must outlive the download. On failure *ret needs no download_end(). */
model_status download_begin(const struct download_options *options, struct download *ret,
                            struct model_error *err);
model_status download_transfer(struct download *download, struct model_error *err);
model_status download_install(struct download *download, struct download_result *ret,
                              struct model_error *err);
void download_end(struct download *download);

/* The folder of "id@revision" in the store, to be freed; NULL in *ret when there is none. */
model_status download_find_package(const struct store *store, const char *id, const char *revision,
                                   char **ret, struct model_error *err);

/* MODEL_CORRUPT, naming the first file of the manifest that is not in dir with its size, or whose bytes
 * are wrong: they are read only when the files were touched since they were installed
 * (store_check_package()). */
model_status download_check_files(const struct store *store, const char *dir,
                                  const struct manifest *manifest, struct model_error *err);

/* Looks closely at what the plan wants to take from the store: blobs whose bytes are wrong are to be
 * fetched after all, and files that the hub names by their git digest need not be when the store has their
 * content. */
model_status download_reuse(struct download *download, struct model_error *err);

/* Whether the store has a planned file by now, with the right bytes; notes it in the plan then. */
bool download_look_up(const struct store *store, struct plan_file *planned);

/* MODELHOST_UNTRUSTED unless a package of the store is signed as the policy wants. dir NULL: there is none; id names
 * it. */
model_status download_check_signature(const struct signature_policy *policy, const char *dir,
                                      const char *id, struct model_error *err);

/* Whether the store has what is planned in a signed package, but damaged, which is to be mended as it is; its folder is to be
 * freed. Not if everything is to be fetched anyway, unless a signature is wanted. */
bool download_find_damaged(const struct download *download, char **ret_dir);
/* Mends it, after the download has ended; options: the download's. What cannot be, because a file came from no hub, is
 * MODEL_OK with a warning unless a signature is wanted. */
model_status download_mend(const struct download_options *options, const char *dir,
                           struct model_error *err);

/* MODELHOST_OFFLINE when a pattern of --include fits no file of the package, or when it has no weights
 * and they were not left out on purpose. */
model_status download_check_asked(const struct selection_rules *rules,
                                  const struct manifest *manifest, struct model_error *err);

/* MODEL_INVALID_ARGUMENT when the hub leads the name that was asked for to another id, and the store
 * has that id from another hub: one hub must not take over another's names. */
model_status download_check_owner(const struct download *download, struct model_error *err);

/* All of it, or in offline mode the look into the store. */
model_status download_run(const struct download_options *options, struct download_result *ret,
                          struct model_error *err);
void download_result_finish(struct download_result *result);

#endif
