/* store_remove.c - removing a package, and the blobs that nothing uses any more; see store_remove() in
 * store.h. First the refs go, then the package is moved into tmp/ by one rename, so that readers see
 * all of it or nothing, then the blobs. An install of the same content at the same time may find a
 * blob gone; it fails then and says so. Any thread, any process. */
#include "errors.h"
#include "store_paths.h"
#include "string_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct removal {
    const struct store *store;
    char *key;
    char *staging;              /* what is removed is moved here first */
    struct manifest *manifests; /* (n_manifests) of the packages that were moved */
    size_t n_manifests;
    struct model_error *err;
};

static model_status no_memory(const struct removal *removal)
{
    return error_no_memory(removal->err, "removing a package");
}

/* ---- refs */

static model_status remove_refs(const struct removal *removal, const char *target)
{
    struct store_refs refs = {0};
    model_status status = store_refs_read(removal->store, &refs, removal->err);
    for (size_t i = 0; i < refs.n_refs; i++) {
        if (strcmp(refs.refs[i].target, target) != 0)
            continue;
        (void)unlink(refs.refs[i].path);
        char *folder = text_format("%s/refs/%s", removal->store->dir, refs.refs[i].key);
        if (folder != NULL)
            (void)rmdir(folder); /* when it is empty now */
        free(folder);
    }
    store_refs_finish(&refs);
    return status;
}

static bool has_ref(const struct store_refs *refs, const char *target)
{
    for (size_t i = 0; i < refs->n_refs; i++)
        if (strcmp(refs->refs[i].target, target) == 0)
            return true;
    return false;
}

/* ---- packages */

static model_status move_away(struct removal *removal, const char *target)
{
    char *dir = text_format("%s/packages/%s", removal->store->dir, target);
    char *aside = text_format("%s/%zu", removal->staging, removal->n_manifests);
    void *larger =
        realloc(removal->manifests, (removal->n_manifests + 1) * sizeof *removal->manifests);
    model_status status =
        dir != NULL && aside != NULL && larger != NULL ? MODEL_OK : no_memory(removal);
    if (larger != NULL)
        removal->manifests = larger;
    if (status == MODEL_OK)
        status = manifest_read(dir, &removal->manifests[removal->n_manifests], removal->err);
    if (status == MODEL_OK) {
        removal->n_manifests++;
        if (rename(dir, aside) != 0)
            status = error_set(removal->err, MODEL_IO, "cannot remove package %s", dir);
    }
    free(aside);
    free(dir);
    return status;
}

/* A package that was replaced by one of the same commit (a plugin was installed into it) has no ref
 * any more; it goes with its successor. */
