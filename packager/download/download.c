/* download.c - see download.h. The steps before a package is installed, and the whole. */
#include "download.h"
#include "case_twins.h"
#include "download_cache.h"
#include "errors.h"
#include "files.h"
#include "hub_answers.h"
#include "human_text.h"
#include "landing.h"
#include "papers_lock.h"
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- begin: what is there to do */

/* Notes a package of the same commit that has every file of the plan, and all that it lists. */
static model_status look_for_present(struct download *download, struct model_error *err)
{
    struct manifest manifest = {0};
    struct model_error damage = MODEL_ERROR_INIT;
    char *dir = NULL;
    if (download->store == NULL || download->options->force)
        return MODEL_OK;
    model_status status = download_find_package(download->store, download->model.id,
                                                download->model.commit, &dir, err);
    if (status != MODEL_OK || dir == NULL)
        return status;
    /* one that cannot be read or has lost a file is replaced */
    if (manifest_read(dir, &manifest, NULL) == MODEL_OK &&
        download_plan_satisfied_by(&download->plan, &manifest)) {
        if (download_check_files(download->store, dir, &manifest, &damage) == MODEL_OK) {
            download->present = dir;
            dir = NULL;
        } else {
            log_write(&download->options->hub.log, MODEL_LOG_WARN, "%s; making the package anew",
                      damage.message);
        }
    }
    manifest_finish(&manifest);
    free(dir);
    return MODEL_OK;
}

static void warn_about_files(const struct download *download)
{
    size_t first, second;
    if (download_plan_find_twins(&download->plan, &first, &second))
        log_write(&download->options->hub.log, MODEL_LOG_WARN, CASE_TWINS_WARNING,
                  download->plan.files[first].file->path, download->plan.files[second].file->path);
    for (size_t i = 0; i < download->files.n_files; i++)
        if (download->verdicts[i] == FILE_RESERVED)
            log_write(&download->options->hub.log, MODEL_LOG_WARN, "leaving out '%.200s': %s",
                      download->files.files[i].path, file_verdict_reason(FILE_RESERVED));
}

static model_status make_plan(struct download *download, struct model_error *err)
{
    const struct download_options *options = download->options;
    size_t n = download->files.n_files;
    download->verdicts = calloc(n > 0 ? n : 1, sizeof *download->verdicts);
    if (download->verdicts == NULL)
        return error_no_memory(err, "the download's plan");
    model_status status = file_selection_judge(&download->files, &options->rules,
                                               download->model.id, download->verdicts, err);
    if (status == MODEL_OK)
        status = download_plan_make(&download->files, download->verdicts, download->store,
                                    options->force, &download->plan, err);
    if (status != MODEL_OK)
        return status;
    warn_about_files(download);
    status = look_for_present(download, err);
    return status == MODEL_OK ? download_reuse(download, err) : status;
}

static bool is_cancelled(void *context)
{
    const struct hub_config *hub = context;
    return hub->cancelled != NULL && hub->cancelled(hub->cancel_context);
}

static void tell(void *context, const char *sentence)
{
    const struct hub_config *hub = context;
    log_write(&hub->log, MODEL_LOG_WARN, "%s", sentence);
}

static model_status open_store(struct download *download, struct model_error *err)
{
    const struct download_options *options = download->options;
    const struct papers_wait wait = {
        .is_cancelled = is_cancelled, .notice = tell, .context = (void *)(uintptr_t)&options->hub};
    model_status status = store_open(options->store_dir, !options->dry_run, &download->store, err);
    if (status != MODEL_OK && !options->dry_run &&
        store_open(options->store_dir, 0, &download->store, NULL) == MODEL_OK)
        status = MODEL_OK; /* it may have all that is wanted; a write says why it cannot be */
    if (status == MODEL_OK)
        store_set_wait(download->store, &wait);
    return status == MODEL_NOT_FOUND && options->dry_run ? MODEL_OK : status;
}

