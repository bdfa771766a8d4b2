/* pull_cache.c - see pull_cache.h. */
#include "pull_cache.h"
#include "errors.h"
#include "files.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_REF_BYTES      400
#define MAX_REVISION_BYTES 200 /* escaped: a file's name */

struct pull_cache {
    char *dir, *blobs, *used, *tmp;
};

void pull_cache_destroy(struct pull_cache *cache)
{
    if (cache == NULL)
        return;
    free(cache->dir);
    free(cache->blobs);
    free(cache->used);
    free(cache->tmp);
    free(cache);
}

/* What a killed process left. Another mirror on the same folder loses what it is fetching, and fetches
 * it again. */
static void empty(const char *dir)
{
    struct dir_list list = {0};
    if (dir_read(dir, &list, NULL) != MODEL_OK)
        return;
    for (size_t i = 0; i < list.n_names; i++) {
        char *path = path_join(dir, list.names[i]);
        if (path != NULL)
            (void)unlink(path);
        free(path);
    }
    dir_list_finish(&list);
}

model_status pull_cache_create(const char *root, struct pull_cache **ret, struct model_error *err)
{
    struct pull_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return error_no_memory(err, "a cache");
    cache->dir = path_join(root, ".pulled");
    cache->blobs = cache->dir != NULL ? path_join(cache->dir, "blobs") : NULL;
    cache->used = cache->dir != NULL ? path_join(cache->dir, "used") : NULL;
    cache->tmp = cache->dir != NULL ? path_join(cache->dir, "tmp") : NULL;
    model_status status = cache->blobs != NULL && cache->used != NULL && cache->tmp != NULL
                              ? dir_make_all(cache->blobs, err)
                              : error_no_memory(err, "a cache");
    if (status == MODEL_OK)
        status = dir_make_all(cache->used, err);
    if (status == MODEL_OK)
        status = dir_make_all(cache->tmp, err);
    if (status != MODEL_OK) {
        pull_cache_destroy(cache);
        return status;
    }
    empty(cache->tmp);
    *ret = cache;
    return MODEL_OK;
}

const char *pull_cache_blobs(const struct pull_cache *cache)
{
    return cache->blobs;
}

/* ---- blobs */

char *pull_cache_blob_path(const struct pull_cache *cache, const char *digest)
{
    return path_join(cache->blobs, digest);
}

char *pull_cache_place(const char *root, const char *digest)
{
    return text_format("%s/.pulled/blobs/%s", root, digest);
}

/* Not the blob's own time: a file whose time changes while it is sent is taken for another one. */
void pull_cache_use(const struct pull_cache *cache, const char *digest)
{
    char *path = path_join(cache->used, digest);
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644) : -1;
    if (fd >= 0) {
        (void)futimens(fd, NULL);
        (void)close(fd);
    }
    free(path);
}

int64_t pull_cache_used_s(const struct pull_cache *cache, const char *digest)
{
    struct stat info;
    char *path = path_join(cache->used, digest);
    int64_t used_s = path != NULL && lstat(path, &info) == 0 ? info.st_mtime : 0;
    free(path);
    return used_s;
}

static void remove_below(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    if (path != NULL)
        (void)unlink(path);
    free(path);
}

void pull_cache_forget(const struct pull_cache *cache, const char *digest)
{
    remove_below(cache->blobs, digest);
    remove_below(cache->used, digest);
}

bool pull_cache_has_blob(const struct pull_cache *cache, const char *digest, uint64_t size_bytes)
{
    struct stat info;
    char *path = pull_cache_blob_path(cache, digest);
    bool is_there = path != NULL && lstat(path, &info) == 0 && S_ISREG(info.st_mode) &&
                    (uint64_t)info.st_size == size_bytes;
    free(path);
    return is_there;
}

model_status pull_cache_make_part(const struct pull_cache *cache, int *ret_fd, char **ret_path,
                                  struct model_error *err)
{
    char *path = path_join(cache->tmp, "part-XXXXXX");
    if (path == NULL)
        return error_no_memory(err, "a path");
    int fd = mkstemp(path);
    if (fd < 0) {
        model_status status = error_set_errno(err, errno, "cannot write into %.400s", cache->tmp);
        free(path);
        return status;
    }
    *ret_fd = fd;
    *ret_path = path;
    return MODEL_OK;
}

model_status pull_cache_keep(const struct pull_cache *cache, const char *part_path,
                             const char *digest, struct model_error *err)
{
    char *path = pull_cache_blob_path(cache, digest);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = MODEL_OK;
    if (chmod(part_path, 0444) != 0 || rename(part_path, path) != 0)
        status = error_set_errno(err, errno, "cannot keep %.400s", path);
    if (status == MODEL_OK)
        status = dir_sync(cache->blobs, err);
    free(path);
    return status;
}

