/* resnet_weights.c - the weights under transformers' and torchvision's names. [create-thread] */
#include "resnet.h"

static const struct pool_spec stem_pool = {.kernel_height = 3,
                                           .kernel_width = 3,
                                           .stride_y = 2,
                                           .stride_x = 2,
                                           .padding_y = 1,
                                           .padding_x = 1};

struct names {
    char conv[WEIGHT_NAME_BYTES], norm[WEIGHT_NAME_BYTES];
};

/* "layer1.0.conv2", "resnet.encoder.stages.0.layers.0.layer.1.convolution"; conv 0: the shortcut. */
static void find_names(const struct resnet_config *config, int stage, int64_t block, int conv,
                       struct names *ret)
{
    const bool torchvision = config->torchvision;
    char at[WEIGHT_NAME_BYTES] = "";
    if (stage == RESNET_STEM && !torchvision)
        weight_name(at, "%sembedder.embedder", config->prefix);
    else if (stage != RESNET_STEM && torchvision)
        weight_name(at, conv == 0 ? "layer%d.%d.downsample." : "layer%d.%d.", stage + 1,
                    (int)block);
    else if (stage != RESNET_STEM && conv == 0)
        weight_name(at, "%sencoder.stages.%d.layers.%d.shortcut", config->prefix, stage,
                    (int)block);
    else if (stage != RESNET_STEM)
        weight_name(at, "%sencoder.stages.%d.layers.%d.layer.%d", config->prefix, stage, (int)block,
                    conv - 1);
    if (!torchvision) {
        weight_name(ret->conv, "%.200s.convolution", at);
        weight_name(ret->norm, "%.200s.normalization", at);
    } else if (conv == 0) {
        weight_name(ret->conv, "%.200s0", at);
        weight_name(ret->norm, "%.200s1", at);
    } else {
        weight_name(ret->conv, "%.200sconv%d", at, conv);
        weight_name(ret->norm, "%.200sbn%d", at, conv);
    }
}

int64_t resnet_dimension(const struct resnet *resnet, int stage, int64_t block, int conv,
                         uint32_t dimension)
{
    const int64_t any[] = {-1, -1, -1, -1};
    char weight[WEIGHT_NAME_BYTES];
    struct names names;
    struct model_tensor view;
    find_names(&resnet->config, stage, block, conv, &names);
    weight_name(weight, "%.240s.weight", names.conv);
    return weight_find(resnet->model.kernels, weight, 4, any, &view, NULL) == MODEL_OK
               ? view.shape[dimension]
               : 0;
}

/* A convolution with a square kernel and its batch norm. */
static const struct conv *load(struct loader *loader, const struct resnet_config *config, int stage,
                               int64_t block, int conv, struct conv_spec spec)
{
    struct names names;
    find_names(config, stage, block, conv, &names);
    spec.kernel_width = spec.kernel_height;
    spec.padding_y = spec.padding_x = spec.kernel_height / 2;
    spec.stride_x = spec.stride_y;
    return load_conv_norm(loader, spec, names.conv, names.norm);
}

/* Of a bottleneck's inner convolution: torchvision's resnext has groups, and a width of its own. */
static int64_t groups_of_weights(const struct resnet *resnet, int stage, int64_t block)
{
    const int64_t width = resnet_dimension(resnet, stage, block, 2, 0);
    const int64_t of_group = resnet_dimension(resnet, stage, block, 2, 1);
    return resnet->config.torchvision && of_group > 0 && width % of_group == 0 ? width / of_group
                                                                               : 1;
}

static void load_block(struct loader *loader, const struct resnet *resnet, int stage, int64_t block,
                       int64_t in, struct residual_block *ret)
{
    const struct resnet_config *config = &resnet->config;
    const bool bottleneck = config->bottleneck;
    const bool shrinks = block == 0 && (stage > 0 || config->downsample_in_first_stage);
    const int n = bottleneck ? 3 : 2,
              shrinking = bottleneck && !config->downsample_in_bottleneck ? 2 : 1;
    const int64_t out = config->hidden_sizes[stage];
    const int64_t inner = !bottleneck ? out : config->torchvision ? 0 : out / 4;
    const struct conv_spec shortcut = {
        .in_channels = in, .out_channels = out, .kernel_height = 1, .stride_y = shrinks ? 2 : 1};
    if (in != out || shrinks)
        ret->shortcut = load(loader, config, stage, block, 0, shortcut);
    for (int i = 1; i <= n && loader->status == MODEL_OK; i++) {
        const bool last = i == n, grouped = bottleneck && i == 2;
        const struct conv_spec spec = {.in_channels = in,
                                       .out_channels = last ? out : inner,
                                       .kernel_height = bottleneck && i != 2 ? 1 : 3,
                                       .stride_y = shrinks && i == shrinking ? 2 : 1,
                                       .groups =
                                           grouped ? groups_of_weights(resnet, stage, block) : 1,
                                       .accumulate = last,
                                       .activation = last ? config->activation : ACTIVATION_RELU};
        const struct conv *conv = load(loader, config, stage, block, i, spec);
        ret->convs[ret->n_convs++] = conv;
        in = conv != NULL ? conv_out_channels(conv) : 0;
    }
}

model_status resnet_weights_load(struct resnet *resnet, struct model_error *err)
{
    struct loader loader = {resnet->model.kernels, err, MODEL_OK};
    const struct resnet_config *config = &resnet->config;
    struct residual_network *network = &resnet->network;
    int64_t n_blocks = 0, in = config->embedding_size;
    const struct conv_spec stem = {.in_channels = config->num_channels,
                                   .out_channels = in,
                                   .kernel_height = 7,
                                   .stride_y = 2,
                                   .activation = config->activation};
    for (int i = 0; i < config->n_stages; i++)
        n_blocks += config->depths[i];
    network->blocks =
        kernels_allocate(resnet->model.kernels, (size_t)n_blocks * sizeof *network->blocks);
    if (network->blocks == NULL)
        return kernels_no_memory(err, "the layers");
    network->stem_pool = &stem_pool;
    network->stem = load(&loader, config, RESNET_STEM, 0, 1, stem);
    for (int stage = 0; stage < config->n_stages; stage++)
        for (int64_t block = 0; block < config->depths[stage] && loader.status == MODEL_OK;
             block++, in = config->hidden_sizes[stage])
            load_block(&loader, resnet, stage, block, in, &network->blocks[network->n_blocks++]);
    const struct linear_shape labels = {config->num_labels, in, .accumulate = false};
    if (config->classifies)
        resnet->classifier =
            load_linear(&loader, labels, config->torchvision ? "fc" : "classifier.1");
    return loader.status;
}
