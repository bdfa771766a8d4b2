/* store_free_blobs.c - frees the blobs of packages that were removed, but for those that another package uses; see
 * store_paths.h. Any thread, any process. */
#include "errors.h"
#include "files.h"
#include "store_folder.h"
#include "store_paths.h"
#include "store_unseen.h"
#include "string_map.h"

#include <stdlib.h>
#include <sys/stat.h>

struct freeing {
    const struct store *store;
    char *note; /* why blobs were kept; NULL: they were not */
    struct model_error *err;
};

static model_status no_memory(const struct freeing *freeing)
{
    return error_no_memory(freeing->err, "removing a package");
}

/* Says, once, why no blob may be removed. */
static model_status keep_blobs(struct freeing *freeing, const char *why)
{
    if (freeing->note == NULL)
        freeing->note =
            text_format("no files were freed, since another package may use them: %s", why);
    return freeing->note != NULL ? MODEL_OK : no_memory(freeing);
}

/* Marks the candidates that the package in `dir` uses. What a package uses whose manifest cannot be
 * read is unknown: all blobs stay then. */
static model_status mark_used(struct freeing *freeing, const char *dir,
                              const struct string_map *candidates, bool *used)
{
    struct manifest manifest = {0};
    struct model_error why = MODEL_ERROR_INIT;
    model_status status = manifest_read(dir, &manifest, &why);
    if (status == MODEL_NOT_FOUND)
        return MODEL_OK; /* a folder without metadata.json is no package */
    if (status != MODEL_OK)
        return keep_blobs(freeing, why.message);
    for (size_t i = 0; i < manifest.n_files; i++) {
        int64_t found = string_map_find(candidates, manifest.files[i].sha256, SHA256_HEX_BYTES - 1);
        if (found >= 0)
            used[found] = true;
    }
    manifest_finish(&manifest);
    return MODEL_OK;
}

/* The packages of one key; `folder` is packages/<key>. */
static model_status mark_key(struct freeing *freeing, const char *folder,
                             const struct string_map *candidates, bool *used)
{
    struct dir_list digests = {0};
    struct model_error why = MODEL_ERROR_INIT;
    model_status status = dir_read(folder, &digests, &why);
    if (status != MODEL_OK)
        return status == MODEL_NOT_FOUND ? MODEL_OK : keep_blobs(freeing, why.message);
    for (size_t i = 0; i < digests.n_names && status == MODEL_OK; i++) {
        char *dir = path_join(folder, digests.names[i]);
        status = dir != NULL ? mark_used(freeing, dir, candidates, used) : no_memory(freeing);
        free(dir);
    }
    dir_list_finish(&digests);
    return status;
}

static model_status mark_all_used(struct freeing *freeing, const struct string_map *candidates,
                                  bool *used)
{
    struct dir_list keys = {0};
    char *packages = path_join(freeing->store->dir, "packages");
    model_status status =
        packages != NULL ? dir_read(packages, &keys, freeing->err) : no_memory(freeing);
    for (size_t i = 0; i < keys.n_names && status == MODEL_OK; i++) {
        char *folder = path_join(packages, keys.names[i]);
        status = folder != NULL ? mark_key(freeing, folder, candidates, used) : no_memory(freeing);
        free(folder);
    }
    dir_list_finish(&keys);
    free(packages);
    char *unseen = NULL;
    if (status == MODEL_OK)
        status = store_find_unseen(freeing->store, &unseen, freeing->err);
    if (status == MODEL_OK && unseen != NULL)
        status = keep_blobs(freeing, unseen);
    free(unseen);
    return status;
}

/* A blob with a further hard link is being used by someone right now; gc looks at it again. */
static uint64_t remove_blob(const struct store *store, const char *sha256)
{
    char *path = store_blob_path(store, sha256), *folder = store_blob_folder(sha256);
    struct stat info;
    uint64_t freed = 0;
    if (path != NULL && folder != NULL && lstat(path, &info) == 0 && info.st_nlink == 1 &&
        store_folder_unlink(store, folder, sha256))
        freed = (uint64_t)info.st_size;
    free(folder);
    free(path);
    return freed;
}

model_status store_free_blobs(const struct store *store, const struct manifest *manifests,
                              size_t n_manifests, char **ret_note, uint64_t *ret_freed_bytes,
                              struct model_error *err)
{
    struct freeing freeing = {.store = store, .err = err};
    struct string_map candidates;
    const struct string_map_slot *slot = NULL;
    size_t n = 0;
    for (size_t i = 0; i < n_manifests; i++)
        n += manifests[i].n_files;
    bool *used = calloc(n + 1, sizeof *used);
    model_status status = string_map_init(&candidates, n) == MODEL_OK && used != NULL
                              ? MODEL_OK
                              : no_memory(&freeing);
    uint32_t number = 0;
    for (size_t i = 0; i < n_manifests && status == MODEL_OK; i++)
        for (size_t j = 0; j < manifests[i].n_files; j++)
            if (string_map_add(&candidates, manifests[i].files[j].sha256, SHA256_HEX_BYTES - 1,
                               number) == MODEL_OK)
                number++;
    if (status == MODEL_OK)
        status = mark_all_used(&freeing, &candidates, used);
    while (status == MODEL_OK && freeing.note == NULL &&
           (slot = string_map_next(&candidates, slot)) != NULL)
        if (!used[slot->value])
            *ret_freed_bytes += remove_blob(store, slot->key);
    string_map_finish(&candidates);
    free(used);
    if (freeing.note != NULL)
        *ret_note = freeing.note;
    return status;
}
