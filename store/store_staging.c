/* store_staging.c - folders for work in progress, below <store>/tmp; see store_make_staging() in
 * store.h. A process that was killed leaves its folder; whoever makes the next one removes those that
 * nothing was written to for a day. Any thread, any process. */
#include "errors.h"
#include "store_paths.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define STALE_AFTER_S (24 * 60 * 60)

/* When something was last written here or below. A folder's own time stands still while a large file
 * in it grows. */
static time_t last_written(const char *path)
{
    struct stat info;
    struct dir_list list = {0};
    if (lstat(path, &info) != 0)
        return 0;
    time_t last = info.st_mtime;
    if (!S_ISDIR(info.st_mode) || dir_read(path, &list, NULL) != MODEL_OK)
        return last;
    for (size_t i = 0; i < list.n_names; i++) {
        char *child = path_join(path, list.names[i]);
        time_t written = child != NULL ? last_written(child) : 0;
        if (written > last)
            last = written;
        free(child);
    }
    dir_list_finish(&list);
    return last;
}

void store_clean_staging(const struct store *store, time_t now)
{
    struct dir_list list = {0};
    char *parent = path_join(store->dir, "tmp");
    if (parent == NULL || dir_read(parent, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    for (size_t i = 0; i < list.n_names; i++) {
        char *path = path_join(parent, list.names[i]);
        struct stat info;
        if (path != NULL && lstat(path, &info) == 0 && now - info.st_mtime > STALE_AFTER_S &&
            now - last_written(path) > STALE_AFTER_S)
            (void)dir_remove_all(path, NULL);
        free(path);
    }
    dir_list_finish(&list);
    free(parent);
}

model_status store_make_staging(const struct store *store, char **ret_dir, struct model_error *err)
{
    char *parent = path_join(store->dir, "tmp");
    char *dir = path_join(store->dir, "tmp/XXXXXX");
    model_status status = MODEL_OK;
    if (parent == NULL || dir == NULL)
        status = error_no_memory(err, "a folder for work in progress");
    else
        status = dir_make_all(parent, err);
    if (status == MODEL_OK)
        store_clean_staging(store, time(NULL));
    if (status == MODEL_OK && mkdtemp(dir) == NULL)
        status = error_set_errno(err, errno, "cannot make a folder below %s", parent);
    free(parent);
    if (status != MODEL_OK) {
        free(dir);
        return status;
    }
    *ret_dir = dir;
    return MODEL_OK;
}
