/* package_papers.c - see package_papers.h. */
#include "package_papers.h"
#include "errors.h"
#include "files.h"
#include "manifest.h"
#include "package_members.h"
#include "package_signature.h"
#include "papers_lock.h"
#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST_NAME "metadata.json"
#define COMING_BEGIN  "." MANIFEST_NAME "."
#define MAX_ATTEMPTS  100 /* of a reader, against writers */

struct folder {
    char *manifest, *signature, *old; /* paths */
    const char *dir;
    bool is_any; /* what can be no signature is read as an empty one */
    struct model_error *err;
};

static model_status open_folder(const char *dir, struct folder *ret, struct model_error *err)
{
    *ret = (struct folder){.manifest = path_join(dir, MANIFEST_NAME),
                           .signature = path_join(dir, PACKAGE_SIGNATURE_NAME),
                           .old = path_join(dir, PACKAGE_OLD_SIGNATURE_NAME),
                           .dir = dir,
                           .err = err};
    return ret->manifest != NULL && ret->signature != NULL && ret->old != NULL
               ? MODEL_OK
               : error_no_memory(err, "a path");
}

static void close_folder(struct folder *folder)
{
    free(folder->manifest);
    free(folder->signature);
    free(folder->old);
}

/* ---- the signature that is coming */

bool package_papers_is_coming(const char *name)
{
    static const size_t n_begin = sizeof COMING_BEGIN - 1, n_digits = SHA256_HEX_BYTES - 1;
    return strncmp(name, COMING_BEGIN, n_begin) == 0 &&
           strspn(name + n_begin, "0123456789abcdef") == n_digits &&
           strcmp(name + n_begin + n_digits, SIGNATURE_SUFFIX) == 0;
}

/* Its path, of a manifest of these bytes; to be freed. */
static model_status coming_path(const struct folder *folder, const char *text, size_t n_bytes,
                                char **ret)
{
    char hex[SHA256_HEX_BYTES];
    model_status status = digest_bytes_sha256(text, n_bytes, hex, folder->err);
    if (status != MODEL_OK)
        return status;
    *ret = text_format("%s/" COMING_BEGIN "%s" SIGNATURE_SUFFIX, folder->dir, hex);
    return *ret != NULL ? MODEL_OK : error_no_memory(folder->err, "a path");
}

/* ---- reading */

static model_status read_text(const char *path, size_t max_bytes, char **ret, size_t *ret_bytes,
                              struct model_error *err)
{
    struct buffer text = BUFFER_INIT(max_bytes);
    model_status status = file_read(path, max_bytes, &text, err);
    if (status == MODEL_INVALID_ARGUMENT) /* a folder, a pipe */
        status = MODEL_CORRUPT;
    if (status == MODEL_OK) {
        const size_t n_bytes = text.size;
        char *taken = buffer_take(&text);
        if (taken == NULL)
            status = error_no_memory(err, path);
        else {
            *ret = taken;
            *ret_bytes = n_bytes;
        }
    }
    buffer_finish(&text);
    return status;
}

static model_status read_signature(const struct folder *folder, struct package_papers *papers)
{
    char *coming = NULL;
    model_status status = coming_path(folder, papers->text, papers->n_bytes, &coming);
    if (status == MODEL_OK)
        status = read_text(coming, SIGNATURE_MAX_BYTES, &papers->signature,
                           &papers->signature_bytes, folder->err);
    if (status == MODEL_NOT_FOUND)
        status = read_text(folder->signature, SIGNATURE_MAX_BYTES, &papers->signature,
                           &papers->signature_bytes, folder->err);
    free(coming);
    if (status == MODEL_CORRUPT && folder->is_any) {
        papers->signature = strdup("");
        return papers->signature != NULL ? MODEL_OK : error_no_memory(folder->err, "a signature");
    }
    if (status == MODEL_CORRUPT)
        error_advise(folder->err, "get it again from who signed the package");
    return status == MODEL_NOT_FOUND ? MODEL_OK : status;
}

/* What tells a file from the one that takes its place. */
static bool look_at(const char *path, struct stat *ret)
{
    if (stat(path, ret) == 0)
        return true;
    *ret = (struct stat){.st_ino = 0};
    return false;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtime == b->st_mtime && a->st_ctime == b->st_ctime;
}

