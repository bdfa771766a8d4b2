/* store_install.c - making a package out of blobs; see store_install() in store.h. The package is built
 * in tmp/<unique>/package, which lies as deep below the store as packages/<key>/<digest>, so that
 * relative links are right in both places; one rename shows it. A kill leaves things below tmp/ only.
 * Any thread, any process: when two install the same content, the second finds the first's. */
#include "errors.h"
#include "package_signature.h"
#include "papers_choice.h"
#include "papers_lock.h"
#include "store_folder.h"
#include "store_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_ATTEMPTS  8 /* against others who install, repair or remove the same package */
#define FOLDERS_ABOVE 3 /* from a package's top to the store */

struct install {
    const struct store *store;
    const struct manifest *manifest;
    const struct store_papers *given; /* NULL: the manifest is printed */
    char *key, *target;               /* "<key>/<digest>" */
    char *folder;                     /* packages/<key> */
    char *dir;                        /* packages/<key>/<digest> */
    char *staging;                    /* tmp/<unique>, NULL until made */
    char *package;                    /* tmp/<unique>/package */
    struct papers_choice papers;
    struct model_error *err;
};

static model_status no_memory(const struct install *install)
{
    return error_no_memory(install->err, "installing a package");
}

/* ---- is it there already? */

/* One inode with its blob, which has the right content, or a file of its own that has it. */
static bool file_is_good(const struct install *install, const char *dir,
                         const struct manifest_file *file)
{
    char *path = path_join(dir, file->path);
    char *blob = store_blob_path(install->store, file->sha256);
    struct stat have, want;
    bool good = path != NULL && blob != NULL && stat(path, &have) == 0 && S_ISREG(have.st_mode) &&
                (uint64_t)have.st_size == file->size_bytes;
    if (good) {
        bool is_blob =
            stat(blob, &want) == 0 && have.st_dev == want.st_dev && have.st_ino == want.st_ino;
        good = is_blob ? store_blob_is_good(install->store, file->sha256, file->size_bytes) != 0
                       : store_file_has_digest(path, file->sha256);
    }
    free(blob);
    free(path);
    return good;
}