static model_status move_superseded(struct removal *removal)
{
    char *folder = text_format("%s/packages/%s", removal->store->dir, removal->key);
    struct store_refs refs = {0};
    struct dir_list list = {0};
    if (folder == NULL)
        return no_memory(removal);
    model_status status = store_refs_read(removal->store, &refs, removal->err);
    if (status == MODEL_OK && dir_read(folder, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        struct manifest other = {0};
        char *target = text_format("%s/%s", removal->key, list.names[i]);
        char *dir = path_join(folder, list.names[i]);
        if (target == NULL || dir == NULL)
            status = no_memory(removal);
        else if (!has_ref(&refs, target) && manifest_read(dir, &other, NULL) == MODEL_OK &&
                 strcmp(other.revision, removal->manifests[0].revision) == 0)
            status = move_away(removal, target);
        manifest_finish(&other);
        free(dir);
        free(target);
    }
    (void)rmdir(folder); /* when it is empty now */
    dir_list_finish(&list);
    store_refs_finish(&refs);
    free(folder);
    return status;
}

/* ---- blobs */

/* Marks the candidates that the package in `dir` uses. */
static void mark_used(const char *dir, const struct string_map *candidates, bool *used)
{
    struct manifest manifest = {0};
    if (manifest_read(dir, &manifest, NULL) != MODEL_OK)
        return;
    for (size_t i = 0; i < manifest.n_files; i++) {
        int64_t found = string_map_find(candidates, manifest.files[i].sha256, SHA256_HEX_BYTES - 1);
        if (found >= 0)
            used[found] = true;
    }
    manifest_finish(&manifest);
}

static model_status mark_all_used(const struct removal *removal,
                                  const struct string_map *candidates, bool *used)
{
    struct dir_list keys = {0};
    char *packages = path_join(removal->store->dir, "packages");
    model_status status =
        packages != NULL ? dir_read(packages, &keys, removal->err) : no_memory(removal);
    for (size_t i = 0; i < keys.n_names && status == MODEL_OK; i++) {
        struct dir_list digests = {0};
        char *folder = path_join(packages, keys.names[i]);
        if (folder == NULL)
            status = no_memory(removal);
        else if (dir_read(folder, &digests, NULL) != MODEL_OK)
            digests = (struct dir_list){0};
        for (size_t j = 0; j < digests.n_names && status == MODEL_OK; j++) {
            char *dir = path_join(folder, digests.names[j]);
            if (dir != NULL)
                mark_used(dir, candidates, used);
            else
                status = no_memory(removal);
            free(dir);
        }
        dir_list_finish(&digests);
        free(folder);
    }
    dir_list_finish(&keys);
    free(packages);
    return status;
}

/* A blob with a further hard link is being used by someone right now; gc looks at it again. */
static uint64_t remove_blob(const struct store *store, const char *sha256)
{
    char *path = store_blob_path(store, sha256);
    struct stat info;
    uint64_t freed = 0;
    if (path != NULL && lstat(path, &info) == 0 && info.st_nlink == 1 && unlink(path) == 0)
        freed = (uint64_t)info.st_size;
    free(path);
    return freed;
}

static model_status remove_blobs(const struct removal *removal, uint64_t *ret_freed_bytes)
{
    struct string_map candidates;
    size_t n = 0;
    for (size_t i = 0; i < removal->n_manifests; i++)
        n += removal->manifests[i].n_files;
    bool *used = calloc(n + 1, sizeof *used);
    model_status status =
        string_map_init(&candidates, n) == MODEL_OK && used != NULL ? MODEL_OK : no_memory(removal);
    uint32_t number = 0;
    for (size_t i = 0; i < removal->n_manifests && status == MODEL_OK; i++)
        for (size_t j = 0; j < removal->manifests[i].n_files; j++)
            if (string_map_add(&candidates, removal->manifests[i].files[j].sha256,
                               SHA256_HEX_BYTES - 1, number) == MODEL_OK)
                number++;
    if (status == MODEL_OK)
        status = mark_all_used(removal, &candidates, used);
    for (size_t i = 0; i < candidates.capacity && status == MODEL_OK; i++) {
        const struct string_map_slot *slot = &candidates.slots[i];
        if (slot->key != NULL && !used[slot->value])
            *ret_freed_bytes += remove_blob(removal->store, slot->key);
    }
    string_map_finish(&candidates);
    free(used);
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
        status = remove_refs(removal, target);
    if (status == MODEL_OK)
        status = move_away(removal, target);
    if (status == MODEL_OK)
        status = move_superseded(removal);
    if (status == MODEL_OK)
        status = dir_remove_all(removal->staging, removal->err);
    return status == MODEL_OK ? remove_blobs(removal, ret_freed_bytes) : status;
}

model_status store_remove(const struct store *store, const char *name, uint64_t *ret_freed_bytes,
                          struct model_error *err)
{
    char *target = NULL;
    model_status status = store_find_target(store, name, &target, err);
    if (status != MODEL_OK)
        return status;
    struct removal removal = {.store = store, .err = err};
    uint64_t freed_bytes = 0;
    status = remove_target(&removal, target, &freed_bytes);
    if (removal.staging != NULL)
        (void)dir_remove_all(removal.staging, NULL);
    for (size_t i = 0; i < removal.n_manifests; i++)
        manifest_finish(&removal.manifests[i]);
    free(removal.manifests);
    free(removal.staging);
    free(removal.key);
    free(target);
    if (status == MODEL_OK && ret_freed_bytes != NULL)
        *ret_freed_bytes = freed_bytes;
    return status;
}
