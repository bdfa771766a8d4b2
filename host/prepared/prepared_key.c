/* prepared_key.c - see prepared_key.h. The digest of a manifest says what was installed, not what is there now: so time
 * and size, which a file that is written over changes, go with it. */
#include "prepared_key.h"
#include "backend_files.h"
#include "errors.h"
#include "files.h"
#include "model_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char form[] = "prepared weights 2";

bool prepared_key_is_wanted(const struct package *package,
                            const struct modelhost_load_options *options)
{
    const bool is_encrypted = package->archive != NULL &&
                              (archive_header(package->archive)->flags & ARCHIVE_ENCRYPTED) != 0;
    return options->verification == MODELHOST_CHECKSUM && options->loading != MODELHOST_LAZY &&
           options->require_signature == 0 && package->manifest_sha256[0] == '\0' && !is_encrypted;
}

/* What the manifest says of a file by its path on disk; NULL: nothing. */
static const struct manifest_file *listed(const struct package *package, const char *path)
{
    const size_t n_dir = strlen(package->dir);
    if (!package->has_manifest || strncmp(path, package->dir, n_dir) != 0 || path[n_dir] != '/')
        return NULL;
    return manifest_find(&package->manifest, path + n_dir + 1);
}

/* Whether a name is that of the file which is open. */
static bool is_open(int fd, const char *path)
{
    struct stat named, opened;
    return fd < 0 || (stat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
                      named.st_dev == opened.st_dev && named.st_ino == opened.st_ino);
}

/* What is made of the old file must not be found for the one that took its name. */
static model_status check_names(const struct prepared_model *model, struct model_error *err)
{
    const struct archive *archive = model->package->archive;
    const size_t n_files =
        model->weights != NULL && archive == NULL ? weights_n_files(model->weights) : 0;
    const char *path = archive != NULL ? archive_path(archive) : NULL;
    bool is_same =
        archive == NULL || archive_is_folder(archive) || is_open(archive_descriptor(archive), path);
    for (size_t i = 0; i < n_files && is_same; i++) {
        const struct file_map map = weights_file(model->weights, i, &path);
        is_same = is_open(map.fd, path);
    }
    return is_same ? MODEL_OK
                   : error_set(err, MODEL_CORRUPT,
                               "%s was replaced since the model was opened; load it again", path);
}

/* A file as the manifest has it, or as it lies there. */
static void add_file(const struct package *package, const struct backend_file *file,
                     struct digest *digest)
{
    char *path = path_join(package->backend_dir, file->name);
    const struct manifest_file *entry = path != NULL ? listed(package, path) : NULL;
    const struct stat *info = &file->info;
    const uint64_t facts[] = {(uint64_t)info->st_size, (uint64_t)info->BACKEND_FILE_MTIME.tv_sec,
                              (uint64_t)info->BACKEND_FILE_MTIME.tv_nsec};
    if (entry == NULL) {
        backend_file_add(digest, package->backend_dir, file);
    } else {
        digest_update(digest, entry->path, strlen(entry->path) + 1);
        digest_update(digest, entry->sha256, sizeof entry->sha256);
        digest_update(digest, facts, sizeof facts);
    }
    free(path);
}

static model_status add_folder(const struct prepared_model *model, struct digest *digest,
                               struct model_error *err)
{
    struct backend_files files = {0};
    model_status status = backend_files_list(model->package->backend_dir, &files, err);
    for (size_t i = 0; i < files.n_files && status == MODEL_OK; i++)
        if (!backend_file_is_known(&files.files[i]))
            add_file(model->package, &files.files[i], digest);
    backend_files_finish(&files);
    return status == MODEL_OK ? check_names(model, err) : status;
}

static model_status add_files(const struct prepared_model *model, struct digest *digest,
                              struct model_error *err)
{
    char files[SHA256_HEX_BYTES];
    const struct archive *archive = model->package->archive;
    if (archive == NULL || archive_is_folder(archive))
        return add_folder(model, digest, err);
    model_status status = check_names(model, err);
    if (status == MODEL_OK)
        status = model_parts_of_files(model->config_text, model->config_bytes, NULL, archive,
                                      model->weights, files, err);
    if (status == MODEL_OK)
        digest_update(digest, files, sizeof files);
    return status;
}

model_status prepared_key_make(const struct prepared_model *model, char ret_key[SHA256_HEX_BYTES],
                               struct model_error *err)
{
    struct digest *digest = NULL;
    const uint64_t numbers[] = {model->config_bytes, (uint64_t)model->options->dtype};
    model_status status = digest_create_sha256(&digest, err);
    if (status != MODEL_OK)
        return status;
    digest_update(digest, form, sizeof form);
    digest_update(digest, model->plugin_sha256, strlen(model->plugin_sha256) + 1);
    digest_update(digest, numbers, sizeof numbers);
    digest_update(digest, model->config_text, model->config_bytes);
    digest_update(digest, model->package->backend, strlen(model->package->backend) + 1);
    status = add_files(model, digest, err);
    if (status == MODEL_OK)
        digest_finish_hex(digest, ret_key);
    else
        digest_destroy(digest);
    return status;
}