static model_status read_pair(const struct folder *folder, struct package_papers *ret)
{
    struct package_papers papers = {0};
    model_status status =
        read_text(folder->manifest, MANIFEST_MAX_BYTES, &papers.text, &papers.n_bytes, folder->err);
    if (status == MODEL_OK)
        status = read_signature(folder, &papers);
    if (status == MODEL_OK)
        *ret = papers;
    else
        package_papers_finish(&papers);
    return status;
}

/* Both of one moment. */
static model_status read_both(const struct folder *folder, struct package_papers *ret)
{
    struct package_papers papers = {0};
    for (int attempt = 0; attempt <= MAX_ATTEMPTS; attempt++) {
        struct stat before, after;
        (void)look_at(folder->manifest, &before);
        const model_status status = read_pair(folder, &papers);
        (void)look_at(folder->manifest, &after);
        if (is_same(&before, &after)) {
            if (status == MODEL_OK)
                *ret = papers;
            return status;
        }
        package_papers_finish(&papers);
    }
    return error_set(folder->err, MODEL_BUSY, "%s changes all the time; try again",
                     folder->manifest);
}

static model_status read_folder(const char *dir, bool is_any, struct package_papers *ret,
                                struct model_error *err)
{
    struct folder folder;
    model_status status = open_folder(dir, &folder, err);
    folder.is_any = is_any;
    if (status == MODEL_OK)
        status = read_both(&folder, ret);
    close_folder(&folder);
    return status;
}

model_status package_papers_read_folder(const char *dir, struct package_papers *ret,
                                        struct model_error *err)
{
    return read_folder(dir, false, ret, err);
}

model_status package_papers_read_any(const char *dir, struct package_papers *ret,
                                     struct model_error *err)
{
    return read_folder(dir, true, ret, err);
}

void package_papers_finish(struct package_papers *papers)
{
    free(papers->text);
    free(papers->signature);
    *papers = (struct package_papers){0};
}

/* ---- ending what was begun */

/* With the lock: no living process has it in mind. */
static void end_coming(const struct folder *folder, const char *name)
{
    char *path = path_join(folder->dir, name), *wanted = NULL, *text = NULL;
    size_t n_bytes = 0;
    const bool is_wanted =
        path != NULL &&
        read_text(folder->manifest, MANIFEST_MAX_BYTES, &text, &n_bytes, NULL) == MODEL_OK &&
        coming_path(folder, text, n_bytes, &wanted) == MODEL_OK && strcmp(path, wanted) == 0;
    if (is_wanted && rename(path, folder->signature) == 0)
        (void)dir_sync(folder->dir, NULL);
    else if (path != NULL && !is_wanted && text != NULL) /* of a manifest that never came */
        (void)unlink(path);
    free(text);
    free(wanted);
    free(path);
}

