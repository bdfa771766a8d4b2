/* package_adopt.c - see package_adopt.h. A folder is read as if it were an archive of what its manifest lists. */
#include "package_adopt.h"
#include "errors.h"
#include "files.h"
#include "package_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct adopting {
    const struct store *store;
    const struct package_adoption *adoption;
    char *dir; /* real */
    struct package_papers papers;
    struct manifest manifest;
    const struct archive *archive;
    struct archive *folder; /* what is to be closed of it */
    char *staging;
    struct model_error *err;
};

bool package_is_adoptable(const char *path)
{
    char *manifest = path_join(path, "metadata.json"), *backends = path_join(path, "backends");
    const bool is_package = path_is_file(path) || (manifest != NULL && backends != NULL &&
                                                   path_is_file(manifest) && path_is_dir(backends));
    free(manifest);
    free(backends);
    return is_package;
}

static model_status open_folder(struct adopting *adopting)
{
    const struct signed_manifest papers_signed =
        package_papers_signed(&adopting->papers, adopting->dir, &adopting->manifest);
    model_status status = adopting->adoption->signature != NULL
                              ? package_signature_require(
                                    &papers_signed, adopting->adoption->signature, adopting->err)
                              : MODEL_OK;
    if (status == MODEL_OK)
        status = archive_open_folder(adopting->dir, &adopting->manifest, ARCHIVE_STANDARD,
                                     &adopting->folder, adopting->err);
    adopting->archive = adopting->folder;
    return status;
}

static model_status read_papers(struct adopting *adopting)
{
    struct model_error *err = adopting->err;
    adopting->archive = adopting->adoption->archive;
    adopting->dir = realpath(adopting->adoption->path, NULL);
    if (adopting->dir == NULL)
        return error_set_errno(err, errno, "cannot open %s", adopting->adoption->path);
    model_status status =
        package_papers_read(adopting->dir, adopting->archive, &adopting->papers, err);
    if (status == MODEL_NOT_FOUND)
        return error_set(
            err, status,
            "%s has no metadata.json, by which its files could be told; unpack it, and "
            "import the folder's models, or sign it",
            adopting->dir);
    if (status == MODEL_OK)
        status = manifest_parse(adopting->papers.text, adopting->papers.n_bytes, "metadata.json",
                                &adopting->manifest, err);
    if (status != MODEL_OK)
        return status;
    return adopting->archive == NULL ? open_folder(adopting) : MODEL_OK;
}

/* Names it in this store: by its own id only, whatever it says it was asked by. */
static model_status name_manifest(struct adopting *adopting)
{
    const char *revision = adopting->adoption->revision;
    char *id = strdup(adopting->manifest.id), *asked = strdup(revision != NULL ? revision : "main");
    if (id == NULL || asked == NULL) {
        free(id);
        free(asked);
        return error_no_memory(adopting->err, "a manifest");
    }
    free(adopting->manifest.requested_id);
    free(adopting->manifest.requested_revision);
    adopting->manifest.requested_id = id;
    adopting->manifest.requested_revision = asked;
    return MODEL_OK;
}

static model_status copy(const struct archive *archive, const struct archive_entry *entry,
                         const char *path, struct model_error *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot make %s", path);
    model_status status = archive_unpack(archive, entry, fd, path, err);
    if (status == MODEL_OK && fsync(fd) != 0)
        status = error_set_errno(err, errno, "cannot sync %s", path);
    (void)close(fd);
    return status;
}

static model_status take_file(struct adopting *adopting, const struct manifest_file *file)
{
    struct model_error *err = adopting->err;
    if (store_blob_is_good(adopting->store, file->sha256, file->size_bytes))
        return MODEL_OK;
    const struct archive_entry *entry = archive_find(adopting->archive, file->path);
    if (entry == NULL || strcmp(entry->sha256, file->sha256) != 0)
        return error_set(
            err, MODEL_CORRUPT,
            "%s: '%.200s' is not the file that metadata.json lists, or is missing; get "
            "the package again",
            adopting->dir, file->path);
    char *path = path_join(adopting->staging, "adopted");
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = copy(adopting->archive, entry, path, err);
    if (status == MODEL_OK)
        status = store_add_blob(adopting->store, path, file->sha256, err);
    free(path);
    return status;
}

static model_status take(struct adopting *adopting, struct package_imported *result)
{
    const struct manifest *manifest = &adopting->manifest;
    const struct package_papers *papers = &adopting->papers;
    const struct store_papers store_papers = {papers->text, papers->signature};
    model_status status = store_make_staging(adopting->store, &adopting->staging, adopting->err);
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++) {
        status = take_file(adopting, &manifest->files[i]);
        result->size_bytes += manifest->files[i].size_bytes;
    }
    if (status == MODEL_OK)
        status = store_install_signed(adopting->store, manifest, &store_papers, &result->dir,
                                      adopting->err);
    result->n_files = manifest->n_files;
    result->id = strdup(manifest->id);
    result->revision = strdup(manifest->revision);
    if (status == MODEL_OK && (result->id == NULL || result->revision == NULL))
        status = error_no_memory(adopting->err, "the result");
    return status;
}

model_status package_adopt(const struct store *store, const struct package_adoption *adoption,
                           struct package_imported *ret, struct model_error *err)
{
    struct adopting adopting = {.store = store, .adoption = adoption, .err = err};
    struct package_imported result = {0};
    model_status status = read_papers(&adopting);
    if (status == MODEL_OK)
        status = name_manifest(&adopting);
    if (status == MODEL_OK)
        status = take(&adopting, &result);
    store_end_staging(store, adopting.staging);
    archive_close(adopting.folder);
    manifest_finish(&adopting.manifest);
    package_papers_finish(&adopting.papers);
    free(adopting.dir);
    if (status == MODEL_OK)
        *ret = result;
    else
        package_imported_finish(&result);
    return status;
}
