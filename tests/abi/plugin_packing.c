/* plugin_packing.c - a fixture: keeps prepared weights through packed_blob(). The weight "w" (F32, [n]) doubled is one
 * blob, its negative another; output "y" is input "x" plus 2 w, and "filled" says how many blobs it had to
 * fill. What stands in the package's file "salt" goes into the blobs' keys (another library, say;
 * "negative" into that one's alone); with "fail": true in config.json filling the second blob fails. */
#include "model_abi.h"

#include <stdio.h>
#include <string.h>

MODEL_PLUGIN_NOTE("packing", "1.0.0", "packing");

struct packing_model {
    struct model base;
    const struct model_services *services;
    const float *doubled, *negative; /* (n) */
    char salt[16];
    float n_filled;
};

struct packing_instance {
    struct model_instance base;
    const struct packing_model *model;
};

struct filling {
    const struct model_tensor *w;
    float factor;
    float *n_filled;
    int fails;
};

static const struct model_dimension n_items = {"n", 0, INT64_MAX};
static const struct model_dimension one = {NULL, 1, 1};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 1, &n_items, 0, 0};
static const struct model_tensor_spec filled = {sizeof filled, "filled", MODEL_F32, 1, &one, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y, &filled};
static const struct model_description description = {.struct_size = sizeof description,
                                                     .architecture = "Packing",
                                                     .inputs = inputs,
                                                     .outputs = outputs,
                                                     .n_inputs = 1,
                                                     .n_outputs = 2,
                                                     .device = "cpu",
                                                     .compute_dtype = "f32",
                                                     .max_batch = INT64_MAX,
                                                     .cancel_grain = MODEL_CANCEL_LAYER};

static model_status fail(struct model_error *err, model_status status, const char *sentence)
{
    (void)snprintf(err->message, sizeof err->message, "packing: %s", sentence);
    return status;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct packing_model *model = ((const struct packing_instance *)self)->model;
    const struct model_tensor *in = call->inputs[0];
    const int64_t n = in->shape[0], n_one = 1;
    model_status status = call->allocate_output(call->context, 0, MODEL_F32, 1, &n, err);
    if (status == MODEL_OK)
        status = call->allocate_output(call->context, 1, MODEL_F32, 1, &n_one, err);
    if (status != MODEL_OK)
        return status;
    const float *from = in->data;
    float *to = call->outputs[0]->data;
    for (int64_t i = 0; i < n; i++)
        to[i] = model->doubled[i] == -2 * model->negative[i] ? from[i] + model->doubled[i] : -1;
    *(float *)call->outputs[1]->data = model->n_filled;
    return MODEL_OK;
}

static void destroy_instance(struct model_instance *self)
{
    const struct model_services *services = ((struct packing_instance *)self)->model->services;
    services->release(services->context, self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct packing_model *model = (const struct packing_model *)self;
    const struct model_services *services = model->services;
    struct packing_instance *instance = services->allocate(services->context, sizeof *instance);
    if (instance == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "out of memory");
    *instance = (struct packing_instance){
        {.struct_size = sizeof(struct model_instance), .run = run, .destroy = destroy_instance},
        model};
    *ret = &instance->base;
    return MODEL_OK;
}

static void destroy(struct model *self)
{
    const struct model_services *services = ((struct packing_model *)self)->services;
    services->release(services->context, self);
}

static model_status fill(void *argument, void *destination)
{
    const struct filling *filling = argument;
    const float *from = filling->w->data;
    float *to = destination;
    if (filling->fails)
        return MODEL_INTERNAL;
    for (int64_t i = 0; i < filling->w->shape[0]; i++)
        to[i] = filling->factor * from[i];
    ++*filling->n_filled;
    return MODEL_OK;
}

static model_status pack(struct packing_model *model, const struct model_tensor *w,
                         const char *name, float factor, int fails, const float **ret)
{
    const struct model_services *services = model->services;
    struct filling filling = {w, factor, &model->n_filled, fails};
    char key[200];
    const void *data = NULL;
    const int is_salted = strcmp(model->salt, "negative") != 0 || strcmp(name, "negative") == 0;
    (void)snprintf(key, sizeof key, "packing %s w %s", is_salted ? model->salt : "", name);
    model_status status =
        services->packed_blob(services->context, key, (size_t)w->size_bytes, fill, &filling, &data);
    *ret = data;
    return status;
}

static void read_salt(struct packing_model *model, const char *package_dir)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/salt", package_dir);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    model->salt[fread(model->salt, 1, sizeof model->salt - 1, file)] = '\0';
    (void)fclose(file);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    struct model_tensor w = {.struct_size = sizeof w};
    struct model_value fails = {.struct_size = sizeof fails};
    if (services->tensor_by_name(services->context, "w", &w) != MODEL_OK)
        return fail(err, MODEL_NOT_FOUND, "there is no weight 'w'");
    struct packing_model *model = services->allocate(services->context, sizeof *model);
    if (model == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "out of memory");
    *model = (struct packing_model){
        .base = {sizeof(struct model), &description, create_instance, NULL, destroy},
        .services = services};
    (void)services->config_value(services->context, "fail", &fails);
    read_salt(model, args->package_dir);
    model_status status = pack(model, &w, "doubled", 2, 0, &model->doubled);
    if (status == MODEL_OK)
        status = pack(model, &w, "negative", -1, fails.number != 0, &model->negative);
    if (status == MODEL_OK) {
        *ret = &model->base;
        return MODEL_OK;
    }
    services->release(services->context, model);
    return fail(err, status, "a blob cannot be filled");
}
