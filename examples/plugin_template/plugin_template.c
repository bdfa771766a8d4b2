/* plugin_template.c - a complete plugin: y = activation(x W^T + b).
 *
 * (1) Copy this folder. (2) Rename `template` to what yours is. (3) Change what the numbered comments
 * say. (4) From the repository: make plugin DIR=that/folder. Against an installed modelhost, in the folder:
 *
 *   cc -O2 -shared *.c $(pkg-config --cflags --libs modelhost-kernels) -o libmodel.so
 *
 * against_torch.py makes a package to try it with; docs/writing-a-plugin.md explains every line. */
#include "kernels.h"

/* 1. The plugin's name, its version, and what it serves: values of config.json's "model_type". */
MODEL_PLUGIN_NOTE("template", "1.0.0", "template");

/* 2. The configuration and the prepared weights: written once, then shared by all runs. */
struct template_config {
    int64_t input_size, output_size;
    enum activation activation;
};

struct template_model {
    struct plugin_model base; /* first */
    struct template_config config;
    const struct linear *linear;
};

/* 3. Every field that counts, with its bounds and, where it may be absent, its usual value. */
static model_status read_config(struct template_model *model, struct model_error *err)
{
    struct config_reader reader = {kernels_services(model->base.kernels), err, MODEL_OK};
    struct template_config *config = &model->config;
    config->input_size = config_integer(&reader, "input_size", 1, 1 << 20, CONFIG_REQUIRED);
    config->output_size = config_integer(&reader, "output_size", 1, 1 << 20, CONFIG_REQUIRED);
    config->activation = config_activation(&reader, "hidden_act", ACTIVATION_NONE);
    return reader.status;
}

/* 4. The layers: here linear.weight [output_size, input_size] and linear.bias [output_size]. */
static model_status load_weights(struct template_model *model, struct model_error *err)
{
    struct loader loader = {model->base.kernels, err, MODEL_OK};
    const struct template_config *config = &model->config;
    model->linear = load_linear(&loader,
                                (struct linear_shape){.out_features = config->output_size,
                                                      .in_features = config->input_size,
                                                      .activation = config->activation},
                                "linear");
    return loader.status;
}

/* 5. Inputs and outputs: names, dtypes, shapes. The host lets nothing else in. */
static model_status describe(struct template_model *model, struct model_error *err)
{
    struct model_description *description = &model->base.description;
    struct spec_list inputs = {.kernels = model->base.kernels, .batch = {"batch", 1, INT64_MAX}};
    struct spec_list outputs = inputs;
    spec_add_sequences(&inputs, "x", 0, model->config.input_size);
    spec_add_sequences(&outputs, "y", 0, model->config.output_size);
    description->architecture = "Template";
    return spec_describe(&inputs, &outputs, description, err);
}

/* 6. One request: x [batch, input_size] -> y [batch, output_size]. */
static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct template_model *model = (const struct template_model *)instance->model;
    const struct model_tensor *x = call_input(call, "x");
    const int64_t batch = x->shape[0];
    struct call_reader reader = {.call = call, .err = err};
    float *y = take_output(&reader, "y", 2, (int64_t[]){batch, model->config.output_size});
    linear_runner_begin(instance->runner, call->cancel, err);
    if (y != NULL)
        linear_run(instance->runner, model->linear, x->data, (size_t)batch, (size_t)batch, y);
    return reader.status != MODEL_OK ? reader.status : linear_runner_status(instance->runner);
}

static model_status build(struct plugin_model *base, struct model_error *err)
{
    struct template_model *model = (struct template_model *)base;
    base->run = run;
    model_status status = read_config(model, err);
    if (status == MODEL_OK)
        status = load_weights(model, err);
    return status == MODEL_OK ? describe(model, err) : status;
}

PLUGIN_CREATE_MODEL(struct template_model, build)
