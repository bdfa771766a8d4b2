/* pull_trim.c - see pull_trim.h. A blob is as old as its last use, or as its coming. */
#include "pull_trim.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <sys/stat.h>

struct kept {
    const char *name; /* the list's */
    uint64_t size_bytes;
    int64_t used_s;
};

static int compare_used(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

/* Fills the entries with those of the names that are files; how many they are. */
static size_t look_at(const struct pull_cache *cache, const struct dir_list *list,
                      struct kept *entries, uint64_t *ret_total_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n_names; i++) {
        struct stat info;
        const char *name = list->names[i];
        char *path = pull_cache_blob_path(cache, name);
        if (path != NULL && lstat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            const int64_t used_s = pull_cache_used_s(cache, name), came_s = info.st_mtime;
            entries[n++] =
                (struct kept){name, (uint64_t)info.st_size, used_s > came_s ? used_s : came_s};
            *ret_total_bytes += (uint64_t)info.st_size;
        }
        free(path);
    }
    return n;
}

model_status pull_trim(const struct pull_cache *cache, uint64_t limit_bytes, int64_t now_s,
                       uint64_t *ret_removed_bytes, struct model_error *err)
{
    struct dir_list list = {0};
    uint64_t total_bytes = 0, removed_bytes = 0;
    model_status status = dir_read(pull_cache_blobs(cache), &list, err);
    if (status != MODEL_OK)
        return status;
    struct kept *entries = calloc(list.n_names + 1, sizeof *entries);
    size_t n = entries != NULL ? look_at(cache, &list, entries, &total_bytes) : 0;
    if (entries == NULL)
        status = error_no_memory(err, "a list of files");
    else
        qsort(entries, n, sizeof *entries, compare_used);
    for (size_t i = 0; i < n && total_bytes - removed_bytes > limit_bytes; i++) {
        if (now_s - entries[i].used_s < PULL_TRIM_YOUNG_S)
            break;
        pull_cache_forget(cache, entries[i].name);
        removed_bytes += entries[i].size_bytes;
    }
    free(entries);
    dir_list_finish(&list);
    if (status == MODEL_OK)
        *ret_removed_bytes = removed_bytes;
    return status;
}