model_status download_begin(const struct download_options *options, struct download *ret,
                            struct model_error *err)
{
    struct download download = {
        .options = options,
        .revision = options->revision != NULL ? options->revision : "main",
    };
    model_status status = hub_check_id(options->id, err);
    if (status == MODEL_OK)
        status = open_store(&download, err);
    if (status == MODEL_OK)
        status = hub_create(&options->hub, &download.hub, err);
    if (status == MODEL_OK)
        status = hub_find_model(download.hub, options->id, download.revision, &download.model, err);
    if (status == MODEL_OK)
        status = download_check_owner(&download, err);
    if (status == MODEL_OK && strcmp(download.model.id, options->id) != 0)
        log_write(&options->hub.log, MODEL_LOG_INFO, "'%s' is called '%s' now", options->id,
                  download.model.id);
    if (status == MODEL_OK)
        status = hub_list_files(download.hub, &download.model, &download.files, err);
    if (status == MODEL_OK)
        status = make_plan(&download, err);
    if (status == MODEL_OK)
        *ret = download;
    else
        download_end(&download);
    return status;
}

void download_end(struct download *download)
{
    if (download->store != NULL)
        store_end_staging(download->store, download->staging);
    free(download->present);
    download_plan_finish(&download->plan);
    free(download->verdicts);
    hub_files_finish(&download->files);
    hub_model_finish(&download->model);
    store_close(download->store);
    hub_destroy(download->hub);
    *download = (struct download){0};
}

/* ---- transfer */

static void advance(void *context, size_t file_index, uint64_t done_bytes)
{
    const struct download *download = context;
    const struct download_options *options = download->options;
    if (options->progress != NULL)
        options->progress(options->observer, &download->plan, file_index, done_bytes);
}

static void file_done(void *context, const struct plan_file *planned)
{
    const struct download_options *options = ((struct download *)context)->options;
    if (options->file_done != NULL)
        options->file_done(options->observer, planned);
}

static bool look_up(void *context, struct plan_file *planned)
{
    return download_look_up(((struct download *)context)->store, planned);
}

/* What earlier downloads left of these files takes its room already. */
static uint64_t partial_bytes(const struct download *download)
{
    uint64_t total_bytes = 0;
    for (size_t i = 0; i < download->plan.n_files; i++) {
        const struct plan_file *planned = &download->plan.files[i];
        char *key = planned->in_store ? NULL : landing_key(planned->file);
        if (key != NULL)
            total_bytes += partial_disk_bytes(store_dir(download->store), key);
        free(key);
    }
    return total_bytes;
}

/* After the folder for the work is made, which removes those of dead processes. */
static model_status check_room(const struct download *download, struct model_error *err)
{
    const char *dir = store_dir(download->store);
    const uint64_t own_bytes = partial_bytes(download);
    model_status status = download_plan_check_room(&download->plan, own_bytes, dir, err);
    uint64_t others_bytes = 0;
    char size[HUMAN_TEXT_BYTES];
    if (status != MODEL_OK) {
        const uint64_t partials_bytes = partial_disk_bytes(dir, NULL);
        others_bytes = store_staging_bytes(download->store) +
                       (partials_bytes > own_bytes ? partials_bytes - own_bytes : 0);
    }
    if (others_bytes > 0 && err != NULL) {
        struct model_error full = *err;
        (void)error_set(err, status,
                        "%.700s; %s are work in progress of others, in %.200s/tmp and partial; "
                        "'pkgmgr gc' removes what nobody works on",
                        full.message, human_size(others_bytes, size), dir);
    }
    return status;
}

model_status download_transfer(struct download *download, struct model_error *err)
{
    const struct download_options *options = download->options;
    if (download->present != NULL) {
        store_tidy(download->store);
        return MODEL_OK;
    }
    model_status status = store_make_staging(download->store, &download->staging, err);
    if (status == MODEL_OK)
        status = check_room(download, err);
    if (status != MODEL_OK)
        return status;
    struct transfer transfer = {
        .hub = download->hub,
        .model = &download->model,
        .store = download->store,
        .plan = &download->plan,
        .staging = download->staging,
        .max_workers = options->max_workers,
        .max_connections = options->max_connections,
        .look_up = look_up,
        .advance = advance,
        .file_done = file_done,
        .context = download,
    };
    return transfer_run(&transfer, err);
}

