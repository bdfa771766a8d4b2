/* graph_build.h - building a graph: inputs, constants, nodes, outputs, each checked as it is added.
 *
 * A builder keeps its first error: add everything, then look at `status` once. After an error functions do
 * nothing and give GRAPH_NONE, which is also taken as an input without a second error. Names are the file's;
 * they must live as long as the graph. `layer` is what sentences call the node being added. [create-thread] */
#ifndef GRAPH_BUILD_H
#define GRAPH_BUILD_H

#include "graph.h"

struct graph_builder {
    struct graph *graph;
    const char *layer; /* "conv1", terminated UTF-8 */
    struct model_error *err;
    model_status status; /* of the first error */
    bool adds_whole;     /* what is added are whole numbers, also where that cannot be seen */
    bool has_maps; /* values of four dimensions are maps [n, h, w, c]: sentences say [n, c, h, w] */
};

/* An empty graph; NULL: no memory. */
struct graph *graph_create(struct kernels *kernels);

/* Keeps the first error, with the layer before it: "layer 'conv1': ...". A reader has found the files whole, so that
 * MODEL_CORRUPT is a model that contradicts itself, which the sentence says behind it. */
void graph_fail(struct graph_builder *builder, model_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A shape in a sentence, in the order that files have: of a map [n, h, w, c] it is "[n, c, h, w]". */
const char *graph_say_shape(const struct graph_builder *builder, const struct graph_shape *shape,
                            char text[GRAPH_SHAPE_BYTES]);
const char *graph_say_map(const struct graph_shape *map, char text[GRAPH_SHAPE_BYTES]);

uint32_t graph_add_input(struct graph_builder *builder, const char *name,
                         const struct graph_shape *shape);
/* From now on runs may bring it as U8. */
void graph_take_bytes(struct graph_builder *builder, uint32_t input);
/* F32, F16, BF16 or F64 numbers, aligned, that stay where they are until graph_finish() has returned: a view of a file
 * will do. */
uint32_t graph_add_constant(struct graph_builder *builder, int32_t dtype,
                            const struct graph_shape *shape, const void *data);
/* The same of memory from kernels_allocate(), which becomes the graph's: it is given back when the weights are packed. */
uint32_t graph_give_constant(struct graph_builder *builder, int32_t dtype,
                             const struct graph_shape *shape, void *data);
/* One number. */
uint32_t graph_add_scalar(struct graph_builder *builder, float number);
/* The node's result. `inputs` is copied. */
uint32_t graph_add(struct graph_builder *builder, enum graph_kind kind, uint32_t n_inputs,
                   const uint32_t *inputs, const struct graph_attributes *attributes);
void graph_add_output(struct graph_builder *builder, uint32_t value);

/* The numbers of a value that depends on constants alone and is small (computed as it is added), or of any
 * constant; NULL: it is not known yet. */
const float *graph_known(struct graph_builder *builder, uint32_t value);

/* Whether the value depends on constants alone: then it is one from now on, whatever its size. Not where too many
 * nodes or numbers lie between, or nodes whose weights are prepared: these compute it in each run. */
bool graph_is_constant(struct graph_builder *builder, uint32_t value);

/* The shape of a value; of GRAPH_NONE rank 0. */
struct graph_shape graph_shape_of(const struct graph_builder *builder, uint32_t value);

/* Frequent nodes in short. */
uint32_t graph_reshape(struct graph_builder *builder, uint32_t x, uint32_t rank,
                       const int64_t *size);
uint32_t graph_transpose(struct graph_builder *builder, uint32_t x, const uint32_t *order);
uint32_t graph_map(struct graph_builder *builder, uint32_t x, enum graph_function function,
                   float alpha, float beta);
uint32_t graph_binary(struct graph_builder *builder, enum graph_binary function, uint32_t x,
                      uint32_t y);

#endif
