/* bridged.c - see bridged.h. What a bridge says is checked like a file: the schema by bridged_schema.c, sizes by the host
 * at each call. */
#include "bridged.h"
#include "bridged_schema.h"
#include "coreml_ane.h"
#include "describe_features.h"
#include "inferred_outputs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* By enum coreml_units, whose numbers are those of enum model_units. */
static const char *const unit_names[] = {[COREML_UNITS_CPU_AND_NEURAL_ENGINE] =
                                             "cpuAndNeuralEngine",
                                         [COREML_UNITS_ALL] = "all",
                                         [COREML_UNITS_CPU_ONLY] = "cpuOnly",
                                         [COREML_UNITS_CPU_AND_GPU] = "cpuAndGPU"};

/* ---- configuration */

static model_status find_units(const char *wanted, int32_t *ret, struct model_error *err)
{
    for (int32_t i = 0; i <= COREML_UNITS_CPU_AND_GPU; i++)
        if (strcmp(unit_names[i], wanted) == 0) {
            *ret = i;
            return MODEL_OK;
        }
    return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                        "config.json: 'compute_units' is \"%.60s\", want \"cpuAndNeuralEngine\", "
                        "\"all\", \"cpuOnly\" or \"cpuAndGPU\"",
                        wanted);
}

model_status bridged_read_wish(const struct model_services *services, const char *backend_dir,
                               const struct coreml_bridge *bridge, struct bridged_wish *ret,
                               struct model_error *err)
{
    const char *slash = strrchr(backend_dir, '/');
    const bool is_its_own = strcmp(slash != NULL ? slash + 1 : backend_dir, "coreml") == 0;
    if (!is_its_own)
        bridge = NULL; /* other backends may run in the host's own process */
    struct config_reader reader = {services, err, MODEL_OK};
    const char *executor = config_string(&reader, "coreml_executor", "");
    const bool emulates = config_bool(&reader, "emulate_fp16", false);
    const char *units = config_string(&reader, "compute_units", unit_names[0]);
    const bool low_precision = config_bool(&reader, "low_precision_accumulation", false);
    const char *compiled = config_string(&reader, "coreml_compiled", NULL);
    if (reader.status != MODEL_OK)
        return reader.status;
    const bool only = strcmp(executor, "coreml") == 0;
    if (!only && executor[0] != '\0' && strcmp(executor, "kernels") != 0)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "config.json: 'coreml_executor' is \"%.60s\", want \"coreml\" or "
                            "\"kernels\"",
                            executor);
    if (only && emulates)
        return kernels_fail(err, MODEL_UNSUPPORTED,
                            "config.json: 'emulate_fp16' is what the kernels do, and "
                            "'coreml_executor' is \"coreml\"; leave one of them out");
    if (only && bridge == NULL)
        return kernels_fail(err, MODEL_UNSUPPORTED,
                            "config.json wants Core ML, which is on macOS and in backends/coreml "
                            "only, and not in coreml:cpu; without 'coreml_executor' the model is "
                            "computed here");
    const bool is_wanted = is_its_own && (only || (executor[0] == '\0' && !emulates));
    *ret = (struct bridged_wish){
        .is_asked = bridge != NULL && is_wanted, .is_only = only, .low_precision = low_precision};
    const model_status status = find_units(units, &ret->units, err);
    if (!is_wanted)
        ret->units = MODEL_UNITS_NONE;
    return status == MODEL_OK && compiled != NULL
               ? coreml_ane_path(backend_dir, "coreml_compiled", compiled, ret->compiled, err)
               : status;
}

/* ---- the description */

static uint32_t spec_flags(const struct coreml_port *port, bool is_input)
{
    return ((port->flags & COREML_PORT_OPTIONAL) != 0 ? MODEL_SPEC_OPTIONAL : 0) |
           (is_input && (port->flags & COREML_PORT_IMAGE) != 0 ? MODEL_SPEC_BYTES : 0);
}

static void add_port(struct spec_list *list, const struct coreml_port *port, bool is_input)
{
    describe_tensor(list, port->name, port->dtype, spec_flags(port, is_input), port->rank,
                    port->min, port->max);
}

