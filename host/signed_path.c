/* signed_path.c - see signed_path.h. */
#include "signed_path.h"
#include "backend_files.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

/* As the manifest names it; NULL: it is not below the folder. */
static const char *name_in(const struct archive *archive, const char *path)
{
    const char *folder = archive_path(archive);
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

/* Of a file itself, or of a folder what is below. */
static bool is_at(const char *listed, const char *path)
{
    const size_t n = strlen(path);
    return strncmp(listed, path, n) == 0 && (listed[n] == '\0' || listed[n] == '/');
}

static model_status check_listed(const struct archive *archive, const char *name,
                                 struct model_error *err)
{
    const struct archive_index *index = archive_index(archive);
    size_t n_listed = 0;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < index->n_entries && status == MODEL_OK; i++)
        if (is_at(index->entries[i].path, name)) {
            n_listed++;
            status = archive_check_entry(archive, &index->entries[i], err);
        }
    if (status == MODEL_OK && n_listed == 0)
        return error_set(err, MODEL_NOT_FOUND, "no file at %s/%s was signed", archive_path(archive),
                         name);
    return status;
}

/* Whoever reads the folder finds them, and nobody has signed them. */
static model_status check_there(const struct archive *archive, const char *name,
                                struct model_error *err)
{
    struct backend_files files = {0};
    char *folder = path_join(archive_path(archive), name);
    model_status status =
        folder != NULL ? backend_files_list(folder, &files, err) : error_no_memory(err, "a path");
    for (size_t i = 0; i < files.n_files && status == MODEL_OK; i++) {
        char *path = path_join(name, files.files[i].name);
        if (path == NULL)
            status = error_no_memory(err, "a path");
        else if (archive_find(archive, path) == NULL)
            status = error_set(err, MODEL_CORRUPT,
                               "%s/%s is not among the files that were signed; remove it, or get "
                               "the package again",
                               archive_path(archive), path);
        free(path);
    }
    backend_files_finish(&files);
    free(folder);
    return status;
}

model_status signed_path_check(const struct archive *archive, const char *path,
                               struct model_error *err)
{
    if (archive == NULL || !archive_is_folder(archive))
        return MODEL_OK;
    const char *name = name_in(archive, path);
    if (name == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s is not in the signed folder %s", path,
                         archive_path(archive));
    const model_status status = check_listed(archive, name, err);
    return status == MODEL_OK ? check_there(archive, name, err) : status;
}
