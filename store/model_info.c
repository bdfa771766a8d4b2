/* model_info.c - see model_info.h. Nothing but headers and the configuration is read: a model of any
 * size takes milliseconds. No state, any thread. */
#include "model_info.h"
#include "dtype.h"
#include "coreml_backend.h"
#include "coreml_summary.h"
#include "errors.h"
#include "package_file.h"
#include "plugin_file.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_VERSION 1
#define N_DTYPES       16 /* numbers of enum model_dtype are below */

/* ---- specs */

static bool add_dimension(json_node *shape, const struct model_dimension *dimension)
{
    if (dimension->min == dimension->max)
        return json_add_number(shape, NULL, (double)dimension->min) != NULL;
    bool is_free = dimension->min <= 1 && dimension->max == INT64_MAX;
    if (dimension->name != NULL && is_free)
        return json_add_string(shape, NULL, dimension->name) != NULL;
    json_node *node = json_add_object(shape, NULL);
    bool complete = node != NULL;
    if (dimension->name != NULL)
        complete = json_add_string(node, "name", dimension->name) != NULL && complete;
    if (dimension->min > 1)
        complete = json_add_number(node, "min", (double)dimension->min) != NULL && complete;
    if (dimension->max != INT64_MAX)
        complete = json_add_number(node, "max", (double)dimension->max) != NULL && complete;
    return complete;
}

static bool add_spec(json_node *array, const struct model_tensor_spec *spec)
{
    json_node *node = json_add_object(array, NULL);
    bool complete = json_add_string(node, "name", spec->name) != NULL;
    complete = json_add_string(node, "dtype", dtype_name(spec->dtype)) != NULL && complete;
    json_node *shape = json_add_array(node, "shape");
    for (uint32_t i = 0; i < spec->rank && complete; i++)
        complete = add_dimension(shape, &spec->shape[i]);
    if ((spec->flags & MODEL_SPEC_OPTIONAL) != 0)
        complete = json_add_bool(node, "optional", true) != NULL && complete;
    if ((spec->flags & MODEL_SPEC_ON_REQUEST) != 0)
        complete = json_add_bool(node, "on_request", true) != NULL && complete;
    if ((spec->flags & MODEL_SPEC_BYTES) != 0)
        complete = json_add_bool(node, "takes_u8", true) != NULL && complete;
    return complete && shape != NULL;
}

void model_info_add_spec(json_node *array, const struct model_tensor_spec *spec)
{
    (void)add_spec(array, spec);
}

static bool add_specs(json_node *root, const char *key,
                      const struct model_tensor_spec *const *specs, uint32_t n_specs)
{
    json_node *array = json_add_array(root, key);
    bool complete = array != NULL;
    for (uint32_t i = 0; i < n_specs && complete; i++)
        complete = add_spec(array, specs[i]);
    return complete;
}

/* ---- the configuration */

static model_status add_config(json_node *root, const struct package *package,
                               struct model_error *err)
{
    char *path = path_join(package->backend_dir, "config.json");
    json_node *config = NULL;
    if (path == NULL)
        return error_no_memory(err, package->dir);
    model_status status =
        package_file_json(package->archive, path, PACKAGE_MAX_CONFIG_BYTES, &config, err);
    free(path);
    if (status != MODEL_OK)
        return status == MODEL_NOT_FOUND ? MODEL_OK : status;
    static const struct {
        const char *from, *to;
    } numbers[] = {{"max_position_embeddings", "max_position_embeddings"},
                   {"n_positions", "max_position_embeddings"},
                   {"vocab_size", "vocab_size"}};
    const char *model_type = json_string_or(json_member(config, "model_type"), NULL);
    const json_node *classes = json_member(config, "architectures");
    bool complete = true;
    if (model_type != NULL)
        complete = json_add_string(root, "model_type", model_type) != NULL;
    if (json_is_array(classes))
        complete = json_add_copy(root, "architectures", classes) != NULL && complete;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int64_t value = 0;
        if (json_integer(json_member(config, numbers[i].from), 1, INT64_MAX, &value) &&
            json_member(root, numbers[i].to) == NULL)
            complete = json_add_number(root, numbers[i].to, (double)value) != NULL && complete;
    }
    json_free(config);
    return complete ? MODEL_OK : error_no_memory(err, "model_info.json");
}

/* ---- the weights */

struct counts {
    uint64_t parameters, bytes;
    uint64_t elements[N_DTYPES]; /* by dtype */
};

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_bytes = strlen(suffix);
    return length >= suffix_bytes && strcmp(text + length - suffix_bytes, suffix) == 0;
}

