/* package_unpack.c - see package_unpack.h. */
#include "package_unpack.h"
#include "errors.h"
#include "files.h"
#include "scratch.h"
#include "hub_glob.h"
#include "package_members.h"
#include "package_signature.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MANIFEST_PATH "metadata.json"

static bool is_wanted(const struct unpack_options *options, const struct archive_entry *entry)
{
    if (package_keeps_name(entry->path) && strcmp(entry->path, MANIFEST_PATH) != 0)
        return false; /* its signature is in the header */
    return options->n_filters == 0 ||
           hub_glob_match_any(options->filters, options->n_filters, entry->path);
}

static bool is_cancelled(const struct unpack_options *options)
{
    return options->is_cancelled != NULL && options->is_cancelled(options->context);
}

/* Nothing wanted is no success; nor is a disk that fills up half-way. */
static model_status plan(const struct archive *archive, const char *target,
                         const struct unpack_options *options, struct unpack_summary *ret,
                         struct model_error *err)
{
    const struct archive_index *index = archive_index(archive);
    struct dir_list list = {0};
    for (size_t i = 0; i < index->n_entries; i++)
        if (is_wanted(options, &index->entries[i])) {
            ret->n_files++;
            ret->size_bytes += index->entries[i].size_bytes;
        }
    if (ret->n_files == 0)
        return error_set(err, MODEL_NOT_FOUND,
                         "%s has no entry that matches; it has %zu in all; "
                         "--filter takes globs such as 'backends/*'",
                         archive_path(archive), index->n_entries);
    if (path_is_dir(target) && dir_read(target, &list, NULL) == MODEL_OK) {
        const size_t n_names = list.n_names;
        dir_list_finish(&list);
        if (n_names > 0)
            return error_set(err, MODEL_IO, "the folder %s is not empty; give another one with -o",
                             target);
    } else if (path_is_file(target)) {
        return error_set(err, MODEL_IO, "%s is a file; give a folder with -o", target);
    }
    return MODEL_OK;
}

static model_status check_space(const struct archive *archive, const char *folder,
                                const struct unpack_summary *summary, struct model_error *err)
{
    struct statvfs disk;
    if (statvfs(folder, &disk) != 0)
        return MODEL_OK;
    const uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (free_bytes >= summary->size_bytes)
        return MODEL_OK;
    return error_set(err, MODEL_IO,
                     "%s unpacks to %llu bytes, the disk has %llu left; free some, or choose a "
                     "folder elsewhere with -o",
                     archive_path(archive), (unsigned long long)summary->size_bytes,
                     (unsigned long long)free_bytes);
}

static model_status make_parent(const char *path, struct model_error *err)
{
    const char *slash = strrchr(path, '/');
    char *parent = strndup(path, (size_t)(slash - path));
    model_status status =
        parent != NULL ? dir_make_all(parent, err) : error_no_memory(err, "a path");
    free(parent);
    return status;
}

static model_status unpack_one(const struct archive *archive, const struct archive_entry *entry,
                               const char *folder, struct model_error *err)
{
    char *path = path_join(folder, entry->path);
    if (path == NULL)
        return error_no_memory(err, "a path");
    int fd = -1;
    model_status status = make_parent(path, err);
    if (status == MODEL_OK) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 && errno == EEXIST) /* an archive has no name twice */
            status =
                error_set(err, MODEL_IO,
                          "'%.200s' and another entry are one file on this disk, which does not "
                          "tell upper from lower case; choose a folder elsewhere with -o, or "
                          "leave one out with --filter",
                          entry->path);
        else if (fd < 0)
            status = error_set_errno(err, errno, "cannot make %s", path);
    }
    if (status == MODEL_OK)
        status = archive_unpack(archive, entry, fd, path, err);
    if (status == MODEL_OK && fsync(fd) != 0)
        status = error_set_errno(err, errno, "cannot sync %s", path);
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return status;
}

