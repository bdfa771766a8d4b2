/* resnet_weights.c - the weights under transformers' and torchvision's names. [create-thread] */
#include "resnet.h"

#include <stdio.h>

/* "layer1.0.conv2", "resnet.encoder.stages.0.layers.0.layer.1.convolution"; conv 0: the shortcut. */
static const char *conv_name(const struct resnet_config *config, uint32_t stage, int64_t block,
                             uint32_t conv, char *name)
{
    if (config->torchvision)
        return conv == 0
                   ? weight_name(name, "layer%u.%lld.downsample.0", stage + 1, (long long)block)
                   : weight_name(name, "layer%u.%lld.conv%u", stage + 1, (long long)block, conv);
    return conv == 0 ? weight_name(name, "%sencoder.stages.%u.layers.%lld.shortcut.convolution",
                                   config->prefix, stage, (long long)block)
                     : weight_name(name, "%sencoder.stages.%u.layers.%lld.layer.%u.convolution",
                                   config->prefix, stage, (long long)block, conv - 1);
}

static const char *norm_name(const struct resnet_config *config, uint32_t stage, int64_t block,
                             uint32_t conv, char *name)
{
    if (config->torchvision)
        return conv == 0
                   ? weight_name(name, "layer%u.%lld.downsample.1", stage + 1, (long long)block)
                   : weight_name(name, "layer%u.%lld.bn%u", stage + 1, (long long)block, conv);
    return conv == 0 ? weight_name(name, "%sencoder.stages.%u.layers.%lld.shortcut.normalization",
                                   config->prefix, stage, (long long)block)
                     : weight_name(name, "%sencoder.stages.%u.layers.%lld.layer.%u.normalization",
                                   config->prefix, stage, (long long)block, conv - 1);
}

/* A dimension of <name>.weight, or 0. */
static int64_t dimension_of(const struct resnet *resnet, const char *name, uint32_t dimension)
{
    const int64_t any[] = {-1, -1, -1, -1};
    char weight[WEIGHT_NAME_BYTES];
    struct model_tensor view;
    weight_name(weight, "%s.weight", name);
    return weight_find(resnet->model.kernels, weight, 4, any, &view, NULL) == MODEL_OK
               ? view.shape[dimension]
               : 0;
}

void resnet_names_find(struct resnet *resnet)
{
    const struct kernels *kernels = resnet->model.kernels;
    resnet->config.torchvision = weight_exists(kernels, "layer1.0.conv1.weight");
    resnet->config.prefix =
        weight_exists(kernels, "resnet.embedder.embedder.convolution.weight") ? "resnet." : "";
}

static const char *stem_name(const struct resnet_config *config, char *name)
{
    return config->torchvision
               ? weight_name(name, "conv1")
               : weight_name(name, "%sembedder.embedder.convolution", config->prefix);
}

int64_t resnet_depth_of_weights(const struct resnet *resnet, uint32_t stage)
{
    char name[WEIGHT_NAME_BYTES];
    int64_t depth = 0;
    while (depth <= RESNET_MAX_DEPTH &&
           dimension_of(resnet, conv_name(&resnet->config, stage, depth, 1, name), 0) > 0)
        depth++;
    return depth;
}

int64_t resnet_hidden_of_weights(const struct resnet *resnet, uint32_t stage)
{
    char name[WEIGHT_NAME_BYTES];
    const uint32_t last = resnet->config.bottleneck ? 3 : 2;
    return dimension_of(resnet, conv_name(&resnet->config, stage, 0, last, name), 0);
}

int64_t resnet_stem_of_weights(const struct resnet *resnet, uint32_t dimension)
{
    char name[WEIGHT_NAME_BYTES];
    return dimension_of(resnet, stem_name(&resnet->config, name), dimension);
}

bool resnet_is_bottleneck_of_weights(const struct resnet *resnet)
{
    char name[WEIGHT_NAME_BYTES];
    return dimension_of(resnet, conv_name(&resnet->config, 0, 0, 3, name), 0) > 0;
}

/* What one convolution of a block is made with, besides its names. */
struct place {
    uint32_t stage, conv; /* conv 0: the shortcut */
    int64_t block, in, out, kernel, stride, groups;
    bool accumulate;
    enum activation activation;
};

static const struct conv *load(struct loader *loader, const struct resnet_config *config,
                               const struct place *place)
{
    char name[WEIGHT_NAME_BYTES], weight[WEIGHT_NAME_BYTES], norm[WEIGHT_NAME_BYTES];
    conv_name(config, place->stage, place->block, place->conv, name);
    norm_name(config, place->stage, place->block, place->conv, norm);
    const struct conv_spec spec = {.weight = weight_name(weight, "%s.weight", name),
                                   .norm = norm,
                                   .in_channels = place->in,
                                   .out_channels = place->out,
                                   .kernel_height = place->kernel,
                                   .kernel_width = place->kernel,
                                   .stride_y = place->stride,
                                   .stride_x = place->stride,
                                   .padding_y = place->kernel / 2,
                                   .padding_x = place->kernel / 2,
                                   .groups = place->groups,
                                   .accumulate = place->accumulate,
                                   .activation = place->activation};
    return load_conv(loader, &spec);
}

