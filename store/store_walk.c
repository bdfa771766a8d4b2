/* store_walk.c - going through the packages that are there, whether refs lead to them or not: for those
 * that a killed process left without a ref, and for a blob that is mended in all packages that share it;
 * and through the blobs. See store_paths.h and store.h. Any thread, any process. */
#include "errors.h"
#include "package.h"
#include "store_folder.h"
#include "store_paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *store_target_of(const struct store *store, const char *dir)
{
    static const char packages[] = "/packages/";
    size_t n = strlen(store->dir);
    if (strncmp(dir, store->dir, n) != 0 || strncmp(dir + n, packages, sizeof packages - 1) != 0)
        return NULL;
    return dir + n + sizeof packages - 1;
}

static model_status walk_key(const struct store *store, const char *key,
                             model_status (*visit)(void *context, const char *target,
                                                   const char *dir),
                             void *context, struct model_error *err)
{
    struct dir_list digests = {0};
    char *folder = text_format("%s/packages/%s", store->dir, key);
    if (folder == NULL)
        return error_no_memory(err, "the packages of the store");
    model_status status = MODEL_OK;
    if (store_folder_read(store, folder + strlen(store->dir) + 1, &digests, NULL) != MODEL_OK)
        digests = (struct dir_list){0}; /* gone, or not ours to read: no package of anyone's name */
    for (size_t i = 0; i < digests.n_names && status == MODEL_OK; i++) {
        char *target = text_format("%s/%s", key, digests.names[i]);
        char *dir = path_join(folder, digests.names[i]);
        if (target == NULL || dir == NULL)
            status = error_no_memory(err, "the packages of the store");
        else if (store_target_is_good(target))
            status = visit(context, target, dir);
        free(dir);
        free(target);
    }
    dir_list_finish(&digests);
    free(folder);
    return status;
}

