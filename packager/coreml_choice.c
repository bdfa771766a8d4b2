/* coreml_choice.c - see coreml_choice.h. */
#include "coreml_choice.h"
#include "coreml_config.h"
#include "coreml_package.h"
#include "coreml_summary.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "package_build.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHTS_PREFIX "@model_path/"

model_status coreml_choice_model(const struct store *store, const struct manifest *manifest,
                                 const char *container, char **ret, struct model_error *err)
{
    char *path = text_format("%s/Manifest.json", container), *blob = NULL, *root = NULL;
    struct buffer text = BUFFER_INIT(COREML_MAX_MANIFEST_BYTES);
    model_status status = path != NULL ? manifest_blob_path(store, manifest, path, &blob, err)
                                       : error_no_memory(err, "a path");
    free(path);
    path = NULL;
    if (status == MODEL_OK && blob == NULL)
        path = text_format("%s", container);
    else if (status == MODEL_OK &&
             file_read(blob, COREML_MAX_MANIFEST_BYTES, &text, NULL) == MODEL_OK &&
             text.data != NULL &&
             coreml_manifest_root(text.data, text.size, container, &root, NULL) == MODEL_OK)
        path = text_format("%s/Data/%s", container, root);
    if (path != NULL && manifest_find(manifest, path) == NULL) {
        free(path);
        path = NULL;
    }
    buffer_finish(&text);
    free(root);
    free(blob);
    if (status == MODEL_OK)
        *ret = path;
    return status;
}

/* The container that config.json names, to be freed; NULL: none. */
static char *chosen_container(const struct store *store, const struct manifest *manifest)
{
    json_node *config = NULL;
    char *blob = NULL, *container = NULL;
    (void)manifest_blob_path(store, manifest, PACKAGE_COREML_CONFIG_PATH, &blob, NULL);
    if (blob != NULL)
        (void)json_parse_file(blob, PACKAGE_MAX_CONFIG_BYTES, &config, NULL);
    const char *name = json_string_or(json_member(config, "coreml_model"), NULL);
    if (name != NULL)
        container = text_format(PACKAGE_COREML_FOLDER "%s", name);
    json_free(config);
    free(blob);
    return container;
}

/* ---- its weights */

static model_status check_file(const struct manifest *manifest, const char *model, const char *name,
                               struct model_error *err)
{
    if (strncmp(name, WEIGHTS_PREFIX, strlen(WEIGHTS_PREFIX)) != 0)
        return MODEL_OK; /* the plugin refuses it */
    const char *inside = name + strlen(WEIGHTS_PREFIX);
    char *path = text_format("%.*s%s", (int)(path_base(model) - model), model, inside);
    if (path == NULL)
        return error_no_memory(err, "a path");
    const bool is_there = manifest_find(manifest, path) != NULL;
    free(path);
    const char *source = manifest_find(manifest, model)->source;
    return is_there ? MODEL_OK
                    : error_set(err, MODEL_NOT_FOUND,
                                "'%.300s' keeps its weights in '%.200s' beside it, which is not "
                                "there: take the whole .mlpackage, with its weights",
                                source != NULL ? source : model, inside);
}

static model_status check_files(const struct store *store, const struct manifest *manifest,
                                const char *model, struct model_error *err)
{
    struct coreml_model *opened = NULL;
    struct coreml_summary summary = {.operators = NULL};
    char *blob = NULL;
    model_status status = manifest_blob_path(store, manifest, model, &blob, err);
    if (blob != NULL && coreml_model_open_bare(blob, &opened, NULL) == MODEL_OK)
        status = coreml_summarise(opened, &summary, err);
    for (size_t i = 0; i < summary.n_files && status == MODEL_OK; i++)
        status = check_file(manifest, model, summary.files[i], err);
    coreml_summary_finish(&summary);
    coreml_model_close(opened);
    free(blob);
    return status;
}

model_status coreml_choice_check(const struct store *store, const struct manifest *manifest,
                                 struct model_error *err)
{
    char *container = chosen_container(store, manifest), *model = NULL;
    if (container == NULL)
        return MODEL_OK;
    model_status status = coreml_choice_model(store, manifest, container, &model, err);
    if (model != NULL)
        status = check_files(store, manifest, model, err);
    free(container);
    free(model);
    return status;
}

/* ---- the others */

/* Whether the container is that of the last file, and not a new one. */
static bool is_same(const char *path, size_t n_bytes, const char *last, size_t last_bytes)
{
    return last != NULL && n_bytes == last_bytes && memcmp(path, last, n_bytes) == 0;
}

/* Files of a container stand behind one another. */
static size_t count_containers(const struct manifest *manifest)
{
    const char *last = NULL;
    size_t last_bytes = 0, n_containers = 0;
    for (size_t i = 0; i < manifest->n_files; i++) {
        const char *path = manifest->files[i].path;
        const size_t n_bytes = coreml_container_length(path);
        if (strncmp(path, PACKAGE_COREML_FOLDER, strlen(PACKAGE_COREML_FOLDER)) != 0 ||
            n_bytes == 0 || path[n_bytes - 1] == 'c' || path[n_bytes - 1] == 'C')
            continue; /* no model, or what was compiled of one: .mlmodelc */
        n_containers += !is_same(path, n_bytes, last, last_bytes);
        last = path;
        last_bytes = n_bytes;
    }
    return n_containers;
}

char *coreml_choice_note(const struct store *store, const struct manifest *manifest)
{
    const struct manifest_file *config = manifest_find(manifest, PACKAGE_COREML_CONFIG_PATH);
    const size_t n_containers = count_containers(manifest);
    if (config == NULL || config->source != NULL || n_containers < 2)
        return NULL;
    char *container = chosen_container(store, manifest), *note = NULL;
    if (container != NULL)
        note = text_format("%zu Core ML models are there, and %s answers, the first by name: "
                           "import another one by itself to have that",
                           n_containers, container);
    free(container);
    return note;
}