/* Of a bottleneck's inner convolution. torchvision's resnext and wide_resnet have a width and groups
 * of their own, which stand in the shapes of the weights. */
static int64_t groups_of_weights(const struct resnet *resnet, uint32_t stage, int64_t block)
{
    char name[WEIGHT_NAME_BYTES];
    conv_name(&resnet->config, stage, block, 2, name);
    const int64_t width = dimension_of(resnet, name, 0), of_group = dimension_of(resnet, name, 1);
    return resnet->config.torchvision && of_group > 0 && width % of_group == 0 ? width / of_group
                                                                               : 1;
}

static void load_block(struct loader *loader, const struct resnet *resnet, uint32_t stage,
                       int64_t block, int64_t in, struct resnet_block *ret)
{
    const struct resnet_config *config = &resnet->config;
    const int64_t out = config->hidden_sizes[stage];
    const bool shrinks = block == 0 && (stage > 0 || config->downsample_in_first_stage);
    const uint32_t n = config->bottleneck ? 3 : 2;
    const uint32_t shrinking = config->bottleneck && !config->downsample_in_bottleneck ? 2 : 1;
    struct place place = {.stage = stage,
                          .block = block,
                          .in = in,
                          .out = out,
                          .kernel = 1,
                          .stride = shrinks ? 2 : 1};
    if (in != out || shrinks)
        ret->shortcut = load(loader, config, &place);
    for (uint32_t i = 1; i <= n && loader->status == MODEL_OK; i++) {
        place.conv = i;
        place.kernel = config->bottleneck && i != 2 ? 1 : 3;
        place.stride = shrinks && i == shrinking ? 2 : 1;
        place.out = i == n || !config->bottleneck ? out : config->torchvision ? 0 : out / 4;
        place.groups = config->bottleneck && i == 2 ? groups_of_weights(resnet, stage, block) : 1;
        place.accumulate = i == n;
        place.activation = i == n ? config->activation : ACTIVATION_RELU;
        const struct conv *conv = ret->convs[ret->n_convs++] = load(loader, config, &place);
        if (conv != NULL)
            place.in = conv_out_channels(conv);
    }
}

static void load_stem(struct loader *loader, struct resnet *resnet)
{
    const struct resnet_config *config = &resnet->config;
    char name[WEIGHT_NAME_BYTES], weight[WEIGHT_NAME_BYTES], norm[WEIGHT_NAME_BYTES];
    stem_name(config, name);
    if (config->torchvision)
        weight_name(norm, "bn1");
    else
        weight_name(norm, "%sembedder.embedder.normalization", config->prefix);
    const struct conv_spec spec = {.weight = weight_name(weight, "%s.weight", name),
                                   .norm = norm,
                                   .in_channels = config->num_channels,
                                   .out_channels = config->embedding_size,
                                   .kernel_height = 7,
                                   .kernel_width = 7,
                                   .stride_y = 2,
                                   .stride_x = 2,
                                   .padding_y = 3,
                                   .padding_x = 3,
                                   .activation = config->activation};
    resnet->stem = load_conv(loader, &spec);
}

model_status resnet_weights_load(struct resnet *resnet, struct model_error *err)
{
    struct loader loader = {resnet->model.kernels, err, MODEL_OK};
    const struct resnet_config *config = &resnet->config;
    int64_t n_blocks = 0, in = config->embedding_size;
    for (uint32_t i = 0; i < config->n_stages; i++)
        n_blocks += config->depths[i];
    resnet->blocks =
        kernels_allocate(resnet->model.kernels, (size_t)n_blocks * sizeof *resnet->blocks);
    if (resnet->blocks == NULL)
        return kernels_no_memory(err, "the layers");
    load_stem(&loader, resnet);
    for (uint32_t stage = 0; stage < config->n_stages; stage++)
        for (int64_t block = 0; block < config->depths[stage] && loader.status == MODEL_OK;
             block++, in = config->hidden_sizes[stage])
            load_block(&loader, resnet, stage, block, in, &resnet->blocks[resnet->n_blocks++]);
    if (config->classifies)
        resnet->classifier =
            load_linear(&loader, (struct linear_shape){config->num_labels, in, .accumulate = false},
                        "%s", config->torchvision ? "fc" : "classifier.1");
    return loader.status;
}