static model_status describe(struct coreml_ane *ane, const struct coreml_schema *schema,
                             struct model_error *err)
{
    struct model_description *description = &ane->model.description;
    struct spec_list in = {.kernels = ane->model.kernels}, out = in;
    for (uint32_t i = 0; i < schema->n_inputs; i++)
        add_port(&in, &schema->inputs[i], true);
    for (uint32_t i = 0; i < schema->n_outputs; i++)
        add_port(&out, &schema->outputs[i], false);
    description->architecture = "CoreML";
    const model_status status = spec_describe(&in, &out, description, err);
    description->max_batch = 1;
    description->cancel_grain = MODEL_CANCEL_NONE;
    const struct coreml_plan_counts *plan = &ane->bridged.plan;
    description->accelerator_share = plan->neural_engine_share;
    if (plan->n_neural_engine > 0)
        description->device = "npu";
    else if (plan->n_gpu > 0)
        description->device = "gpu";
    return status;
}

static void tell_plan(struct coreml_ane *ane)
{
    const struct coreml_plan_counts *plan = &ane->bridged.plan;
    ane->plan.by_kernels = 0;
    ane->plan.n_operators = plan->n_operators;
    ane->plan.n_neural_engine = plan->n_neural_engine;
    ane->plan.n_gpu = plan->n_gpu;
    ane->plan.n_cpu = plan->n_cpu;
    ane->plan.neural_engine_share = plan->neural_engine_share;
}

/* ---- loading and running */

/* What Core ML has begun ends with its process alone, and a call that came back before it would make a process that hangs look
 * like one that works. So the call stays: the host answers its caller in time, and ends the process behind its kill grace. */
static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    static const uint32_t never = 0;
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct bridged *bridged = &((const struct coreml_ane *)instance->model)->bridged;
    const struct model_cancel patience = {sizeof patience, &never, INT64_MAX};
    struct model_call staying = *call;
    char *text = NULL;
    model_status status = model_cancel_status(call->cancel);
    if (status != MODEL_OK)
        return status;
    staying.struct_size = sizeof staying;
    staying.cancel = &patience;
    status = bridged->bridge->predict(bridged->handle, &staying, err, &text);
    /* without a text the host's own function has failed, and has said why */
    return status != MODEL_OK && text != NULL ? bridge_error(bridged->bridge, status, text, err)
                                              : status;
}

static model_status load(struct bridged *bridged, const char *path,
                         const struct coreml_load_options *options, struct model_error *err)
{
    char *text = NULL;
    model_status status = bridged->bridge->load_model(path, options, &bridged->handle, &text);
    if (status != MODEL_OK)
        return bridge_error(bridged->bridge, status, text, err);
    struct coreml_plan_counts plan = {.struct_size = sizeof plan};
    status = bridged->bridge->plan(path, options, &plan, &text);
    if (status != MODEL_OK) {
        bridged->bridge->free_string(text); /* an older system; nothing depends on it */
        return MODEL_OK;
    }
    const uint64_t n = (uint64_t)plan.n_neural_engine + plan.n_gpu + plan.n_cpu;
    if (n == plan.n_operators && plan.neural_engine_share >= 0 && plan.neural_engine_share <= 1)
        bridged->plan = plan;
    return MODEL_OK;
}

/* The names of pictures whose planes are B G R, among at most COREML_ANE_MAX_FEATURES. */
static uint32_t find_bgr(const struct coreml_features *features, const char **names)
{
    uint32_t n = 0;
    for (size_t i = 0; i < features->n && n < COREML_ANE_MAX_FEATURES; i++)
        if (features->items[i].color == COREML_BGR)
            names[n++] = features->items[i].name;
    return n;
}

/* Of what is compiled here: one that was kept and does not load is compiled once more. */
static model_status load_compiled(struct coreml_ane *ane, const char *path,
                                  const struct coreml_model *file, const struct bridged_wish *wish,
                                  const struct coreml_load_options *options,
                                  struct model_error *err)
{
    struct compiled_model *compiled = &ane->bridged.compiled;
    model_status status = compiled_model_init(
        compiled, kernels_services(ane->model.kernels), ane->bridged.bridge, path, file,
        unit_names[wish->units], wish->low_precision ? "low" : "default", err);
    if (status == MODEL_OK)
        status = load(&ane->bridged, compiled->path, options, err);
    if (status != MODEL_CORRUPT || compiled->path == NULL)
        return status;
    status = compiled_model_again(compiled, status, err);
    return status == MODEL_OK ? load(&ane->bridged, compiled->path, options, err) : status;
}

