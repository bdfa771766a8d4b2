/* cifar_resnet.c - the residual networks for CIFAR-10 (He et al. 2015, section 4.2): 20 to 110 layers, a
 * stem without pooling, three stages of blocks of two 3 x 3 convolutions, shortcuts without weights.
 *
 * Names of weights: conv1, bn1, layer1.0.conv1, layer1.0.bn1, ..., linear. */
#include "kernels.h"

#include <string.h>

MODEL_PLUGIN_NOTE("cifar-resnet", "1.0.0", "resnet-cifar");

#define N_STAGES  3
#define MAX_DEPTH 64
#define GROUP     32 /* pictures computed together */

struct cifar {
    struct plugin_model base;
    int64_t image_size, num_labels, depths[N_STAGES], hidden_sizes[N_STAGES];
    double eps;
    const struct conv *stem;
    const struct conv *blocks[N_STAGES][MAX_DEPTH][2]; /* of each stage depths[stage] */
    const struct linear *classifier;
};

struct run {
    const struct cifar *cifar;
    struct linear_runner *runner;
    size_t n;       /* pictures of a group */
    float *maps[3]; /* the block's input, its inside, its result */
    float *pooled;  /* (n, hidden) */
    float *logits;  /* (n, num_labels) */
};

static void layout(void *context, struct scratch *scratch)
{
    struct run *run = context;
    const struct cifar *cifar = run->cifar;
    size_t largest = 3 * (size_t)(cifar->image_size * cifar->image_size);
    for (int i = 0; i < N_STAGES; i++) {
        const size_t side = (size_t)((cifar->image_size + (1 << i) - 1) >> i);
        const size_t size = side * side * (size_t)cifar->hidden_sizes[i];
        largest = size > largest ? size : largest;
    }
    for (size_t i = 0; i < 3; i++)
        run->maps[i] = scratch_take(scratch, run->n * largest, sizeof(float));
    run->pooled =
        scratch_take(scratch, run->n * (size_t)cifar->hidden_sizes[N_STAGES - 1], sizeof(float));
    run->logits = scratch_take(scratch, run->n * (size_t)cifar->num_labels, sizeof(float));
}

/* Option A of the paper: y takes every second place of every second row of x, and its channels in
 * the middle of y's, zeros around them. */
static void shortcut(const float *x, struct map_shape from, float *y, struct map_shape to)
{
    const size_t in = (size_t)from.channels, out = (size_t)to.channels,
                 step = from.height > to.height ? 2 : 1;
    memset(y, 0, map_size(to) * sizeof *y);
    for (size_t i = 0; i < (size_t)(to.batch * to.height); i++)
        for (size_t k = 0; k < (size_t)to.width; k++)
            memcpy(y + (i * (size_t)to.width + k) * out + (out - in) / 2,
                   x + (i * step * (size_t)from.width + k * step) * in, in * sizeof *x);
}

/* pixels [n, 3, size, size] -> logits (n, num_labels) and pooled (n, hidden). */
static void forward(struct run *run, const float *pixels, size_t n, float *pooled, float *logits)
{
    const struct cifar *cifar = run->cifar;
    const struct kernels *kernels = cifar->base.kernels;
    struct map_shape shape = {(int64_t)n, cifar->image_size, cifar->image_size, 3}, next;
    feature_map_from_planes(kernels, pixels, shape, run->maps[1]);
    conv_run(run->runner, cifar->stem, run->maps[1], shape, run->maps[0]);
    shape.channels = conv_out_channels(cifar->stem);
    for (int stage = 0; stage < N_STAGES; stage++) {
        for (int64_t i = 0; i < cifar->depths[stage]; i++) {
            const struct conv *const *block = cifar->blocks[stage][i];
            float *x = run->maps[0], *y = run->maps[2];
            (void)conv_shape(block[0], shape, &next);
            conv_run(run->runner, block[0], x, shape, run->maps[1]);
            shortcut(x, shape, y, next);
            conv_run(run->runner, block[1], run->maps[1], next, y);
            run->maps[0] = y;
            run->maps[2] = x;
            shape = next;
        }
    }
    pool_global_average(kernels, run->maps[0], shape, pooled);
    linear_run(run->runner, cifar->classifier, pooled, n, n, logits);
}

