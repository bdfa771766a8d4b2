/* package_json.c - see package_json.h. */
#include "package_json.h"
#include "errors.h"
#include "files.h"
#include "model_info.h"
#include "package_file.h"
#include "plugin_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INFO_BYTES (16u << 20)

void package_json_add_files(json_node *object, const struct package *package)
{
    json_node *files = json_add_array(object, "files");
    for (size_t i = 0; package->has_manifest && i < package->manifest.n_files; i++) {
        const struct manifest_file *file = &package->manifest.files[i];
        json_node *item = json_add_object(files, NULL);
        (void)json_add_string(item, "path", file->path);
        if (file->source != NULL)
            (void)json_add_string(item, "source", file->source);
        else
            (void)json_add_null(item, "source");
        (void)json_add_number(item, "size", (double)file->size_bytes);
        (void)json_add_string(item, "sha256", file->sha256);
    }
}

/* By the manifest, so that `info` need not read the file; else by hashing it. */
static void add_plugin_digest(json_node *plugin, const struct package *package)
{
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes;
    const struct manifest_file *file = NULL;
    size_t n = strlen(package->dir);
    if (package->has_manifest && strncmp(package->plugin_name, package->dir, n) == 0 &&
        package->plugin_name[n] == '/')
        file = manifest_find(&package->manifest, package->plugin_name + n + 1);
    if (file != NULL)
        (void)json_add_string(plugin, "sha256", file->sha256);
    else if (digest_file_sha256(package->plugin, sha256, &size_bytes, NULL) == MODEL_OK)
        (void)json_add_string(plugin, "sha256", sha256);
}

void package_json_add_plugin(json_node *object, const struct package *package)
{
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    char abi[16];
    if (package->plugin == NULL) {
        (void)json_add_null(object, "plugin");
        return;
    }
    json_node *plugin = json_add_object(object, "plugin");
    if (plugin_file_read(package->plugin, &file, &err) == MODEL_OK) {
        (void)snprintf(abi, sizeof abi, "%u.%u", file.abi_major, file.abi_minor);
        (void)json_add_string(plugin, "name", file.name);
        (void)json_add_string(plugin, "version", file.version);
        (void)json_add_string(plugin, "abi", abi);
        (void)json_add_string(plugin, "architectures", file.architectures);
    } else {
        (void)package_name_plugin(package, &err);
        (void)json_add_string(plugin, "error", err.message);
    }
    add_plugin_digest(plugin, package);
    (void)json_add_string(plugin, "path", package->plugin_name);
}

/* model_info.json, or, where a package has none, the same collected now. */
static void add_model_info(json_node *object, const struct package *package)
{
    json_node *info = NULL;
    char *path = path_join(package->dir, "model_info.json");
    model_status status =
        path == NULL ? MODEL_OUT_OF_MEMORY
                     : package_file_json(package->archive, path, MAX_INFO_BYTES, &info, NULL);
    if (status != MODEL_OK)
        status = model_info_collect(package, NULL, &info, NULL);
    if (status == MODEL_OK)
        (void)json_add_tree(object, "model_info", info);
    else
        (void)json_add_null(object, "model_info");
    free(path);
}

json_node *package_json(const struct package *package)
{
    json_node *object = json_new_object();
    (void)json_add_string(object, "path", package->dir);
    if (package->has_manifest) {
        const struct manifest *manifest = &package->manifest;
        double size_bytes = 0;
        for (size_t i = 0; i < manifest->n_files; i++)
            size_bytes += (double)manifest->files[i].size_bytes;
        (void)json_add_string(object, "id", manifest->id);
        (void)json_add_string(object, "requested_id", manifest->requested_id);
        (void)json_add_string(object, "revision", manifest->revision);
        (void)json_add_string(object, "requested_revision", manifest->requested_revision);
        (void)json_add_string(object, "endpoint", manifest->endpoint);
        (void)json_add_string(object, "created", manifest->created);
        (void)json_add_number(object, "size", size_bytes);
    }
    package_json_add_files(object, package);
    package_json_add_plugin(object, package);
    add_model_info(object, package);
    return object;
}
