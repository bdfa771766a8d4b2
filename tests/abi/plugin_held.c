/* plugin_held.c - a fixture: its run() is held until the test lets it go. Each run() logs "held: run", writes
 * a byte to the pipe "entered_path" and then waits for one from the pipe "release_path", whatever its cancel
 * token says; then it copies input "x" (F32, ["batch"]) to "y". "estimated_ms" and "max_slots" go into the
 * description; destroying an instance logs "held: instance destroyed". */
#include "model_abi.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("held", "1.0.0", "held");

struct held_model {
    struct model base;
    const struct model_services *services;
    struct model_description description;
    const char *entered_path, *release_path;
};

struct held_instance {
    struct model_instance base;
    const struct held_model *model;
};

static const struct model_dimension n_items = {"batch", 0, INT64_MAX};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y};

static model_status fail(struct model_error *err, model_status status, const char *sentence)
{
    memcpy(err->message, sentence, strlen(sentence) + 1);
    return status;
}

static int pass_gates(const struct held_model *model)
{
    char byte = 1;
    const int entered = open(model->entered_path, O_WRONLY | O_CLOEXEC);
    const int release = open(model->release_path, O_RDONLY | O_CLOEXEC);
    const int passed = entered >= 0 && release >= 0 && write(entered, &byte, 1) == 1 &&
                       read(release, &byte, 1) == 1;
    (void)close(entered);
    (void)close(release);
    return passed;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct held_model *model = ((const struct held_instance *)self)->model;
    const struct model_tensor *in = call->inputs[0];
    model->services->log(model->services->context, MODEL_LOG_WARN, "held: run");
    if (!pass_gates(model))
        return fail(err, MODEL_IO, "held: no pipes");
    model_status status = call->allocate_output(call->context, 0, MODEL_F32, 1, in->shape, err);
    if (status == MODEL_OK && in->size_bytes > 0)
        memcpy(call->outputs[0]->data, in->data, (size_t)in->size_bytes);
    return status;
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    (void)self, (void)to, (void)from, (void)n_tokens, (void)err;
    *ret_kept = 0;
    return MODEL_OK;
}

static void destroy_instance(struct model_instance *self)
{
    const struct model_services *services = ((struct held_instance *)self)->model->services;
    services->log(services->context, MODEL_LOG_WARN, "held: instance destroyed");
    services->release(services->context, self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct held_model *model = (const struct held_model *)self;
    const struct model_services *services = model->services;
    struct held_instance *instance = services->allocate(services->context, sizeof *instance);
    if (instance == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "held: out of memory");
    *instance = (struct held_instance){{.struct_size = sizeof(struct model_instance),
                                        .run = run,
                                        .destroy = destroy_instance,
                                        .keep = keep},
                                       model};
    *ret = &instance->base;
    return MODEL_OK;
}

static void destroy(struct model *self)
{
    const struct model_services *services = ((struct held_model *)self)->services;
    services->release(services->context, self);
}

static struct model_value config(const struct model_services *services, const char *path)
{
    struct model_value value = {.struct_size = sizeof value};
    (void)services->config_value(services->context, path, &value);
    return value;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct held_model *model = services->allocate(services->context, sizeof *model);
    if (model == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "held: out of memory");
    *model = (struct held_model){
        .base = {sizeof(struct model), &model->description, create_instance, NULL, destroy},
        .services = services,
        .description = {.struct_size = sizeof model->description,
                        .architecture = "Held",
                        .inputs = inputs,
                        .outputs = outputs,
                        .n_inputs = 1,
                        .n_outputs = 1,
                        .device = "cpu",
                        .compute_dtype = "f32",
                        .max_batch = INT64_MAX,
                        .max_slots = (uint32_t)config(services, "max_slots").number,
                        .estimated_run_ns =
                            (int64_t)(config(services, "estimated_ms").number * 1e6)},
        .entered_path = config(services, "entered_path").string,
        .release_path = config(services, "release_path").string};
    *ret = &model->base;
    return MODEL_OK;
}
