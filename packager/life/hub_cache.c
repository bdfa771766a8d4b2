/* hub_cache.c - see hub_cache.h: where the cache is, and taking from it. */
#include "hub_cache.h"
#include "environment.h"
#include "errors.h"
#include "file_digests.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

model_status hub_cache_dir(char **ret, struct model_error *err)
{
    /* The first that is set decides. */
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"HF_HUB_CACHE", ""},
        {"HUGGINGFACE_HUB_CACHE", ""},
        {"HF_HOME", "/hub"},
        {"XDG_CACHE_HOME", "/huggingface/hub"},
        {"HOME", "/.cache/huggingface/hub"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *value = environment_value(places[i].variable);
        if (value == NULL)
            continue;
        char *path = text_format("%s%s", value, places[i].below);
        if (path == NULL)
            return error_no_memory(err, "the hub cache's path");
        *ret = path;
        return MODEL_OK;
    }
    *ret = NULL;
    return MODEL_OK;
}

model_status hub_cache_repository(const char *cache_dir, const char *id, char **ret,
                                  struct model_error *err)
{
    char *key = NULL;
    model_status status = store_key_of(id, &key, err);
    if (status != MODEL_OK)
        return status;
    char *path = text_format("%s/models--%s", cache_dir, key);
    free(key);
    if (path == NULL)
        return error_no_memory(err, "the hub cache's path");
    *ret = path;
    return MODEL_OK;
}

/* Whether there is a regular file of that size: links are not followed. */
static bool has_candidate(const char *path, uint64_t size_bytes)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == size_bytes;
}

static bool fits(const struct file_digests *found, const struct hub_digest *digest,
                 uint64_t size_bytes)
{
    const char *hex = digest->kind == HUB_DIGEST_SHA256 ? found->sha256 : found->git_blob;
    return found->size_bytes == size_bytes && strcmp(hex, digest->hex) == 0;
}

/* Takes a hold of the file first, then hashes what it holds: nobody can exchange it in between. */
static model_status take(const struct store *store, const char *blob, bool may_link,
                         const struct hub_digest *digest, uint64_t size_bytes,
                         char ret_sha256[SHA256_HEX_BYTES], bool *ret_found,
                         struct model_error *err)
{
    struct file_digests digests;
    char *staging = NULL, *copy = NULL;
    const unsigned wanted =
        FILE_SHA256 | (digest->kind == HUB_DIGEST_GIT_BLOB ? FILE_GIT_BLOB : 0u);
    model_status status = store_make_staging(store, &staging, err);
    if (status == MODEL_OK && (copy = path_join(staging, "cached")) == NULL)
        status = error_no_memory(err, "a path");
    bool good = status == MODEL_OK && store_share_file(blob, copy, may_link, NULL) == MODEL_OK &&
                file_digests_read(copy, wanted, &digests, NULL) == MODEL_OK &&
                fits(&digests, digest, size_bytes);
    if (good)
        status = store_add_blob(store, copy, digests.sha256, err);
    store_end_staging(store, staging);
    free(copy);
    if (status != MODEL_OK)
        return status;
    if (good)
        memcpy(ret_sha256, digests.sha256, SHA256_HEX_BYTES);
    *ret_found = good;
    return MODEL_OK;
}

model_status hub_cache_take_file(const char *file, bool may_link, const struct hub_digest *digest,
                                 uint64_t size_bytes, const struct store *store,
                                 char ret_sha256[SHA256_HEX_BYTES], bool *ret_found,
                                 struct model_error *err)
{
    *ret_found = false;
    if (digest->kind == HUB_DIGEST_NONE || !has_candidate(file, size_bytes))
        return MODEL_OK;
    return take(store, file, may_link, digest, size_bytes, ret_sha256, ret_found, err);
}

model_status hub_cache_take(const char *cache_dir, const char *id, const struct hub_digest *digest,
                            uint64_t size_bytes, const struct store *store,
                            char ret_sha256[SHA256_HEX_BYTES], bool *ret_found,
                            struct model_error *err)
{
    char *repository = NULL;
    *ret_found = false;
    if (digest->kind == HUB_DIGEST_NONE)
        return MODEL_OK;
    model_status status = hub_cache_repository(cache_dir, id, &repository, err);
    if (status != MODEL_OK)
        return status;
    char *blob = text_format("%s/blobs/%s", repository, digest->hex);
    free(repository);
    if (blob == NULL)
        return error_no_memory(err, "the hub cache's path");
    status = hub_cache_take_file(blob, true, digest, size_bytes, store, ret_sha256, ret_found, err);
    free(blob);
    return status;
}
