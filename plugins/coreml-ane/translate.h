/* translate.h - what translations of layers share.
 *
 * The blobs of a NeuralNetwork of specification 3 and before have five dimensions, [sequence, batch, channels,
 * height, width]. In the graph they are maps [n, height, width, channels] with n for the first two, so that no
 * number moves between convolutions; where the order of numbers can be seen (flatten, reshape, weights of
 * products, inputs and outputs) there is a transpose. */
#ifndef TRANSLATE_H
#define TRANSLATE_H

#include "coreml_ane.h"

enum { MAP_N, MAP_H, MAP_W, MAP_C }; /* dimensions of a map */

struct blob_names;

struct translation {
    struct graph_builder builder;
    const struct coreml_model *file;
    struct blob_names *names;
    const struct coreml_layer *layer; /* being translated */
    const uint32_t *inputs;           /* (layer->n_inputs) values */
    uint32_t *outputs;                /* (layer->n_outputs) to be set */
};

/* One layer: reads inputs, sets outputs; errors go to the builder. */
typedef void translate_layer(struct translation *t);

translate_layer translate_convolution, translate_pooling, translate_inner_product,
    translate_batchnorm, translate_activation, translate_unary, translate_add, translate_multiply,
    translate_average, translate_max, translate_min, translate_softmax, translate_clip,
    translate_scale, translate_bias, translate_load_constant, translate_flatten, translate_reshape,
    translate_permute, translate_concat, translate_split, translate_slice, translate_crop,
    translate_padding, translate_upsample, translate_resize_bilinear, translate_reduce,
    translate_copy;

/* ---- weights (translate_weights.c) */

/* The "WeightParams" in `field` of the layer's parameters, or of `message`, as a constant of this shape. */
uint32_t add_weights(struct translation *t, const coreml_message *message, const char *field,
                     uint32_t rank, const int64_t *size);
/* The same of [channels, height, width], as a map. */
uint32_t add_map_weights(struct translation *t, const coreml_message *message, const char *field,
                         int64_t channels, int64_t height, int64_t width);
/* A vector of n times `number`. */
uint32_t add_vector(struct translation *t, int64_t n, float number);
bool has_weights(const coreml_message *message, const char *field);

/* ---- shapes */

/* Map to planes [n, channels, height, width], and back. */
uint32_t map_to_planes(struct translation *t, uint32_t x);
uint32_t map_from_planes(struct translation *t, uint32_t x);
/* One size of the value; 1 for what is not there. */
int64_t map_extent(const struct translation *t, uint32_t x, uint32_t dimension);
/* Element i of a repeated field of the layer's parameters, `fallback` when it is empty. */
int64_t int_or(const coreml_message *message, const char *field, size_t i, int64_t fallback);
/* "borderAmounts" of the message in `field`: [0] along the height, [1] along the width. */
void read_borders(const coreml_message *message, const char *field, int64_t begin[2],
                  int64_t end[2]);
/* 1 on a layer of this many inputs and outputs, else an error. */
bool expects(struct translation *t, size_t min_inputs, size_t max_inputs, size_t n_outputs);

#endif
