/* resnet.h - ResNet (He et al. 2015) as transformers' modeling_resnet.py computes it, and the same
 * networks as torchvision names their weights (resnet18 to resnet152, resnext, wide_resnet).
 *
 * resnet.c reads config.json and describes the model, resnet_weights.c loads it, resnet_forward.c
 * runs it. As in the original only the stem and the ends of the blocks follow hidden_act; between the
 * convolutions of a block it is always relu. */
#ifndef RESNET_H
#define RESNET_H

#include "kernels.h"

#define RESNET_MAX_STAGES 16
#define RESNET_MAX_DEPTH  1024

struct resnet_config {
    bool torchvision;                                 /* names of weights */
    const char *prefix;                               /* of transformers' names: "resnet." or "" */
    int64_t num_channels, embedding_size, num_labels; /* num_labels 0: what the weight has */
    int64_t depths[RESNET_MAX_STAGES], hidden_sizes[RESNET_MAX_STAGES]; /* (n_stages) */
    uint32_t n_stages;
    bool bottleneck, downsample_in_first_stage, downsample_in_bottleneck, classifies;
    enum activation activation;
};

/* x -> activation(convs(x) + shortcut(x)). */
struct resnet_block {
    const struct conv *shortcut; /* NULL: x itself */
    const struct conv *convs[3];
    uint32_t n_convs;
};

struct resnet {
    struct plugin_model model;
    struct resnet_config config;
    const struct conv *stem;
    struct resnet_block *blocks; /* (n_blocks) */
    size_t n_blocks;
    const struct linear *classifier; /* (num_labels, hidden), or NULL */
};

/* What the config leaves open is read off the weights' names and shapes. [create-thread] */
void resnet_names_find(struct resnet *resnet);
int64_t resnet_depth_of_weights(const struct resnet *resnet, uint32_t stage);
int64_t resnet_hidden_of_weights(const struct resnet *resnet, uint32_t stage);
int64_t resnet_stem_of_weights(const struct resnet *resnet, uint32_t dimension);
bool resnet_is_bottleneck_of_weights(const struct resnet *resnet);
model_status resnet_weights_load(struct resnet *resnet, struct model_error *err);

model_status resnet_run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err);
size_t resnet_scratch_bytes(const struct resnet *resnet, int64_t height, int64_t width);

#endif
