/* folders.c - reading a folder, and removing one with all that is in it; see files.h. Each step goes by the open
 * folder above it: a name that becomes a link meanwhile is not followed. */
#include "errors.h"
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DIR_ENTRIES 1000000

/* ---- reading */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static model_status append_name(struct dir_list *list, size_t *capacity, const char *name)
{
    if (list->n_names == *capacity) {
        size_t larger = *capacity > 0 ? *capacity * 2 : 32;
        char **names =
            larger > MAX_DIR_ENTRIES * 2 ? NULL : realloc(list->names, larger * sizeof *names);
        if (names == NULL)
            return MODEL_OUT_OF_MEMORY;
        list->names = names;
        *capacity = larger;
    }
    char *copy = text_format("%s", name);
    if (copy == NULL)
        return MODEL_OUT_OF_MEMORY;
    list->names[list->n_names++] = copy;
    return MODEL_OK;
}

static model_status read_names(DIR *folder, const char *path, struct dir_list *ret,
                               struct model_error *err)
{
    struct dir_list list = {0};
    size_t capacity = 0;
    model_status status = MODEL_OK;
    const struct dirent *entry;
    while (status == MODEL_OK && (errno = 0, entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = append_name(&list, &capacity, entry->d_name);
    if (status != MODEL_OK)
        status = error_no_memory(err, path);
    else if (errno != 0) /* an empty list because of a bad disk would be a lie */
        status = error_set_errno(err, errno, "cannot read folder %s", path);
    if (status != MODEL_OK) {
        dir_list_finish(&list);
        return status;
    }
    if (list.n_names > 1)
        qsort(list.names, list.n_names, sizeof *list.names, compare_names);
    *ret = list;
    return MODEL_OK;
}

model_status dir_read(const char *path, struct dir_list *ret, struct model_error *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return error_set_errno(err, errno, "cannot open folder %s", path);
    model_status status = read_names(folder, path, ret, err);
    (void)closedir(folder);
    return status;
}

model_status dir_read_at(int fd, const char *path, struct dir_list *ret, struct model_error *err)
{
    const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = own >= 0 ? fdopendir(own) : NULL;
    if (folder == NULL) {
        model_status status = error_set_errno(err, errno, "cannot open folder %s", path);
        if (own >= 0)
            (void)close(own);
        return status;
    }
    model_status status = read_names(folder, path, ret, err);
    (void)closedir(folder);
    return status;
}

void dir_list_finish(struct dir_list *list)
{
    for (size_t i = 0; i < list->n_names; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct dir_list){0};
}

/* ---- removing */

static model_status remove_names(int fd, const char *path, struct model_error *err)
{
    struct dir_list list = {0};
    model_status status = dir_read_at(fd, path, &list, err);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *child = path_join(path, list.names[i]);
        status = child != NULL ? dir_remove_at(fd, list.names[i], child, err)
                               : error_no_memory(err, path);
        free(child);
    }
    dir_list_finish(&list);
    return status;
}

model_status dir_remove_at(int folder_fd, const char *name, const char *path,
                           struct model_error *err)
{
    struct stat info;
    if (fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? MODEL_OK : error_set_errno(err, errno, "cannot remove %s", path);
    if (!S_ISDIR(info.st_mode))
        return unlinkat(folder_fd, name, 0) == 0 || errno == ENOENT
                   ? MODEL_OK
                   : error_set_errno(err, errno, "cannot remove %s", path);
    const int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? MODEL_OK
                               : error_set_errno(err, errno, "cannot open folder %s", path);
    model_status status = remove_names(fd, path, err);
    (void)close(fd);
    if (status == MODEL_OK && unlinkat(folder_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        status = error_set_errno(err, errno, "cannot remove folder %s", path);
    return status;
}

model_status dir_remove_all(const char *path, struct model_error *err)
{
    return dir_remove_at(AT_FDCWD, path, path, err);
}