static model_status cifar_run(struct model_instance *self, const struct model_call *call,
                              struct model_error *err)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct cifar *cifar = (const struct cifar *)instance->model;
    const struct model_tensor *pixels = call_input(call, "pixel_values");
    const size_t batch = (size_t)pixels->shape[0], labels = (size_t)cifar->num_labels;
    const size_t picture = (size_t)(3 * cifar->image_size * cifar->image_size);
    const int64_t hidden = cifar->hidden_sizes[N_STAGES - 1];
    struct run run = {
        .cifar = cifar, .runner = instance->runner, .n = batch < GROUP ? batch : GROUP};
    struct call_reader reader = {.call = call, .err = err};
    float *logits =
        take_output(&reader, "logits", 2, (int64_t[]){(int64_t)batch, cifar->num_labels});
    float *pooled = take_output(&reader, "pooler_output", 2, (int64_t[]){(int64_t)batch, hidden});
    if (reader.status == MODEL_OK)
        reader.status = scratch_layout(cifar->base.kernels, layout, &run, err);
    linear_runner_begin(run.runner, call->cancel, err);
    for (size_t i = 0; i < batch && reader.status == MODEL_OK; i += GROUP) {
        const size_t n = batch - i < GROUP ? batch - i : GROUP;
        forward(&run, (const float *)pixels->data + i * picture, n,
                pooled != NULL ? pooled + i * (size_t)hidden : run.pooled,
                logits != NULL ? logits + i * labels : run.logits);
        reader.status = linear_runner_status(run.runner);
    }
    return reader.status;
}

static model_status read_config(struct cifar *cifar, struct model_error *err)
{
    struct config_reader reader = {kernels_services(cifar->base.kernels), err, MODEL_OK};
    char path[WEIGHT_NAME_BYTES];
    for (int i = 0; i < N_STAGES; i++) {
        weight_name(path, "depths[%d]", i);
        cifar->depths[i] = config_integer(&reader, path, 1, MAX_DEPTH, CONFIG_REQUIRED);
        weight_name(path, "hidden_sizes[%d]", i);
        cifar->hidden_sizes[i] = config_integer(
            &reader, path, i > 0 ? cifar->hidden_sizes[i - 1] : 1, 4096, CONFIG_REQUIRED);
    }
    cifar->image_size = config_integer(&reader, "image_size", 4, 1024, 32);
    cifar->num_labels = config_integer(&reader, "num_labels", 1, 100000, CONFIG_REQUIRED);
    cifar->eps = config_number(&reader, "batch_norm_eps", 0, 1, 1e-5);
    return reader.status;
}

static const struct conv *load(struct loader *loader, const char *prefix, int i,
                               struct conv_spec spec)
{
    char conv[WEIGHT_NAME_BYTES], norm[WEIGHT_NAME_BYTES];
    spec.kernel_height = spec.kernel_width = 3;
    spec.padding_y = spec.padding_x = 1;
    spec.stride_x = spec.stride_y;
    spec.activation = ACTIVATION_RELU;
    return load_conv_norm(loader, spec, weight_name(conv, "%sconv%d", prefix, i),
                          weight_name(norm, "%sbn%d", prefix, i));
}

static model_status load_weights(struct cifar *cifar, struct model_error *err)
{
    struct loader loader = {cifar->base.kernels, err, MODEL_OK};
    int64_t in = cifar->hidden_sizes[0];
    char prefix[WEIGHT_NAME_BYTES];
    struct conv_spec spec = {.in_channels = 3, .out_channels = in, .norm_eps = cifar->eps};
    cifar->stem = load(&loader, "", 1, spec);
    for (int stage = 0; stage < N_STAGES; stage++) {
        for (int64_t i = 0; i < cifar->depths[stage]; i++) {
            spec.in_channels = in;
            spec.out_channels = in = cifar->hidden_sizes[stage];
            spec.stride_y = stage > 0 && i == 0 ? 2 : 1;
            spec.accumulate = false;
            weight_name(prefix, "layer%d.%d.", stage + 1, (int)i);
            cifar->blocks[stage][i][0] = load(&loader, prefix, 1, spec);
            spec.in_channels = in;
            spec.stride_y = 1;
            spec.accumulate = true;
            cifar->blocks[stage][i][1] = load(&loader, prefix, 2, spec);
        }
    }
    cifar->classifier = load_linear(
        &loader, (struct linear_shape){cifar->num_labels, in, .accumulate = false}, "linear");
    return loader.status;
}

static model_status build(struct plugin_model *base, struct model_error *err)
{
    struct cifar *cifar = (struct cifar *)base;
    struct model_description *description = &base->description;
    model_status status = read_config(cifar, err);
    if (status == MODEL_OK)
        status = load_weights(cifar, err);
    if (status != MODEL_OK)
        return status;
    const int64_t size = cifar->image_size;
    struct spec_list in = {.kernels = base->kernels, .batch = {"batch", 1, INT64_MAX}}, out = in;
    const struct model_dimension picture[] = {
        in.batch, {NULL, 3, 3}, {NULL, size, size}, {NULL, size, size}};
    spec_add(&in, "pixel_values", MODEL_F32, 0, 4, picture);
    spec_add_sequences(&out, "logits", 0, cifar->num_labels);
    spec_add_sequences(&out, "pooler_output", MODEL_SPEC_ON_REQUEST,
                       cifar->hidden_sizes[N_STAGES - 1]);
    description->architecture = "CifarResNet";
    description->task = "image-classification";
    base->run = cifar_run;
    return spec_describe(&in, &out, description, err);
}

PLUGIN_CREATE_MODEL(struct cifar, build)
