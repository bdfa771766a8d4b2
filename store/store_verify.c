/* store_verify.c - a package against its manifest; see store_verify_package() in store.h. Whatever lies
 * in the folder is hostile: only regular files are opened, links are followed no further than the
 * package and its store, and names are printable before they are reported. Any thread. */
#include "errors.h"
#include "package.h"
#include "package_signature.h"
#include "store_paths.h"
#include "utf8.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MANIFEST_NAME "metadata.json"

struct verification {
    char *dir;   /* the package's real path */
    char *blobs; /* its store's real blobs/; NULL outside of a store */
    const struct manifest *manifest;
    void (*report)(void *context, const char *path, model_status status, const char *sentence);
    void *context;
    struct model_error first; /* of what is bad */
    model_status first_status;
    size_t n_checked, n_bad, n_unreadable; /* the last are among the bad */
    bool needs_removal; /* what is bad would stay if the package were only downloaded again */
};

static void note(struct verification *verification, const char *path, model_status status,
                 const struct model_error *sentence)
{
    verification->n_checked++;
    if (verification->report != NULL)
        verification->report(verification->context, path, status,
                             status != MODEL_OK ? sentence->message : "ok");
    verification->n_unreadable += status == MODEL_IO;
    if (status != MODEL_OK && verification->n_bad++ == 0) {
        verification->first = *sentence;
        verification->first_status = status;
    }
}

/* ---- the package's place */

