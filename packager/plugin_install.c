/* plugin_install.c - see plugin_install.h. A plugin that runs may be mapped: its file is never written
 * over, a new one takes its name. */
#include "plugin_install.h"
#include "errors.h"
#include "files.h"
#include "package_build.h"
#include "package.h"
#include "package_signature.h"
#include "plugin_choice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static model_status check(const struct package_place *place, const char *plugin, bool force,
                          struct plugin_file *ret, struct model_error *err)
{
    model_status status = plugin_check_usable(plugin, ret, err);
    if (status != MODEL_OK || force)
        return status;
    char *config = path_join(place->dir, PACKAGE_CONFIG_PATH);
    if (config == NULL)
        return error_no_memory(err, "a path");
    status = plugin_check_serves(ret, plugin, config, err);
    if (status == MODEL_NOT_FOUND)
        status = error_set(err, status,
                           "%.400s has no " PACKAGE_CONFIG_PATH
                           ", which says what model it is: put it there, or give --force if the "
                           "plugin needs none",
                           place->dir);
    free(config);
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
                                       const char *plugin, const struct log_sink *log,
                                       char **ret_dir, struct model_error *err)
{
    struct manifest manifest = {0};
    struct package_wish wish = {.plugin = plugin, .old_dir = dir};
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

static model_status drop_signature(const char *dir, struct model_error *err)
{
    char *path = path_join(dir, PACKAGE_SIGNATURE_NAME);
    model_status status = path != NULL ? MODEL_OK : error_no_memory(err, "a path");
    if (status == MODEL_OK && unlink(path) != 0)
        status = error_set_errno(err, errno, "cannot remove %s", path);
    free(path);
    return status;
}

/* metadata.json of a folder that has one, with the plugin's new digest. */
static model_status update_manifest(const char *dir, const char *sha256, uint64_t size_bytes,
                                    const struct log_sink *log, struct model_error *err)
{
    struct manifest manifest = {0};
    char *text = NULL;
    char *path = path_join(dir, "metadata.json");
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = manifest_read(dir, &manifest, err);
    if (status == MODEL_OK)
        status = manifest_add(&manifest, PACKAGE_PLUGIN_PATH, NULL, size_bytes, sha256, err);
    if (status == MODEL_OK && store_package_is_signed(dir)) {
        status = drop_signature(dir, err);
        log_write(
            log, MODEL_LOG_WARN,
            "%s has another plugin now than was signed, and so no signature any more; sign it "
            "anew: pkgmgr sign %s",
            dir, dir);
    }
    if (status == MODEL_OK) {
        text = manifest_print(&manifest);
        status = text == NULL ? error_no_memory(err, "the package's manifest")
                              : file_write_atomic(path, text, strlen(text), err);
    }
    manifest_finish(&manifest);
    free(text);
    free(path);
    return status;
}

static model_status install_into_folder(const char *dir, const char *plugin,
                                        const struct log_sink *log, char **ret_dir,
                                        struct model_error *err)
{
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes;
    model_status status = MODEL_OK;
    char *backend = path_join(dir, "backends/cpu");
    char *target = path_join(dir, PACKAGE_PLUGIN_PATH);
    char *metadata = path_join(dir, "metadata.json");
    char *temporary = text_format("%s/backends/cpu/.libmodel.%ld.tmp", dir, (long)getpid());
    char *copy = strdup(dir);
    if (backend == NULL || target == NULL || metadata == NULL || temporary == NULL ||
        copy == NULL) {
        status = error_no_memory(err, "a path");
        goto end;
    }
    (void)unlink(temporary); /* of an earlier process of this number */
    status = dir_make_all(backend, err);
    if (status == MODEL_OK)
        status = copy_file_hashed(plugin, temporary, sha256, &size_bytes, err);
    if (status == MODEL_OK && rename(temporary, target) != 0) {
        status = error_set_errno(err, errno, "cannot make %.400s", target);
        (void)unlink(temporary);
    }
    if (status == MODEL_OK)
        status = dir_sync(backend, err);
    if (status == MODEL_OK && path_is_file(metadata))
        status = update_manifest(dir, sha256, size_bytes, log, err);
    if (status == MODEL_OK) {
        *ret_dir = copy;
        copy = NULL;
    }
end:
    free(backend);
    free(target);
    free(metadata);
    free(temporary);
    free(copy);
    return status;
}

model_status plugin_install(const struct store *store, const struct package_place *place,
                            const char *plugin, bool force, const struct log_sink *log,
                            char **ret_dir, struct plugin_file *ret_file, struct model_error *err)
{
    struct plugin_file file;
    model_status status = check(place, plugin, force, &file, err);
    if (status != MODEL_OK)
        return status;
    status = place->in_store ? install_into_store(store, place->dir, plugin, log, ret_dir, err)
                             : install_into_folder(place->dir, plugin, log, ret_dir, err);
    if (status == MODEL_OK)
        *ret_file = file;
    return status;
}
