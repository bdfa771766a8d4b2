/* coreml_config.c - see coreml_config.h. The files are blobs of the store already. */
#include "coreml_config.h"
#include "coreml_choice.h"
#include "coreml_model.h"
#include "coreml_package.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "package_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_coreml(const char *path)
{
    return strncmp(path, PACKAGE_COREML_FOLDER, strlen(PACKAGE_COREML_FOLDER)) == 0;
}

/* The container, "backends/coreml/model.mlpackage", of the first model, to be freed; compiled ones last. NULL in *ret: there
 * is none. */
static model_status find_container(const struct manifest *manifest, char **ret,
                                   struct model_error *err)
{
    char *found = NULL;
    for (size_t i = 0; i < manifest->n_files; i++) {
        const char *path = manifest->files[i].path;
        const size_t n = is_coreml(path) ? coreml_container_length(path) : 0;
        if (n == 0 || (found != NULL && !coreml_is_compiled_path(found)))
            continue;
        char *container = text_format("%.*s", (int)n, path);
        if (container == NULL) {
            free(found);
            return error_no_memory(err, "a path");
        }
        if (found != NULL && coreml_is_compiled_path(container)) {
            free(container);
            continue;
        }
        free(found);
        found = container;
    }
    *ret = found;
    return MODEL_OK;
}

/* The compiled model of the same name, "model.mlmodelc" beside "model.mlpackage", to be freed; NULL in *ret: there is none. */
static model_status find_compiled(const struct manifest *manifest, const char *container,
                                  char **ret, struct model_error *err)
{
    const char *end = strrchr(container, '.');
    char *path = text_format("%.*s.mlmodelc/" COREML_COMPILED_FILE,
                             (int)(end != NULL ? end - container : 0), container);
    if (path == NULL)
        return error_no_memory(err, "a path");
    const bool is_there =
        !coreml_is_compiled_path(container) && manifest_find(manifest, path) != NULL;
    if (is_there)
        path[strlen(path) - strlen("/" COREML_COMPILED_FILE)] = '\0';
    else
        free(path);
    *ret = is_there ? path : NULL;
    return MODEL_OK;
}

/* The blob of the model file in a container; NULL in *ret: it cannot be told. */
static model_status find_model(const struct store *store, const struct manifest *manifest,
                               const char *container, char **ret, struct model_error *err)
{
    char *model = NULL;
    model_status status = coreml_choice_model(store, manifest, container, &model, err);
    if (model != NULL)
        status = manifest_blob_path(store, manifest, model, ret, err);
    free(model);
    return status;
}

static model_status add_json(const struct store *store, const char *staging,
                             struct manifest *manifest, const char *path, const json_node *node,
                             struct model_error *err)
{
    char *text = json_print(node, true);
    const model_status status = text != NULL
                                    ? package_add_text(store, staging, manifest, path, text, err)
                                    : error_no_memory(err, "a configuration");
    free(text);
    return status;
}

static void add_labels(json_node *config, const struct coreml_model *model)
{
    json_node *labels = model->n_labels > 0 ? json_add_object(config, "id2label") : NULL;
    for (size_t i = 0; labels != NULL && i < model->n_labels; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "%zu", i);
        (void)json_add_string(labels, key, model->labels[i]);
    }
}

/* The one picture that the model takes; NULL: none, several, or of numbers that no file of a picture has. */
static const struct coreml_feature *find_picture(const struct coreml_model *model)
{
    const struct coreml_feature *found = NULL;
    for (size_t i = 0; i < model->inputs.n; i++) {
        const struct coreml_feature *input = &model->inputs.items[i];
        if (input->kind == COREML_FEATURE_IMAGE && found != NULL)
            return NULL;
        if (input->kind == COREML_FEATURE_IMAGE)
            found = input;
    }
    const bool has_bytes =
        found != NULL &&
        (found->color == COREML_GRAY || found->color == COREML_RGB || found->color == COREML_BGR);
    return has_bytes && found->shape[0] > 0 && found->shape[1] > 0 ? found : NULL;
}

/* How a file becomes that picture, as modelhost reads it: resized to the declared (default) size, in the declared order of
 * colours, and nothing else, since the model scales it. MobileViT's processor is the one that knows this order. */
static model_status add_preprocessor(const struct store *store, const char *staging,
                                     struct manifest *manifest, const struct coreml_model *model,
                                     struct model_error *err)
{
    const struct coreml_feature *picture = find_picture(model);
    if (picture == NULL || manifest_find(manifest, PACKAGE_COREML_PICTURES_PATH) != NULL)
        return MODEL_OK;
    json_node *config = json_new_object();
    (void)json_add_string(config, "image_processor_type", "MobileViTImageProcessor");
    json_node *size = json_add_object(config, "size");
    (void)json_add_number(size, "height", (double)picture->shape[0]);
    (void)json_add_number(size, "width", (double)picture->shape[1]);
    (void)json_add_number(config, "num_channels", picture->color == COREML_GRAY ? 1 : 3);
    (void)json_add_bool(config, "do_center_crop", false);
    (void)json_add_bool(config, "do_rescale", false);
    (void)json_add_bool(config, "do_flip_channel_order", picture->color == COREML_BGR);
    const model_status status =
        add_json(store, staging, manifest, PACKAGE_COREML_PICTURES_PATH, config, err);
    json_free(config);
    return status;
}