/* ---- the whole */

/* The result of finding the package in dir, which it takes over on success. */
static model_status offline_result(char *dir, const struct manifest *manifest,
                                   struct download_result *ret, struct model_error *err)
{
    struct download_result result = {0};
    result.id = strdup(manifest->id);
    result.revision = strdup(manifest->revision);
    for (size_t i = 0; i < manifest->n_files; i++)
        result.reused_bytes += manifest->files[i].size_bytes;
    if (result.id == NULL || result.revision == NULL) {
        download_result_finish(&result);
        return error_no_memory(err, "the result");
    }
    result.dir = dir;
    *ret = result;
    return MODEL_OK;
}

static model_status check_offline(const struct download_options *options, const struct store *store,
                                  const char *dir, const struct manifest *manifest,
                                  struct model_error *err)
{
    model_status status = download_check_files(store, dir, manifest, err);
    if (status == MODEL_CORRUPT && err != NULL) {
        struct model_error damage = *err;
        return error_set(err, status, "offline: %s; unset HF_HUB_OFFLINE and download it again",
                         damage.message);
    }
    return status == MODEL_OK ? download_check_asked(&options->rules, manifest, err) : status;
}

static model_status run_offline(const struct download_options *options, struct download_result *ret,
                                struct model_error *err)
{
    const char *revision = options->revision != NULL ? options->revision : "main";
    struct store *store = NULL;
    struct manifest manifest = {0};
    char *dir = NULL;
    if (options->force)
        return error_set(err, MODELHOST_OFFLINE,
                         "offline: --force has to ask the hub; unset HF_HUB_OFFLINE");
    model_status status = store_open(options->store_dir, 0, &store, err);
    if (status == MODEL_OK)
        status = download_find_package(store, options->id, revision, &dir, err);
    if (status == MODEL_NOT_FOUND || (status == MODEL_OK && dir == NULL))
        status = error_set(err, MODELHOST_OFFLINE,
                           "offline, and the store %.300s does not have '%s' at revision '%.100s'; "
                           "unset HF_HUB_OFFLINE to download it",
                           options->store_dir, options->id, revision);
    if (status == MODEL_OK)
        status = manifest_read(dir, &manifest, err);
    if (status == MODEL_OK)
        status = check_offline(options, store, dir, &manifest, err);
    if (status == MODEL_OK)
        status = download_check_signature(options->signature, dir, options->id, err);
    if (status == MODEL_OK)
        status = offline_result(dir, &manifest, ret, err);
    if (status == MODEL_OK) {
        store_tidy(store);
        dir = NULL;
    }
    manifest_finish(&manifest);
    free(dir);
    store_close(store);
    return status;
}

/* Whether a download failed to install because something went away that was there before: a blob of
 * the plan, or what the store no longer found while it linked. */
static bool has_lost_blobs(const struct download *download, model_status status)
{
    for (size_t i = 0; i < download->plan.n_files; i++) {
        const struct plan_file *planned = &download->plan.files[i];
        if (planned->sha256[0] != '\0' &&
            !store_blob_is_good(download->store, planned->sha256, planned->file->size_bytes))
            return true;
    }
    return status == MODEL_NOT_FOUND;
}

/* The folder that a download works in is gone when its sentence is read, and no name for a person:
 * "cannot write STORE/tmp/dl-1/plugin: ..." becomes "cannot write plugin to the store STORE: ...". */
static void name_store(const struct download *download, struct model_error *err)
{
    struct model_error found = *err;
    char *at = download->staging != NULL ? strstr(found.message, download->staging) : NULL;
    if (at == NULL)
        return;
    const char *name = at + strlen(download->staging);
    size_t name_bytes = *name == '/' ? strcspn(name + 1, ":; ") : 0;
    *at = '\0';
    (void)error_set(err, MODEL_IO, "%s%.*s%s in the store %.300s%s", found.message, (int)name_bytes,
                    name_bytes > 0 ? name + 1 : "", name_bytes > 0 ? "" : "a folder",
                    store_dir(download->store), name + (*name == '/') + name_bytes);
}