/* What was compiled of the file and came with it; false, and a warning: it does not load. */
static bool load_brought(struct coreml_ane *ane, const char *path,
                         const struct coreml_load_options *options)
{
    const struct model_services *services = kernels_services(ane->model.kernels);
    struct model_error err = {.struct_size = sizeof err};
    char line[MODEL_ERROR_BYTES];
    if (load(&ane->bridged, path, options, &err) == MODEL_OK)
        return true;
    (void)snprintf(line, sizeof line, "%.900s; the model is compiled anew", err.message);
    services->log(services->context, MODEL_LOG_WARN, line);
    return false;
}

static model_status open_handle(struct coreml_ane *ane, const char *path,
                                const struct coreml_model *file, const struct bridged_wish *wish,
                                struct model_error *err)
{
    const char *bgr_inputs[COREML_ANE_MAX_FEATURES], *bgr_outputs[COREML_ANE_MAX_FEATURES];
    struct coreml_load_options options = {.struct_size = sizeof options,
                                          .units = wish->units,
                                          .low_precision = wish->low_precision,
                                          .bgr_inputs = bgr_inputs,
                                          .bgr_outputs = bgr_outputs};
    if (file == NULL)
        return load(&ane->bridged, path, &options, err);
    if (file->states.n > 0)
        return kernels_fail(
            err, MODEL_UNSUPPORTED,
            "Core ML: the model keeps the state '%.100s' from one call to the next, "
            "want one whose calls do not depend on each other",
            file->states.items[0].name);
    options.n_bgr_inputs = find_bgr(&file->inputs, bgr_inputs);
    options.n_bgr_outputs = find_bgr(&file->outputs, bgr_outputs);
    if (file->program != NULL && file->program->n_functions > 1)
        options.function = file->program->main->name;
    if (wish->compiled[0] != '\0' && load_brought(ane, wish->compiled, &options))
        return MODEL_OK;
    return load_compiled(ane, path, file, wish, &options, err);
}

/* What the bridge says, and what it leaves open as the file's operations make it, checked. */
static model_status take_schema(struct coreml_ane *ane, struct coreml_model *file,
                                struct model_error *err)
{
    const struct coreml_bridge *bridge = ane->bridged.bridge;
    const struct coreml_schema *told = NULL;
    struct coreml_port outputs[COREML_ANE_MAX_FEATURES];
    char *text = NULL;
    model_status status = bridge->model_schema(ane->bridged.handle, &told, &text);
    if (status != MODEL_OK)
        return bridge_error(bridge, status, text, err);
    status = bridged_check_counts(told, err);
    if (status != MODEL_OK)
        return status;
    memcpy(outputs, told->outputs, told->n_outputs * sizeof *outputs);
    const struct coreml_schema schema = {sizeof schema, told->inputs, outputs, told->n_inputs,
                                         told->n_outputs};
    status = inferred_outputs_fill(ane, file, outputs, schema.n_outputs, err);
    if (status == MODEL_OK)
        status = bridged_check_schema(&schema, file, err);
    return status == MODEL_OK ? describe(ane, &schema, err) : status;
}

model_status bridged_build(struct coreml_ane *ane, const struct coreml_bridge *bridge,
                           const struct bridged_wish *wish, const char *path,
                           struct coreml_model *file, struct model_error *err)
{
    if (access(path, F_OK) != 0)
        return kernels_fail(err, MODEL_UNSUPPORTED,
                            "Core ML reads models by their path, and there is none in an archive: "
                            "unpack the package ('pkgmgr unpack')");
    ane->bridged = (struct bridged){.bridge = bridge};
    model_status status = open_handle(ane, path, file, wish, err);
    if (status == MODEL_OK)
        status = take_schema(ane, file, err);
    if (status == MODEL_OK) {
        ane->model.run = run;
        tell_plan(ane);
    } else
        bridged_finish(&ane->bridged);
    return status;
}

void bridged_finish(struct bridged *bridged)
{
    if (bridged->bridge != NULL)
        bridged->bridge->free_model(bridged->handle);
    compiled_model_finish(&bridged->compiled);
    *bridged = (struct bridged){.bridge = NULL};
}
