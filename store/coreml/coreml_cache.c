/* coreml_cache.c - see coreml_cache.h. The time of a folder's last change is that of the entry's last use. */
#include "coreml_cache.h"
#include "buffer.h"
#include "digest.h"
#include "errors.h"
#include "files.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMPILED_NAME "model.mlmodelc"
#define MAX_DEPTH     32
#define MAX_FILES     100000
#define KEY_VERSION   "compiled model 1"

#ifdef __APPLE__
#define MTIME st_mtimespec
#else
#define MTIME st_mtim
#endif

/* ---- walking folders: a file or folder below a path, never through a link */

struct walk {
    /* Once for each file and folder; `name` is its path below the start. */
    model_status (*visit)(struct walk *walk, const char *path, const char *name,
                          const struct stat *info, struct model_error *err);
    size_t n_visited;
    struct digest *digest; /* of what is visited, or NULL */
    uint64_t size_bytes;
};

static model_status walk_entry(struct walk *walk, const char *path, const char *name,
                               unsigned depth, struct model_error *err);

static model_status walk_folder(struct walk *walk, const char *path, const char *name,
                                unsigned depth, struct model_error *err)
{
    struct dir_list list = {0};
    model_status status = dir_read(path, &list, err);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *child = path_join(path, list.names[i]);
        char *child_name =
            name[0] != '\0' ? path_join(name, list.names[i]) : text_format("%s", list.names[i]);
        status = child != NULL && child_name != NULL
                     ? walk_entry(walk, child, child_name, depth + 1, err)
                     : error_no_memory(err, path);
        free(child);
        free(child_name);
    }
    dir_list_finish(&list);
    return status;
}

static model_status walk_entry(struct walk *walk, const char *path, const char *name,
                               unsigned depth, struct model_error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return error_set_errno(err, errno, "cannot look at %s", path);
    if (depth > MAX_DEPTH || ++walk->n_visited > MAX_FILES)
        return error_set(err, MODEL_CORRUPT, "%s: want at most %d files and %d folders deep", path,
                         MAX_FILES, MAX_DEPTH);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return error_set(err, MODEL_CORRUPT, "%s is neither a file nor a folder", path);
    model_status status = walk->visit(walk, path, name, &info, err);
    return status == MODEL_OK && S_ISDIR(info.st_mode) ? walk_folder(walk, path, name, depth, err)
                                                       : status;
}

/* ---- keys */

/* With the terminator, so that two texts are never one. */
static void add_text(struct digest *digest, const char *text)
{
    text = text != NULL ? text : "";
    digest_update(digest, text, strlen(text) + 1);
}

static model_status add_to_digest(struct walk *walk, const char *path, const char *name,
                                  const struct stat *info, struct model_error *err)
{
    char content[SHA256_HEX_BYTES] = "folder";
    uint64_t size_bytes = 0;
    if (S_ISREG(info->st_mode)) {
        const model_status status = digest_file_sha256(path, content, &size_bytes, err);
        if (status != MODEL_OK)
            return status;
    }
    add_text(walk->digest, name);
    add_text(walk->digest, content);
    return MODEL_OK;
}

model_status coreml_cache_key(const char *model_path, const struct coreml_cache_facts *facts,
                              char ret[COREML_CACHE_KEY_BYTES], struct model_error *err)
{
    const char *const texts[] = {KEY_VERSION,  facts->platform,  facts->os_build,
                                 facts->units, facts->precision, facts->shapes};
    struct walk walk = {.visit = add_to_digest};
    model_status status = digest_create_sha256(&walk.digest, err);
    if (status != MODEL_OK)
        return status;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add_text(walk.digest, texts[i]);
    status = walk_entry(&walk, model_path, "", 0, err);
    if (status == MODEL_OK)
        digest_finish_hex(walk.digest, ret);
    else
        digest_destroy(walk.digest);
    return status;
}

/* ---- entries */

struct entry {
    char *path;
    struct timespec used;
    uint64_t size_bytes;
};

static model_status add_size(struct walk *walk, const char *path, const char *name,
                             const struct stat *info, struct model_error *err)
{
    (void)path;
    (void)name;
    (void)err;
    walk->size_bytes += S_ISREG(info->st_mode) ? (uint64_t)info->st_size : 0;
    return MODEL_OK;
}