/* The folders of an entry below the target: their names last only when these are synced, too. */
static model_status sync_folders(const char *folder, const char *entry_path,
                                 struct model_error *err)
{
    char *path = path_join(folder, entry_path);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = MODEL_OK;
    const size_t root_bytes = strlen(folder);
    for (char *slash = strrchr(path, '/');
         status == MODEL_OK && slash != NULL && (size_t)(slash - path) > root_bytes;
         slash = strrchr(path, '/')) {
        *slash = '\0';
        status = dir_sync(path, err);
    }
    free(path);
    return status;
}

/* Entries lie in the order of their paths, so those of one folder mostly follow each other. */
static model_status sync_all(const struct archive *archive, const char *folder,
                             const struct unpack_options *options, struct model_error *err)
{
    const struct archive_index *index = archive_index(archive);
    model_status status = MODEL_OK;
    size_t last_bytes = 0;
    const char *last = NULL;
    for (size_t i = 0; i < index->n_entries && status == MODEL_OK; i++) {
        const char *path = index->entries[i].path, *slash = strrchr(path, '/');
        const size_t dir_bytes = slash != NULL ? (size_t)(slash - path) : 0;
        if (dir_bytes == 0 || !is_wanted(options, &index->entries[i]) ||
            (last != NULL && dir_bytes == last_bytes && memcmp(last, path, dir_bytes) == 0))
            continue;
        status = sync_folders(folder, path, err);
        last = path;
        last_bytes = dir_bytes;
    }
    return status == MODEL_OK ? dir_sync(folder, err) : status;
}

static model_status unpack_all(const struct archive *archive, const char *folder,
                               const struct unpack_options *options, struct model_error *err)
{
    const struct archive_index *index = archive_index(archive);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < index->n_entries && status == MODEL_OK; i++) {
        if (is_cancelled(options))
            status = error_set(err, MODEL_CANCELLED, "interrupted; nothing was left behind");
        else if (is_wanted(options, &index->entries[i]))
            status = unpack_one(archive, &index->entries[i], folder, err);
        if (status == MODEL_OK && options->file_done != NULL &&
            is_wanted(options, &index->entries[i]))
            options->file_done(options->context, index->entries[i].path,
                               index->entries[i].size_bytes);
    }
    return status;
}

/* Beside the manifest, as it was before it was packed. */
static model_status unpack_signature(const struct archive *archive, const char *folder,
                                     const struct unpack_options *options, struct model_error *err)
{
    const char *signature = archive_signature(archive);
    const struct archive_entry *manifest = archive_find(archive, MANIFEST_PATH);
    if (signature == NULL || manifest == NULL || !is_wanted(options, manifest))
        return MODEL_OK;
    char *path = path_join(folder, PACKAGE_SIGNATURE_NAME);
    model_status status = path != NULL ? file_write_atomic(path, signature, strlen(signature), err)
                                       : error_no_memory(err, "a path");
    free(path);
    return status;
}

model_status package_unpack(const struct archive *archive, const char *target,
                            const struct unpack_options *options, struct unpack_summary *ret,
                            struct model_error *err)
{
    struct unpack_summary summary = {0};
    model_status status = plan(archive, target, options, &summary, err);
    if (status == MODEL_OK)
        status = archive_check_file(archive, err);
    if (status != MODEL_OK)
        return status;
    scratch_sweep(target);
    struct scratch scratch = SCRATCH_NONE;
    status = scratch_folder(target, &scratch, err);
    if (status == MODEL_OK)
        status = check_space(archive, scratch.path, &summary, err);
    if (status == MODEL_OK)
        status = unpack_all(archive, scratch.path, options, err);
    if (status == MODEL_OK)
        status = unpack_signature(archive, scratch.path, options, err);
    if (status == MODEL_OK)
        status = sync_all(archive, scratch.path, options, err);
    if (status == MODEL_OK)
        status = scratch_publish(&scratch, target, err);
    if (status == MODEL_OK)
        *ret = summary;
    scratch_discard(&scratch);
    return status;
}