static void settle(const char *dir)
{
    struct folder folder;
    struct dir_list list = {0};
    if (open_folder(dir, &folder, NULL) != MODEL_OK || dir_read(dir, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    for (size_t i = 0; i < list.n_names; i++)
        if (package_papers_is_coming(list.names[i]))
            end_coming(&folder, list.names[i]);
    dir_list_finish(&list);
    close_folder(&folder);
    package_sweep(dir);
}

void package_papers_settle(const char *dir)
{
    const int lock = papers_lock_try(dir);
    if (lock >= 0)
        settle(dir);
    papers_lock_release(lock);
}

/* ---- writing */

static model_status write_text(const struct folder *folder, const char *path, const char *text)
{
    return file_replace_atomic(path, text, strlen(text), folder->err);
}

/* Under the name of a signature in progress, until it has the one that says whose it is. */
static model_status write_coming(const struct folder *folder, const char *signature,
                                 const char *path)
{
    struct scratch scratch = SCRATCH_NONE;
    model_status status = scratch_file(folder->signature, &scratch, folder->err);
    if (status == MODEL_OK)
        status = file_write_all(scratch.fd, folder->signature, signature, strlen(signature),
                                folder->err);
    if (status == MODEL_OK && fsync(scratch.fd) != 0)
        status = error_set_errno(folder->err, errno, "cannot sync %s", folder->signature);
    if (status == MODEL_OK)
        status = scratch_publish(&scratch, path, folder->err);
    scratch_discard(&scratch);
    return status;
}

static model_status replace_both(const struct folder *folder, const char *text,
                                 const char *signature)
{
    char *coming = NULL;
    model_status status = coming_path(folder, text, strlen(text), &coming);
    if (status == MODEL_OK)
        status = write_coming(folder, signature, coming);
    if (status == MODEL_OK) {
        status = write_text(folder, folder->manifest, text);
        if (status != MODEL_OK) /* nobody waits for it */
            (void)unlink(coming);
    }
    if (status == MODEL_OK && rename(coming, folder->signature) != 0)
        status = error_set_errno(folder->err, errno, "cannot replace %s", folder->signature);
    free(coming);
    return status == MODEL_OK ? dir_sync(folder->dir, folder->err) : status;
}

static model_status drop_signature(const struct folder *folder)
{
    if (rename(folder->signature, folder->old) != 0 && errno != ENOENT)
        return error_set_errno(folder->err, errno, "cannot move %s away", folder->signature);
    return MODEL_OK;
}

static bool is_text(const struct package_papers *there, const char *text)
{
    return there->text != NULL && there->n_bytes == strlen(text) &&
           memcmp(there->text, text, there->n_bytes) == 0;
}

static model_status write_pair(const struct folder *folder, const struct package_papers *there,
                               const char *text, const char *signature)
{
    const bool is_same_text = is_text(there, text);
    if (signature != NULL && there->text != NULL && !is_same_text)
        return replace_both(folder, text, signature);
    /* without a manifest nobody asks for a signature, and without a signature there is none to be foreign */
    model_status status = signature != NULL ? write_text(folder, folder->signature, signature)
                                            : drop_signature(folder);
    return status == MODEL_OK && !is_same_text ? write_text(folder, folder->manifest, text)
                                               : status;
}

static bool same_bytes(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    return a == NULL || b == NULL ? a == b : a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0;
}

static model_status check_same(const struct folder *folder, const struct package_papers *was,
                               const struct package_papers *there)
{
    if (was == NULL)
        return MODEL_OK;
    const char *replaced = NULL;
    if (!same_bytes(was->text, was->n_bytes, there->text, there->n_bytes))
        replaced = folder->manifest;
    else if (!same_bytes(was->signature, was->signature_bytes, there->signature,
                         there->signature_bytes))
        replaced = folder->signature;
    return replaced == NULL
               ? MODEL_OK
               : error_set(folder->err, MODEL_BUSY,
                           "%s was replaced by another process meanwhile; try again", replaced);
}

model_status package_papers_replace(const char *dir, int lock, const struct package_papers *was,
                                    const char *text, const char *signature,
                                    struct model_error *err)
{
    struct folder folder;
    struct package_papers there = {0};
    model_status status = open_folder(dir, &folder, err);
    if (status == MODEL_OK && lock >= 0)
        settle(dir);
    if (status == MODEL_OK)
        status = package_papers_read_any(dir, &there, NULL);
    if (status == MODEL_NOT_FOUND || status == MODEL_CORRUPT) /* what is none is replaced */
        status = MODEL_OK;
    else if (status != MODEL_OK)
        status = error_set(err, status, "cannot read %s", folder.manifest);
    if (status == MODEL_OK)
        status = check_same(&folder, was, &there);
    if (status == MODEL_OK)
        status = write_pair(&folder, &there, text, signature);
    if (status == MODEL_OK && signature != NULL)
        (void)unlink(folder.old);
    package_papers_finish(&there);
    close_folder(&folder);
    return status;
}

model_status package_papers_check(const char *dir, const struct package_papers *was,
                                  struct model_error *err)
{
    struct folder folder;
    struct package_papers there = {0};
    model_status status = open_folder(dir, &folder, err);
    if (status == MODEL_OK)
        status = package_papers_read_any(dir, &there, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK;
    if (status == MODEL_OK)
        status = check_same(&folder, was, &there);
    package_papers_finish(&there);
    close_folder(&folder);
    return status;
}

model_status package_papers_write(const char *dir, const struct papers_wait *wait,
                                  const struct package_papers *was, const char *text,
                                  const char *signature, struct model_error *err)
{
    int lock = -1;
    model_status status = papers_lock_take(dir, wait, &lock, err);
    if (status == MODEL_OK)
        status = package_papers_replace(dir, lock, was, text, signature, err);
    papers_lock_release(lock);
    return status;
}

model_status package_papers_keep(const char *dir, const char *signature, struct model_error *err)
{
    struct folder folder;
    model_status status = open_folder(dir, &folder, err);
    if (status == MODEL_OK)
        status = write_text(&folder, folder.old, signature);
    close_folder(&folder);
    return status;
}