static bool is_ours(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool is_key(const char *name)
{
    return strspn(name, "0123456789abcdef") == COREML_CACHE_KEY_BYTES - 1 &&
           name[COREML_CACHE_KEY_BYTES - 1] == '\0';
}

static int by_last_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct entry *)a)->used;
    const struct timespec *y = &((const struct entry *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* False: it is no entry, or cannot be looked at. */
static bool read_entry(const char *folder, const char *name, struct entry *ret)
{
    struct walk walk = {.visit = add_size};
    struct stat info;
    char *path = is_key(name) ? path_join(folder, name) : NULL;
    if (path == NULL || lstat(path, &info) != 0 ||
        walk_entry(&walk, path, "", 0, NULL) != MODEL_OK) {
        free(path);
        return false;
    }
    *ret = (struct entry){path, info.MTIME, walk.size_bytes};
    return true;
}

/* Least recently used first, but for the one at `stays`. What cannot be removed is left: the next run tries again. */
static void evict(const struct coreml_cache *cache, const char *stays)
{
    const uint64_t bound = cache->max_bytes > 0 ? cache->max_bytes : COREML_CACHE_DEFAULT_BYTES;
    struct dir_list list = {0};
    if (dir_read(cache->folder, &list, NULL) != MODEL_OK)
        return;
    struct entry *entries = calloc(list.n_names + 1, sizeof *entries);
    size_t n = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < list.n_names && entries != NULL; i++)
        if (read_entry(cache->folder, list.names[i], &entries[n]))
            total += entries[n++].size_bytes;
    if (n > 1)
        qsort(entries, n, sizeof *entries, by_last_use);
    for (size_t i = 0; i < n; i++) {
        if (total > bound && strcmp(entries[i].path, stays) != 0 &&
            dir_remove_all(entries[i].path, NULL) == MODEL_OK)
            total -= entries[i].size_bytes;
        free(entries[i].path);
    }
    free(entries);
    dir_list_finish(&list);
}

/* Into a folder beside the entry. When another process was faster, its entry is as good. */
static model_status make_entry(const char *entry, coreml_compile_fn *compile, void *context,
                               struct model_error *err)
{
    struct scratch scratch = SCRATCH_NONE;
    scratch_sweep(entry);
    model_status status = scratch_folder(entry, &scratch, err);
    if (status != MODEL_OK)
        return status;
    char *target = path_join(scratch.path, COMPILED_NAME);
    status = target != NULL ? compile(context, target, err) : error_no_memory(err, entry);
    if (status == MODEL_OK && !path_is_dir(target))
        status = error_set(err, MODEL_INTERNAL, "compiling left no folder %s", target);
    /* a worker may not change permissions, and makes what it makes for its owner alone */
    if (status == MODEL_OK && chmod(scratch.path, 0700) != 0 && !is_ours(scratch.path))
        status = error_set_errno(err, errno, "cannot set the permissions of %s", scratch.path);
    if (status == MODEL_OK) {
        status = scratch_publish(&scratch, entry, err);
        if (status != MODEL_OK && is_ours(entry))
            status = MODEL_OK;
    }
    scratch_discard(&scratch);
    free(target);
    return status;
}

model_status coreml_cache_get(const struct coreml_cache *cache, const char *key,
                              coreml_compile_fn *compile, void *context, char **ret_path,
                              bool *ret_was_there, struct model_error *err)
{
    if (!is_key(key))
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%.80s' is no key of a compiled model", key);
    model_status status = dir_make_private(cache->folder, err);
    if (status != MODEL_OK)
        return status;
    char *entry = path_join(cache->folder, key);
    char *path = entry != NULL ? path_join(entry, COMPILED_NAME) : NULL;
    if (path == NULL) {
        status = error_no_memory(err, cache->folder);
        goto end;
    }
    const bool was_there = is_ours(entry) && is_ours(path);
    if (was_there)
        (void)utimensat(AT_FDCWD, entry, NULL, AT_SYMLINK_NOFOLLOW); /* the mark of use */
    else {
        status = dir_remove_all(entry, err); /* somebody else's, or half of one */
        if (status == MODEL_OK)
            status = make_entry(entry, compile, context, err);
        if (status != MODEL_OK)
            goto end;
        evict(cache, entry);
    }
    if (ret_was_there != NULL)
        *ret_was_there = was_there;
    *ret_path = path;
    path = NULL;
end:
    free(entry);
    free(path);
    return status;
}

model_status coreml_cache_remove(const struct coreml_cache *cache, const char *key,
                                 struct model_error *err)
{
    if (!is_key(key))
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%.80s' is no key of a compiled model", key);
    char *entry = path_join(cache->folder, key);
    model_status status =
        entry != NULL ? dir_remove_all(entry, err) : error_no_memory(err, cache->folder);
    free(entry);
    return status;
}

model_status coreml_compiled_remove(const char *path, struct model_error *err)
{
    static const char ending[] = ".mlmodelc";
    const size_t n = strlen(path), n_ending = sizeof ending - 1;
    if (n <= n_ending || strcmp(path + n - n_ending, ending) != 0)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%.300s is no compiled model, which ends in %s, and stays", path, ending);
    return dir_remove_all(path, err);
}
