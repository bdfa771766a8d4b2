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
    int n_stages;
    bool bottleneck, downsample_in_first_stage, downsample_in_bottleneck, classifies;
    enum activation activation;
};

struct resnet {
    struct plugin_model model;
    struct resnet_config config;
    struct residual_network network;
    const struct linear *classifier; /* (num_labels, hidden), or NULL */
};

#define RESNET_STEM (-1) /* as a stage */

/* A dimension of a convolution's weight, 0 if there is none: what config.json leaves open is read off
 * the weights. conv 0 is the shortcut. [create-thread] */
int64_t resnet_dimension(const struct resnet *resnet, int stage, int64_t block, int conv,
                         uint32_t dimension);
model_status resnet_weights_load(struct resnet *resnet, struct model_error *err);
model_status resnet_run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err);

#endif
