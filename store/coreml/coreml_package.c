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
           ends_with(path, ".mlmodelc");
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
    model_status status = json_check_unique_keys(items, what, err);
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

static model_status locate_root(const char *folder, const char *manifest, char **ret,
                                struct model_error *err)
{
    struct buffer text = BUFFER_INIT(COREML_MAX_MANIFEST_BYTES);
    char *root = NULL, *path = NULL;
    model_status status = file_read(manifest, COREML_MAX_MANIFEST_BYTES, &text, err);
    if (status == MODEL_OK)
        status = coreml_manifest_root(text.data != NULL ? text.data : "", text.size, manifest,
                                      &root, err);
    if (status == MODEL_OK && (path = text_format("%s/Data/%s", folder, root)) == NULL)
        status = error_no_memory(err, "the model's path");
    if (status == MODEL_OK && !path_is_file(path))
        status = error_set(err, MODEL_NOT_FOUND, "%.300s: its model '%.300s' is not there",
                           manifest, path);
    free(root);
    buffer_finish(&text);
    if (status == MODEL_OK)
        *ret = path;
    else
        free(path);
    return status;
}

static bool has_file(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    const bool is_there = path != NULL && path_is_file(path);
    free(path);
    return is_there;
}

model_status coreml_locate(const char *path, char **ret, struct model_error *err)
{
    if (!path_is_dir(path)) {
        *ret = text_format("%s", path);
        return *ret != NULL ? MODEL_OK : error_no_memory(err, "the model's path");
    }
    if (ends_with(path, ".mlmodelc") || has_file(path, "coremldata.bin"))
        return error_set(
            err, MODEL_UNSUPPORTED,
            "%s is a compiled model, which only Apple's Core ML reads: take the .mlpackage or "
            ".mlmodel that it was compiled from",
            path);
    if (!has_file(path, "Manifest.json"))
        return error_set(err, MODEL_NOT_FOUND, "%s has no Manifest.json: it is no Core ML package",
                         path);
    char *manifest = path_join(path, "Manifest.json");
    model_status status = manifest != NULL ? locate_root(path, manifest, ret, err)
                                           : error_no_memory(err, "the model's path");
    free(manifest);
    return status;
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