static bool is_digest(const char *name)
{
    return strlen(name) == SHA256_HEX_BYTES - 1 &&
           strspn(name, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

/* <store>/packages/<key>/<digest>: finds <store>/blobs. *ret_named: the folder is named by its content,
 * as it is in a store; an author may well have a packages/ of his own. */
static model_status find_store(struct verification *verification, bool *ret_named)
{
    static const char packages[] = "/packages";
    static const size_t n = sizeof packages - 1;
    char *above = text_format("%s", verification->dir), *blobs = NULL;
    bool is_below = above != NULL;
    for (int i = 0; i < 2 && is_below; i++) {
        char *slash = strrchr(above, '/');
        is_below = slash != NULL && slash != above;
        if (is_below)
            *slash = '\0';
    }
    size_t length = is_below ? strlen(above) : 0;
    is_below = length > n && strcmp(above + length - n, packages) == 0;
    if (is_below)
        blobs = text_format("%.*s/blobs", (int)(length - n), above);
    model_status status =
        above == NULL || (is_below && blobs == NULL) ? MODEL_OUT_OF_MEMORY : MODEL_OK;
    if (blobs != NULL)
        verification->blobs = realpath(blobs, NULL);
    *ret_named =
        is_below && (verification->blobs != NULL || is_digest(path_base(verification->dir)));
    free(blobs);
    free(above);
    return status;
}

static model_status check_name(struct verification *verification)
{
    char hex[SHA256_HEX_BYTES];
    struct model_error sentence = MODEL_ERROR_INIT;
    const char *name = path_base(verification->dir);
    model_status status = manifest_digest(verification->manifest, hex, &sentence);
    if (status != MODEL_OK || strcmp(hex, name) == 0)
        return status;
    (void)error_set(&sentence, MODEL_CORRUPT,
                    MANIFEST_NAME " was changed: its content has the digest %s, want %.80s, the "
                                  "name of its folder",
                    hex, name);
    note(verification, MANIFEST_NAME, MODEL_CORRUPT, &sentence);
    return MODEL_OK;
}

/* ---- the files of the manifest */

static bool is_below(const char *path, const char *folder)
{
    size_t n = folder != NULL ? strlen(folder) : 0;
    return n > 0 && strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* Where the file really is; to be freed. */
static model_status find_file(struct verification *verification, const char *name, char **ret,
                              struct model_error *err)
{
    char *path = path_join(verification->dir, name);
    if (path == NULL)
        return error_no_memory(err, name);
    char *real = realpath(path, NULL);
    int reason = errno;
    struct stat info;
    model_status status = MODEL_OK;
    if (real == NULL && (reason == ENOENT || reason == ENOTDIR))
        status = error_set(err, MODEL_CORRUPT, "%s: missing", name);
    else if (real == NULL && reason == ELOOP)
        status = error_set(err, MODEL_CORRUPT, "%s: links in a circle", name);
    else if (real == NULL)
        status = error_set_errno(err, reason, "cannot open %s", path);
    else if (!is_below(real, verification->dir) && !is_below(real, verification->blobs)) {
        status =
            error_set(err, MODEL_CORRUPT, "%s: links out of the package, to %.400s", name, real);
        verification->needs_removal = true;
    } else if (lstat(real, &info) != 0)
        status = error_set_errno(err, errno, "cannot open %s", path);
    else if (!S_ISREG(info.st_mode))
        status = error_set(err, MODEL_CORRUPT, "%s: not a regular file", name);
    free(path);
    if (status != MODEL_OK)
        free(real);
    else
        *ret = real;
    return status;
}

static model_status check_file(struct verification *verification, const struct manifest_file *file,
                               struct model_error *err)
{
    char *path = NULL, hex[SHA256_HEX_BYTES];
    uint64_t size_bytes = 0;
    model_status status = find_file(verification, file->path, &path, err);
    if (status != MODEL_OK)
        return status;
    status = digest_file_sha256(path, hex, &size_bytes, err);
    free(path);
    if (status == MODEL_NOT_FOUND)
        return error_set(err, MODEL_CORRUPT, "%s: missing", file->path);
    if (status == MODEL_INVALID_ARGUMENT) /* it became something else in between */
        return error_set(err, MODEL_CORRUPT, "%s: not a regular file", file->path);
    if (status != MODEL_OK)
        return status;
    if (size_bytes != file->size_bytes)
        return error_set(err, MODEL_CORRUPT, "%s: %llu bytes, want %llu", file->path,
                         (unsigned long long)size_bytes, (unsigned long long)file->size_bytes);
    if (strcmp(hex, file->sha256) != 0)
        return error_set(err, MODEL_CORRUPT, "%s: sha256 %s, want %s", file->path, hex,
                         file->sha256);
    return MODEL_OK;
}

/* ---- files that are not in the manifest */

/* Whether the manifest has files below this name, which is a link to a folder. */
static bool is_folder_of_manifest(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->n_files; i++)
        if (is_below(manifest->files[i].path, name))
            return true;
    return false;
}

/* ".metadata.json.<pid>.<number>.tmp" at the top: what a process that was killed while it wrote that leaves
 * (scratch.h). */
static bool is_unfinished_manifest(const char *name)
{
    static const char digits[] = "0123456789", begin[] = ".metadata.json.";
    if (strncmp(name, begin, sizeof begin - 1) != 0)
        return false;
    name += sizeof begin - 1;
    size_t pid = strspn(name, digits);
    if (pid == 0 || name[pid] != '.')
        return false;
    const char *number = name + pid + 1;
    size_t n = strspn(number, digits);
    return n > 0 && strcmp(number + n, ".tmp") == 0;
}

static model_status note_stranger(struct verification *verification, const char *name)
{
    char *printable = text_format("%s", name);
    struct model_error sentence = MODEL_ERROR_INIT;
    if (printable == NULL)
        return MODEL_OUT_OF_MEMORY;
    bool is_utf8 = utf8_valid_prefix(name, strlen(name)) == strlen(name);
    for (char *c = printable; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c) || (!is_utf8 && (unsigned char)*c >= 0x80))
            *c = '?';
    (void)error_set(&sentence, MODEL_CORRUPT, "%s: not in " MANIFEST_NAME, printable);
    verification->needs_removal = true;
    note(verification, printable, MODEL_CORRUPT, &sentence);
    free(printable);
    return MODEL_OK;
}

static model_status look_for_strangers(struct verification *verification, const char *folder,
                                       struct model_error *err);

/* `name` as the manifest would have it. */
static model_status check_entry(struct verification *verification, const char *name,
                                struct model_error *err)
{
    char *path = path_join(verification->dir, name);
    struct stat info;
    if (path == NULL)
        return error_no_memory(err, name);
    if (lstat(path, &info) != 0) { /* gone in between */
        free(path);
        return MODEL_OK;
    }
    bool is_listed = strcmp(name, MANIFEST_NAME) == 0 ||
                     (strcmp(name, PACKAGE_SIGNATURE_NAME) == 0 && S_ISREG(info.st_mode)) ||
                     manifest_find(verification->manifest, name) != NULL ||
                     (S_ISREG(info.st_mode) && is_unfinished_manifest(name)) ||
                     (S_ISLNK(info.st_mode) && path_is_dir(path) &&
                      is_folder_of_manifest(verification->manifest, name));
    free(path);
    if (is_listed)
        return MODEL_OK;
    if (S_ISDIR(info.st_mode))
        return look_for_strangers(verification, name, err);
    return note_stranger(verification, name) == MODEL_OK ? MODEL_OK : error_no_memory(err, name);
}

/* `folder` in the package; "" is the package. */
static model_status look_for_strangers(struct verification *verification, const char *folder,
                                       struct model_error *err)
{
    struct dir_list list = {0};
    char *path = path_join(verification->dir, folder);
    model_status status =
        path != NULL ? dir_read(path, &list, err) : error_no_memory(err, verification->dir);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *name = path_join(folder, list.names[i]);
        status = name != NULL ? check_entry(verification, name, err)
                              : error_no_memory(err, verification->dir);
        free(name);
    }
    dir_list_finish(&list);
    free(path);
    return status;
}