/* Says what to do about a full disk: the files that are the package's own (plugin, model_info.json,
 * manifest) are written by others below us, who know no --store. */
static void advise_about_disk(int cause, struct model_error *err)
{
    if (cause == ENOSPC || cause == EDQUOT)
        error_advise(err, "free some space, or choose another --store");
}

static bool is_commit(const char *revision)
{
    return revision != NULL && strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}

/* The hub could not be reached, and *err says so. A commit that the store has whole needs none; another
 * revision may mean something else by now, so that this only says what the store has. */
static model_status without_hub(const struct download_options *options, model_status status,
                                struct download_result *ret, struct model_error *err)
{
    struct download_result result = {0};
    if (options->force || run_offline(options, &result, NULL) != MODEL_OK)
        return status;
    if (is_commit(options->revision)) {
        log_write(&options->hub.log, MODEL_LOG_WARN,
                  "the hub cannot be reached; the store has this commit of '%s'", options->id);
        *ret = result;
        return MODEL_OK;
    }
    if (err != NULL)
        error_advise(
            err, "the store has '%.100s' as it was downloaded before: HF_HUB_OFFLINE=1 takes that",
            options->id);
    download_result_finish(&result);
    return status;
}

/* ret_damaged NULL: a signed package that is damaged is not looked for; else nothing is done when there is one. */
static model_status run_once(const struct download_options *options, struct download_result *ret,
                             bool *ret_lost, char **ret_damaged, struct model_error *err)
{
    struct download download;
    bool lost = false;
    model_status status = download_begin(options, &download, err);
    if (status == MODELHOST_NETWORK)
        return without_hub(options, status, ret, err);
    if (status != MODEL_OK)
        return status;
    if (ret_damaged != NULL && download_find_damaged(&download, ret_damaged)) {
        download_end(&download);
        return MODEL_OK;
    }
    status = download_check_signature(options->signature, download.present, options->id, err);
    if (status == MODEL_OK)
        status = download_transfer(&download, err);
    if (status == MODEL_OK) {
        status = download_install(&download, ret, err);
        if (status == MODEL_OK && (status = download_lay_cache(&download, ret, err)) != MODEL_OK)
            download_result_finish(ret);
        lost = (status == MODEL_NOT_FOUND || status == MODEL_CORRUPT) &&
               has_lost_blobs(&download, status);
    }
    if (status == MODEL_IO && err != NULL) {
        int cause = error_cause(err); /* before the sentence is another one */
        name_store(&download, err);
        advise_about_disk(cause, err);
    }
    download_end(&download);
    *ret_lost = lost;
    return status;
}

/* A signed package that was damaged is mended first, and is what is found then. */
static model_status run_mending(const struct download_options *options, struct download_result *ret,
                                bool *ret_lost, struct model_error *err)
{
    struct download_options again = *options;
    char *damaged = NULL;
    model_status status = run_once(options, ret, ret_lost, &damaged, err);
    if (damaged == NULL)
        return status;
    again.force = false;
    status = download_mend(options, damaged, err);
    free(damaged);
    return status == MODEL_OK ? run_once(&again, ret, ret_lost, NULL, err) : status;
}

model_status download_run(const struct download_options *options, struct download_result *ret,
                          struct model_error *err)
{
    bool lost = false;
    if (options->offline)
        return run_offline(options, ret, err);
    model_status status = run_mending(options, ret, &lost, err);
    if (status == MODEL_OK || !lost)
        return status;
    /* another process removed a package that shares files with this one */
    log_write(&options->hub.log, MODEL_LOG_WARN,
              "files of '%s' vanished from the store; starting over", options->id);
    lost = false;
    status = run_mending(options, ret, &lost, err);
    if (status != MODEL_OK && lost)
        status = error_set(err, MODEL_BUSY, "'%s' is being removed by another process; try again",
                           options->id);
    return status;
}

void download_result_finish(struct download_result *result)
{
    free(result->dir);
    free(result->id);
    free(result->revision);
    free(result->plugin_advice);
    *result = (struct download_result){0};
}
