/* store_remove.c - removing a package, and the blobs that nothing uses any more; see store_remove() in
 * store.h. First the package is moved into tmp/ by one rename, so that readers see all of it or
 * nothing (its stamp goes before: store_unseen.h); then its refs go, then the blobs (store_free_blobs.c). A removal that stops half-way leaves refs that lead
 * nowhere: nobody finds anything by them, and the next removal takes them. An install of the same content at the
 * same time may find a blob gone; it fails then and says so. Any thread, any process. */
#include "errors.h"
#include "printable_text.h"
#include "store_folder.h"
#include "store_lease.h"
#include "store_paths.h"
#include "store_unseen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct removal {
    const struct store *store;
    char *key;
    char *staging;              /* what is removed is moved here first */
    size_t n_moved;             /* packages in there, named 0, 1, ... */
    struct manifest *manifests; /* (n_manifests) what the moved packages use */
    size_t n_manifests;
    struct store_refs refs;            /* as they were before anything was removed */
    const struct store_leases *leases; /* who has packages open; NULL: it does not matter */
    char *note;                        /* why blobs were kept; NULL: they were not */
    struct model_error *err;
};

static model_status no_memory(const struct removal *removal)
{
    return error_no_memory(removal->err, "removing a package");
}

/* ---- refs */

/* A package is there before its refs are, so a ref to none is a removal's that was stopped, unless the package
 * is only out of sight. */
static bool leads_nowhere(const struct removal *removal, const struct store_ref *ref)
{
    struct stat info;
    char *dir = text_format("%s/packages/%s", removal->store->dir, ref->target);
    bool nowhere = dir != NULL && lstat(dir, &info) != 0 && errno == ENOENT &&
                   !store_target_is_unseen(removal->store, ref->target);
    free(dir);
    return nowhere;
}

/* Removes the refs of a package, and those that lead nowhere. Goes on after a ref that cannot be
 * removed; returns the first failure. */
static model_status remove_refs(const struct removal *removal, const char *target)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < removal->refs.n_refs; i++) {
        const struct store_ref *ref = &removal->refs.refs[i];
        if (strcmp(ref->target, target) != 0 && !leads_nowhere(removal, ref))
            continue;
        char *folder = text_format("refs/%s", ref->key);
        if (folder == NULL)
            return no_memory(removal);
        if (ref->path != NULL &&
            !store_folder_unlink(removal->store, folder, path_base(ref->path)) && errno != ENOENT &&
            status == MODEL_OK)
            status = error_set_errno(removal->err, errno,
                                     "the package is removed, but not its ref %s", ref->path);
        /* when it is empty now */
        if (store_folder_rmdir(removal->store, "refs", ref->key) || errno == ENOENT)
            (void)store_folder_remove(removal->store, "history", ref->key);
        free(folder);
    }
    return status;
}

static bool has_ref(const struct store_refs *refs, const char *target)
{
    for (size_t i = 0; i < refs->n_refs; i++)
        if (strcmp(refs->refs[i].target, target) == 0 && refs->refs[i].path != NULL)
            return true;
    return false;
}

/* ---- packages */

/* Adds every regular file of a folder to the manifest, by its content. */
static model_status add_contents(const char *dir, struct manifest *manifest)
{
    struct dir_list list = {0};
    if (dir_read(dir, &list, NULL) != MODEL_OK)
        return MODEL_OK; /* what it used stays in the store */
    model_status status = MODEL_OK;
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *path = path_join(dir, list.names[i]), name[32], hex[SHA256_HEX_BYTES];
        uint64_t size_bytes = 0;
        struct stat info;
        (void)snprintf(name, sizeof name, "%zu", manifest->n_files);
        if (path == NULL)
            status = error_no_memory(NULL, dir);
        else if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
            status = add_contents(path, manifest);
        else if (digest_file_sha256(path, hex, &size_bytes, NULL) == MODEL_OK)
            status = manifest_add(manifest, name, NULL, size_bytes, hex, NULL);
        free(path);
    }
    dir_list_finish(&list);
    return status;
}

/* Notes what a package that was moved away uses: by its manifest, or, when that cannot be read, by
 * hashing what lies there. */
