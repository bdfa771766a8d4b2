/* coreml_ane.c - finds the model beside the plugin, describes it, runs it; see coreml_ane.h. Core ML, where it is, is
 * driven by bridged.c; the rest here is for the graph. */
#include "coreml_ane.h"
#include "misspelt_fields.h"

#include "describe_features.h"
#include "variants.h"

#include <stdio.h>
#include <string.h>

MODEL_PLUGIN_NOTE("coreml-ane", "1.0.0", "coreml");

#define MAX_EXACT (1 << 24)

/* A path below the backend's folder: no way up, and not absolute. */
static bool is_below(const char *path)
{
    if (path[0] == '\0' || path[0] == '/')
        return false;
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

model_status coreml_ane_path(const char *backend_dir, const char *field, const char *name,
                             char ret[BRIDGED_PATH_BYTES], struct model_error *err)
{
    const int n = snprintf(ret, BRIDGED_PATH_BYTES, "%s/%s", backend_dir, name);
    if (n >= 0 && (size_t)n < BRIDGED_PATH_BYTES && is_below(name))
        return MODEL_OK;
    return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                        "config.json: '%s' is \"%.100s\", want a path below its folder", field,
                        name);
}

static bool is_compiled(const char *path)
{
    const size_t n = strlen(path), n_end = strlen(".mlmodelc");
    return n > n_end && strcmp(path + n - n_end, ".mlmodelc") == 0;
}

/* The model `name` out of the host's files; of a host without that service, the one at path. */
static model_status open_file(const struct model_services *services, const char *name,
                              const char *path, struct coreml_model **ret, struct model_error *err)
{
    const struct model_backend_files *files =
        services->get_extension(services->context, MODEL_BACKEND_FILES);
    return files != NULL && MODEL_HAS(struct model_backend_files, files, discard)
               ? coreml_model_open_from(files, name, ret, err)
               : coreml_model_open(path, ret, err);
}

/* The model that config.json names, else model.mlpackage, else model.mlmodel, in backend_dir. *ret stays NULL for a
 * compiled one, when that is of use. */
static model_status open_model(const struct model_services *services, const char *backend_dir,
                               bool takes_compiled, char path[BRIDGED_PATH_BYTES],
                               struct coreml_model **ret, struct model_error *err)
{
    struct config_reader reader = {services, err, MODEL_OK};
    const char *names[] = {config_string(&reader, "coreml_model", NULL), "model.mlpackage",
                           "model.mlmodel"};
    const size_t first = names[0] == NULL ? 1 : 0, end = names[0] == NULL ? 3 : 1;
    model_status status = MODEL_NOT_FOUND;
    if (reader.status != MODEL_OK)
        return reader.status;
    for (size_t i = first; i < end && status == MODEL_NOT_FOUND; i++) {
        status = coreml_ane_path(backend_dir, "coreml_model", names[i], path, err);
        if (status != MODEL_OK)
            return status;
        status = open_file(services, names[i], path, ret, err);
        if (status == MODEL_UNSUPPORTED && takes_compiled && is_compiled(path))
            return MODEL_OK;
    }
    /* Of what is not found the host thinks that it is the weights, and says so. */
    if (status == MODEL_NOT_FOUND && names[0] != NULL)
        return kernels_fail(
            err, MODEL_CORRUPT,
            "config.json: 'coreml_model' is \"%.100s\", and there is none beside it", names[0]);
    if (status == MODEL_NOT_FOUND)
        return kernels_fail(err, MODEL_CORRUPT,
                            "no 'model.mlpackage' and no 'model.mlmodel' beside config.json, and "
                            "no 'coreml_model' in it");
    return status;
}

/* Core ML reads the model by its path, past the host, which has to look at every file there first. */
static model_status check_path(const struct model_services *services, const char *backend_dir,
                               const char *path, struct model_error *err)
{
    const struct model_backend_files *files =
        services->get_extension(services->context, MODEL_BACKEND_FILES);
    return files != NULL && MODEL_HAS(struct model_backend_files, files, check_path)
               ? files->check_path(files->context, path + strlen(backend_dir) + 1, err)
               : MODEL_OK;
}

