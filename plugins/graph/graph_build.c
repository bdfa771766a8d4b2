/* graph_build.c - see graph_build.h. */
#include "graph_build.h"

#include "graph_passes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_SENTENCE 800

struct graph *graph_create(struct kernels *kernels)
{
    struct graph *graph = kernels_allocate(kernels, sizeof *graph);
    if (graph != NULL)
        graph->kernels = kernels;
    return graph;
}

void graph_fail(struct graph_builder *builder, model_status status, const char *format, ...)
{
    char sentence[MAX_SENTENCE];
    if (builder->status != MODEL_OK)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    builder->status = kernels_fail(builder->err, status, "layer '%.100s': %s%s", builder->layer,
                                   sentence, status == MODEL_CORRUPT ? "; " MODEL_CONTRADICTS : "");
}

const char *graph_say_map(const struct graph_shape *map, char text[GRAPH_SHAPE_BYTES])
{
    const int64_t *size = map->size;
    return graph_shape_text(
        map->rank == 4 ? &(struct graph_shape){4, {size[0], size[3], size[1], size[2]}} : map,
        text);
}

const char *graph_say_shape(const struct graph_builder *builder, const struct graph_shape *shape,
                            char text[GRAPH_SHAPE_BYTES])
{
    return builder->has_maps ? graph_say_map(shape, text) : graph_shape_text(shape, text);
}

/* Room for one more. Arrays that were outgrown stay with the kernels: together less than the last one. */
static bool reserve(struct graph_builder *builder, void *array, uint32_t n, uint32_t *capacity,
                    size_t element_bytes)
{
    void *old = NULL, *grown;
    if (n < *capacity)
        return true;
    if (n >= GRAPH_MAX_NODES) {
        graph_fail(builder, MODEL_UNSUPPORTED, "the graph has more than %u nodes", GRAPH_MAX_NODES);
        return false;
    }
    const uint32_t larger = *capacity > 0 ? *capacity * 2 : 64;
    grown = kernels_allocate(builder->graph->kernels, larger * element_bytes);
    if (grown == NULL) {
        graph_fail(builder, MODEL_OUT_OF_MEMORY, "no memory for the graph");
        return false;
    }
    memcpy(&old, array, sizeof old);
    if (n > 0)
        memcpy(grown, old, n * element_bytes);
    memcpy(array, &grown, sizeof grown);
    *capacity = larger;
    return true;
}

static bool check_shape(struct graph_builder *builder, const struct graph_shape *shape)
{
    int64_t left = MAP_MAX_SIZE;
    if (shape->rank > MODEL_MAX_RANK) {
        graph_fail(builder, MODEL_UNSUPPORTED, "%u dimensions, want at most %d", shape->rank,
                   MODEL_MAX_RANK);
        return false;
    }
    for (uint32_t i = 0; i < shape->rank; i++) {
        if (shape->size[i] < 1 || shape->size[i] > left) {
            char text[GRAPH_SHAPE_BYTES];
            graph_fail(builder, MODEL_UNSUPPORTED,
                       "a value of shape %s is empty, or has more than %lld numbers",
                       graph_say_shape(builder, shape, text), (long long)MAP_MAX_SIZE);
            return false;
        }
        left /= shape->size[i];
    }
    return true;
}

static uint32_t add_value(struct graph_builder *builder, const struct graph_value *value)
{
    struct graph *graph = builder->graph;
    if (builder->status != MODEL_OK || !check_shape(builder, &value->shape) ||
        !reserve(builder, &graph->values, graph->n_values, &graph->value_capacity, sizeof *value))
        return GRAPH_NONE;
    graph->values[graph->n_values] = *value;
    graph->values[graph->n_values].is_whole |= builder->adds_whole;
    graph->n_known += value->constant != NULL ? graph_shape_size(&value->shape) : 0;
    return graph->n_values++;
}

/* Appends to the inputs or outputs of the graph: there are few. */
static void append(struct graph_builder *builder, uint32_t **list, uint32_t *n, uint32_t value)
{
    if (builder->status != MODEL_OK)
        return;
    uint32_t *longer = kernels_allocate(builder->graph->kernels, (*n + 1) * sizeof *longer);
    if (longer == NULL) {
        graph_fail(builder, MODEL_OUT_OF_MEMORY, "no memory for the graph");
        return;
    }
    if (*n > 0)
        memcpy(longer, *list, *n * sizeof *longer);
    longer[(*n)++] = value;
    *list = longer;
}

uint32_t graph_add_input(struct graph_builder *builder, const char *name,
                         const struct graph_shape *shape)
{
    const uint32_t value = add_value(
        builder, &(struct graph_value){.name = name, .shape = *shape, .producer = GRAPH_NONE});
    append(builder, &builder->graph->inputs, &builder->graph->n_inputs, value);
    return value;
}

void graph_take_bytes(struct graph_builder *builder, uint32_t input)
{
    if (builder->status == MODEL_OK)
        builder->graph->values[input].takes_bytes = true;
}

uint32_t graph_add_constant(struct graph_builder *builder, int32_t dtype,
                            const struct graph_shape *shape, const void *data)
{
    return add_value(builder, &(struct graph_value){.name = "",
                                                    .shape = *shape,
                                                    .constant = data,
                                                    .dtype = dtype,
                                                    .numbers = dtype == MODEL_F32 ? data : NULL,
                                                    .producer = GRAPH_NONE});
}

