/* package_file.c - see package_file.h. */
#include "package_file.h"
#include "secret_memory.h"
#include "errors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The entry's part of a path, "" for the archive itself; NULL: the path is of something else. */
static const char *inside(const struct archive *archive, const char *path)
{
    const size_t n = strlen(archive_path(archive));
    if (strncmp(path, archive_path(archive), n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return NULL;
    return path[n] == '/' ? path + n + 1 : path + n;
}

static const struct archive_entry *find(const struct archive *archive, const char *path)
{
    const char *name = inside(archive, path);
    return name != NULL ? archive_find(archive, name) : NULL;
}

/* What follows "<folder>/" in an entry's path, or NULL. */
static const char *below(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    if (n == 0)
        return path;
    return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

bool package_file_exists(const struct archive *archive, const char *path)
{
    return archive != NULL ? find(archive, path) != NULL : path_is_file(path);
}

bool package_folder_exists(const struct archive *archive, const char *path)
{
    if (archive == NULL)
        return path_is_dir(path);
    const struct archive_index *index = archive_index(archive);
    const char *folder = inside(archive, path);
    for (size_t i = 0; i < index->n_entries && folder != NULL; i++)
        if (below(index->entries[i].path, folder) != NULL)
            return true;
    return false;
}

model_status package_file_entry(const struct archive *archive, const char *path,
                                const struct archive_entry **ret, struct model_error *err)
{
    const struct archive_entry *entry = find(archive, path);
    if (entry == NULL)
        return error_set_errno(err, ENOENT, "cannot open %s", path);
    *ret = entry;
    return MODEL_OK;
}

model_status package_file_read(const struct archive *archive, const char *path, size_t max_bytes,
                               struct buffer *ret, struct model_error *err)
{
    const struct archive_entry *entry = NULL;
    if (archive == NULL)
        return file_read(path, max_bytes, ret, err);
    model_status status = package_file_entry(archive, path, &entry, err);
    return status == MODEL_OK ? archive_read(archive, entry, max_bytes, ret, err) : status;
}

model_status package_file_json(const struct archive *archive, const char *path, size_t max_bytes,
                               json_node **ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(max_bytes);
    if (archive == NULL)
        return json_parse_file(path, max_bytes, ret, err);
    model_status status = package_file_read(archive, path, max_bytes, &text, err);
    if (status == MODEL_OK)
        status = json_parse(text.data != NULL ? text.data : "", text.size, path, ret, err);
    if (text.data != NULL) /* it may have been encrypted */
        secret_wipe(text.data, text.size);
    buffer_finish(&text);
    return status;
}

/* ---- folders */

static bool has_name(const struct dir_list *list, const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < list->n_names; i++)
        if (strncmp(list->names[i], name, n_bytes) == 0 && list->names[i][n_bytes] == '\0')
            return true;
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static model_status list_entries(const struct archive *archive, const char *folder,
                                 struct dir_list *list, struct model_error *err)
{
    const struct archive_index *index = archive_index(archive);
    list->names = calloc(index->n_entries, sizeof *list->names);
    if (list->names == NULL)
        return error_no_memory(err, "a list of files");
    for (size_t i = 0; i < index->n_entries; i++) {
        const char *name = below(index->entries[i].path, folder);
        if (name == NULL || has_name(list, name, strcspn(name, "/")))
            continue;
        char *copy = strndup(name, strcspn(name, "/"));
        if (copy == NULL)
            return error_no_memory(err, "a list of files");
        list->names[list->n_names++] = copy;
    }
    qsort(list->names, list->n_names, sizeof *list->names, compare_names);
    return MODEL_OK;
}

model_status package_folder_read(const struct archive *archive, const char *path,
                                 struct dir_list *ret, struct model_error *err)
{
    struct dir_list list = {0};
    if (archive == NULL)
        return dir_read(path, ret, err);
    if (!package_folder_exists(archive, path))
        return error_set_errno(err, ENOENT, "cannot list %s", path);
    model_status status = list_entries(archive, inside(archive, path), &list, err);
    if (status == MODEL_OK)
        *ret = list;
    else
        dir_list_finish(&list);
    return status;
}

model_status package_archive_open(const char *path, enum archive_level level, struct archive **ret,
                                  struct model_error *err)
{
    return package_archive_open_with(path, &(struct archive_access){.level = level}, ret, err);
}

model_status package_archive_open_with(const char *path, const struct archive_access *access,
                                       struct archive **ret, struct model_error *err)
{
    struct archive *archive = NULL;
    model_status status =
        path_is_file(path) ? archive_open_with(path, access, &archive, err) : MODEL_OK;
    if (status == MODEL_OK)
        *ret = archive;
    return status;
}