/* Whether the package is there with all of its files; *ret is its manifest then. */
static bool is_whole(const struct install *install, struct manifest *ret)
{
    struct manifest manifest = {0};
    if (manifest_read(install->dir, &manifest, NULL) != MODEL_OK)
        return false;
    bool whole = manifest_names_folder(&manifest, install->dir);
    for (size_t i = 0; i < manifest.n_files && whole; i++)
        whole = file_is_good(install, install->dir, &manifest.files[i]);
    if (whole)
        *ret = manifest;
    else
        manifest_finish(&manifest);
    return whole;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* Nobody else writes there: we have the lock, or the folder is our own. */
static model_status write_papers(const struct install *install, const char *dir, int lock)
{
    const struct papers_choice *papers = &install->papers;
    char *printed = papers->origin == PAPERS_PRINTED ? manifest_print(install->manifest) : NULL;
    const char *text = papers->origin == PAPERS_PRINTED ? printed : papers->text;
    model_status status = text != NULL ? package_papers_replace(dir, lock, NULL, text,
                                                                papers->signature, install->err)
                                       : no_memory(install);
    if (status == MODEL_OK && papers->signature == NULL && papers->lost != NULL)
        status = package_papers_keep(dir, papers->lost, install->err);
    free(printed);
    return status;
}

static bool has_names(const struct manifest *have, const struct manifest *want)
{
    return same_text(have->id, want->id) && same_text(have->revision, want->revision) &&
           same_text(have->requested_id, want->requested_id) &&
           same_text(have->requested_revision, want->requested_revision) &&
           same_text(have->endpoint, want->endpoint);
}

/* The same content may come again under another revision or name: the newest is kept. The papers are judged anew
 * with the lock: those that were judged before may have been replaced by better ones. */
static model_status refresh_manifest(struct install *install, struct manifest *have)
{
    const bool is_named = has_names(have, install->manifest);
    int lock = -1;
    manifest_finish(have);
    papers_choice_finish(&install->papers);
    model_status status =
        papers_lock_take(install->dir, &install->store->wait, &lock, install->err);
    if (status == MODEL_OK)
        status = papers_choose(install->dir, install->manifest, install->given, &install->papers,
                               install->err);
    const enum papers_origin origin = install->papers.origin;
    const bool stays = origin == PAPERS_THERE || (origin == PAPERS_PRINTED && is_named);
    if (status == MODEL_OK && !stays)
        status = write_papers(install, install->dir, lock);
    papers_lock_release(lock);
    return status;
}

/* ---- building */

static model_status check_blobs(const struct install *install)
{
    for (size_t i = 0; i < install->manifest->n_files; i++) {
        const struct manifest_file *file = &install->manifest->files[i];
        if (!store_has_blob(install->store, file->sha256, file->size_bytes))
            return error_set(install->err, MODEL_NOT_FOUND,
                             "%s: the content of '%s' (sha256 %s, %llu bytes) is not in the store; "
                             "%s",
                             install->manifest->id, file->path, file->sha256,
                             (unsigned long long)file->size_bytes,
                             manifest_remedy(install->manifest));
        if (!store_blob_is_good(install->store, file->sha256, file->size_bytes))
            return error_set(install->err, MODEL_CORRUPT,
                             "%s: the content of '%s' (sha256 %s) is damaged in the store; %s",
                             install->manifest->id, file->path, file->sha256,
                             manifest_remedy(install->manifest));
    }
    return MODEL_OK;
}

/* The blob's path as seen from the folder of a file in the package. */
static char *relative_path(const struct manifest_file *file)
{
    struct buffer text = BUFFER_INIT(8192);
    size_t up = FOLDERS_ABOVE;
    for (const char *slash = strchr(file->path, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
        up++;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < up && status == MODEL_OK; i++)
        status = buffer_append_text(&text, "../");
    if (status == MODEL_OK)
        status = buffer_printf(&text, "blobs/sha256/%.2s/%s", file->sha256, file->sha256);
    char *path = status == MODEL_OK ? buffer_take(&text) : NULL;
    buffer_finish(&text);
    return path;
}

static model_status link_file(const struct install *install, const struct manifest_file *file)
{
    char *path = path_join(install->package, file->path);
    char *blob = store_blob_path(install->store, file->sha256);
    char *relative = relative_path(file);
    char *slash = path != NULL ? strrchr(path, '/') : NULL;
    model_status status = MODEL_OK;
    if (slash == NULL || blob == NULL || relative == NULL) {
        status = no_memory(install);
    } else {
        *slash = '\0';
        status = dir_make_all(path, install->err);
        *slash = '/';
    }
    if (status == MODEL_OK)
        status = store_link_blob(blob, path, relative, STORE_LINK_ANY, install->err);
    free(relative);
    free(blob);
    free(path);
    return status;
}

/* fsync of a folder and all folders below. */
static model_status sync_folders(const char *dir, struct model_error *err)
{
    struct dir_list list = {0};
    model_status status = dir_read(dir, &list, err);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *path = path_join(dir, list.names[i]);
        struct stat info;
        if (path == NULL)
            status = error_no_memory(err, dir);
        else if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
            status = sync_folders(path, err);
        free(path);
    }
    dir_list_finish(&list);
    return status == MODEL_OK ? dir_sync(dir, err) : status;
}

static model_status build(struct install *install)
{
    model_status status = store_make_staging(install->store, &install->staging, install->err);
    if (status != MODEL_OK)
        return status;
    install->package = path_join(install->staging, "package");
    if (install->package == NULL)
        return no_memory(install);
    status = dir_make_all(install->package, install->err);
    for (size_t i = 0; i < install->manifest->n_files && status == MODEL_OK; i++)
        status = link_file(install, &install->manifest->files[i]);
    if (status == MODEL_OK)
        status = write_papers(install, install->package, -1);
    return status == MODEL_OK ? sync_folders(install->package, install->err) : status;
}

/* ---- showing it */

static model_status sync_above(const struct install *install)
{
    char *packages = path_join(install->store->dir, "packages");
    model_status status =
        packages != NULL ? dir_sync(install->folder, install->err) : no_memory(install);
    if (status == MODEL_OK)
        status = dir_sync(packages, install->err);
    free(packages);
    return status;
}

/* At no moment there is none, as far as the disk can do that. */
static bool exchange(const char *a, const char *b)
{
#ifdef __APPLE__
    return renamex_np(a, b, RENAME_SWAP) == 0;
#else
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
#endif
}

/* Moves a broken package of the same name out of the way, into the staging folder. */
static void move_aside(const struct install *install, int attempt)
{
    char *aside = text_format("%s/broken%d", install->staging, attempt);
    if (aside != NULL)
        (void)rename(install->dir, aside);
    free(aside);
}

static model_status show(struct install *install)
{
    for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        model_status status = store_folder_make(
            install->store, install->folder + strlen(install->store->dir) + 1, install->err);
        if (status != MODEL_OK)
            return status;
        if (rename(install->package, install->dir) == 0)
            return sync_above(install);
        if (errno == ENOTEMPTY || errno == EEXIST) {
            struct manifest have = {0};
            if (is_whole(install, &have))
                return refresh_manifest(install, &have);
            if (exchange(install->package, install->dir))
                return sync_above(install);
            move_aside(install, attempt);
        } else if (errno != ENOENT) {
            return error_set_errno(install->err, errno, "cannot show package %s", install->dir);
        }
    }
    return error_set(install->err, MODEL_BUSY, "%s changes all the time; try again", install->dir);
}