model_status store_walk_packages(const struct store *store,
                                 model_status (*visit)(void *context, const char *target,
                                                       const char *dir),
                                 void *context, struct model_error *err)
{
    struct dir_list keys = {0};
    model_status status = store_folder_read(store, "packages", &keys, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK;
    for (size_t i = 0; i < keys.n_names && status == MODEL_OK; i++)
        status = walk_key(store, keys.names[i], visit, context, err);
    dir_list_finish(&keys);
    return status;
}

/* ---- blobs */

/* Those of one folder, "<store>/blobs/sha256/ab". */
static model_status list_folder(const struct store *store, const char *folder,
                                struct store_blobs *blobs, struct model_error *err)
{
    struct dir_list names = {0};
    if (store_folder_read(store, folder + strlen(store->dir) + 1, &names, NULL) != MODEL_OK ||
        names.n_names == 0)
        return MODEL_OK;
    struct store_blob *larger =
        realloc(blobs->blobs, (blobs->n_blobs + names.n_names) * sizeof *larger);
    model_status status = larger != NULL ? MODEL_OK : error_no_memory(err, "the store's blobs");
    if (larger != NULL)
        blobs->blobs = larger;
    for (size_t i = 0; i < names.n_names && status == MODEL_OK; i++) {
        struct stat info;
        char *path = path_join(folder, names.names[i]);
        if (path == NULL) {
            status = error_no_memory(err, "the store's blobs");
        } else if (store_name_is_digest(names.names[i]) && lstat(path, &info) == 0 &&
                   S_ISREG(info.st_mode)) {
            struct store_blob *blob = &larger[blobs->n_blobs++];
            memcpy(blob->sha256, names.names[i], SHA256_HEX_BYTES);
            blob->size_bytes = (uint64_t)info.st_size;
        }
        free(path);
    }
    dir_list_finish(&names);
    return status;
}

static int compare_sizes(const void *a, const void *b)
{
    const struct store_blob *x = a, *y = b;
    if (x->size_bytes != y->size_bytes)
        return x->size_bytes < y->size_bytes ? -1 : 1;
    return strcmp(x->sha256, y->sha256);
}

model_status store_list_blobs(const struct store *store, struct store_blobs *ret,
                              struct model_error *err)
{
    struct store_blobs blobs = {0};
    struct dir_list folders = {0};
    char *parent = path_join(store->dir, "blobs/sha256");
    if (parent == NULL)
        return error_no_memory(err, "the store's blobs");
    model_status status = store_folder_read(store, "blobs/sha256", &folders, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK;
    for (size_t i = 0; i < folders.n_names && status == MODEL_OK; i++) {
        char *folder = path_join(parent, folders.names[i]);
        status = folder != NULL ? list_folder(store, folder, &blobs, err)
                                : error_no_memory(err, "the store's blobs");
        free(folder);
    }
    if (blobs.n_blobs > 1)
        qsort(blobs.blobs, blobs.n_blobs, sizeof *blobs.blobs, compare_sizes);
    dir_list_finish(&folders);
    free(parent);
    if (status == MODEL_OK)
        *ret = blobs;
    else
        free(blobs.blobs);
    return status;
}

/* ---- packages that cannot be read */

struct breakage {
    struct store_list list;
    struct model_error *err;
};

static model_status note_broken(void *context, const char *target, const char *dir)
{
    struct breakage *breakage = context;
    struct store_list *list = &breakage->list;
    struct manifest manifest = {0};
    (void)target;
    model_status status = manifest_read(dir, &manifest, NULL);
    manifest_finish(&manifest);
    if (status == MODEL_OK || status == MODEL_NOT_FOUND) /* being removed */
        return MODEL_OK;
    char *id = package_id_of_folder(dir);
    if (id == NULL)
        return MODEL_OK;
    struct store_entry *larger = realloc(list->entries, (list->n_entries + 1) * sizeof *larger);
    if (larger == NULL) {
        free(id);
        return error_no_memory(breakage->err, "the list of packages");
    }
    list->entries = larger;
    struct store_entry entry = {.id = id, .dir = text_format("%s", dir)};
    larger[list->n_entries++] = entry;
    return entry.dir != NULL ? MODEL_OK : error_no_memory(breakage->err, "the list of packages");
}

model_status store_list_broken(const struct store *store, struct store_list *ret,
                               struct model_error *err)
{
    struct breakage breakage = {.err = err};
    model_status status = store_walk_packages(store, note_broken, &breakage, err);
    if (status == MODEL_OK)
        *ret = breakage.list;
    else
        store_list_finish(&breakage.list);
    return status;
}

/* ---- packages without a ref */

struct orphans {
    const struct store *store;
    struct store_refs *refs;
    struct model_error *err;
};

static bool is_there(const struct store *store, const char *target)
{
    char *path = text_format("%s/packages/%s/metadata.json", store->dir, target);
    bool there = path != NULL && path_is_file(path);
    free(path);
    return there;
}

/* Whether the name is taken: by a ref to a package that is there. */
static bool has_name(const struct orphans *orphans, const char *key, const char *revision)
{
    for (size_t i = 0; i < orphans->refs->n_refs; i++) {
        const struct store_ref *ref = &orphans->refs->refs[i];
        if (strcmp(ref->key, key) == 0 && strcmp(ref->revision, revision) == 0 &&
            is_there(orphans->store, ref->target))
            return true;
    }
    return false;
}

static model_status add_name(const struct orphans *orphans, const char *key, const char *revision,
                             const char *target)
{
    if (revision == NULL || *revision == '\0' || has_name(orphans, key, revision))
        return MODEL_OK;
    struct store_ref ref = {text_format("%s", key), text_format("%s", revision),
                            text_format("%s", target), NULL};
    if (ref.key != NULL && ref.revision != NULL && ref.target != NULL &&
        store_refs_append(orphans->refs, &ref))
        return MODEL_OK;
    free(ref.key);
    free(ref.revision);
    free(ref.target);
    return error_no_memory(orphans->err, "the refs of the store");
}

/* One that another of the same commit has superseded stays without a name. */
static model_status adopt(void *context, const char *target, const char *dir)
{
    const struct orphans *orphans = context;
    struct manifest manifest = {0};
    for (size_t i = 0; i < orphans->refs->n_refs; i++)
        if (strcmp(orphans->refs->refs[i].target, target) == 0)
            return MODEL_OK;
    if (manifest_read(dir, &manifest, NULL) != MODEL_OK)
        return MODEL_OK;
    char *key = text_format("%.*s", (int)strcspn(target, "/"), target);
    model_status status =
        key != NULL ? MODEL_OK : error_no_memory(orphans->err, "the refs of the store");
    if (status == MODEL_OK && !has_name(orphans, key, manifest.revision)) {
        status = add_name(orphans, key, manifest.revision, target);
        if (status == MODEL_OK)
            status = add_name(orphans, key, manifest.requested_revision, target);
    }
    free(key);
    manifest_finish(&manifest);
    return status;
}

model_status store_refs_add_orphans(const struct store *store, struct store_refs *refs,
                                    struct model_error *err)
{
    struct orphans orphans = {store, refs, err};
    return store_walk_packages(store, adopt, &orphans, err);
}

/* ---- mending what shares a damaged file */

struct healing {
    const struct store *store;
    const char *blob, *sha256;
    dev_t device; /* of the damaged file, */
    ino_t inode;  /* which packages may have hard links to */
    char *staging;
    unsigned n;
};

static bool is_damaged_file(const struct healing *healing, const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && info.st_dev == healing->device &&
           info.st_ino == healing->inode;
}

/* What cannot be mended stays as it is: `verify` tells. */
static model_status heal(void *context, const char *target, const char *dir)
{
    struct healing *healing = context;
    struct manifest manifest = {0};
    bool any = false;
    if (manifest_read(dir, &manifest, NULL) != MODEL_OK)
        return MODEL_OK;
    for (size_t i = 0; i < manifest.n_files; i++) {
        if (strcmp(manifest.files[i].sha256, healing->sha256) != 0)
            continue;
        char *path = path_join(dir, manifest.files[i].path);
        char *fresh = text_format("%s/%u", healing->staging, healing->n++);
        if (path != NULL && fresh != NULL && is_damaged_file(healing, path) &&
            store_link_blob(healing->blob, fresh, "", STORE_LINK_HARD | STORE_LINK_COPY, NULL) ==
                MODEL_OK)
            any = rename(fresh, path) == 0 || any;
        free(fresh);
        free(path);
    }
    manifest_finish(&manifest);
    if (any)
        store_stamp_remove(healing->store, target);
    return MODEL_OK;
}

void store_heal_packages(const struct store *store, const char *blob, const char *sha256,
                         const struct stat *damaged)
{
    struct healing healing = {.store = store,
                              .blob = blob,
                              .sha256 = sha256,
                              .device = damaged->st_dev,
                              .inode = damaged->st_ino};
    if (damaged->st_nlink < 2 || store_make_staging(store, &healing.staging, NULL) != MODEL_OK)
        return;
    (void)store_walk_packages(store, heal, &healing, NULL);
    store_end_staging(store, healing.staging);
}
