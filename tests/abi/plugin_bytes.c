/* plugin_bytes.c - a fixture whose weights are a file of its own format: y[i] is the byte at x[i] of the file that
 * config.json names as "file", which the host maps (MODEL_BACKEND_FILES). "cut": a path; create_model() makes that file
 * empty when it has mapped its own, and then reads all of this. */
#include "fixture.h"
#include "model_extensions.h"

#include <unistd.h>

MODEL_PLUGIN_NOTE("bytes", "1.0.0", "bytes");

struct bytes {
    struct fixture base;
    const uint8_t *data;
    uint64_t size_bytes;
};

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct bytes *model = (const struct bytes *)((struct fixture_instance *)self)->model;
    const struct model_tensor *x = call->inputs[0];
    model_status status = call->allocate_output(call->context, 0, MODEL_F32, 1, x->shape, err);
    for (int64_t i = 0; i < x->shape[0] && status == MODEL_OK; i++) {
        const float place = ((const float *)x->data)[i];
        if (!(place >= 0 && place < (float)model->size_bytes))
            return refuse(err, MODEL_INVALID_ARGUMENT, "bytes: no such place in the file");
        ((float *)call->outputs[0]->data)[i] = model->data[(uint64_t)place];
    }
    return status;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct fixture_instance), run, NULL, ret, err);
}

static model_status read_file(struct bytes *model, struct model_error *err)
{
    const struct model_services *services = model->base.services;
    const struct model_backend_files *files =
        services->get_extension(services->context, MODEL_BACKEND_FILES);
    const struct model_value name = config(services, "file"), cut = config(services, "cut");
    const void *data = NULL;
    if (files == NULL || name.string == NULL)
        return refuse(err, MODEL_UNSUPPORTED, "bytes: no file, or no host that maps it");
    model_status status = files->map(files->context, name.string, &data, &model->size_bytes, err);
    model->data = data;
    if (status != MODEL_OK || cut.string == NULL)
        return status;
    if (truncate(cut.string, 0) != 0)
        return refuse(err, MODEL_IO, "bytes: the file cannot be cut");
    uint64_t sum = 0;
    for (uint64_t i = 0; i < model->size_bytes; i++)
        sum += ((volatile const uint8_t *)model->data)[i];
    files->discard(files->context, data, model->size_bytes);
    return sum > 0 ? MODEL_OK : refuse(err, MODEL_UNSUPPORTED, "bytes: all of it is zero");
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    FIXTURE_FLOATS("n", 1);
    static const struct model_description description = {FIXTURE_ONE_TO_ONE("Bytes")};
    struct bytes *model =
        fixture_create_model(services, sizeof *model, &description, create_instance, err);
    (void)args;
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    const model_status status = read_file(model, err);
    if (status == MODEL_OK)
        *ret = &model->base.base;
    else
        fixture_destroy(&model->base.base);
    return status;
}
