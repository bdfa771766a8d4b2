/* coreml_model.c - see coreml_model.h. The file is mapped, copied into a tree of messages, and let go; views of the tree
 * are made in an arena. */
#include "coreml_build.h"
#include "coreml_disk.h"
#include "coreml_package.h"
#include "coreml_scan.h"
#include "coreml_tree.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

struct opened {
    struct coreml_model model; /* first: what the caller holds */
    struct coreml_arena arena;
    coreml_message *root;
    struct model_backend_files files; /* where its files come from */
    struct coreml_disk disk;          /* which is here, unless they are a host's */
    struct coreml_blobs blobs;
    char *path, *folder;
};

static model_status read_description(const struct coreml_build *build, const coreml_message *root,
                                     struct coreml_model *model)
{
    const coreml_message *description = coreml_child(root, "description");
    const coreml_message *metadata = coreml_child(description, "metadata");
    model_status status = coreml_build_features(build, description, "input", &model->inputs);
    if (status == MODEL_OK)
        status = coreml_build_features(build, description, "output", &model->outputs);
    if (status == MODEL_OK)
        status = coreml_build_features(build, description, "state", &model->states);
    model->predicted_label = coreml_text(description, "predictedFeatureName");
    model->predicted_probabilities = coreml_text(description, "predictedProbabilitiesName");
    model->default_function = coreml_text(description, "defaultFunctionName");
    model->metadata = metadata;
    model->author = coreml_text(metadata, "author");
    model->license = coreml_text(metadata, "license");
    model->description = coreml_text(metadata, "shortDescription");
    model->model_version = coreml_text(metadata, "versionString");
    return status;
}

/* Inputs and outputs of a model with several functions stand with the default one. */
static model_status read_function_features(const struct coreml_build *build,
                                           const coreml_message *root, struct coreml_model *model)
{
    const coreml_message *description = coreml_child(root, "description");
    const char *wanted = model->default_function[0] != '\0' ? model->default_function : "main";
    for (size_t i = 0; i < coreml_count(description, "functions"); i++) {
        const coreml_message *function = coreml_child_at(description, "functions", i);
        if (strcmp(coreml_text(function, "name"), wanted) != 0)
            continue;
        model_status status = coreml_build_features(build, function, "input", &model->inputs);
        if (status == MODEL_OK)
            status = coreml_build_features(build, function, "output", &model->outputs);
        if (status == MODEL_OK)
            status = coreml_build_features(build, function, "state", &model->states);
        return status;
    }
    return MODEL_OK;
}

static model_status read_model(const struct coreml_build *build, const coreml_message *root,
                               struct coreml_model *model);

static model_status read_parts(const struct coreml_build *build, const coreml_message *pipeline,
                               struct coreml_model *model)
{
    const size_t n = coreml_count(pipeline, "models"), n_names = coreml_count(pipeline, "names");
    struct coreml_model *parts = coreml_arena_take(build->arena, n, sizeof *parts);
    model_status status = parts != NULL ? MODEL_OK : coreml_build_no_memory(build);
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        parts[i].path = model->path;
        parts[i].part_name = i < n_names ? coreml_text_at(pipeline, "names", i) : "";
        parts[i].version = model->version; /* of one that says none */
        status = read_model(build, coreml_child_at(pipeline, "models", i), &parts[i]);
        if (parts[i].n_labels == 0)
            continue;
        model->labels = parts[i].labels;
        model->n_labels = parts[i].n_labels;
        model->labels_are_numbers = parts[i].labels_are_numbers;
    }
    model->parts = parts;
    model->n_parts = n;
    return status;
}

static model_status read_body(const struct coreml_build *build, const coreml_message *root,
                              struct coreml_model *model)
{
    const coreml_message *body = coreml_chosen(root);
    const char *kind = coreml_message_name(body);
    model_status status = MODEL_OK;
    if (strcmp(kind, "Program") == 0)
        status = coreml_build_program(build, body, model->default_function, &model->program);
    else if (strncmp(kind, "NeuralNetwork", strlen("NeuralNetwork")) == 0)
        status = coreml_build_network(build, body, model, &model->network);
    else if (strcmp(kind, "Pipeline") == 0)
        return read_parts(build, body, model);
    else if (strncmp(kind, "Pipeline", strlen("Pipeline")) == 0)
        return read_parts(build, coreml_child(body, "pipeline"), model);
    else
        return MODEL_OK;
    return status == MODEL_OK ? coreml_build_labels(build, body, model) : status;
}

/* What a classifier predicts is among its outputs. */
static model_status check_predicted(const struct coreml_build *build,
                                    const struct coreml_model *model)
{
    const struct {
        const char *field, *name;
    } rows[] = {{"predictedFeatureName", model->predicted_label},
                {"predictedProbabilitiesName", model->predicted_probabilities}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].name[0] != '\0' && coreml_features_find(&model->outputs, rows[i].name) == NULL)
            return coreml_build_refuse(build, "%s is '%.200s', and no output has that name",
                                       rows[i].field, rows[i].name);
    return MODEL_OK;
}

