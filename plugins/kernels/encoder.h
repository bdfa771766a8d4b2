/* encoder.h - the transformer encoder of Vaswani et al. (2017, section 3.1) on packed rows: layers of
 * self-attention and a feed-forward network, each added to its input and normalised after it. BERT
 * and its relatives have it, under different names of the weights. */
#ifndef ENCODER_H
#define ENCODER_H

#include "packed_rows.h"
#include "plugin_config.h"
#include "plugin_loader.h"

struct scratch;

struct encoder_layer {
    const struct linear *query_key_value;  /* (3 * hidden, hidden) */
    const struct linear *attention_output; /* (hidden, hidden), added to the layer's input */
    struct layer_norm attention_norm;      /* (hidden) */
    const struct linear *intermediate;     /* (intermediate, hidden), then the activation */
    const struct linear *output;           /* (hidden, intermediate), added to the attention */
    struct layer_norm output_norm;         /* (hidden) */
};

/* hidden_size is a multiple of num_heads. */
struct encoder_config {
    int64_t hidden_size, intermediate_size, num_layers, num_heads;
    enum activation activation;
    double layer_norm_eps;
};

/* By the fields that BERT and its relatives have: hidden_size, intermediate_size, num_hidden_layers,
 * num_attention_heads, hidden_act, layer_norm_eps. Errors stay in the reader. */
struct encoder_config encoder_config_read(struct config_reader *reader);

struct encoder {
    struct encoder_config config;
    struct encoder_layer *layers; /* (num_layers) */
    const struct kernels *kernels;
};

/* Names behind "<prefix><i>.", each of a linear or a layer norm. */
struct encoder_names {
    const char *query_key_value[4]; /* the last is NULL */
    const char *attention_output, *attention_norm, *intermediate, *output, *output_norm;
};

/* Layers "<prefix>0." and on; errors stay in the loader. [create-thread] */
struct encoder encoder_load(struct loader *loader, const struct encoder_config *config,
                            const struct encoder_names *names, const char *prefix);

/* What a run works on, in scratch. The caller fills rows and hidden, then calls encoder_forward(). */
struct encoder_run {
    struct linear_runner *runner;
    struct packed_rows rows;
    size_t capacity;        /* rows that the following have room for */
    float *hidden;          /* (capacity, hidden): in and out */
    float *query_key_value; /* (capacity, 3, num_heads, head_size) */
    float *context;         /* (capacity, num_heads, head_size) */
    float *inner;           /* (capacity, intermediate or 4 * hidden), over the two before; free
                               before and after encoder_forward() */
    void *workspace;        /* of the attention */
};

/* Room for n_rows rows in n_sequences sequences of at most sequence_length. */
void encoder_layout(const struct encoder *encoder, size_t n_rows, size_t n_sequences,
                    size_t sequence_length, struct scratch *scratch, struct encoder_run *ret);
/* hidden <- the last layer's output. Stops early when the runner's status is not MODEL_OK.
 * [lane-thread] */
void encoder_forward(const struct encoder *encoder, const struct encoder_run *run);

/* linear_run() and layer_norm_rows() (in place) on the rows of the run. */
void encoder_linear(const struct encoder_run *run, const struct linear *linear, const float *x,
                    float *y);
void encoder_norm(const struct encoder *encoder, const struct encoder_run *run,
                  const struct layer_norm *norm, float *x);

/* packed_rows_linear() on the rows of the run: a head on each position, into the padded output. */
void encoder_scatter(const struct encoder_run *run, const struct linear *linear, const float *x,
                     float *block, float *y);

#endif
