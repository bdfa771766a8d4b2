/* plugin_rude.c - a fixture: gives twice its input "x" (F32, ["batch" of at most 2, 4]) as "y", but breaks
 * its word as config.json says:
 *   "mode": "write_fields"  run() has the output point to memory of its own
 *           "null_shape"    run() gives allocate_output() no shape
 *           "wrong_dtype"   run() overlooks that allocate_output() refused
 *           "unheard"       run() fails as allocate_output() did, without its sentence
 *           "skip_output"   run() gives no output at all
 *           "own_memory"    run() sets the output's fields and never calls allocate_output()
 *           "slow_create"   create_model() takes ten seconds
 *           "broken_name"   the output's name is not UTF-8
 *           "broken_text"   the architecture's name holds an escape sequence
 *   "run_status", "create_status", "instance_status": what these functions return, at once
 *   "says": the sentence that goes with it */
#include "model_abi.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("rude", "2.1.0", "rude");

struct rude_model {
    struct model base;
    const struct model_services *services;
    char mode[32], says[64];
    model_status run_status, instance_status;
    struct model_tensor_spec y;
    const struct model_tensor_spec *outputs[1];
    struct model_description description;
};

struct rude_instance {
    struct model_instance base;
    const struct rude_model *model;
};

static const struct model_dimension shape[] = {{"batch", 1, INT64_MAX}, {NULL, 4, 4}};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 2, shape, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x};
static float own_memory[8];

static int is(const struct rude_model *model, const char *mode)
{
    return strcmp(model->mode, mode) == 0;
}

static model_status say(const struct rude_model *model, struct model_error *err,
                        model_status status)
{
    (void)snprintf(err->message, sizeof err->message, "%s", model->says);
    return status;
}

static void point_elsewhere(struct model_tensor *y, const struct model_tensor *in)
{
    const char *name = y->name;
    *y = *in;
    y->name = name;
    y->data = own_memory;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct rude_model *model = ((const struct rude_instance *)self)->model;
    const struct model_tensor *in = call->inputs[0];
    if (model->run_status != MODEL_OK)
        return say(model, err, model->run_status);
    if (is(model, "skip_output"))
        return MODEL_OK;
    if (is(model, "own_memory")) {
        point_elsewhere(call->outputs[0], in);
        return MODEL_OK;
    }
    if (is(model, "wrong_dtype")) {
        (void)call->allocate_output(call->context, 0, MODEL_F64, 2, in->shape, NULL);
        return MODEL_OK;
    }
    if (is(model, "unheard"))
        return call->allocate_output(call->context, 0, MODEL_F64, 2, in->shape, NULL);
    model_status status = call->allocate_output(call->context, 0, MODEL_F32, 2,
                                                is(model, "null_shape") ? NULL : in->shape, err);
    if (status != MODEL_OK)
        return status;
    for (int64_t i = 0; i < in->shape[0] * 4; i++)
        ((float *)call->outputs[0]->data)[i] = 2 * ((const float *)in->data)[i];
    if (is(model, "write_fields"))
        point_elsewhere(call->outputs[0], in);
    return MODEL_OK;
}

static void destroy_instance(struct model_instance *self)
{
    const struct model_services *services = ((struct rude_instance *)self)->model->services;
    services->release(services->context, self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct rude_model *model = (const struct rude_model *)self;
    if (model->instance_status != MODEL_OK)
        return say(model, err, model->instance_status);
    struct rude_instance *instance =
        model->services->allocate(model->services->context, sizeof *instance);
    if (instance == NULL)
        return say(model, err, MODEL_OUT_OF_MEMORY);
    *instance = (struct rude_instance){
        {.struct_size = sizeof(struct model_instance), .run = run, .destroy = destroy_instance},
        model};
    *ret = &instance->base;
    return MODEL_OK;
}

static void destroy(struct model *self)
{
    const struct model_services *services = ((struct rude_model *)self)->services;
    services->release(services->context, self);
}

static model_status read_number(const struct model_services *services, const char *key)
{
    struct model_value value = {.struct_size = sizeof value};
    return services->config_value(services->context, key, &value) == MODEL_OK
               ? (model_status)value.number
               : MODEL_OK;
}

static void read_text(const struct model_services *services, const char *key, char *ret,
                      size_t ret_bytes)
{
    struct model_value value = {.struct_size = sizeof value};
    if (services->config_value(services->context, key, &value) == MODEL_OK &&
        value.kind == MODEL_VALUE_STRING)
        (void)snprintf(ret, ret_bytes, "%s", value.string);
}

static void describe(struct rude_model *model)
{
    model->y = x;
    model->y.name = is(model, "broken_name") ? "y\xff" : "y";
    model->outputs[0] = &model->y;
    model->description = (struct model_description){
        .struct_size = sizeof model->description,
        .architecture = is(model, "broken_text") ? "Rude\033[31m" : "Rude",
        .inputs = inputs,
        .outputs = model->outputs,
        .n_inputs = 1,
        .n_outputs = 1,
        .device = "cpu",
        .compute_dtype = "f32",
        .max_batch = 2,
        .cancel_grain = MODEL_CANCEL_NONE};
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct rude_model *model = services->allocate(services->context, sizeof *model);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    memset(model, 0, sizeof *model);
    model->services = services;
    read_text(services, "mode", model->mode, sizeof model->mode);
    read_text(services, "says", model->says, sizeof model->says);
    model->run_status = read_number(services, "run_status");
    model->instance_status = read_number(services, "instance_status");
    const model_status status = read_number(services, "create_status");
    if (status != MODEL_OK) {
        (void)say(model, err, status);
        services->release(services->context, model);
        return status;
    }
    if (is(model, "slow_create"))
        sleep(10);
    describe(model);
    model->base = (struct model){.struct_size = sizeof(struct model),
                                 .description = &model->description,
                                 .create_instance = create_instance,
                                 .destroy = destroy};
    *ret = &model->base;
    return MODEL_OK;
}
