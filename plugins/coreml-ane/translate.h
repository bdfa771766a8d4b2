/* translate.h - what translations of layers share.
 *
 * A blob of a NeuralNetwork is a value in one of two forms, or both. Its exact form has the dimensions that the format
 * gives it: of specification 3 and before five, [sequence, batch, channels, height, width], later any. As a map it is
 * [n, height, width, channels] with n for all before the last three, so that no number moves between
 * convolutions. What is not there yet is made when a layer wants it. */
#ifndef TRANSLATE_H
#define TRANSLATE_H

#include "coreml_ane.h"

#include "graph_compose.h"

enum { MAP_N, MAP_H, MAP_W, MAP_C }; /* dimensions of a map */

struct blob_names;

/* Of a graph's value. */
struct blob {
    struct graph_shape exact; /* of a map: the exact form's; else rank 0 */
    uint32_t twin;            /* the other form, or GRAPH_NONE */
};

struct translation {
    struct graph_builder builder;
    const struct coreml_model *file;
    struct blob_names *names;
    struct blob *blobs; /* (n_blobs) by value; others are exact and have no map yet */
    uint32_t n_blobs;
    const struct coreml_layer *layer; /* being translated */
    int32_t argument;                 /* of its row: a function, a mode */
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
    translate_copy, translate_function, translate_exp2, translate_gelu, translate_clamped_relu,
    translate_pair, translate_comparison, translate_logical_xor, translate_l2_normalize,
    translate_mvn, translate_lrn, translate_dot, translate_reorganize, translate_simple_recurrent,
    translate_gru, translate_lstm, translate_bidirectional_lstm;

/* ---- layers on exact values (translate_exact.c, translate_shapes.c, translate_places.c) */

translate_layer exact_reduce, exact_argmax, exact_log_sum_exp, exact_softmax, exact_matmul,
    exact_embedding, exact_layer_norm, exact_where, exact_band, exact_load_constant, exact_range,
    exact_tile, exact_stack, exact_concat, exact_split, exact_transpose, exact_slice,
    exact_slice_by_size, exact_squeeze, exact_expand, exact_flatten, exact_reshape,
    exact_reshape_like, exact_reshape_to_input, exact_rank_preserving_reshape, exact_fill_like,
    exact_fill, exact_broadcast_like, exact_broadcast, exact_get_shape, exact_pad,
    exact_sequence_repeat, exact_gather, exact_scatter, exact_reverse, exact_reverse_sequence,
    exact_windows, exact_crop_resize, exact_top_k, exact_argsort, exact_one_hot, exact_cumsum;

/* ---- weights (translate_weights.c) */

/* The "WeightParams" in `field` of the layer's parameters, or of `message`, as a constant of this shape. */
uint32_t add_weights(struct translation *t, const coreml_message *message, const char *field,
                     uint32_t rank, const int64_t *size);
/* A vector with a number for each channel; the file may give one for all. */
uint32_t add_channel_weights(struct translation *t, const coreml_message *message,
                             const char *field, int64_t channels);
/* The same of [channels, height, width], as a map. */
uint32_t add_map_weights(struct translation *t, const coreml_message *message, const char *field,
                         int64_t channels, int64_t height, int64_t width);
/* A vector of n times `number`. */
uint32_t add_vector(struct translation *t, int64_t n, float number);
bool has_weights(const coreml_message *message, const char *field);

/* ---- blobs (translate_blobs.c) */

bool blob_is_map(const struct translation *t, uint32_t value);
/* From now on `value` is a map, of a blob of this exact shape. */
void blob_set_map(struct translation *t, uint32_t value, const struct graph_shape *exact);
/* The exact form's shape. */
struct graph_shape blob_shape(const struct translation *t, uint32_t value);
/* The blob as a map: an error when it has less than three dimensions. */
uint32_t blob_map(struct translation *t, uint32_t value);
uint32_t blob_exact(struct translation *t, uint32_t value);

/* ---- shapes */

struct graph_shape value_shape(const struct translation *t, uint32_t value);
/* A dimension of the value, negative ones from its end; an error and 0 when there is none. */
uint32_t value_axis(struct translation *t, int64_t axis, uint32_t rank);
/* Bits of the dimensions in the repeated field of the layer's parameters; an error: one of them is none, or stands twice. */
uint32_t value_axes(struct translation *t, const char *field, uint32_t rank);
/* The activation in ActivationParams as a function of one number; those by channel are an error. */
struct graph_function_of read_activation(struct translation *t, const coreml_message *params);

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
/* The enumeration in `field`, which has n of them; 0 and an error: another one. */
uint32_t read_choice(struct translation *t, const coreml_message *message, const char *field,
                     uint32_t n);
/* Whether the number in `field`, where the file gives one, is what comes in; or an error. */
bool declares(struct translation *t, const char *field, int64_t found);
/* 1 on a layer of this many inputs and outputs, else an error. */
bool expects(struct translation *t, size_t min_inputs, size_t max_inputs, size_t n_outputs);

#endif