/* Whether numbers are rounded to float16, as on the Neural Engine: "emulate_fp16" of config.json; and, with "fuse": false, nodes
 * computed one by one, which tests compare with. */
static model_status read_wishes(struct coreml_ane *ane, struct model_error *err)
{
    struct config_reader reader = {kernels_services(ane->model.kernels), err, MODEL_OK};
    const char *dtype = kernels_dtype_name(ane->model.kernels);
    ane->usual.graph->emulates_f16 = config_bool(&reader, "emulate_fp16", false);
    ane->usual.graph->keeps_apart = !config_bool(&reader, "fuse", true);
    if (reader.status == MODEL_OK && ane->usual.graph->emulates_f16 && strcmp(dtype, "f32") != 0)
        return kernels_fail(
            err, MODEL_UNSUPPORTED,
            "config.json: 'emulate_fp16' is for products in f32, and %s was asked for", dtype);
    return reader.status;
}

/* Weights that are packed: their pages need not stay. */
static void discard(void *reader, const void *data, size_t size_bytes)
{
    coreml_model_discard(reader, data, size_bytes);
}

/* Tables of which a run reads some rows. */
static bool stays(void *reader, const void *data, size_t size_bytes)
{
    return coreml_model_is_outlived(reader, data, size_bytes);
}

model_status coreml_ane_translate(struct ane_variant *variant, const struct coreml_model *file,
                                  struct model_error *err)
{
    model_status status = MODEL_OK;
    if (file->n_parts > 0)
        status = translate_pipeline(variant, file, err);
    else if (file->network != NULL)
        status = translate_network(variant, file, err);
    else if (file->program != NULL)
        status = translate_program(variant, file, err);
    else
        return kernels_fail(err, MODEL_UNSUPPORTED,
                            "a Core ML model of kind '%.60s' is not computed here, want a neural "
                            "network, a program or a pipeline of them",
                            file->kind);
    if (status == MODEL_OK && variant->n_outputs == 0)
        return kernels_fail(err, MODEL_UNSUPPORTED, "no output of this model is a tensor");
    return status;
}

static const char *architecture_of(const struct coreml_model *file)
{
    return file->n_parts > 0       ? "CoreMLPipeline"
           : file->network != NULL ? "CoreMLNeuralNetwork"
                                   : "CoreMLProgram";
}

/* A pipeline's parts go together at their default sizes. */
model_status coreml_ane_find_sizes(struct coreml_ane *ane, struct model_error *err)
{
    bool is_fixed = true;
    for (uint32_t i = 0; i < ane->usual.n_inputs; i++) {
        const struct ane_feature *input = &ane->usual.inputs[i];
        ane->sizes[i] =
            ane->file->n_parts > 0
                ? (struct input_sizes){.min = input->shape, .max = input->shape}
                : feature_sizes_of(input, coreml_features_find(&ane->file->inputs, input->name));
        is_fixed = is_fixed && feature_sizes_are_fixed(&ane->sizes[i]);
    }
    if (is_fixed)
        return MODEL_OK;
    ane->variants = variants_create(ane, ane->threads);
    if (ane->variants == NULL || !graph_services_share(ane->services))
        return kernels_no_memory(err, "the model at other sizes");
    return MODEL_OK;
}

/* By the kernels. */
static model_status build_graph(struct coreml_ane *ane, struct model_error *err)
{
    struct coreml_model *file = ane->file;
    model_status status = read_wishes(ane, err);
    if (status != MODEL_OK)
        return status;
    ane->usual.graph->discard = discard;
    ane->usual.graph->stays = stays;
    ane->usual.graph->reader = file;
    status = coreml_ane_translate(&ane->usual, file, err);
    if (status == MODEL_OK)
        status = coreml_ane_find_sizes(ane, err);
    if (status == MODEL_OK)
        status = graph_finish(ane->usual.graph, err);
    ane->model.description.architecture = architecture_of(file);
    return status == MODEL_OK ? describe_features(ane, err) : status;
}