/* ---- records and refs */

/* "<dir>/<ns>--<name>/<below>" */
static model_status record_path(const struct pull_cache *cache, const char *id, const char *below,
                                const char *ending, char **ret, struct model_error *err)
{
    char *key = NULL;
    model_status status = store_key_of(id, &key, err);
    if (status != MODEL_OK)
        return status;
    char *path = text_format("%s/%s/%s%s", cache->dir, key, below, ending);
    free(key);
    if (path == NULL)
        return error_no_memory(err, "a path");
    *ret = path;
    return MODEL_OK;
}

static model_status ref_path(const struct pull_cache *cache, const char *id, const char *revision,
                             char **ret, struct model_error *err)
{
    struct buffer below = BUFFER_INIT(5 + MAX_REVISION_BYTES);
    model_status status = buffer_append_text(&below, "refs/");
    if (status == MODEL_OK)
        status = hub_url_escape(&below, revision, false);
    if (status != MODEL_OK || below.size == 5)
        status = error_set(err, MODEL_NOT_FOUND, "no revision has a name like that");
    else if (strcmp(below.data, "refs/.") == 0 || strcmp(below.data, "refs/..") == 0)
        status = error_set(err, MODEL_NOT_FOUND, "no revision has a name like that");
    else
        status = record_path(cache, id, below.data, "", ret, err);
    buffer_finish(&below);
    return status;
}

static model_status read_record(const struct pull_cache *cache, const char *id, const char *commit,
                                struct pull_record *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(PULL_MAX_RECORD_BYTES);
    char *path = NULL;
    model_status status = record_path(cache, id, commit, ".json", &path, err);
    if (status == MODEL_OK)
        status = file_read(path, PULL_MAX_RECORD_BYTES, &text, err);
    if (status == MODEL_OK)
        status = pull_record_parse(text.data != NULL ? text.data : "", text.size, path, ret, err);
    buffer_finish(&text);
    free(path);
    return status;
}

model_status pull_cache_read(const struct pull_cache *cache, const char *id, const char *revision,
                             struct pull_record *ret, struct model_error *err)
{
    if (hub_is_hex(revision, 40))
        return read_record(cache, id, revision, ret, err);
    struct buffer text = BUFFER_INIT(MAX_REF_BYTES);
    char *path = NULL;
    model_status status = ref_path(cache, id, revision, &path, err);
    if (status == MODEL_OK)
        status = file_read(path, MAX_REF_BYTES, &text, err);
    char *space = text.data != NULL ? strchr(text.data, ' ') : NULL;
    if (status == MODEL_OK && (space == NULL || !hub_is_hex(space + 1, 40)))
        status = error_set(err, MODEL_CORRUPT, "%.400s: no id and commit in it; remove it", path);
    if (status == MODEL_OK) {
        *space = '\0';
        status = read_record(cache, text.data, space + 1, ret, err);
    }
    buffer_finish(&text);
    free(path);
    return status;
}

bool pull_cache_has(const struct pull_cache *cache, const char *id, const char *commit)
{
    char *path = NULL;
    bool is_there =
        record_path(cache, id, commit, ".json", &path, NULL) == MODEL_OK && path_is_file(path);
    free(path);
    return is_there;
}

static model_status write_text(char *path, const char *text, struct model_error *err)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    model_status status = dir_make_all(path, err);
    *slash = '/';
    return status == MODEL_OK ? file_write_atomic(path, text, strlen(text), err) : status;
}

model_status pull_cache_write(const struct pull_cache *cache, const char *id, const char *revision,
                              const struct pull_record *record, struct model_error *err)
{
    const struct hub_model *model = &record->model;
    char *path = NULL, *text = NULL;
    model_status status = MODEL_OK;
    if (!pull_cache_has(cache, model->id, model->commit)) {
        status = record_path(cache, model->id, model->commit, ".json", &path, err);
        text = pull_record_print(record);
        if (status == MODEL_OK)
            status = text != NULL ? write_text(path, text, err) : error_no_memory(err, "a record");
    }
    free(path);
    free(text);
    path = text = NULL;
    if (status == MODEL_OK && !hub_is_hex(revision, 40)) {
        status = ref_path(cache, id, revision, &path, err);
        text = text_format("%s %s", model->id, model->commit);
        if (status == MODEL_OK)
            status = text != NULL ? write_text(path, text, err) : error_no_memory(err, "a record");
    }
    free(path);
    free(text);
    return status;
}