static model_status add_config(const struct store *store, const char *staging,
                               struct manifest *manifest, const char *container,
                               struct model_error *err)
{
    json_node *config = json_new_object();
    struct coreml_model *model = NULL;
    char *path = NULL, *compiled = NULL;
    (void)json_add_string(config, "model_type", "coreml");
    (void)json_add_string(config, "coreml_model", container + strlen(PACKAGE_COREML_FOLDER));
    model_status status = find_compiled(manifest, container, &compiled, err);
    if (compiled != NULL)
        (void)json_add_string(config, "coreml_compiled", compiled + strlen(PACKAGE_COREML_FOLDER));
    if (status == MODEL_OK)
        status = find_model(store, manifest, container, &path, err);
    if (status == MODEL_OK && path != NULL && coreml_model_open(path, &model, NULL) == MODEL_OK) {
        add_labels(config, model);
        status = add_preprocessor(store, staging, manifest, model, err);
    }
    if (status == MODEL_OK)
        status = add_json(store, staging, manifest, PACKAGE_COREML_CONFIG_PATH, config, err);
    coreml_model_close(model);
    free(path);
    free(compiled);
    json_free(config);
    return status;
}

/* Whether config.json is all that there is of backends/cpu/. */
static bool has_config_alone(const struct manifest *manifest)
{
    static const char folder[] = "backends/cpu/";
    size_t n_files = 0;
    for (size_t i = 0; i < manifest->n_files; i++)
        n_files += strncmp(manifest->files[i].path, folder, sizeof folder - 1) == 0;
    return n_files == 1 && manifest_find(manifest, PACKAGE_CONFIG_PATH) != NULL;
}

static void remove_file(struct manifest *manifest, const char *path)
{
    size_t i = 0;
    while (i < manifest->n_files && strcmp(manifest->files[i].path, path) != 0)
        i++;
    if (i == manifest->n_files)
        return;
    free(manifest->files[i].path);
    free(manifest->files[i].source);
    manifest->n_files--;
    memmove(&manifest->files[i], &manifest->files[i + 1],
            (manifest->n_files - i) * sizeof *manifest->files);
}

static model_status move_config(struct manifest *manifest, struct model_error *err)
{
    const struct manifest_file *file = manifest_find(manifest, PACKAGE_CONFIG_PATH);
    char sha256[SHA256_HEX_BYTES];
    char *source = file->source != NULL ? text_format("%s", file->source) : NULL;
    if (file->source != NULL && source == NULL)
        return error_no_memory(err, "a path");
    memcpy(sha256, file->sha256, sizeof sha256); /* adding moves the files */
    model_status status =
        manifest_add(manifest, PACKAGE_PLAIN_CONFIG_PATH, source, file->size_bytes, sha256, err);
    if (status == MODEL_OK)
        remove_file(manifest, PACKAGE_CONFIG_PATH);
    free(source);
    return status;
}

model_status coreml_config_add(const struct store *store, const char *staging,
                               struct manifest *manifest, struct model_error *err)
{
    char *container = NULL;
    model_status status = find_container(manifest, &container, err);
    if (status != MODEL_OK || container == NULL)
        return status;
    if (manifest_find(manifest, PACKAGE_COREML_CONFIG_PATH) == NULL)
        status = add_config(store, staging, manifest, container, err);
    if (status == MODEL_OK && has_config_alone(manifest))
        status = move_config(manifest, err);
    free(container);
    return status;
}

char *coreml_config_note(const struct manifest *manifest)
{
    static const char backends[] = "backends/";
    char *container = NULL, *note = NULL;
    bool is_alone = find_container(manifest, &container, NULL) == MODEL_OK && container != NULL &&
                    coreml_is_compiled_path(container);
    for (size_t i = 0; i < manifest->n_files && is_alone; i++)
        is_alone = strncmp(manifest->files[i].path, backends, sizeof backends - 1) != 0 ||
                   is_coreml(manifest->files[i].path);
    if (is_alone)
        note = text_format("%s is a compiled model, which only Apple's Core ML runs: nothing "
                           "answers for this package but on macOS; import the .mlpackage or "
                           ".mlmodel that it was compiled from to run it anywhere",
                           container);
    free(container);
    return note;
}

const char *coreml_config_path(const struct manifest *manifest)
{
    return manifest_find(manifest, PACKAGE_CONFIG_PATH) == NULL &&
                   manifest_find(manifest, PACKAGE_COREML_CONFIG_PATH) != NULL
               ? PACKAGE_COREML_CONFIG_PATH
               : PACKAGE_CONFIG_PATH;
}

const char *coreml_plugin_path(const struct manifest *manifest)
{
    return strcmp(coreml_config_path(manifest), PACKAGE_CONFIG_PATH) == 0
               ? PACKAGE_PLUGIN_PATH
               : PACKAGE_COREML_PLUGIN_PATH;
}

const struct manifest_file *coreml_find_file(const struct manifest *manifest, const char *path)
{
    const struct manifest_file *file = manifest_find(manifest, path);
    return file == NULL && strcmp(path, PACKAGE_CONFIG_PATH) == 0
               ? manifest_find(manifest, PACKAGE_PLAIN_CONFIG_PATH)
               : file;
}