/* ---- public */

static const char *advice(const struct verification *verification)
{
    if (verification->n_unreadable == verification->n_bad)
        return "see to its permissions, or to the disk, and verify it again";
    if (verification->blobs == NULL) /* no store's */
        return "get it, or make it, again";
    return manifest_remedy(verification->manifest);
}

static model_status verify(struct verification *verification, struct model_error *err)
{
    bool is_named = false;
    model_status status = find_store(verification, &is_named);
    if (status == MODEL_OK && is_named)
        status = check_name(verification);
    if (status != MODEL_OK)
        return error_no_memory(err, "verifying a package");
    for (size_t i = 0; i < verification->manifest->n_files; i++) {
        const struct manifest_file *file = &verification->manifest->files[i];
        struct model_error sentence = MODEL_ERROR_INIT;
        note(verification, file->path, check_file(verification, file, &sentence), &sentence);
    }
    status = look_for_strangers(verification, "", err);
    if (status != MODEL_OK || verification->n_bad == 0)
        return status;
    return error_set(err, verification->first_status, "%s: %s (%zu of %zu files bad); %s%s",
                     verification->dir, verification->first.message, verification->n_bad,
                     verification->n_checked, verification->needs_removal ? "remove it and " : "",
                     advice(verification));
}

model_status store_verify_manifest(const char *package_dir, const struct manifest *manifest,
                                   void (*report)(void *context, const char *path,
                                                  model_status status, const char *sentence),
                                   void *context, struct model_error *err)
{
    struct verification verification = {.manifest = manifest,
                                        .report = report,
                                        .context = context,
                                        .first = MODEL_ERROR_INIT,
                                        .dir = realpath(package_dir, NULL)};
    model_status status =
        verification.dir != NULL
            ? verify(&verification, err)
            : error_set_errno(err, errno, "cannot open the package %s", package_dir);
    free(verification.blobs);
    free(verification.dir);
    return status;
}

model_status store_verify_package(const char *package_dir,
                                  void (*report)(void *context, const char *path,
                                                 model_status status, const char *sentence),
                                  void *context, struct model_error *err)
{
    struct manifest manifest = {0};
    struct model_error sentence = MODEL_ERROR_INIT;
    model_status status = manifest_read(package_dir, &manifest, &sentence);
    if (status == MODEL_NOT_FOUND && path_is_dir(package_dir))
        return error_set(err, status,
                         "%s has no " MANIFEST_NAME ", so there is nothing to verify its files "
                         "against: it is an author's folder, or no package; `pkgmgr list` shows "
                         "the packages that can be verified",
                         package_dir);
    package_advise_broken(package_dir, status, &sentence);
    if (status != MODEL_OK)
        return error_set(err, status, "%s", sentence.message);
    status = store_verify_manifest(package_dir, &manifest, report, context, err);
    manifest_finish(&manifest);
    return status;
}
