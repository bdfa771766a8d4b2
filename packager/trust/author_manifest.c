/* author_manifest.c - see author_manifest.h. */
#include "author_manifest.h"
#include "errors.h"
#include "files.h"
#include "package_members.h"
#include "package_papers.h"
#include "package_signature.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH       64
#define REVISION_DIGITS 40

struct listing {
    char *dir; /* real */
    struct manifest manifest;
    const struct log_sink *log;
};

static bool is_below(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static model_status list_folder(struct listing *listing, const char *folder, int depth,
                                struct model_error *err);

static model_status add_file(struct listing *listing, const char *path, const char *real,
                             struct model_error *err)
{
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes = 0;
    model_status status = digest_file_sha256(real, sha256, &size_bytes, err);
    return status == MODEL_OK
               ? manifest_add(&listing->manifest, path, NULL, size_bytes, sha256, err)
               : status;
}

/* Takes `path`, which may be NULL for want of memory. */
static model_status visit(struct listing *listing, char *path, int depth, struct model_error *err)
{
    struct stat own, info;
    char *file = path != NULL ? path_join(listing->dir, path) : NULL;
    char *real = file != NULL ? realpath(file, NULL) : NULL;
    model_status status = MODEL_OK;
    if (file == NULL)
        status = error_no_memory(err, "a path");
    else if (!path_is_safe(path))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "a file in %s has a name that other systems do not know; rename it",
                           listing->dir);
    else if (real == NULL || lstat(file, &own) != 0 || stat(real, &info) != 0)
        status = error_set_errno(err, errno, "cannot read %s", file);
    else if (!is_below(real, listing->dir))
        status = error_set(err, MODEL_CORRUPT,
                           "%s links out of the folder, to %.300s; put the file itself there", file,
                           real);
    else if (S_ISDIR(own.st_mode))
        status = list_folder(listing, path, depth + 1, err);
    else if (S_ISREG(info.st_mode))
        status = add_file(listing, path, real, err);
    else
        status = error_set(err, MODEL_CORRUPT,
                           "%s is neither a folder nor a regular file; remove it", file);
    free(real);
    free(file);
    free(path);
    return status;
}

/* Papers are expected, and what is unfinished is of who writes it. */
static model_status leave_out(const struct listing *listing, const char *path,
                              struct model_error *err)
{
    const enum package_member member = package_member_of(path);
    const bool is_paper = strcmp(path, "metadata.json") == 0 ||
                          strcmp(path, PACKAGE_SIGNATURE_NAME) == 0 ||
                          strcmp(path, PACKAGE_OLD_SIGNATURE_NAME) == 0;
    if (member == PACKAGE_MEMBER_HIDDEN)
        return MODEL_OK;
    model_status status = package_check_kept(listing->dir, path, err);
    if (status == MODEL_OK && member == PACKAGE_MEMBER_PAPER && !is_paper)
        log_write(listing->log, MODEL_LOG_WARN,
                  "leaving out '%s': a name that packages keep for themselves", path);
    return status;
}

/* `folder` as seen from the top; "" is the top. */
static model_status list_folder(struct listing *listing, const char *folder, int depth,
                                struct model_error *err)
{
    struct dir_list list = {0};
    char *path =
        folder[0] == '\0' ? text_format("%s", listing->dir) : path_join(listing->dir, folder);
    model_status status = path == NULL ? error_no_memory(err, "a path")
                          : depth > MAX_DEPTH
                              ? error_set(err, MODEL_INVALID_ARGUMENT,
                                          "%s: folders are more than %d deep", path, MAX_DEPTH)
                              : dir_read(path, &list, err);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *name = path_join(folder, list.names[i]);
        if (name != NULL && package_member_of(name) != PACKAGE_MEMBER_FILE) {
            status = leave_out(listing, name, err);
            free(name);
        } else
            status = visit(listing, name, depth, err);
    }
    dir_list_finish(&list);
    free(path);
    return status;
}

/* The same files are the same revision. */
static char *digest_of_files(struct manifest *manifest)
{
    char hex[SHA256_HEX_BYTES];
    if (manifest_digest(manifest, hex, NULL) != MODEL_OK)
        return NULL;
    return text_format("%.*s", REVISION_DIGITS, hex);
}

static model_status name(struct manifest *manifest, const char *id, const char *revision,
                         time_t now, struct model_error *err)
{
    struct tm utc;
    char created[TRUST_TIME_BYTES] = "1970-01-01T00:00:00Z";
    if (gmtime_r(&now, &utc) != NULL)
        (void)strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
    manifest->id = text_format("%s", id);
    manifest->requested_id = text_format("%s", id);
    manifest->requested_revision = text_format("%s", "main");
    manifest->endpoint = text_format("%s", "");
    manifest->created = text_format("%s", created);
    manifest->revision = revision != NULL ? text_format("%s", revision) : digest_of_files(manifest);
    return manifest->id != NULL && manifest->requested_id != NULL &&
                   manifest->requested_revision != NULL && manifest->endpoint != NULL &&
                   manifest->created != NULL && manifest->revision != NULL
               ? MODEL_OK
               : error_no_memory(err, "a manifest");
}

model_status author_manifest_make(const char *dir, const char *id, const char *revision, time_t now,
                                  const struct log_sink *log, struct manifest *ret,
                                  struct model_error *err)
{
    struct listing listing = {.dir = realpath(dir, NULL), .log = log};
    char *key = NULL;
    if (listing.dir == NULL)
        return error_set_errno(err, errno, "cannot open %s", dir);
    model_status status = store_key_of(id, &key, err);
    free(key);
    if (status == MODEL_OK)
        status = list_folder(&listing, "", 0, err);
    if (status == MODEL_OK && listing.manifest.n_files == 0)
        status = error_set(err, MODEL_NOT_FOUND, "%s has no files to sign", listing.dir);
    if (status == MODEL_OK)
        status = name(&listing.manifest, id, revision, now, err);
    free(listing.dir);
    if (status == MODEL_OK)
        *ret = listing.manifest;
    else
        manifest_finish(&listing.manifest);
    return status;
}
