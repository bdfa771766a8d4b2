/* coreml_backend.c - see coreml_backend.h. */
#include "coreml_backend.h"
#include "coreml_package.h"
#include "errors.h"
#include "package.h"
#include "package_file.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES ((size_t)1 << 30) /* of a model in an archive */

/* Compiled ones only when there is no other. */
static char *first_of(const struct archive *archive, const char *folder)
{
    struct dir_list list = {0};
    char *found = NULL;
    if (archive == NULL) {
        (void)coreml_find_in(folder, &found, NULL);
        return found;
    }
    (void)package_folder_read(archive, folder, &list, NULL);
    for (size_t i = 0; i < list.n_names && found == NULL; i++)
        if (coreml_is_model_path(list.names[i]) && strstr(list.names[i], ".mlmodelc") == NULL)
            found = path_join(folder, list.names[i]);
    dir_list_finish(&list);
    return found;
}

char *coreml_backend_find(const struct archive *archive, const char *backend_dir)
{
    json_node *config = NULL;
    char *path = path_join(backend_dir, "config.json");
    if (path != NULL)
        (void)package_file_json(archive, path, PACKAGE_MAX_CONFIG_BYTES, &config, NULL);
    const char *name = json_string_or(json_member(config, "coreml_model"), NULL);
    char *found = name != NULL && path_is_safe(name) ? path_join(backend_dir, name)
                                                     : first_of(archive, backend_dir);
    json_free(config);
    free(path);
    return found;
}

/* The model file in a container of an archive, to be freed. */
static model_status locate(const struct archive *archive, const char *path, char **ret,
                           struct model_error *err)
{
    struct buffer text = BUFFER_INIT(COREML_MAX_MANIFEST_BYTES);
    char *manifest = path_join(path, "Manifest.json"), *root = NULL;
    model_status status = manifest != NULL ? MODEL_OK : error_no_memory(err, "a path");
    if (status == MODEL_OK && package_file_exists(archive, path)) {
        *ret = text_format("%s", path);
    } else if (status == MODEL_OK) {
        status = package_file_read(archive, manifest, COREML_MAX_MANIFEST_BYTES, &text, err);
        if (status == MODEL_OK)
            status = coreml_manifest_root(text.data != NULL ? text.data : "", text.size, manifest,
                                          &root, err);
        if (status == MODEL_OK)
            *ret = text_format("%s/Data/%s", path, root);
    }
    if (status == MODEL_OK && *ret == NULL)
        status = error_no_memory(err, "a path");
    buffer_finish(&text);
    free(manifest);
    free(root);
    return status;
}

model_status coreml_backend_open(const struct archive *archive, const char *path, bool with_weights,
                                 struct coreml_model **ret, struct model_error *err)
{
    struct buffer bytes = BUFFER_INIT(MAX_FILE_BYTES);
    char *file = NULL;
    if (archive == NULL)
        return with_weights ? coreml_model_open(path, ret, err)
                            : coreml_model_open_bare(path, ret, err);
    model_status status = locate(archive, path, &file, err);
    if (status == MODEL_OK)
        status = package_file_read(archive, file, MAX_FILE_BYTES, &bytes, err);
    if (status == MODEL_OK)
        status = coreml_model_parse((const uint8_t *)bytes.data, bytes.size, file, ret, err);
    buffer_finish(&bytes);
    free(file);
    return status;
}
