/* store_verify.c - a package against its manifest; see store_verify_package() in store.h. Whatever lies
 * in the folder is hostile: only regular files are opened, links are followed no further than the
 * package and its store, and names are printable before they are reported. Any thread. */
#include "errors.h"
#include "package.h"
#include "package_members.h"
#include "printable_text.h"
#include "store_paths.h"

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
    bool is_kept;       /* something that is no file of a package has a name that packages keep */
    size_t
        n_plugins; /* of the bad ones; one that `install` has replaced and not listed, killed in between */
};

static void note(struct verification *verification, const char *path, model_status status,
                 const struct model_error *sentence)
{
    verification->n_checked++;
    if (verification->report != NULL)
        verification->report(verification->context, path, status,
                             status != MODEL_OK ? sentence->message : "ok");
    verification->n_unreadable += status == MODEL_IO;
    verification->n_plugins += status != MODEL_OK && package_is_plugin_path(path);
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

static model_status note_stranger(struct verification *verification, const char *name)
{
    char *shown = printable_copy(name);
    struct model_error sentence = MODEL_ERROR_INIT;
    if (shown == NULL)
        return MODEL_OUT_OF_MEMORY;
    (void)error_set(&sentence, MODEL_CORRUPT, "%s: not in " MANIFEST_NAME, shown);
    verification->needs_removal = true;
    verification->is_kept |= package_keeps_name(name);
    note(verification, shown, MODEL_CORRUPT, &sentence);
    free(shown);
    return MODEL_OK;
}

static model_status look_for_strangers(struct verification *verification, const char *folder,
                                       struct model_error *err);

/* What no manifest lists, and is no stranger. A store's packages have no author who works in them. */
static bool may_lie_there(const struct verification *verification, const char *name,
                          const struct stat *info)
{
    switch (package_member_of(name)) {
    case PACKAGE_MEMBER_PAPER:
    case PACKAGE_MEMBER_UNFINISHED:
        return S_ISREG(info->st_mode);
    case PACKAGE_MEMBER_HIDDEN:
        return verification->blobs == NULL;
    default:
        return false;
    }
}

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
                     manifest_find(verification->manifest, name) != NULL ||
                     may_lie_there(verification, name, &info) ||
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

/* What to do; to be freed. */
static char *advice(const struct verification *verification, bool is_stored)
{
    const char *removal = verification->needs_removal ? "remove it and " : "";
    if (verification->n_unreadable == verification->n_bad)
        return text_format("%ssee to its permissions, or to the disk, and verify it again",
                           removal);
    if (is_stored)
        return text_format("%s%s", removal, manifest_remedy(verification->manifest));
    if (verification->is_kept)
        return text_format(
            "rename or remove what has a name that packages keep for themselves, and "
            "verify it again");
    if (verification->n_plugins == verification->n_bad)
        return text_format("if 'pkgmgr install' was interrupted, install the plugin once more; if "
                           "that is yours, 'pkgmgr sign --renew' signs it as it is now, else %sget "
                           "the package again",
                           removal);
    return text_format("if that is yours, 'pkgmgr sign --renew' signs it as it is now, else %s",
                       verification->needs_removal ? "remove it and get the package again"
                                                   : "get the package again");
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
    char *remedy = advice(verification, is_named || verification->blobs != NULL);
    if (remedy == NULL)
        return error_no_memory(err, "verifying a package");
    status = error_set(err, verification->first_status, "%s: %s (%zu of %zu files bad); %s",
                       verification->dir, verification->first.message, verification->n_bad,
                       verification->n_checked, remedy);
    free(remedy);
    return status;
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