uint32_t graph_give_constant(struct graph_builder *builder, int32_t dtype,
                             const struct graph_shape *shape, void *data)
{
    const uint32_t value = graph_add_constant(builder, dtype, shape, data);
    if (value != GRAPH_NONE)
        builder->graph->values[value].is_own = true;
    return value;
}

uint32_t graph_add_scalar(struct graph_builder *builder, float number)
{
    float *data = kernels_allocate(builder->graph->kernels, sizeof *data);
    if (data == NULL) {
        graph_fail(builder, MODEL_OUT_OF_MEMORY, "no memory for the graph");
        return GRAPH_NONE;
    }
    *data = number;
    return graph_give_constant(builder, MODEL_F32, &(struct graph_shape){.rank = 0}, data);
}

static void infer(struct graph_builder *builder, const struct graph_node *node,
                  struct graph_shape *ret)
{
    const struct operator_type *type = operator_of(node->kind);
    if (node->n_inputs < type->min_inputs || node->n_inputs > type->max_inputs) {
        graph_fail(builder, MODEL_CORRUPT, "%s with %u inputs, want %u to %u", type->name,
                   node->n_inputs, type->min_inputs, type->max_inputs);
        return;
    }
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] == GRAPH_NONE ? i < type->min_inputs
                                          : node->inputs[i] >= builder->graph->n_values) {
            graph_fail(builder, MODEL_CORRUPT, "%s without input %u", type->name, i);
            return;
        }
    struct operator_shapes shapes = {builder, builder->graph, node, ret};
    type->infer(&shapes);
}

uint32_t graph_add(struct graph_builder *builder, enum graph_kind kind, uint32_t n_inputs,
                   const uint32_t *inputs, const struct graph_attributes *attributes)
{
    struct graph *graph = builder->graph;
    struct graph_value value = {.name = "", .producer = graph->n_nodes};
    if (builder->status == MODEL_OK)
        builder->status = graph_cancelled(graph, builder->err);
    if (builder->status != MODEL_OK)
        return GRAPH_NONE;
    struct graph_node node = {
        .kind = kind, .name = builder->layer, .n_inputs = n_inputs, .attributes = *attributes};
    node.inputs = kernels_allocate(graph->kernels, (n_inputs + 1) * sizeof *node.inputs);
    if (node.inputs == NULL)
        graph_fail(builder, MODEL_OUT_OF_MEMORY, "no memory for the graph");
    if (builder->status != MODEL_OK ||
        !reserve(builder, &graph->nodes, graph->n_nodes, &graph->node_capacity, sizeof node))
        return GRAPH_NONE;
    memcpy(node.inputs, inputs, n_inputs * sizeof *inputs);
    infer(builder, &node, &value.shape);
    value.is_whole = builder->status == MODEL_OK && graph_makes_whole(graph, &node);
    node.output = add_value(builder, &value);
    if (builder->status != MODEL_OK)
        return GRAPH_NONE;
    for (uint32_t i = 0; i < n_inputs; i++)
        if (inputs[i] != GRAPH_NONE)
            graph->values[inputs[i]].n_uses++;
    graph->nodes[graph->n_nodes++] = node;
    if (!graph_fold_small(graph, &graph->nodes[graph->n_nodes - 1]))
        graph_fail(builder, MODEL_OUT_OF_MEMORY, "no memory for the graph");
    return node.output;
}

void graph_add_output(struct graph_builder *builder, uint32_t value)
{
    if (builder->status != MODEL_OK)
        return;
    append(builder, &builder->graph->outputs, &builder->graph->n_outputs, value);
    builder->graph->values[value].n_uses++;
}

const float *graph_known(struct graph_builder *builder, uint32_t value)
{
    return value < builder->graph->n_values && builder->graph->values[value].constant != NULL
               ? graph_numbers(builder->graph, value)
               : NULL;
}

struct graph_shape graph_shape_of(const struct graph_builder *builder, uint32_t value)
{
    return value < builder->graph->n_values ? builder->graph->values[value].shape
                                            : (struct graph_shape){.rank = 0};
}

uint32_t graph_reshape(struct graph_builder *builder, uint32_t x, uint32_t rank,
                       const int64_t *size)
{
    struct graph_attributes a = {.reshape = {.rank = rank}};
    memcpy(a.reshape.size, size, rank * sizeof *size);
    return graph_add(builder, GRAPH_RESHAPE, 1, &x, &a);
}

uint32_t graph_transpose(struct graph_builder *builder, uint32_t x, const uint32_t *order)
{
    struct graph_attributes a = {.order = {0}};
    memcpy(a.order, order, graph_shape_of(builder, x).rank * sizeof *order);
    return graph_add(builder, GRAPH_TRANSPOSE, 1, &x, &a);
}

uint32_t graph_map(struct graph_builder *builder, uint32_t x, enum graph_function function,
                   float alpha, float beta)
{
    const struct graph_attributes a = {
        .map = {.function = function, .alpha = alpha, .beta = beta, .scale = 1}};
    return graph_add(builder, GRAPH_MAP, 1, &x, &a);
}

uint32_t graph_binary(struct graph_builder *builder, enum graph_binary function, uint32_t x,
                      uint32_t y)
{
    const struct graph_attributes a = {.binary = {.function = function}};
    return graph_add(builder, GRAPH_BINARY, 2, (uint32_t[]){x, y}, &a);
}
