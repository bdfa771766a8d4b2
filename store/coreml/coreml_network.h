/* coreml_network.h - the layers of a Core ML NeuralNetwork. Part of a struct coreml_model, which says how long
 * everything lives.
 *
 * A layer is told by its number or name in the format (130, "activation"), and keeps its parameters as
 * a message (coreml_message.h): coreml_int_at(layer->params, "kernelSize", 0). Layers stand in the order in which they
 * run: each reads the network's inputs and what layers before it wrote, which was checked. */
#ifndef COREML_NETWORK_H
#define COREML_NETWORK_H

#include "coreml_message.h"
#include "modelhost.h"

enum { COREML_RANK5_ARRAYS = 0, COREML_EXACT_ARRAYS = 1 };
enum { COREML_RANK5_IMAGES = 0, COREML_RANK4_IMAGES = 1 };

struct coreml_network;

struct coreml_layer {
    const char *name;
    int32_t kind;                 /* "convolution" is 100; 0: the layer has none */
    const char *kind_name;        /* "kind 9999" of one that is not known, "no kind" of none */
    const coreml_message *params; /* "ConvolutionLayerParams"; NULL of those */
    const char *const *inputs;    /* (n_inputs) names of blobs */
    const char *const *outputs;   /* (n_outputs) */
    size_t n_inputs, n_outputs;
    const coreml_message *message; /* "NeuralNetworkLayer": inputTensor, outputTensor */
    /* Of "branch": if and else (or NULL); of "loop": condition (or NULL) and body. */
    const struct coreml_network *networks[2];
};

struct coreml_preprocessing {
    const char *feature;          /* "": the image input */
    const coreml_message *scaler; /* "NeuralNetworkImageScaler", or NULL */
    const float *mean_image;      /* (n_mean), or NULL; as the image [C, H, W] */
    size_t n_mean;
};

struct coreml_network {
    const struct coreml_layer *layers; /* (n_layers) */
    size_t n_layers;
    const struct coreml_preprocessing *preprocessing; /* (n_preprocessing) */
    size_t n_preprocessing;
    int32_t array_mapping; /* COREML_RANK5_ARRAYS */
    int32_t image_mapping; /* COREML_RANK5_IMAGES */
    const char
        *probabilities_layer; /* of a classifier: the blob of the probabilities; "": the last one */
};

#endif