static model_status note_use(struct removal *removal, const char *aside)
{
    void *larger =
        realloc(removal->manifests, (removal->n_manifests + 1) * sizeof *removal->manifests);
    if (larger == NULL)
        return no_memory(removal);
    removal->manifests = larger;
    struct manifest *manifest = &removal->manifests[removal->n_manifests++];
    *manifest = (struct manifest){0};
    if (manifest_read(aside, manifest, NULL) != MODEL_OK &&
        add_contents(aside, manifest) == MODEL_OUT_OF_MEMORY)
        return no_memory(removal);
    return MODEL_OK;
}

static const struct store_lease_record *user_of(const struct store_leases *leases,
                                                const char *target)
{
    char *subject = text_format("packages/%s", target);
    const struct store_lease_record *user =
        subject != NULL ? store_leases_holder(leases, subject) : NULL;
    free(subject);
    return user;
}

/* One that is gone already is fine. */
static model_status move_away(struct removal *removal, const char *target)
{
    char *dir = text_format("%s/packages/%s", removal->store->dir, target);
    char *aside = text_format("%s/%zu", removal->staging, removal->n_moved);
    struct stat info;
    model_status status = MODEL_OK;
    if (dir != NULL && aside != NULL)
        status =
            store_folder_check(removal->store, dir + strlen(removal->store->dir) + 1, removal->err);
    if (status == MODEL_OK && dir != NULL && lstat(dir, &info) == 0)
        store_stamp_remove(removal->store, target); /* first: see store_unseen.h */
    if (dir == NULL || aside == NULL) {
        status = no_memory(removal);
    } else if (status == MODEL_OK && rename(dir, aside) == 0) {
        removal->n_moved++;
        status = note_use(removal, aside);
    } else if (status == MODEL_OK) {
        int reason = errno;
        if (lstat(dir, &info) == 0 || errno != ENOENT)
            status = error_set_errno(removal->err, reason, "cannot remove package %s", dir);
    }
    free(aside);
    free(dir);
    return status;
}

/* Whether the removed package, `target`, was of this commit: by its manifest or by a ref, which is what
 * is left of a package whose manifest cannot be read. */
static bool was_of_commit(const struct removal *removal, const char *target, const char *commit)
{
    if (removal->n_manifests > 0 && removal->manifests[0].revision != NULL &&
        strcmp(removal->manifests[0].revision, commit) == 0)
        return true;
    for (size_t i = 0; i < removal->refs.n_refs; i++) {
        const struct store_ref *ref = &removal->refs.refs[i];
        if (strcmp(ref->target, target) == 0 && strcmp(ref->key, removal->key) == 0 &&
            strcmp(ref->revision, commit) == 0)
            return true;
    }
    return false;
}

/* A package that was replaced by one of the same commit (a plugin was installed into it) has no ref
 * any more; it goes with its successor, `successor`. */
static model_status move_superseded(struct removal *removal, const char *successor)
{
    char *folder = text_format("%s/packages/%s", removal->store->dir, removal->key);
    struct store_refs refs = {0};
    struct dir_list list = {0};
    if (folder == NULL)
        return no_memory(removal);
    model_status status = store_refs_read(removal->store, &refs, removal->err);
    if (status == MODEL_OK &&
        store_folder_read(removal->store, folder + strlen(removal->store->dir) + 1, &list, NULL) !=
            MODEL_OK)
        list = (struct dir_list){0};
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        struct manifest other = {0};
        char *target = text_format("%s/%s", removal->key, list.names[i]);
        char *dir = path_join(folder, list.names[i]);
        if (target == NULL || dir == NULL)
            status = no_memory(removal);
        else if (removal->leases != NULL && user_of(removal->leases, target) != NULL)
            status = MODEL_OK; /* gc takes it when its host has closed it */
        else if (!has_ref(&refs, target) && manifest_read(dir, &other, NULL) == MODEL_OK &&
                 was_of_commit(removal, successor, other.revision))
            status = move_away(removal, target);
        manifest_finish(&other);
        free(dir);
        free(target);
    }
    (void)store_folder_rmdir(removal->store, "packages", removal->key); /* when it is empty now */
    dir_list_finish(&list);
    store_refs_finish(&refs);
    free(folder);
    return status;
}

/* ---- public */

