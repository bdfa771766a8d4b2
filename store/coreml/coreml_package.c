/* coreml_package.c - see coreml_package.h. */
#include "coreml_package.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_VALUES ((size_t)1 << 16)

static bool ends_with(const char *path, const char *ending)
{
    size_t n_path = strlen(path);
    const size_t n_ending = strlen(ending);
    while (n_path > 1 && path[n_path - 1] == '/')
        n_path--;
    return n_path > n_ending && strncasecmp(path + n_path - n_ending, ending, n_ending) == 0;
}

bool coreml_is_model_path(const char *path)
{
    return ends_with(path, ".mlmodel") || ends_with(path, ".mlpackage") ||
           coreml_is_compiled_path(path);
}

bool coreml_is_compiled_path(const char *path)
{
    return ends_with(path, ".mlmodelc");
}

static bool is_named(const char *text, size_t n_bytes, const char *ending)
{
    const size_t n_ending = strlen(ending);
    return n_bytes > n_ending && strncasecmp(text + n_bytes - n_ending, ending, n_ending) == 0;
}

size_t coreml_container_length(const char *path)
{
    for (const char *part = path; *part != '\0';) {
        const size_t n = strcspn(part, "/");
        const bool is_last = part[n] == '\0';
        if (is_last ? is_named(part, n, ".mlmodel")
                    : is_named(part, n, ".mlpackage") || is_named(part, n, ".mlmodelc"))
            return (size_t)(part - path) + n;
        part += is_last ? n : n + 1;
    }
    return 0;
}

/* The item that rootModelIdentifier names. */
static model_status find_root(const json_node *manifest, const char *what, const char **ret,
                              struct model_error *err)
{
    const char *version = json_string_or(json_member(manifest, "fileFormatVersion"), "(none)");
    const char *root = json_string_or(json_member(manifest, "rootModelIdentifier"), NULL);
    const json_node *items = json_member(manifest, "itemInfoEntries");
    if (strncmp(version, "1.", 2) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "%s: a manifest of version '%.40s', 1.x is read",
                         what, version);
    model_status status = json_check_unique_keys(manifest, what, err);
    if (status == MODEL_OK)
        status = json_check_unique_keys(items, what, err);
    if (status != MODEL_OK)
        return status;
    if (root == NULL)
        return error_set(err, MODEL_CORRUPT,
                         "%s: no 'rootModelIdentifier' says which item is the model", what);
    *ret = json_string_or(json_member(json_member(items, root), "path"), NULL);
    if (*ret == NULL || !path_is_safe(*ret))
        return error_set(
            err, MODEL_CORRUPT,
            "%s: the root item '%.100s' has %s: want one below the package's Data folder", what,
            root, *ret == NULL ? "no path" : "a path that leads elsewhere");
    return MODEL_OK;
}

model_status coreml_manifest_root(const char *text, size_t size_bytes, const char *what, char **ret,
                                  struct model_error *err)
{
    json_node *manifest = NULL;
    const char *path = NULL;
    char *copy = NULL;
    model_status status = json_parse_limited(text, size_bytes, MAX_VALUES, what, &manifest, err);
    if (status == MODEL_OK)
        status = find_root(manifest, what, &path, err);
    if (status == MODEL_OK && (copy = text_format("%s", path)) == NULL)
        status = error_no_memory(err, what);
    json_free(manifest);
    if (status == MODEL_OK)
        *ret = copy;
    return status;
}

/* The file `name`, or `name`/`inside`. */
static model_status map_file(const struct model_backend_files *files, const char *name,
                             const char *inside, struct coreml_located *ret,
                             struct model_error *err)
{
    const void *data = NULL;
    struct coreml_located file = {.name = inside != NULL ? path_join(name, inside)
                                                         : text_format("%s", name)};
    if (file.name == NULL)
        return error_no_memory(err, "the model's path");
    const model_status status = files->map(files->context, file.name, &data, &file.size_bytes, err);
    if (status != MODEL_OK) {
        free(file.name);
        return status;
    }
    file.data = data;
    *ret = file;
    return MODEL_OK;
}

