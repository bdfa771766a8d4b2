/* decoder.h - the transformer decoder of GPT-2 (Radford et al. 2019) on packed rows: layers of causal
 * self-attention and a feed-forward network, each normalised before it and added to its input, with the
 * keys and values of earlier calls. The last norm and the heads are the model's own. */
#ifndef DECODER_H
#define DECODER_H

#include "decoder_rows.h"
#include "plugin_loader.h"

struct decoder_layer {
    struct layer_norm attention_norm;      /* (hidden) */
    const struct linear *query_key_value;  /* (3 * hidden, hidden) */
    const struct linear *attention_output; /* (hidden, hidden), added to the layer's input */
    struct layer_norm inner_norm;          /* (hidden) */
    const struct linear *intermediate;     /* (intermediate, hidden), then the activation */
    const struct linear *output;           /* (hidden, intermediate), added to the attention */
};

/* hidden_size is a multiple of num_heads. */
struct decoder_config {
    int64_t hidden_size, intermediate_size, num_layers, num_heads;
    enum activation activation;
    double layer_norm_eps;
    bool scale_by_head_size; /* scores / sqrt(head_size) */
    bool scale_by_layer;     /* and / (the layer's number from 1) */
    bool transposed;         /* weights lie [in_features, out_features] */
};

struct decoder {
    struct decoder_config config;
    struct decoder_layer *layers; /* (num_layers) */
    const struct kernels *kernels;
};

/* Names behind "<prefix><i>.", each of a linear or a layer norm. */
struct decoder_names {
    const char *attention_norm, *query_key_value, *attention_output, *inner_norm, *intermediate,
        *output;
};

/* Layers "<prefix>0." and on; errors stay in the loader. [create-thread] */
struct decoder decoder_load(struct loader *loader, const struct decoder_config *config,
                            const struct decoder_names *names, const char *prefix);

/* What a run works on, in scratch. For each group the caller fills hidden and calls
 * decoder_forward(). */
struct decoder_run {
    struct linear_runner *runner;
    struct decoder_rows rows;
    size_t capacity; /* rows that the following have room for */
    float *hidden;   /* (capacity, hidden): in and out */
    float *normed;   /* (capacity, hidden): free before and after; within, also the context */
    float *inner;    /* (capacity, intermediate or 3 * hidden): free before and after */
    void *workspace; /* of the attention */
};

/* For groups as decoder_rows_begin() has measured them. */
void decoder_layout(const struct decoder *decoder, struct scratch *scratch,
                    struct decoder_run *run);
/* hidden <- the last layer's output. Stops early when the runner's status is not MODEL_OK.
 * [lane-thread] */
void decoder_forward(const struct decoder *decoder, const struct decoder_run *run);

#endif
