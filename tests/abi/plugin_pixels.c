/* plugin_pixels.c - a fixture that sees pictures: output "logits" (F32, [batch, num_channels]) holds the mean
 * of each channel of input "pixel_values" (F32, [batch, num_channels, height, width]). config.json:
 * "num_channels" (3), "size" makes height and width fixed, "no_logits" calls the output "pooler_output"; "takes_bytes" has one
 * "picture" (F32 or U8) and its "chances" [num_channels] instead, "has_mask" another required input. */
#include "fixture.h"

MODEL_PLUGIN_NOTE("pixels", "1.0.0", "pixels");

struct pixels_model {
    struct fixture base;
    struct model_dimension in_shape[4];
    struct model_tensor_spec in, mask, out;
    const struct model_tensor_spec *inputs[2], *outputs[1];
    struct model_description description;
};

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    (void)self;
    const struct model_tensor *x = call->inputs[0];
    const float *values = x->data;
    const int64_t n = x->shape[2] * x->shape[3];
    const uint32_t rank = strcmp(x->name, "picture") == 0 ? 1 : 2;
    model_status status =
        call->allocate_output(call->context, 0, MODEL_F32, rank, x->shape + 2 - rank, err);
    for (int64_t i = 0; i < x->shape[0] * x->shape[1] && status == MODEL_OK; i++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += (double)values[i * n + k];
        ((float *)call->outputs[0]->data)[i] = (float)(sum / (double)n);
    }
    return status;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct fixture_instance), run, NULL, ret, err);
}

static void describe(struct pixels_model *model)
{
    const struct model_services *services = model->base.services;
    const int64_t num_channels = (int64_t)config_number(services, "num_channels", 3);
    const int64_t size = (int64_t)config_number(services, "size", 0);
    model->in_shape[0] = (struct model_dimension){"batch", 1, INT64_MAX};
    model->in_shape[1] = (struct model_dimension){NULL, num_channels, num_channels};
    model->in_shape[2] = (struct model_dimension){size > 0 ? NULL : "height", size > 0 ? size : 1,
                                                  size > 0 ? size : INT64_MAX};
    model->in_shape[3] = model->in_shape[2];
    model->in_shape[3].name = size > 0 ? NULL : "width";
    model->in = (struct model_tensor_spec){
        sizeof model->in, "pixel_values", MODEL_F32, 4, model->in_shape, 0, 0};
    model->out = (struct model_tensor_spec){sizeof model->out, "logits", MODEL_F32, 2,
                                            model->in_shape,   0,        0};
    if (config_number(services, "no_logits", 0) != 0)
        model->out.name = "pooler_output";
    if (config_number(services, "takes_bytes", 0) != 0) {
        model->in_shape[0] = (struct model_dimension){NULL, 1, 1};
        model->in.name = "picture";
        model->in.flags = MODEL_SPEC_BYTES;
        model->out.name = "chances";
        model->out.rank = 1;
        model->out.shape = model->in_shape + 1;
    }
    model->mask = model->in;
    model->mask.name = "mask";
    model->inputs[0] = &model->in;
    model->inputs[1] = &model->mask;
    model->outputs[0] = &model->out;
    model->description =
        (struct model_description){.struct_size = sizeof model->description,
                                   .architecture = "Pixels",
                                   .task = "image-classification",
                                   .inputs = model->inputs,
                                   .outputs = model->outputs,
                                   .n_inputs = config_number(services, "has_mask", 0) != 0 ? 2 : 1,
                                   .n_outputs = 1,
                                   .device = "cpu",
                                   .compute_dtype = "f32",
                                   .max_batch = INT64_MAX};
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct pixels_model *model =
        fixture_create_model(services, sizeof *model, NULL, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    describe(model);
    model->base.base.description = &model->description;
    *ret = &model->base.base;
    return MODEL_OK;
}