/* What a checkpoint carries along that training does not change: positions, counters, masks. Integers
 * of 8 and 32 bits may be quantised weights and count. */
static bool is_buffer(const struct model_tensor *tensor)
{
    return tensor->dtype == MODEL_BOOL || tensor->dtype == MODEL_I64 ||
           tensor->dtype == MODEL_U64 || ends_with(tensor->name, "position_ids") ||
           ends_with(tensor->name, "num_batches_tracked");
}

static void count_open_weights(const struct weights *weights, struct counts *ret)
{
    for (size_t i = 0; i < weights_count(weights); i++) {
        struct model_tensor tensor = {.struct_size = sizeof tensor};
        weights_at(weights, i, &tensor);
        uint64_t elements = tensor_elements(&tensor);
        ret->bytes += tensor.size_bytes;
        ret->elements[tensor.dtype] += elements;
        ret->parameters += is_buffer(&tensor) ? 0 : elements;
    }
}

static model_status count_weights(const struct package *package, const struct weights *open,
                                  struct counts *ret, struct model_error *err)
{
    struct weights *own = NULL;
    model_status status = MODEL_OK;
    if (open == NULL)
        status = weights_open_from(package->archive, package->backend_dir, true, &own, err);
    if (status == MODEL_OK)
        count_open_weights(open != NULL ? open : own, ret);
    weights_destroy(own);
    return status == MODEL_NOT_FOUND ? MODEL_OK : status;
}

/* ---- a Core ML model, whose weights are its own */

static bool add_features(json_node *root, const char *key, const struct coreml_features *features)
{
    json_node *array = json_add_array(root, key);
    bool complete = array != NULL;
    for (size_t i = 0; i < features->n && complete; i++) {
        const struct coreml_feature *feature = &features->items[i];
        json_node *node = json_add_object(array, NULL);
        complete = json_add_string(node, "name", feature->name) != NULL;
        if (feature->dtype != 0)
            complete =
                json_add_string(node, "dtype", dtype_name(feature->dtype)) != NULL && complete;
        json_node *shape = json_add_array(node, "shape");
        for (uint32_t k = 0; k < feature->rank && complete; k++)
            complete = json_add_number(shape, NULL, (double)feature->shape[k]) != NULL;
    }
    return complete;
}

static bool add_summary(json_node *root, const struct coreml_summary *summary,
                        const struct model_description *description)
{
    uint64_t parameters = 0, memory_bytes = summary->weights_bytes;
    for (size_t i = 0; i < summary->n_dtypes; i++)
        parameters += summary->dtypes[i].n;
    if (description != NULL)
        memory_bytes += description->memory_bytes + description->instance_bytes;
    (void)json_add_number(root, "parameters", (double)parameters);
    (void)json_add_number(root, "weights_bytes", (double)summary->weights_bytes);
    json_node *dtypes = json_add_object(root, "dtypes");
    for (size_t i = 0; i < summary->n_dtypes; i++)
        (void)json_add_number(dtypes, summary->dtypes[i].name, (double)summary->dtypes[i].n);
    return json_add_number(root, "memory_bytes", (double)memory_bytes) != NULL;
}

/* Of a model that cannot be read nothing is said. Without a description inputs and outputs are the file's. */
static model_status add_coreml(json_node *root, const struct package *package, const char *path,
                               const struct model_description *description, struct model_error *err)
{
    struct coreml_model *model = NULL;
    struct coreml_summary summary = {0};
    bool complete = true;
    model_status status = coreml_backend_open(package->archive, path, false, &model, err);
    if (status == MODEL_OK)
        status = coreml_summarise(model, &summary, err);
    if (status == MODEL_OK) {
        complete = add_summary(root, &summary, description);
        if (description == NULL)
            complete = complete && add_features(root, "inputs", &model->inputs) &&
                       add_features(root, "outputs", &model->outputs);
        coreml_summary_finish(&summary);
    }
    coreml_model_close(model);
    if (!complete || status == MODEL_OUT_OF_MEMORY)
        return error_no_memory(err, "model_info.json");
    return MODEL_OK;
}

