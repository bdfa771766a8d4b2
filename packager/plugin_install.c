/* plugin_install.c - see plugin_install.h. A plugin that runs may be mapped: its file is never written
 * over, a new one takes its name. */
#include "plugin_install.h"
#include "coreml_config.h"
#include "errors.h"
#include "files.h"
#include "package_build.h"
#include "digest.h"
#include "package.h"
#include "package_trust.h"
#include "papers_lock.h"
#include "plugin_choice.h"
#include "scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A backend that a plugin may be for, and what says so; in the order in which they are looked at. */
struct backend {
    const char *folder, *config_path, *plugin_path;
};

static const struct backend backends[] = {
    {"backends/cpu", PACKAGE_CONFIG_PATH, PACKAGE_PLUGIN_PATH},
    {"backends/coreml", PACKAGE_COREML_CONFIG_PATH, PACKAGE_COREML_PLUGIN_PATH}};

#define N_BACKENDS (sizeof backends / sizeof *backends)

static model_status serves(const struct package_place *place, const struct backend *backend,
                           const struct plugin_file *file, const char *plugin,
                           struct model_error *err)
{
    char *config = path_join(place->dir, backend->config_path);
    if (config == NULL)
        return error_no_memory(err, "a path");
    const model_status status = plugin_check_serves(file, plugin, config, err);
    free(config);
    return status;
}

/* The first backend whose model the plugin serves; with force the first one that there is. */
static model_status choose(const struct package_place *place, const char *plugin, bool force,
                           const struct plugin_file *file, const struct backend **ret,
                           struct model_error *err)
{
    model_status status = MODEL_NOT_FOUND; /* of the first backend that has a configuration */
    const struct backend *there = NULL;
    for (size_t i = 0; i < N_BACKENDS; i++) {
        struct model_error why = MODEL_ERROR_INIT;
        const model_status served = serves(place, &backends[i], file, plugin, &why);
        if (served == MODEL_OK) {
            *ret = &backends[i];
            return MODEL_OK;
        }
        if (served == MODEL_NOT_FOUND || there != NULL)
            continue;
        there = &backends[i];
        status = error_set(err, served, "%s", why.message);
    }
    if (force) {
        *ret = there != NULL ? there : &backends[0];
        return MODEL_OK;
    }
    if (there == NULL)
        status = error_set(err, status,
                           "%.400s has no " PACKAGE_CONFIG_PATH
                           ", which says what model it is: put it there, or give --force if the "
                           "plugin needs none",
                           place->dir);
    return status;
}

/* The blobs that a package of the store is made of must be there, and right, to make another one of them. */
static model_status check_blobs(const struct store *store, const struct manifest *manifest,
                                struct model_error *err)
{
    for (size_t i = 0; i < manifest->n_files; i++)
        if (!store_blob_is_good(store, manifest->files[i].sha256, manifest->files[i].size_bytes))
            return error_set(
                err, MODEL_CORRUPT, "'%.200s' of '%s' is %s the store; %s", manifest->files[i].path,
                manifest->id,
                store_has_blob(store, manifest->files[i].sha256, manifest->files[i].size_bytes)
                    ? "damaged in"
                    : "lost from",
                manifest_remedy(manifest));
    return MODEL_OK;
}

static model_status install_into_store(const struct store *store, const char *dir,
                                       const char *plugin, const struct backend *backend,
                                       const struct log_sink *log, char **ret_dir,
                                       struct model_error *err)
{
    struct manifest manifest = {0};
    struct package_wish wish = {
        .plugin = plugin, .plugin_path = backend->plugin_path, .old_dir = dir};
    char *staging = NULL;
    model_status status = manifest_read(dir, &manifest, err);
    if (status == MODEL_OK)
        status = check_blobs(store, &manifest, err);
    if (status == MODEL_OK)
        status = store_make_staging(store, &staging, err);
    if (status == MODEL_OK)
        status = package_build(store, staging, &manifest, &wish, log, ret_dir, err);
    store_end_staging(store, staging);
    manifest_finish(&manifest);
    return status;
}

static model_status copy_plugin(const char *plugin, const char *target, struct model_error *err)
{
    struct scratch scratch = SCRATCH_NONE;
    struct stat info;
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes;
    model_status status = scratch_file(target, &scratch, err);
    if (status == MODEL_OK && (fstat(scratch.fd, &info) != 0 ||
                               fchmod(scratch.fd, info.st_mode & 0644) != 0)) /* nobody else's */
        status = error_set_errno(err, errno, "cannot make %.400s", target);
    if (status == MODEL_OK)
        status = copy_hashed_into(plugin, scratch.fd, target, sha256, &size_bytes, err);
    if (status == MODEL_OK)
        status = scratch_publish(&scratch, target, err);
    scratch_discard(&scratch);
    return status;
}

