/* hub_cache_write.c - laying a snapshot down in the hub's cache; see hub_cache.h. Every file and link appears
 * by a rename of a name of our own, so that two who write the same leave one of both. */
#include "errors.h"
#include "file_digests.h"
#include "files.h"
#include "hub_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINK_BYTES 4096

struct laying {
    char *repository;
    const char *commit;
    struct model_error *err;
};

static model_status no_memory(const struct laying *laying)
{
    return error_no_memory(laying->err, "writing the hub cache");
}

static model_status make_parent(const struct laying *laying, const char *path)
{
    char *folder = text_format("%.*s", (int)(path_base(path) - path), path);
    model_status status = folder != NULL ? dir_make_all(folder, laying->err) : no_memory(laying);
    free(folder);
    return status;
}

/* ---- blobs */

/* Bytes count, not the size: other programs write here, too. One inode with the content is the content. */
static bool has_content(const char *blob, const struct hub_cache_file *file)
{
    struct stat have, want;
    struct file_digests found;
    const bool is_git = file->digest->kind == HUB_DIGEST_GIT_BLOB;
    if (lstat(blob, &have) != 0 || !S_ISREG(have.st_mode) || stat(file->content, &want) != 0 ||
        have.st_size != want.st_size)
        return false;
    if (have.st_dev == want.st_dev && have.st_ino == want.st_ino)
        return true;
    return file_digests_read(blob, is_git ? FILE_GIT_BLOB : FILE_SHA256, &found, NULL) ==
               MODEL_OK &&
           strcmp(is_git ? found.git_blob : found.sha256, file->digest->hex) == 0;
}

static model_status lay_blob(const struct laying *laying, const struct hub_cache_file *file)
{
    char *blob = text_format("%s/blobs/%s", laying->repository, file->digest->hex);
    char *temporary = text_format("%s/blobs/%s.%ld.incomplete", laying->repository,
                                  file->digest->hex, (long)getpid());
    model_status status =
        blob != NULL && temporary != NULL ? make_parent(laying, blob) : no_memory(laying);
    if (status == MODEL_OK && !has_content(blob, file)) {
        (void)unlink(temporary); /* of an earlier process of this number */
        status = store_share_file(file->content, temporary, 1, laying->err);
        if (status == MODEL_OK && rename(temporary, blob) != 0) {
            status = error_set_errno(laying->err, errno, "cannot write %.400s", blob);
            (void)unlink(temporary);
        }
        /* when both are one inode, rename() leaves both names */
        (void)unlink(temporary);
    }
    free(temporary);
    free(blob);
    return status;
}

/* ---- links */

/* "../../blobs/<etag>", one step more for each folder that the file lies in. */
static char *relative_target(const struct hub_cache_file *file)
{
    struct buffer text = BUFFER_INIT(MAX_LINK_BYTES);
    model_status status = buffer_append_text(&text, "../../");
    for (const char *c = file->path; *c != '\0' && status == MODEL_OK; c++)
        if (*c == '/')
            status = buffer_append_text(&text, "../");
    if (status == MODEL_OK)
        status = buffer_printf(&text, "blobs/%s", file->digest->hex);
    char *target = status == MODEL_OK ? buffer_take(&text) : NULL;
    buffer_finish(&text);
    return target;
}

static bool leads_to(const char *link, const char *target)
{
    char found[MAX_LINK_BYTES];
    ssize_t n = readlink(link, found, sizeof found - 1);
    if (n < 0)
        return false;
    found[n] = '\0';
    return strcmp(found, target) == 0;
}

static model_status lay_link(const struct laying *laying, const struct hub_cache_file *file)
{
    char *link = text_format("%s/snapshots/%s/%s", laying->repository, laying->commit, file->path);
    char *temporary = link != NULL ? text_format("%.*s.%ld.tmp", (int)(path_base(link) - link),
                                                 link, (long)getpid())
                                   : NULL;
    char *target = relative_target(file);
    model_status status = link != NULL && temporary != NULL && target != NULL
                              ? make_parent(laying, link)
                              : no_memory(laying);
    if (status == MODEL_OK && !leads_to(link, target)) {
        (void)unlink(temporary);
        if (symlink(target, temporary) != 0 || rename(temporary, link) != 0) {
            status = error_set_errno(laying->err, errno, "cannot write %.400s", link);
            (void)unlink(temporary);
        }
    }
    free(target);
    free(temporary);
    free(link);
    return status;
}

/* ---- refs */

static model_status lay_ref(const struct laying *laying, const char *revision)
{
    if (strcmp(revision, laying->commit) == 0 || !path_is_safe(revision))
        return MODEL_OK; /* a commit needs none */
    char *path = text_format("%s/refs/%s", laying->repository, revision);
    model_status status = path != NULL ? make_parent(laying, path) : no_memory(laying);
    if (status == MODEL_OK)
        status = file_write_atomic(path, laying->commit, strlen(laying->commit), laying->err);
    free(path);
    return status;
}

/* ---- public */

model_status hub_cache_lay_down(const char *cache_dir, const char *id, const char *revision,
                                const char *commit, const struct hub_cache_file *files,
                                size_t n_files, struct model_error *err)
{
    struct laying laying = {.commit = commit, .err = err};
    model_status status = hub_cache_repository(cache_dir, id, &laying.repository, err);
    for (size_t i = 0; i < n_files && status == MODEL_OK; i++)
        if (files[i].digest->kind == HUB_DIGEST_NONE || !path_is_safe(files[i].path))
            status = error_set(err, MODEL_INVALID_ARGUMENT,
                               "'%.200s' has no digest or an unsafe name: the hub cache cannot "
                               "keep it",
                               files[i].path);
    for (size_t i = 0; i < n_files && status == MODEL_OK; i++)
        status = lay_blob(&laying, &files[i]);
    for (size_t i = 0; i < n_files && status == MODEL_OK; i++)
        status = lay_link(&laying, &files[i]);
    if (status == MODEL_OK)
        status = lay_ref(&laying, revision);
    if (status != MODEL_OK)
        error_advise(err, "HF_HUB_CACHE names another place for the hub cache");
    free(laying.repository);
    return status;
}
