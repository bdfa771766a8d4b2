/* archive_folder.c - see archive_open_folder() in archive.h. */
#include "archive_private.h"
#include "errors.h"
#include "files.h"
#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static model_status add_entry(struct archive *archive, const struct manifest_file *file,
                              struct model_error *err)
{
    struct archive_entry entry = {
        .path = strdup(file->path),
        .size_bytes = file->size_bytes,
        .stored_bytes = file->size_bytes,
        .payload_bytes = file->size_bytes,
        .method = ARCHIVE_STORED,
    };
    if (entry.path == NULL)
        return error_no_memory(err, "a package's files");
    memcpy(entry.sha256, file->sha256, sizeof entry.sha256);
    archive->index.entries[archive->index.n_entries++] = entry;
    return MODEL_OK;
}

/* The manifest stands for the metadata of a file: who asks for their digest gets one of what is in the package. */
static model_status take_digest(struct archive *archive, const struct manifest *manifest,
                                struct model_error *err)
{
    char hex[SHA256_HEX_BYTES];
    model_status status = manifest_digest(manifest, hex, err);
    if (status == MODEL_OK)
        archive_digest_of_hex(hex, archive->header.metadata_sha256);
    return status;
}

model_status archive_open_folder(const char *dir, const struct manifest *manifest,
                                 enum archive_level level, struct archive **ret,
                                 struct model_error *err)
{
    struct archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL)
        return error_no_memory(err, "a package");
    archive->fd = -1;
    archive->level = level;
    archive->is_folder = archive->compares_mapped = true;
    archive->path = strdup(dir);
    archive->index.frame_bytes = ARCHIVE_FRAME_BYTES;
    archive->index.entries = calloc(manifest->n_files + 1, sizeof *archive->index.entries);
    model_status status = archive->path != NULL && archive->index.entries != NULL
                              ? take_digest(archive, manifest, err)
                              : error_no_memory(err, "a package");
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++)
        status = add_entry(archive, &manifest->files[i], err);
    if (status == MODEL_OK)
        *ret = archive;
    else
        archive_close(archive);
    return status;
}

model_status archive_folder_file(const struct archive *archive, const struct archive_entry *entry,
                                 int *ret_fd, struct model_error *err)
{
    struct stat info;
    char *path = path_join(archive->path, entry->path);
    if (path == NULL)
        return error_no_memory(err, "a path");
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    model_status status = MODEL_OK;
    if (fd < 0 && errno == ENOENT)
        status =
            error_set(err, MODEL_CORRUPT,
                      "%s, which metadata.json lists, is missing; get the package again", path);
    else if (fd < 0 || fstat(fd, &info) != 0)
        status = error_set_errno(err, errno, "cannot open %s", path);
    else if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size != entry->size_bytes)
        status =
            error_set(err, MODEL_CORRUPT,
                      "%s is not the file that metadata.json lists: %llu bytes, want %llu; get "
                      "the package again",
                      path, S_ISREG(info.st_mode) ? (unsigned long long)info.st_size : 0,
                      (unsigned long long)entry->size_bytes);
    free(path);
    if (status == MODEL_OK)
        *ret_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    return status;
}
