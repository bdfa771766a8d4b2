/* plugin_held.c - a fixture: its run() is held until the test lets it go. Each run() logs "held: run", writes
 * a byte to the pipe "entered_path" and then waits for one from the pipe "release_path", whatever its cancel
 * token says; then it copies input "x" (F32, ["batch"]) to "y". "estimated_ms" and "max_slots" go into the
 * description; destroying an instance logs "held: instance destroyed". */
#include "fixture.h"

#include <fcntl.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("held", "1.0.0", "held");

struct held_model {
    struct fixture base;
    struct model_description description;
    const char *entered_path, *release_path;
};

FIXTURE_FLOATS("batch", 0);

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
    const struct held_model *model =
        (const struct held_model *)((const struct fixture_instance *)self)->model;
    const struct model_tensor *in = call->inputs[0];
    model->base.services->log(model->base.services->context, MODEL_LOG_WARN, "held: run");
    if (!pass_gates(model))
        return refuse(err, MODEL_IO, "held: no pipes");
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
    const struct model_services *services = ((struct fixture_instance *)self)->model->services;
    services->log(services->context, MODEL_LOG_WARN, "held: instance destroyed");
    fixture_destroy_instance(self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    model_status status =
        fixture_create_instance(self, sizeof(struct fixture_instance), run, keep, ret, err);
    if (status == MODEL_OK)
        (*ret)->destroy = destroy_instance;
    return status;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct held_model *model =
        fixture_create_model(services, sizeof *model, NULL, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    model->description = (struct model_description){
        FIXTURE_ONE_TO_ONE("Held"), .max_slots = (uint32_t)config_number(services, "max_slots", 0),
        .estimated_run_ns = (int64_t)(config_number(services, "estimated_ms", 0) * 1e6)};
    model->base.base.description = &model->description;
    model->entered_path = config(services, "entered_path").string;
    model->release_path = config(services, "release_path").string;
    *ret = &model->base.base;
    return MODEL_OK;
}