static model_status remove_target(struct removal *removal, const char *target,
                                  uint64_t *ret_freed_bytes)
{
    removal->key = text_format("%.*s", (int)strcspn(target, "/"), target);
    if (removal->key == NULL)
        return no_memory(removal);
    model_status status = store_make_staging(removal->store, &removal->staging, removal->err);
    if (status == MODEL_OK)
        status = store_refs_read(removal->store, &removal->refs, removal->err);
    if (status == MODEL_OK)
        status = move_away(removal, target);
    if (status == MODEL_OK)
        status = remove_refs(removal, target);
    if (status == MODEL_OK)
        status = move_superseded(removal, target);
    if (status == MODEL_OK)
        status = dir_remove_all(removal->staging, removal->err);
    return status == MODEL_OK
               ? store_free_blobs(removal->store, removal->manifests, removal->n_manifests,
                                  &removal->note, ret_freed_bytes, removal->err)
               : status;
}

/* Adds to *freed_bytes; *ret_note is the note if there is one. */
static model_status remove_one(const struct store *store, const struct store_leases *leases,
                               const char *target, uint64_t *freed_bytes, char **ret_note,
                               struct model_error *err)
{
    struct removal removal = {.store = store, .leases = leases, .err = err};
    model_status status = remove_target(&removal, target, freed_bytes);
    store_end_staging(store, removal.staging);
    for (size_t i = 0; i < removal.n_manifests; i++)
        manifest_finish(&removal.manifests[i]);
    store_refs_finish(&removal.refs);
    free(removal.manifests);
    free(removal.key);
    if (removal.note != NULL) {
        free(*ret_note);
        *ret_note = removal.note;
    }
    return status;
}

/* What a host has mapped keeps its pages, but it could not open its files again. */
static model_status check_unused(const struct store *store, const struct store_leases *leases,
                                 char *const *targets, struct model_error *err)
{
    char host[PRINTABLE_TEXT_BYTES];
    for (size_t i = 0; targets[i] != NULL; i++) {
        const struct store_lease_record *user = user_of(leases, targets[i]);
        if (user != NULL)
            return error_set(err, MODEL_BUSY,
                             "package %.300s/packages/%s is in use by process %lld on %s; close it "
                             "there, or remove it all the same with --force",
                             store->dir, targets[i], (long long)user->pid,
                             printable(user->host, host));
    }
    return MODEL_OK;
}

static model_status remove_all(const struct store *store, char *const *targets, bool even_in_use,
                               uint64_t *ret_freed_bytes, char **ret_note, struct model_error *err)
{
    uint64_t freed_bytes = 0;
    char *note = NULL;
    struct store_leases leases = {0};
    model_status status =
        even_in_use ? MODEL_OK
                    : store_leases_read(store, store_disk_time(store), NULL, &leases, err);
    if (status == MODEL_OK && !even_in_use)
        status = check_unused(store, &leases, targets, err);
    for (size_t i = 0; targets[i] != NULL && status == MODEL_OK; i++)
        status =
            remove_one(store, even_in_use ? NULL : &leases, targets[i], &freed_bytes, &note, err);
    store_leases_finish(&leases);
    if (status == MODEL_OK && ret_freed_bytes != NULL)
        *ret_freed_bytes = freed_bytes;
    if (status == MODEL_OK && ret_note != NULL) {
        *ret_note = note;
        note = NULL;
    }
    free(note);
    return status;
}

model_status store_remove(const struct store *store, const char *name, int even_in_use,
                          uint64_t *ret_freed_bytes, char **ret_note, struct model_error *err)
{
    char **targets = NULL;
    model_status status = store_find_targets(store, name, &targets, err);
    if (status == MODEL_OK)
        status = remove_all(store, targets, even_in_use != 0, ret_freed_bytes, ret_note, err);
    store_targets_free(targets);
    return status;
}

model_status store_remove_dir(const struct store *store, const char *dir, int even_in_use,
                              uint64_t *ret_freed_bytes, char **ret_note, struct model_error *err)
{
    const char *found = store_target_of(store, dir);
    if (found == NULL || !store_target_is_good(found))
        return error_set(err, MODEL_NOT_FOUND,
                         "%.400s is no package of the store %.300s; `pkgmgr list` shows them", dir,
                         store->dir);
    char *target = text_format("%s", found);
    char *targets[] = {target, NULL};
    model_status status = target != NULL ? remove_all(store, targets, even_in_use != 0,
                                                      ret_freed_bytes, ret_note, err)
                                         : error_no_memory(err, "removing a package");
    free(target);
    return status;
}
