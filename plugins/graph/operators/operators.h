/* operators.h - what a graph can compute: one table, a row for each kind of node.
 *
 * An operator infers its result's shape while the graph is built, may prepare weights once, and runs on rows
 * of float32 that the graph hands it. Formulas stand beside enum graph_kind and the functions in graph.h. */
#ifndef OPERATORS_H
#define OPERATORS_H

#include "graph_build.h"

/* While a node is added. [create-thread] */
struct operator_shapes {
    struct graph_builder *builder; /* graph_fail() goes there */
    const struct graph *graph;
    const struct graph_node *node;
    struct graph_shape *ret; /* rank 0 before */
};

/* While the graph is finished. [create-thread] */
struct operator_prepare {
    struct graph *graph;
    struct graph_node *node;
    const char *weights; /* "node17": the prefix of its weights' names (graph_services.h) */
    struct model_error *err;
};

/* While it runs. [lane-thread] */
struct operator_call {
    const struct graph *graph;
    const struct graph_node *node;
    struct linear_runner *runner; /* has begun; NULL while constants are computed */
    const float *const *data;     /* (n_values); weights of prepared nodes have none */
    float *y;
    float *scratch; /* scratch_size() numbers */
};

#define OPERATOR_MAX_WEIGHTS 13

struct operator_type {
    const char *name; /* "a convolution" */
    uint32_t min_inputs, max_inputs;
    bool in_place; /* y may be the memory of input 0 */
    bool prepared; /* reads the inputs that have names in `weights` once */
    const char
        *weights[OPERATOR_MAX_WEIGHTS]; /* input i of node 17 is "node17.<weights[i]>", or NULL */
    void (*infer)(struct operator_shapes *shapes);
    model_status (*prepare)(struct operator_prepare *prepare);                        /* or NULL */
    size_t (*scratch_size)(const struct graph *graph, const struct graph_node *node); /* or NULL */
    void (*run)(const struct operator_call *call);
};

const struct operator_type *operator_of(enum graph_kind kind);

extern const struct operator_type operator_conv, operator_pool, operator_norm, operator_linear,
    operator_map, operator_binary, operator_softmax, operator_reduce, operator_resize,
    operator_concat, operator_reshape, operator_transpose, operator_slice, operator_pad,
    operator_matmul, operator_gather, operator_select, operator_broadcast, operator_layer_norm,
    operator_lstm, operator_scatter, operator_sort, operator_cumsum, operator_band,
    operator_recurrent, operator_attention, operator_sample;

/* ---- what operators share */

static inline const struct graph_shape *input_shape(const struct graph *graph,
                                                    const struct graph_node *node, uint32_t i)
{
    return &graph->values[node->inputs[i]].shape;
}
static inline bool has_input(const struct graph_node *node, uint32_t i)
{
    return i < node->n_inputs && node->inputs[i] != GRAPH_NONE;
}
/* Input i is one that is read once, by its name. */
static inline bool is_weight(const struct operator_type *type, uint32_t i)
{
    return i < OPERATOR_MAX_WEIGHTS && type->weights[i] != NULL;
}
static inline const float *input_data(const struct operator_call *call, uint32_t i)
{
    return call->data[call->node->inputs[i]];
}
/* Which of `size` numbers a place of gather is. */
size_t gather_place(float place, int64_t size);
/* Whether linear_row_capacity() rows may be read and written where the value lies: not in the caller's memory. */
bool graph_has_room(const struct graph *graph, uint32_t value);
/* The kernels' name of a function of each number; ACTIVATION_NONE: they have none. */
enum activation activation_of_map(const struct graph_node *map);
/* A map [n, h, w, c], or a failure that names the operator. */
bool input_is_map(struct operator_shapes *shapes);
/* Input i is a vector of n numbers, or absent; or a failure. */
bool input_is_vector(struct operator_shapes *shapes, uint32_t i, int64_t n);
struct map_shape shape_as_map(const struct graph_shape *shape);
/* Kernel, stride and dilation count from 1 on, padding from 0; or a failure. */
bool window_is_sound(struct operator_shapes *shapes, const struct graph_window *window);
/* Places of a window along axis 0 or 1 over `size` numbers; 0: none. */
int64_t window_extent(const struct graph_window *window, uint32_t axis, int64_t size);

/* Distances between neighbours of a dense array. */
void dense_strides(const struct graph_shape *shape, int64_t strides[MODEL_MAX_RANK]);
/* What two values have together, as numpy broadcasts them; false, and *ret undefined: they do not go together. */
bool broadcast_shape(const struct graph_shape *x, const struct graph_shape *y,
                     struct graph_shape *ret);
/* Distances in a dense x for each dimension of what it is broadcast to; 0 where it is the same number again. */
void broadcast_strides(const struct graph_shape *x, uint32_t rank, int64_t strides[MODEL_MAX_RANK]);
/* y, dense of `shape`, out of x with these distances. */
void strided_copy(const struct operator_call *call, const struct graph_shape *shape, const float *x,
                  const int64_t strides[MODEL_MAX_RANK], float *y);
/* x into the middle of a larger y whose other places are `value`; both maps. */
void pad_map(const float *x, struct map_shape from, int64_t top, int64_t left, struct map_shape to,
             float value, float *y);

/* One number, by any function without parameters of its own for each channel. */
float function_value(const struct graph_function_of *function, float x);

/* body(argument, i) for i in [0, n): on the host's threads when `numbers` of work are worth it. */
void operator_parallel(const struct operator_call *call, size_t n, size_t numbers,
                       void (*body)(void *argument, size_t index), void *argument);

#endif