static model_status read_model(const struct coreml_build *build, const coreml_message *root,
                               struct coreml_model *model)
{
    const int64_t said = coreml_int(root, "specificationVersion");
    const int64_t version = said == 0 ? model->version : said;
    const char *kind = coreml_choice(root);
    if (version < 1 || kind == NULL)
        return error_set(build->err, MODEL_CORRUPT, "%.300s: no Core ML model: it has no %s",
                         build->what,
                         version < 1 ? "specification version" : "body of a known kind");
    if (version > COREML_MAX_VERSION)
        return error_set(
            build->err, MODEL_UNSUPPORTED,
            "%.300s: specification version %lld, up to %d is read: convert the model for an "
            "older deployment target",
            build->what, (long long)version, COREML_MAX_VERSION);
    model->version = (int32_t)version;
    model->kind = kind;
    model_status status = read_description(build, root, model);
    if (status == MODEL_OK && model->inputs.n + model->outputs.n == 0)
        status = read_function_features(build, root, model);
    if (status == MODEL_OK)
        status = check_predicted(build, model);
    return status == MODEL_OK ? read_body(build, root, model) : status;
}

/* Everything but the path is set. blobs: NULL for bytes in memory. */
static model_status parse(struct opened *opened, const uint8_t *data, size_t size_bytes,
                          struct coreml_blobs *blobs, struct model_error *err)
{
    const struct coreml_build build = {
        .arena = &opened->arena, .blobs = blobs, .what = opened->path, .err = err};
    model_status status = coreml_tree_parse(data, size_bytes, opened->path, &opened->root, err);
    opened->model.path = opened->path;
    opened->model.size_bytes = size_bytes;
    opened->model.part_name = "";
    return status == MODEL_OK ? read_model(&build, opened->root, &opened->model) : status;
}

model_status coreml_model_parse(const uint8_t *data, size_t size_bytes, const char *what,
                                struct coreml_model **ret, struct model_error *err)
{
    struct opened *opened = calloc(1, sizeof *opened);
    model_status status = MODEL_OK;
    if (opened == NULL || (opened->path = text_format("%s", what)) == NULL)
        status = error_no_memory(err, what);
    if (status == MODEL_OK)
        status = parse(opened, data, size_bytes, NULL, err);
    if (status == MODEL_OK)
        *ret = &opened->model;
    else
        coreml_model_close((struct coreml_model *)opened);
    return status;
}

/* Its model file need not stay in memory: what is needed of it was copied. */
static model_status open_file(struct opened *opened, const char *name, bool with_weights,
                              struct model_error *err)
{
    const struct model_backend_files *files = &opened->files;
    struct coreml_located file = {.name = NULL};
    model_status status = coreml_locate(files, name, &file, err);
    if (status != MODEL_OK)
        return status;
    opened->path = file.name;
    opened->folder = text_format("%.*s", (int)(path_base(file.name) - file.name), file.name);
    if (opened->folder == NULL)
        return error_no_memory(err, "the model's path");
    opened->blobs = (struct coreml_blobs){.source = files, .folder = opened->folder};
    status = parse(opened, file.data, (size_t)file.size_bytes, with_weights ? &opened->blobs : NULL,
                   err);
    files->discard(files->context, file.data, file.size_bytes);
    coreml_blobs_rest(&opened->blobs);
    return status;
}

static model_status open_from(const struct model_backend_files *files, const char *name,
                              bool with_weights, struct coreml_model **ret, struct model_error *err)
{
    struct opened *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return error_no_memory(err, name);
    coreml_disk_init(&opened->disk);
    opened->files = files != NULL ? *files : opened->disk.files;
    const model_status status = open_file(opened, name, with_weights, err);
    if (status == MODEL_OK)
        *ret = &opened->model;
    else
        coreml_model_close(&opened->model);
    return status;
}

model_status coreml_model_open(const char *path, struct coreml_model **ret, struct model_error *err)
{
    return open_from(NULL, path, true, ret, err);
}

model_status coreml_model_open_bare(const char *path, struct coreml_model **ret,
                                    struct model_error *err)
{
    return open_from(NULL, path, false, ret, err);
}

model_status coreml_model_open_from(const struct model_backend_files *files, const char *name,
                                    struct coreml_model **ret, struct model_error *err)
{
    return open_from(files, name, true, ret, err);
}

void coreml_model_discard(const struct coreml_model *model, const void *data, size_t size_bytes)
{
    coreml_blobs_discard(&((const struct opened *)model)->blobs, data, size_bytes);
}

bool coreml_model_is_outlived(const struct coreml_model *model, const void *data, size_t size_bytes)
{
    const struct opened *opened = (const struct opened *)model;
    return opened->files.context != &opened->disk &&
           coreml_blobs_have(&opened->blobs, data, size_bytes);
}

void coreml_model_close(struct coreml_model *model)
{
    struct opened *opened = (struct opened *)model;
    if (opened == NULL)
        return;
    coreml_blobs_finish(&opened->blobs);
    coreml_disk_finish(&opened->disk);
    coreml_tree_free(opened->root);
    coreml_arena_finish(&opened->arena);
    free(opened->folder);
    free(opened->path);
    free(opened);
}
