/* result_key.c - see result_key.h. metadata.json is written last: a file that is younger was changed since,
 * and its digest there says nothing. What a copy cannot set back, the time of a file's inode, decides that;
 * a blob of the store is known by its name instead, since each package that links it renews that time. */
#include "result_key.h"
#include "backend_files.h"
#include "compute_dtype.h"
#include "errors.h"
#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add_text(struct digest *digest, const char *text)
{
    digest_update(digest, text, strlen(text) + 1);
}

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* Whether a file of a package in the store is the blob of that digest. */
static bool is_blob(const struct package *package, const char *sha256, const struct stat *info)
{
    struct stat blob;
    char *path = text_format("%s/../../../blobs/sha256/%.2s/%s", package->dir, sha256, sha256);
    const bool same = path != NULL && stat(path, &blob) == 0 && blob.st_dev == info->st_dev &&
                      blob.st_ino == info->st_ino;
    free(path);
    return same;
}

/* Whether the file is still what the manifest was written about. */
static bool is_as_listed(const struct package *package, const struct manifest_file *file,
                         const struct stat *info, const struct stat *manifest_stat)
{
    const struct timespec written = is_later(manifest_stat->st_ctim, manifest_stat->st_mtim)
                                        ? manifest_stat->st_mtim
                                        : manifest_stat->st_ctim;
    if (file->size_bytes != (uint64_t)info->st_size || is_later(info->st_mtim, written))
        return false;
    return !is_later(info->st_ctim, written) || is_blob(package, file->sha256, info);
}

/* A file by its digest in the manifest, or as it lies there. `name` is its path in the package. */
static void add_file(struct digest *digest, const struct package *package,
                     const struct stat *manifest_stat, const char *name, const struct stat *info)
{
    char stamp[200];
    add_text(digest, name);
    const struct manifest_file *file =
        package->has_manifest ? manifest_find(&package->manifest, name) : NULL;
    if (file != NULL && is_as_listed(package, file, info, manifest_stat)) {
        add_text(digest, file->sha256);
        return;
    }
    (void)snprintf(stamp, sizeof stamp, "%llu %llu %llu %lld.%09ld %lld.%09ld",
                   (unsigned long long)info->st_dev, (unsigned long long)info->st_ino,
                   (unsigned long long)info->st_size, (long long)info->st_mtim.tv_sec,
                   (long)info->st_mtim.tv_nsec, (long long)info->st_ctim.tv_sec,
                   (long)info->st_ctim.tv_nsec);
    add_text(digest, stamp);
}

/* Its metadata have the digests of all that an archive holds. */
static void add_archive(struct digest *digest, const struct archive *archive)
{
    const struct archive_header *header = archive_header(archive);
    digest_update(digest, header->metadata_sha256, sizeof header->metadata_sha256);
}

/* All that lies in the backend's folder. */
static model_status add_folder(struct digest *digest, const struct package *package,
                               struct model_error *err)
{
    struct stat manifest_stat = {0};
    struct backend_files files = {0};
    model_status status = backend_files_list(package->backend_dir, &files, err);
    char *manifest_path = text_format("%s/metadata.json", package->dir);
    if (status == MODEL_OK && manifest_path == NULL)
        status = error_no_memory(err, "a path");
    if (status == MODEL_OK)
        (void)stat(manifest_path, &manifest_stat);
    for (size_t i = 0; i < files.n_files && status == MODEL_OK; i++) {
        char *name = text_format("%s/%s", package->backend_dir + strlen(package->dir) + 1,
                                 files.files[i].name);
        if (name == NULL)
            status = error_no_memory(err, "a path");
        else
            add_file(digest, package, &manifest_stat, name, &files.files[i].info);
        free(name);
    }
    backend_files_finish(&files);
    free(manifest_path);
    return status;
}

model_status result_key_of_model(const struct modelhost_model *model,
                                 char ret_key[RESULT_KEY_BYTES], struct model_error *err)
{
    struct digest *digest = NULL;
    const struct plugin_file *plugin = &model->plugin.file;
    const struct stat none = {0};
    struct stat info;
    model_status status = digest_create_sha256(&digest, err);
    if (status != MODEL_OK)
        return status;
    add_text(digest, "model 2");
    add_text(digest, MODELHOST_VERSION);
    add_text(digest, plugin->name);
    add_text(digest, plugin->version);
    add_text(digest, model->package.backend); /* by Core ML, or by the kernels */
    add_text(digest, compute_dtype_of(model->model->description));
    if (model->plugin_path != NULL && model->package.plugin_file.path[0] == '\0' &&
        stat(model->plugin_path, &info) == 0) /* it may lie elsewhere */
        add_file(digest, &model->package, &none, "plugin", &info);
    if (model->config_text != NULL)
        digest_update(digest, model->config_text, model->config_bytes);
    if (model->package.archive != NULL)
        add_archive(digest, model->package.archive);
    else
        status = add_folder(digest, &model->package, err);
    if (status == MODEL_OK)
        digest_finish_hex(digest, ret_key);
    else
        digest_destroy(digest);
    return status;
}

model_status result_key_of_call(const char *model_key, const struct model_tensor *const *inputs,
                                uint32_t n_inputs, const struct modelhost_result *wanted,
                                char ret_key[RESULT_KEY_BYTES], struct model_error *err)
{
    struct digest *digest = NULL;
    model_status status = digest_create_sha256(&digest, err);
    if (status != MODEL_OK)
        return status;
    add_text(digest, model_key);
    digest_update(digest, &n_inputs, sizeof n_inputs);
    for (uint32_t i = 0; i < n_inputs; i++) {
        const struct model_tensor *input = inputs[i];
        add_text(digest, input->name);
        digest_update(digest, &input->dtype, sizeof input->dtype);
        digest_update(digest, &input->rank, sizeof input->rank);
        digest_update(digest, input->shape, input->rank * sizeof *input->shape);
        if (input->size_bytes > 0)
            digest_update(digest, input->data, (size_t)input->size_bytes);
    }
    for (uint32_t i = 0; i < wanted->n_tensors; i++)
        add_text(digest, wanted->tensors[i].name);
    digest_finish_hex(digest, ret_key);
    return MODEL_OK;
}
