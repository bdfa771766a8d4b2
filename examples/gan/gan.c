/* gan.c - the generator of a DCGAN (Radford et al. 2015): a vector of noise -> 4 x 4 -> 8 x 8 -> ... -> a
 * picture. Each step doubles the picture by a transposed convolution, with batch norm and ReLU; the
 * last one gives colours through tanh.
 *
 * Weights as torch.nn.Sequential numbers them: 0.weight (ConvTranspose2d), 1 (BatchNorm2d), [2 ReLU],
 * 3.weight, 4, ... train_gan.py makes such a package. */
#include "kernels.h"

MODEL_PLUGIN_NOTE("gan", "1.0.0", "dcgan-generator");

#define MAX_STEPS 10
#define GROUP     16 /* pictures computed together */

struct gan {
    struct plugin_model base;
    int64_t latent_size, num_channels, image_size;
    int n_steps;
    const struct conv *steps[MAX_STEPS];
    size_t map_size; /* numbers of the largest map of one picture */
};

struct run {
    const struct gan *gan;
    struct linear_runner *runner;
    size_t n;       /* pictures of a group */
    float *maps[2]; /* (n, map_size) */
};

static void layout(void *context, struct scratch *scratch)
{
    struct run *run = context;
    for (size_t i = 0; i < 2; i++)
        run->maps[i] = scratch_take(scratch, run->n * run->gan->map_size, sizeof(float));
}

/* latent (n, latent_size) -> pixels [n, num_channels, image_size, image_size] in [-1, 1]. */
static void forward(struct run *run, const float *latent, size_t n, float *pixels)
{
    const struct gan *gan = run->gan;
    struct map_shape shape = {(int64_t)n, 1, 1, gan->latent_size};
    const float *x = latent; /* vectors are maps of 1 x 1 */
    for (int i = 0; i < gan->n_steps; i++) {
        float *y = run->maps[i % 2];
        conv_run(run->runner, gan->steps[i], x, shape, y);
        (void)conv_shape(gan->steps[i], shape, &shape);
        x = y;
    }
    if (linear_runner_status(run->runner) == MODEL_OK)
        feature_map_to_planes(gan->base.kernels, x, shape, pixels);
}

static model_status gan_run(struct model_instance *self, const struct model_call *call,
                            struct model_error *err)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct gan *gan = (const struct gan *)instance->model;
    const struct model_tensor *latent = call_input(call, "latent");
    const int64_t batch = latent->shape[0], size = gan->image_size;
    const size_t picture = (size_t)(gan->num_channels * size * size);
    struct run run = {gan, instance->runner, (size_t)(batch < GROUP ? batch : GROUP), {NULL}};
    struct call_reader reader = {.call = call, .err = err};
    float *pixels =
        take_output(&reader, "pixel_values", 4, (int64_t[]){batch, gan->num_channels, size, size});
    if (reader.status == MODEL_OK)
        reader.status = scratch_layout(gan->base.kernels, layout, &run, err);
    linear_runner_begin(run.runner, call->cancel, err);
    for (int64_t i = 0; i < batch && pixels != NULL && reader.status == MODEL_OK; i += GROUP) {
        forward(&run, (const float *)latent->data + i * gan->latent_size,
                (size_t)(batch - i < GROUP ? batch - i : GROUP), pixels + (size_t)i * picture);
        reader.status = linear_runner_status(run.runner);
    }
    return reader.status;
}

static model_status load(struct gan *gan, struct model_error *err)
{
    struct config_reader reader = {kernels_services(gan->base.kernels), err, MODEL_OK};
    struct loader loader = {gan->base.kernels, err, MODEL_OK};
    struct map_shape shape = {1, 1, 1, 0};
    char path[WEIGHT_NAME_BYTES], norm[WEIGHT_NAME_BYTES];
    shape.channels = gan->latent_size =
        config_integer(&reader, "latent_size", 1, 1 << 16, CONFIG_REQUIRED);
    gan->num_channels = config_integer(&reader, "num_channels", 1, 16, 3);
    const uint32_t n_hidden = config_length(&reader, "hidden_sizes");
    if (n_hidden == 0 || n_hidden >= MAX_STEPS)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "config.json: 'hidden_sizes' has %u numbers, want 1 to %d", n_hidden,
                            MAX_STEPS - 1);
    gan->n_steps = (int)n_hidden + 1;
    for (int i = 0; i < gan->n_steps && reader.status == MODEL_OK && loader.status == MODEL_OK;
         i++) {
        const bool first = i == 0, last = i == gan->n_steps - 1;
        struct conv_spec spec = {.in_channels = shape.channels,
                                 .kernel_height = 4,
                                 .kernel_width = 4,
                                 .transposed = true};
        weight_name(path, "hidden_sizes[%d]", i);
        spec.out_channels =
            last ? gan->num_channels : config_integer(&reader, path, 1, 1 << 16, CONFIG_REQUIRED);
        spec.stride_y = spec.stride_x = first ? 1 : 2;
        spec.padding_y = spec.padding_x = first ? 0 : 1;
        spec.activation = last ? ACTIVATION_TANH : ACTIVATION_RELU;
        weight_name(path, "%d", 3 * i);
        gan->steps[i] =
            load_conv_norm(&loader, spec, path, last ? NULL : weight_name(norm, "%d", 3 * i + 1));
        if (gan->steps[i] == NULL)
            break;
        if (!conv_shape(gan->steps[i], shape, &shape))
            return kernels_fail(err, MODEL_UNSUPPORTED, "config.json: the pictures are too large");
        gan->map_size = map_size(shape) > gan->map_size ? map_size(shape) : gan->map_size;
    }
    gan->image_size = shape.height;
    if (loader.status == MODEL_OK)
        (void)config_integer(&reader, "image_size", shape.height, shape.height, shape.height);
    return reader.status != MODEL_OK ? reader.status : loader.status;
}

static model_status build(struct plugin_model *base, struct model_error *err)
{
    struct gan *gan = (struct gan *)base;
    base->run = gan_run;
    model_status status = load(gan, err);
    if (status != MODEL_OK)
        return status;
    const int64_t channels = gan->num_channels, size = gan->image_size;
    struct spec_list in = {.kernels = base->kernels, .batch = {"batch", 1, INT64_MAX}}, out = in;
    const struct model_dimension picture[] = {
        in.batch, {NULL, channels, channels}, {NULL, size, size}, {NULL, size, size}};
    spec_add_sequences(&in, "latent", 0, gan->latent_size);
    spec_add(&out, "pixel_values", MODEL_F32, 0, 4, picture);
    base->description.architecture = "DCGANGenerator";
    base->description.task = "unconditional-image-generation";
    return spec_describe(&in, &out, &base->description, err);
}

PLUGIN_CREATE_MODEL(struct gan, build)