static model_status add_weights(json_node *root, const struct package *package,
                                const struct weights *weights,
                                const struct model_description *description,
                                struct model_error *err)
{
    struct counts counts = {0};
    model_status status = count_weights(package, weights, &counts, err);
    char *coreml = NULL;
    if (status == MODEL_OK && counts.bytes == 0)
        coreml = coreml_backend_find(package->archive, package->backend_dir);
    if (coreml != NULL) {
        status = add_coreml(root, package, coreml, description, err);
        free(coreml);
        return status;
    }
    if (status != MODEL_OK)
        return status;
    uint64_t memory_bytes = counts.bytes;
    if (description != NULL)
        memory_bytes += description->memory_bytes + description->instance_bytes;
    bool complete = json_add_number(root, "parameters", (double)counts.parameters) != NULL;
    complete = json_add_number(root, "weights_bytes", (double)counts.bytes) != NULL && complete;
    json_node *dtypes = json_add_object(root, "dtypes");
    for (int32_t i = 0; i < N_DTYPES; i++)
        if (counts.elements[i] > 0)
            complete = json_add_number(dtypes, dtype_name(i), (double)counts.elements[i]) != NULL &&
                       complete;
    complete = json_add_number(root, "memory_bytes", (double)memory_bytes) != NULL && complete;
    return complete && dtypes != NULL ? MODEL_OK : error_no_memory(err, "model_info.json");
}

/* ---- backends and plugin */

static model_status add_backends(json_node *root, const struct package *package,
                                 struct model_error *err)
{
    struct dir_list list = {0};
    char *folder = path_join(package->dir, "backends");
    json_node *array = json_add_array(root, "backends");
    bool complete = folder != NULL && array != NULL;
    if (complete && package_folder_read(package->archive, folder, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    for (size_t i = 0; i < list.n_names && complete; i++) {
        char *path = path_join(folder, list.names[i]);
        complete = path != NULL && (!package_folder_exists(package->archive, path) ||
                                    json_add_string(array, NULL, list.names[i]) != NULL);
        free(path);
    }
    dir_list_finish(&list);
    free(folder);
    return complete ? MODEL_OK : error_no_memory(err, "model_info.json");
}

static model_status add_plugin(json_node *root, const struct package *package,
                               struct model_error *err)
{
    struct plugin_file file;
    char sha256[SHA256_HEX_BYTES], abi[16];
    uint64_t size_bytes = 0;
    if (package->plugin == NULL)
        return MODEL_OK;
    model_status status = plugin_file_read(package->plugin, &file, err);
    if (status == MODEL_OK)
        status = digest_file_sha256(package->plugin, sha256, &size_bytes, err);
    if (status != MODEL_OK) {
        (void)package_name_plugin(package, err);
        return status;
    }
    (void)snprintf(abi, sizeof abi, "%u.%u", (unsigned)file.abi_major, (unsigned)file.abi_minor);
    json_node *node = json_add_object(root, "plugin");
    bool complete = json_add_string(node, "name", file.name) != NULL;
    complete = json_add_string(node, "version", file.version) != NULL && complete;
    complete = json_add_string(node, "abi", abi) != NULL && complete;
    complete = json_add_string(node, "sha256", sha256) != NULL && complete;
    return complete ? MODEL_OK : error_no_memory(err, "model_info.json");
}

static model_status add_description(json_node *root, const struct model_description *description,
                                    struct model_error *err)
{
    bool complete = true;
    if (description == NULL)
        return MODEL_OK;
    if (description->task != NULL)
        complete = json_add_string(root, "task", description->task) != NULL;
    complete = complete && add_specs(root, "inputs", description->inputs, description->n_inputs) &&
               add_specs(root, "outputs", description->outputs, description->n_outputs);
    return complete ? MODEL_OK : error_no_memory(err, "model_info.json");
}

model_status model_info_collect(const struct package *package,
                                const struct model_description *description, json_node **ret,
                                struct model_error *err)
{
    return model_info_collect_with(package, NULL, description, ret, err);
}

model_status model_info_collect_with(const struct package *package, const struct weights *weights,
                                     const struct model_description *description, json_node **ret,
                                     struct model_error *err)
{
    json_node *root = json_new_object();
    model_status status = json_add_number(root, "format_version", FORMAT_VERSION) != NULL
                              ? MODEL_OK
                              : error_no_memory(err, "model_info.json");
    if (status == MODEL_OK)
        status = add_config(root, package, err);
    if (status == MODEL_OK)
        status = add_backends(root, package, err);
    if (status == MODEL_OK)
        status = add_weights(root, package, weights, description, err);
    if (status == MODEL_OK)
        status = add_plugin(root, package, err);
    if (status == MODEL_OK)
        status = add_description(root, description, err);
    if (status != MODEL_OK)
        json_free(root);
    else
        *ret = root;
    return status;
}
