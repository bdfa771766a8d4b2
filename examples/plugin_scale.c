/* plugin_scale.c - a complete plugin: y = x * scale[column] * factor.
 *
 * (1) Copy this file. (2) Rename `scale` to what yours does. (3) Replace the description and run().
 * It shows each part that a plugin needs: the note, a value of config.json ("factor"), a weight ("scale",
 * F32 [size]), a description with a dynamic dimension, polling for cancellation, errors as sentences.
 *
 *   cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -I include examples/plugin_scale.c -o libmodel.so
 *
 * docs/writing-a-plugin.md goes on from here. */
#include <model_abi.h>

#include <stdio.h>
#include <string.h>

MODEL_PLUGIN_NOTE("scale", "1.0.0", "scale");

/* Immutable after create_model(); shared by all instances. */
struct scale_model {
    struct model base; /* first, so that a struct model * is a struct scale_model * */
    const struct model_services *services;
    const float *scale; /* (size): the host's view of the weight */
    int64_t size;
    float factor;
    struct model_dimension shape[2]; /* ["batch", size] */
    struct model_tensor_spec x, y;
    const struct model_tensor_spec *inputs[1], *outputs[1];
    struct model_description description;
};

/* What one running call needs; this model needs nothing of its own. */
struct scale_instance {
    struct model_instance base;
    const struct scale_model *model;
};

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct scale_model *model = ((const struct scale_instance *)self)->model;
    const struct model_tensor *x = call->inputs[0]; /* checked by the host: F32 (batch, size) */
    model_status status = call->allocate_output(call->context, 0, MODEL_F32, 2, x->shape, err);
    if (status != MODEL_OK)
        return status;
    const float *in = x->data;
    float *out = call->outputs[0]->data;
    for (int64_t row = 0; row < x->shape[0]; row++) {
        if ((status = model_cancel_status(call->cancel)) != MODEL_OK)
            return status; /* the host knows the words for it */
        for (int64_t i = 0; i < model->size; i++)
            out[row * model->size + i] =
                in[row * model->size + i] * model->scale[i] * model->factor;
    }
    return MODEL_OK;
}

static void destroy_instance(struct model_instance *self)
{
    const struct model_services *services = ((struct scale_instance *)self)->model->services;
    services->release(services->context, self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct scale_model *model = (const struct scale_model *)self;
    const struct model_services *services = model->services;
    struct scale_instance *instance = services->allocate(services->context, sizeof *instance);
    if (instance == NULL) {
        (void)snprintf(err->message, sizeof err->message, "out of memory for an instance");
        return MODEL_OUT_OF_MEMORY;
    }
    instance->base = (struct model_instance){
        .struct_size = sizeof instance->base, .run = run, .destroy = destroy_instance};
    instance->model = model;
    *ret = &instance->base;
    return MODEL_OK;
}

static void destroy(struct model *self)
{
    const struct model_services *services = ((struct scale_model *)self)->services;
    services->release(services->context, self);
}

/* config.json's "factor" (1 when absent) and the weight "scale". */
static model_status read_package(struct scale_model *model, struct model_error *err)
{
    const struct model_services *services = model->services;
    struct model_value factor = {.struct_size = sizeof factor};
    struct model_tensor scale = {.struct_size = sizeof scale};
    model->factor = 1;
    if (services->config_value(services->context, "factor", &factor) == MODEL_OK) {
        if (factor.kind != MODEL_VALUE_NUMBER) {
            (void)snprintf(err->message, sizeof err->message, "config.json: 'factor' is no number");
            return MODEL_INVALID_ARGUMENT;
        }
        model->factor = (float)factor.number;
    }
    if (services->tensor_by_name(services->context, "scale", &scale) != MODEL_OK) {
        (void)snprintf(err->message, sizeof err->message,
                       "weight 'scale' is missing from the package; want F32 of rank 1");
        return MODEL_NOT_FOUND;
    }
    if (scale.dtype != MODEL_F32 || scale.rank != 1 || scale.shape[0] < 1) {
        (void)snprintf(err->message, sizeof err->message,
                       "weight 'scale': dtype %d, rank %u, want F32 (%d) of rank 1",
                       (int)scale.dtype, scale.rank, MODEL_F32);
        return MODEL_CORRUPT;
    }
    model->scale = scale.data;
    model->size = scale.shape[0];
    return MODEL_OK;
}

static void describe(struct scale_model *model)
{
    model->shape[0] = (struct model_dimension){"batch", 1, INT64_MAX};
    model->shape[1] = (struct model_dimension){NULL, model->size, model->size};
    model->x = (struct model_tensor_spec){sizeof model->x, "x", MODEL_F32, 2, model->shape, 0, 0};
    model->y = (struct model_tensor_spec){sizeof model->y, "y", MODEL_F32, 2, model->shape, 0, 0};
    model->inputs[0] = &model->x;
    model->outputs[0] = &model->y;
    model->description = (struct model_description){.struct_size = sizeof model->description,
                                                    .architecture = "Scale",
                                                    .inputs = model->inputs,
                                                    .outputs = model->outputs,
                                                    .n_inputs = 1,
                                                    .n_outputs = 1,
                                                    .device = "cpu",
                                                    .compute_dtype = "f32",
                                                    .max_batch = INT64_MAX,
                                                    .cancel_grain = MODEL_CANCEL_LAYER};
}

MODEL_EXPORT model_status create_model(const struct model_services *services,
                                       const struct model_create_args *args, struct model **ret,
                                       struct model_error *err)
{
    (void)args;
    struct scale_model *model = services->allocate(services->context, sizeof *model);
    if (model == NULL) {
        (void)snprintf(err->message, sizeof err->message, "out of memory for the model");
        return MODEL_OUT_OF_MEMORY;
    }
    memset(model, 0, sizeof *model);
    model->services = services;
    model_status status = read_package(model, err);
    if (status != MODEL_OK) {
        services->release(services->context, model);
        return status;
    }
    describe(model);
    model->base =
        (struct model){sizeof model->base, &model->description, create_instance, NULL, destroy};
    *ret = &model->base;
    return MODEL_OK;
}