/* What there is for other sizes, and the file. */
static void forget_file(struct coreml_ane *ane)
{
    variants_destroy(ane->variants);
    ane->variants = NULL;
    coreml_model_close(ane->file);
    ane->file = NULL;
}

/* What building needs beyond the plugin_model: there is no other way in. */
struct building {
    struct graph_services services; /* first: kernels are made with its table */
    const char *backend_dir;
    uint32_t threads;
    bool by_kernels; /* as the host wants, which knows why */
};

/* By Core ML where it is and is asked for, and by the kernels when that fails and may. */
static model_status build_model(struct coreml_ane *ane, const struct building *building,
                                struct model_error *err)
{
    const struct model_services *services = kernels_services(ane->model.kernels);
    const struct coreml_bridge *bridge = building->by_kernels ? NULL : coreml_bridge_linked();
    const char *backend_dir = building->backend_dir;
    struct coreml_model *file = NULL;
    char path[BRIDGED_PATH_BYTES];
    struct bridged_wish wish = {.is_asked = false};
    model_status status = bridged_read_wish(services, backend_dir, bridge, &wish, err);
    if (status == MODEL_OK)
        status = open_model(services, backend_dir, wish.is_asked, path, &file, err);
    if (status == MODEL_OK && wish.is_asked)
        status = check_path(services, backend_dir, path, err);
    if (status == MODEL_OK && wish.is_asked && wish.compiled[0] != '\0')
        status = check_path(services, backend_dir, wish.compiled, err);
    if (status != MODEL_OK) {
        coreml_model_close(file);
        return status;
    }
    ane->plan = (struct model_device_plan){.struct_size = sizeof ane->plan,
                                           .requested_units =
                                               building->by_kernels ? MODEL_UNITS_NONE : wish.units,
                                           .by_kernels = 1};
    if (wish.is_asked) {
        status = bridged_build(ane, bridge, &wish, path, file, err);
        if (status == MODEL_OK || wish.is_only || file == NULL) {
            coreml_model_close(file);
            return status;
        }
        char line[MODEL_ERROR_BYTES];
        (void)snprintf(line, sizeof line, "%.900s; the kernels compute instead", err->message);
        services->log(services->context, MODEL_LOG_WARN, line);
        err->message[0] = '\0';
    }
    ane->file = file;
    status = build_graph(ane, err);
    if (status != MODEL_OK || ane->variants == NULL)
        forget_file(ane);
    return status;
}

/* Positions are whole numbers already. */
static void to_integers(float *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float x = numbers[i];
        const int32_t whole = x >= 2147483648.0f    ? INT32_MAX
                              : x <= -2147483648.0f ? INT32_MIN
                              : x == x              ? (int32_t)x
                                                    : 0;
        memcpy(&numbers[i], &whole, sizeof whole);
    }
}

/* The memory of each wanted output; NULL for the others. */
static model_status take_outputs(const struct ane_variant *variant, const struct model_call *call,
                                 float **data, struct model_error *err)
{
    for (uint32_t i = 0; i < call->n_outputs; i++)
        for (uint32_t k = 0; k < variant->n_outputs; k++) {
            const struct ane_feature *output = &variant->outputs[k];
            if (strcmp(call->outputs[i]->name, output->name) != 0)
                continue;
            const model_status status = call->allocate_output(
                call->context, i, output->dtype, output->shape.rank, output->shape.size, err);
            if (status != MODEL_OK)
                return status;
            data[k] = call->outputs[i]->data;
        }
    return MODEL_OK;
}

/* Whole numbers that float32 has: others would become their neighbours without a word. */
static model_status check_integers(const struct model_tensor *tensor, struct model_error *err)
{
    const int32_t *numbers = tensor->data;
    size_t n = tensor->dtype == MODEL_I32 ? 1 : 0;
    for (uint32_t i = 0; i < tensor->rank; i++)
        n *= (size_t)tensor->shape[i];
    for (size_t i = 0; i < n; i++)
        if (numbers[i] > MAX_EXACT || numbers[i] < -MAX_EXACT)
            return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                                "'%.100s' has %ld, and whole numbers are computed up to %d",
                                tensor->name, (long)numbers[i], MAX_EXACT);
    return MODEL_OK;
}

