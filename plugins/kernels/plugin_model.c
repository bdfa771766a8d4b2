/* plugin_model.c - see plugin_model.h. */
#include "kernels_internal.h"

#include <string.h>

static void instance_destroy(struct model_instance *self)
{
    struct plugin_instance *instance = (struct plugin_instance *)self;
    const struct model_services *services = instance->model->kernels->services;
    if (instance->model->finish_instance != NULL)
        instance->model->finish_instance(instance);
    linear_runner_destroy(instance->runner);
    services->release(services->context, instance);
}

/* The plugin's run(), and what it was worth, for who wants to know how much of the processor was used. */
static model_status instance_run(struct model_instance *self, const struct model_call *call,
                                 struct model_error *err)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct model_services *services = instance->model->kernels->services;
    const model_status status = instance->model->run(self, call, err);
    const uint64_t counted = linear_runner_counted(instance->runner);
    if (status == MODEL_OK && counted > 0)
        services->count(services->context, "multiply_adds", counted);
    return status;
}

static model_status instance_create(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct plugin_model *model = (const struct plugin_model *)self;
    const struct model_services *services = model->kernels->services;
    struct linear_runner *runner;
    model_status status = linear_runner_create(model->kernels, &runner, err);
    if (status != MODEL_OK)
        return status;
    const size_t size_bytes =
        model->instance_bytes > 0 ? model->instance_bytes : sizeof(struct plugin_instance);
    struct plugin_instance *instance = services->allocate(services->context, size_bytes);
    if (instance == NULL) {
        linear_runner_destroy(runner);
        return kernels_no_memory(err, "an instance");
    }
    memset(instance, 0, size_bytes);
    *instance = (struct plugin_instance){.instance = {.struct_size = sizeof instance->instance,
                                                      .run = instance_run,
                                                      .destroy = instance_destroy,
                                                      .keep = model->keep},
                                         .model = model,
                                         .runner = runner};
    *ret = &instance->instance;
    return MODEL_OK;
}

static void model_destroy(struct model *self)
{
    kernels_destroy(((struct plugin_model *)self)->kernels);
}

model_status plugin_model_create(const struct model_services *services,
                                 const struct model_create_args *args, size_t size_bytes,
                                 model_status (*build)(struct plugin_model *model,
                                                       struct model_error *err),
                                 struct model **ret, struct model_error *err)
{
    struct kernels *kernels = NULL;
    struct plugin_model *model = NULL;
    model_status status = kernels_create(services, args, &kernels, err);
    if (status != MODEL_OK)
        return status;
    model = kernels_allocate(kernels, size_bytes);
    if (model == NULL) {
        status = kernels_no_memory(err, "the model");
        goto fail;
    }
    model->kernels = kernels;
    model->model = (struct model){.struct_size = sizeof model->model,
                                  .description = &model->description,
                                  .create_instance = instance_create,
                                  .destroy = model_destroy};
    status = build(model, err);
    if (status != MODEL_OK)
        goto fail;
    *ret = &model->model;
    return MODEL_OK;
fail:
    kernels_destroy(kernels);
    return status;
}