/* A folder that an author lays out, with its lock. */
struct folder {
    const char *dir, *target; /* where the plugin goes */
    const struct backend *backend;
    int lock;
    const struct log_sink *log;
    struct package_papers was;
    struct manifest manifest;
    struct model_error *err;
};

/* With the digest of the plugin that lies there now. */
static model_status write_manifest(struct folder *folder)
{
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes = 0;
    model_status status = digest_file_sha256(folder->target, sha256, &size_bytes, folder->err);
    const struct manifest_file *old =
        manifest_find(&folder->manifest, folder->backend->plugin_path);
    if (status != MODEL_OK ||
        (old != NULL && old->size_bytes == size_bytes && strcmp(old->sha256, sha256) == 0))
        return status;
    status = manifest_add(&folder->manifest, folder->backend->plugin_path, NULL, size_bytes, sha256,
                          folder->err);
    if (status != MODEL_OK)
        return status;
    if (folder->was.signature != NULL)
        log_write(
            folder->log, MODEL_LOG_WARN,
            "%s has another plugin now than was signed, and so no signature any more; sign it "
            "anew: pkgmgr sign %s",
            folder->dir, folder->dir);
    char *text = manifest_print(&folder->manifest);
    status = text == NULL ? error_no_memory(folder->err, "the package's manifest")
                          : package_papers_replace(folder->dir, folder->lock, &folder->was, text,
                                                   NULL, folder->err);
    free(text);
    return status;
}

/* A manifest that cannot be read is known before anything is changed. */
static model_status replace_plugin(struct folder *folder, const char *plugin)
{
    model_status status = package_papers_read_any(folder->dir, &folder->was, folder->err);
    const bool has_manifest = status != MODEL_NOT_FOUND;
    if (status == MODEL_OK)
        status = package_papers_parse(folder->dir, &folder->was, &folder->manifest, folder->err);
    if (status == MODEL_OK || !has_manifest)
        status = copy_plugin(plugin, folder->target, folder->err);
    if (status == MODEL_OK && has_manifest)
        status = write_manifest(folder);
    manifest_finish(&folder->manifest);
    package_papers_finish(&folder->was);
    return status;
}

static void tell(void *context, const char *sentence)
{
    log_write(context, MODEL_LOG_WARN, "%s", sentence);
}

/* Both with the folder's lock: of two who do it at once, the last one's plugin and digest are there. */
static model_status install_into_folder(const char *dir, const char *plugin,
                                        const struct backend *to, const struct log_sink *log,
                                        char **ret_dir, struct model_error *err)
{
    model_status status = MODEL_OK;
    struct folder folder = {.dir = dir, .backend = to, .lock = -1, .log = log, .err = err};
    char *backend = path_join(dir, to->folder);
    char *target = path_join(dir, to->plugin_path);
    char *copy = strdup(dir);
    const struct papers_wait wait = {.notice = tell, .context = (void *)(uintptr_t)log};
    if (backend == NULL || target == NULL || copy == NULL) {
        status = error_no_memory(err, "a path");
        goto end;
    }
    package_papers_settle(dir);
    status = dir_make_all(backend, err);
    if (status == MODEL_OK)
        status = papers_lock_take(dir, &wait, &folder.lock, err);
    folder.target = target;
    if (status == MODEL_OK)
        status = replace_plugin(&folder, plugin);
    papers_lock_release(folder.lock);
    if (status == MODEL_OK) {
        *ret_dir = copy;
        copy = NULL;
    }
end:
    free(backend);
    free(target);
    free(copy);
    return status;
}

model_status plugin_install(const struct store *store, const struct package_place *place,
                            const char *plugin, bool force, const struct log_sink *log,
                            char **ret_dir, struct plugin_file *ret_file, struct model_error *err)
{
    struct plugin_file file;
    const struct backend *backend = NULL;
    model_status status = plugin_check_usable(plugin, &file, err);
    if (status == MODEL_OK)
        status = choose(place, plugin, force, &file, &backend, err);
    if (status != MODEL_OK)
        return status;
    status = place->in_store
                 ? install_into_store(store, place->dir, plugin, backend, log, ret_dir, err)
                 : install_into_folder(place->dir, plugin, backend, log, ret_dir, err);
    if (status == MODEL_OK)
        *ret_file = file;
    return status;
}