static model_status run_variant(const struct ane_variant *variant, struct linear_runner *runner,
                                const struct model_call *call, struct model_error *err)
{
    struct graph_input inputs[COREML_ANE_MAX_FEATURES];
    float *outputs[COREML_ANE_MAX_FEATURES] = {NULL};
    for (uint32_t i = 0; i < variant->n_inputs; i++) {
        const struct model_tensor *tensor = call_input(call, variant->inputs[i].name);
        inputs[i] = (struct graph_input){tensor->data, tensor->dtype};
        const model_status checked = check_integers(tensor, err);
        if (checked != MODEL_OK)
            return checked;
    }
    model_status status = take_outputs(variant, call, outputs, err);
    if (status != MODEL_OK)
        return status;
    linear_runner_begin(runner, call->cancel, err);
    status = graph_run(variant->graph, runner, call->cancel, inputs, outputs, err);
    for (uint32_t i = 0; i < variant->n_outputs && status == MODEL_OK; i++)
        if (outputs[i] != NULL && variant->outputs[i].dtype == MODEL_I32)
            to_integers(outputs[i], graph_shape_size(&variant->outputs[i].shape));
    return status;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct coreml_ane *ane = (const struct coreml_ane *)instance->model;
    struct variant_use use = {.variant = &ane->usual, .runner = instance->runner};
    model_status status =
        ane->variants != NULL ? variants_take(ane->variants, call, &use, err) : MODEL_OK;
    if (status != MODEL_OK)
        return status;
    status = run_variant(use.variant, use.runner, call, err);
    if (use.runner != instance->runner) {
        linear_runner_begin(instance->runner, call->cancel, err); /* counts for the call */
        linear_runner_count(instance->runner, linear_runner_counted(use.runner));
        variants_leave(ane->variants, &use);
    }
    return status;
}

static model_status build(struct plugin_model *model, struct model_error *err)
{
    struct coreml_ane *ane = (struct coreml_ane *)model;
    struct building *building = kernels_services(model->kernels)->context;
    ane->services = &building->services;
    ane->threads = building->threads;
    ane->usual.graph = graph_create(model->kernels);
    if (ane->usual.graph == NULL)
        return kernels_no_memory(err, "a graph");
    building->services.graph = ane->usual.graph;
    model->run = run;
    return build_model(ane, building, err);
}

static void destroy(struct model *self)
{
    struct coreml_ane *ane = (struct coreml_ane *)self;
    struct graph_services *services = ane->services;
    const struct model_services *host = services->host;
    forget_file(ane);
    bridged_finish(&ane->bridged);
    kernels_destroy(ane->model.kernels);
    host->release(host->context, services);
}

static const void *get_extension(const struct model *self, const char *id)
{
    return strcmp(id, MODEL_DEVICE_PLAN) == 0 ? &((const struct coreml_ane *)self)->plan : NULL;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    struct building *building = services->allocate(services->context, sizeof *building);
    if (building == NULL)
        return kernels_no_memory(err, "the model");
    misspelt_fields_tell(services, args->config_json);
    graph_services_init(&building->services, services);
    building->backend_dir = args->backend_dir;
    building->threads = args->threads;
    building->by_kernels = MODEL_HAS(struct model_create_args, args, device) &&
                           args->device != NULL && strcmp(args->device, "cpu") == 0;
    const model_status status = plugin_model_create(&building->services.table, args,
                                                    sizeof(struct coreml_ane), build, ret, err);
    if (status != MODEL_OK) {
        services->release(services->context, building);
        return status;
    }
    (*ret)->destroy = destroy;
    (*ret)->get_extension = get_extension;
    return MODEL_OK;
}