static model_status write_refs(const struct install *install)
{
    const struct manifest *manifest = install->manifest;
    const char *wanted = manifest->requested_revision, *asked = manifest->requested_id;
    char *asked_key = NULL;
    model_status status = store_ref_write(install->store, install->key, manifest->revision,
                                          install->target, install->err);
    if (status == MODEL_OK && wanted != NULL && *wanted != '\0')
        status =
            store_ref_write(install->store, install->key, wanted, install->target, install->err);
    if (status != MODEL_OK || asked == NULL || *asked == '\0' || wanted == NULL || *wanted == '\0')
        return status;
    status = store_key_of(asked, &asked_key, install->err);
    if (status == MODEL_OK && strcmp(asked_key, install->key) != 0)
        status = store_ref_write(install->store, asked_key, wanted, install->target, install->err);
    free(asked_key);
    return status;
}

/* ---- public */

static model_status name_all(struct install *install)
{
    char digest[SHA256_HEX_BYTES];
    model_status status = store_key_of(install->manifest->id, &install->key, install->err);
    if (status == MODEL_OK)
        status = manifest_digest(install->manifest, digest, install->err);
    if (status != MODEL_OK)
        return status;
    install->target = text_format("%s/%s", install->key, digest);
    install->folder = text_format("%s/packages/%s", install->store->dir, install->key);
    install->dir = text_format("%s/packages/%s/%s", install->store->dir, install->key, digest);
    if (install->target == NULL || install->folder == NULL || install->dir == NULL)
        return no_memory(install);
    return store_folder_check(install->store, install->dir + strlen(install->store->dir) + 1,
                              install->err);
}

static model_status install_package(struct install *install)
{
    struct manifest have = {0};
    model_status status = name_all(install);
    if (status != MODEL_OK)
        return status;
    package_papers_settle(install->dir);
    status = papers_choose(install->dir, install->manifest, install->given, &install->papers,
                           install->err);
    if (status != MODEL_OK)
        return status;
    if (is_whole(install, &have)) {
        status = refresh_manifest(install, &have);
    } else {
        status = check_blobs(install);
        if (status == MODEL_OK)
            status = build(install);
        if (status == MODEL_OK)
            status = show(install);
    }
    if (status == MODEL_OK)
        status = write_refs(install);
    if (status == MODEL_OK)
        store_stamp_write(install->store, install->dir, install->manifest);
    return status;
}

int store_package_is_signed(const char *dir)
{
    char *path = path_join(dir, PACKAGE_SIGNATURE_NAME);
    int is_signed = path != NULL && path_is_file(path);
    free(path);
    if (!is_signed) { /* or it is coming */
        struct package_papers papers = {0};
        (void)package_papers_read_folder(dir, &papers, NULL);
        is_signed = papers.signature != NULL;
        package_papers_finish(&papers);
    }
    return is_signed;
}

model_status store_install_signed(const struct store *store, const struct manifest *manifest,
                                  const struct store_papers *papers, char **ret_note,
                                  char **ret_dir, struct model_error *err)
{
    struct install install = {.store = store, .manifest = manifest, .given = papers, .err = err};
    model_status status = install_package(&install);
    store_end_staging(store, install.staging);
    if (status == MODEL_OK) {
        *ret_dir = install.dir;
        install.dir = NULL;
    }
    if (status == MODEL_OK && ret_note != NULL) {
        *ret_note = install.papers.note;
        install.papers.note = NULL;
    }
    papers_choice_finish(&install.papers);
    free(install.package);
    free(install.dir);
    free(install.folder);
    free(install.target);
    free(install.key);
    return status;
}

model_status store_install(const struct store *store, const struct manifest *manifest,
                           char **ret_dir, struct model_error *err)
{
    return store_install_signed(store, manifest, NULL, NULL, ret_dir, err);
}