static bool has_file(const struct model_backend_files *files, const char *name, const char *inside)
{
    struct coreml_located file = {.name = NULL};
    const bool is_there = map_file(files, name, inside, &file, NULL) == MODEL_OK;
    free(file.name);
    return is_there;
}

/* The model of a package whose manifest is there. */
static model_status locate_root(const struct model_backend_files *files, const char *name,
                                const struct coreml_located *manifest, struct coreml_located *ret,
                                struct model_error *err)
{
    char *root = NULL, *inside = NULL;
    if (manifest->size_bytes > COREML_MAX_MANIFEST_BYTES)
        return error_set(err, MODEL_CORRUPT, "%.300s: %llu bytes, the limit is %zu", manifest->name,
                         (unsigned long long)manifest->size_bytes, COREML_MAX_MANIFEST_BYTES);
    model_status status =
        coreml_manifest_root(manifest->size_bytes > 0 ? (const char *)manifest->data : "",
                             (size_t)manifest->size_bytes, manifest->name, &root, err);
    if (status == MODEL_OK && (inside = text_format("Data/%s", root)) == NULL)
        status = error_no_memory(err, "the model's path");
    if (status == MODEL_OK) {
        status = map_file(files, name, inside, ret, err);
        if (status == MODEL_NOT_FOUND || status == MODEL_INVALID_ARGUMENT)
            status = error_set(err, MODEL_NOT_FOUND, "%.300s: its model '%.300s' is not there",
                               manifest->name, inside);
    }
    free(inside);
    free(root);
    return status;
}

static model_status locate_in_folder(const struct model_backend_files *files, const char *name,
                                     struct coreml_located *ret, struct model_error *err)
{
    struct coreml_located manifest = {.name = NULL};
    model_status status = map_file(files, name, "Manifest.json", &manifest, err);
    if (status == MODEL_OK)
        status = locate_root(files, name, &manifest, ret, err);
    else if (status == MODEL_NOT_FOUND &&
             (coreml_is_compiled_path(name) || has_file(files, name, COREML_COMPILED_FILE)))
        status = error_set(
            err, MODEL_UNSUPPORTED,
            "%s is a compiled model, which only Apple's Core ML reads: take the .mlpackage or "
            ".mlmodel that it was compiled from",
            name);
    else if (status == MODEL_NOT_FOUND)
        status =
            error_set(err, MODEL_NOT_FOUND,
                      "%s is no file, and has no Manifest.json: it is no Core ML package", name);
    free(manifest.name);
    return status;
}

model_status coreml_locate(const struct model_backend_files *files, const char *name,
                           struct coreml_located *ret, struct model_error *err)
{
    const model_status status = map_file(files, name, NULL, ret, err);
    return status == MODEL_INVALID_ARGUMENT ? locate_in_folder(files, name, ret, err) : status;
}

model_status coreml_find_in(const char *folder, char **ret, struct model_error *err)
{
    struct dir_list list = {.names = NULL};
    const char *found = NULL;
    model_status status = dir_read(folder, &list, err);
    for (size_t i = 0; i < list.n_names; i++)
        if (coreml_is_model_path(list.names[i]) &&
            (found == NULL ||
             (ends_with(found, ".mlmodelc") && !ends_with(list.names[i], ".mlmodelc"))))
            found = list.names[i];
    if (status == MODEL_OK && found == NULL)
        status = error_set(err, MODEL_NOT_FOUND, "%s has no Core ML model (.mlmodel, .mlpackage)",
                           folder);
    if (status == MODEL_OK && (*ret = path_join(folder, found)) == NULL)
        status = error_no_memory(err, folder);
    dir_list_finish(&list);
    return status;
}
