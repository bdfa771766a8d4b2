/* graph_fuse.c - joins nodes that are computed together; see graph_passes.h.
 *
 * One walk in the order of computing: each node is tried against the one that makes its first input. Where a
 * node takes another in, it also takes over its place, so that what follows finds the joined node. */
#include "graph_passes.h"

#include <math.h>
#include <string.h>

enum { CONV_X, CONV_BIAS = 2, CONV_NORM, CONV_RESIDUAL = 7, CONV_ALL };
enum { LSTM_TABLE = 15, LSTM_ALL };
enum { LINEAR_X, LINEAR_BIAS = 2, LINEAR_RESIDUAL, LINEAR_ALL };

bool graph_is_output(const struct graph *graph, uint32_t value)
{
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == value)
            return true;
    return false;
}

struct graph_node *graph_producer(const struct graph *graph, uint32_t value)
{
    const uint32_t producer = value == GRAPH_NONE ? GRAPH_NONE : graph->values[value].producer;
    return producer == GRAPH_NONE ? NULL : &graph->nodes[producer];
}

struct graph_node *graph_sole_producer(const struct graph *graph, uint32_t value)
{
    return value != GRAPH_NONE && graph->values[value].n_uses == 1 ? graph_producer(graph, value)
                                                                   : NULL;
}

static bool is_map(const struct graph_node *node, enum graph_function function)
{
    return node != NULL && node->kind == GRAPH_MAP && node->attributes.map.function == function &&
           node->attributes.map.scale == 1 && node->attributes.map.shift == 0;
}

static bool is_linear_map(const struct graph_node *node, float alpha, float beta)
{
    return is_map(node, MAP_LINEAR) && node->attributes.map.alpha == alpha &&
           node->attributes.map.beta == beta;
}

/* `node` is gone: what it made is made by `into`. Its inputs other than the first were taken over. */
static void absorb(struct graph *graph, struct graph_node *into, struct graph_node *node)
{
    graph->values[into->output].n_uses--;
    into->output = node->output;
    graph->values[node->output].producer = (uint32_t)(into - graph->nodes);
    node->removed = true;
}

/* -max(-x, a) is min(x, -a); converters write relu6 so. */
static void join_clip(struct graph *graph, struct graph_node *node)
{
    if (!is_linear_map(node, -1, 0))
        return;
    struct graph_node *max = graph_sole_producer(graph, node->inputs[0]);
    if (!is_map(max, MAP_CLIP) || max->attributes.map.beta != INFINITY)
        return;
    struct graph_node *minus = graph_sole_producer(graph, max->inputs[0]);
    if (!is_linear_map(minus, -1, 0))
        return;
    const float limit = -max->attributes.map.alpha;
    graph->values[max->output].n_uses--;
    graph->values[minus->output].n_uses--;
    max->removed = minus->removed = true;
    node->inputs[0] = minus->inputs[0]; /* minus no longer reads it, node does */
    node->attributes.map.function = MAP_CLIP;
    node->attributes.map.alpha = -INFINITY;
    node->attributes.map.beta = limit;
}

/* Whether the numbers are 0 or more anyway. */
static bool is_positive(const struct graph_node *node)
{
    if (node == NULL)
        return false;
    if (node->kind == GRAPH_CONV)
        return node->attributes.conv.activation == ACTIVATION_RELU ||
               node->attributes.conv.activation == ACTIVATION_RELU6;
    return is_map(node, MAP_RELU) || (is_map(node, MAP_CLIP) && node->attributes.map.alpha >= 0);
}

/* What changes nothing: readers of its result, which stand behind it, read its input. */
static bool skip_identity(struct graph *graph, struct graph_node *node)
{
    const bool same =
        is_linear_map(node, 1, 0) ||
        (is_map(node, MAP_RELU) && is_positive(graph_producer(graph, node->inputs[0])));
    if (!same || graph_is_output(graph, node->output))
        return false;
    struct graph_value *value = &graph->values[node->output];
    for (uint32_t i = (uint32_t)(node - graph->nodes) + 1; i < graph->n_nodes && value->n_uses > 0;
         i++)
        for (uint32_t k = 0; k < graph->nodes[i].n_inputs; k++)
            if (!graph->nodes[i].removed && graph->nodes[i].inputs[k] == node->output) {
                graph->nodes[i].inputs[k] = node->inputs[0];
                graph->values[node->inputs[0]].n_uses++;
                value->n_uses--;
            }
    graph->values[node->inputs[0]].n_uses--;
    node->removed = true;
    return true;
}

/* The node with n inputs, those that it has not as GRAPH_NONE. */
static bool widen(struct graph *graph, struct graph_node *node, uint32_t n)
{
    if (node->n_inputs == n)
        return true;
    uint32_t *inputs = kernels_allocate(graph->kernels, n * sizeof *inputs);
    if (inputs == NULL)
        return false; /* not fused is slower, and right */
    for (uint32_t i = 0; i < n; i++)
        inputs[i] = i < node->n_inputs ? node->inputs[i] : GRAPH_NONE;
    node->inputs = inputs;
    node->n_inputs = n;
    return true;
}

static void join_norm(struct graph *graph, struct graph_node *conv, struct graph_node *node)
{
    if (conv->attributes.conv.activation != ACTIVATION_NONE || conv->attributes.conv.accumulate ||
        has_input(conv, CONV_NORM) || !widen(graph, conv, CONV_ALL))
        return;
    memcpy(conv->inputs + CONV_NORM, node->inputs + 1, 4 * sizeof *node->inputs);
    conv->attributes.conv.norm_eps = node->attributes.norm.eps;
    absorb(graph, conv, node);
}

/* What a convolution or a product is joined with, by its kind. */
static enum activation *activation_in(struct graph_node *node)
{
    return node->kind == GRAPH_CONV     ? &node->attributes.conv.activation
           : node->kind == GRAPH_LINEAR ? &node->attributes.linear.activation
                                        : NULL;
}

/* A product without a bias, and a vector that is added to each row. */
static bool join_bias(struct graph *graph, struct graph_node *linear, struct graph_node *node,
                      uint32_t other)
{
    const struct graph_value *bias = &graph->values[other];
    const struct graph_shape *y = &graph->values[node->output].shape;
    if (linear->kind != GRAPH_LINEAR || has_input(linear, LINEAR_BIAS) || bias->constant == NULL ||
        bias->shape.rank != 1 || bias->shape.size[0] != y->size[y->rank - 1] ||
        !graph_shape_equal(y, &graph->values[linear->output].shape) ||
        linear->attributes.linear.activation != ACTIVATION_NONE ||
        linear->attributes.linear.accumulate || linear->attributes.linear.n_parts > 0 ||
        !widen(graph, linear, LINEAR_RESIDUAL))
        return false;
    linear->inputs[LINEAR_BIAS] = other;
    absorb(graph, linear, node);
    return true;
}

/* f(x) + y, where y is there before the convolution or the product runs. */
static bool join_residual(struct graph *graph, struct graph_node *before, struct graph_node *node,
                          uint32_t other)
{
    const struct graph_value *y = &graph->values[other];
    const uint32_t place = (uint32_t)(before - graph->nodes);
    const bool is_conv = before->kind == GRAPH_CONV;
    const bool has_one =
        is_conv ? before->attributes.conv.accumulate || before->attributes.conv.transposed
                : before->attributes.linear.accumulate;
    if (has_one || *activation_in(before) != ACTIVATION_NONE || y->constant != NULL ||
        (y->producer != GRAPH_NONE && y->producer >= place) ||
        !graph_shape_equal(&y->shape, &graph->values[before->output].shape) ||
        !widen(graph, before, is_conv ? CONV_ALL : LINEAR_ALL))
        return false;
    before->inputs[before->n_inputs - 1] = other;
    if (is_conv)
        before->attributes.conv.accumulate = true;
    else
        before->attributes.linear.accumulate = true;
    absorb(graph, before, node);
    return true;
}

static void join_add(struct graph *graph, struct graph_node *node)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct graph_node *before = graph_sole_producer(graph, node->inputs[i]);
        if (before != NULL && activation_in(before) != NULL &&
            (join_bias(graph, before, node, node->inputs[1 - i]) ||
             join_residual(graph, before, node, node->inputs[1 - i])))
            return;
    }
}

/* The kernels' name of a map, after what the node has already. */
static enum activation activation_of(const struct graph_node *node, enum activation before)
{
    if (is_map(node, MAP_CLIP) && node->attributes.map.beta == 6 &&
        ((before == ACTIVATION_RELU && node->attributes.map.alpha <= 0) ||
         (before == ACTIVATION_NONE && node->attributes.map.alpha == 0)))
        return ACTIVATION_RELU6;
    return before == ACTIVATION_NONE ? activation_of_map(node) : ACTIVATION_NONE;
}

static void join_activation(struct graph *graph, struct graph_node *before, struct graph_node *node)
{
    enum activation *activation = activation_in(before);
    const enum activation joined = activation_of(node, *activation);
    if (joined == ACTIVATION_NONE ||
        (before->kind == GRAPH_LINEAR && before->attributes.linear.accumulate))
        return;
    *activation = joined;
    absorb(graph, before, node);
}

/* An LSTM that reads rows of a table: what it makes of each may be computed once. */
static void join_table(struct graph *graph, struct graph_node *lstm)
{
    static const uint32_t swapped[] = {1, 0, 2};
    const struct graph_node *gather = graph_producer(graph, lstm->inputs[0]);
    const bool item_first = gather != NULL && gather->kind == GRAPH_TRANSPOSE &&
                            memcmp(gather->attributes.order, swapped, sizeof swapped) == 0;
    if (item_first)
        gather = graph_producer(graph, gather->inputs[0]);
    if (gather == NULL || gather->kind != GRAPH_GATHER ||
        gather->attributes.places.form != PLACES_AXIS || gather->attributes.places.axis != 0 ||
        gather->attributes.places.batch != 0 || graph->values[gather->inputs[0]].constant == NULL ||
        input_shape(graph, gather, 0)->rank != 2 || input_shape(graph, gather, 1)->rank != 2 ||
        !widen(graph, lstm, LSTM_ALL))
        return;
    graph->values[lstm->inputs[0]].n_uses--;
    lstm->inputs[0] = gather->inputs[1];
    lstm->inputs[LSTM_TABLE] = gather->inputs[0];
    graph->values[gather->inputs[0]].n_uses++;
    graph->values[gather->inputs[1]].n_uses++;
    lstm->attributes.lstm.by_places = true;
    lstm->attributes.lstm.item_first = item_first;
}

static void fuse_node(struct graph *graph, struct graph_node *node)
{
    if (node->kind == GRAPH_LSTM)
        join_table(graph, node);
    join_clip(graph, node);
    if (skip_identity(graph, node))
        return;
    if (node->kind == GRAPH_BINARY && node->attributes.binary.function == BINARY_ADD) {
        join_add(graph, node);
        return;
    }
    struct graph_node *before = graph_sole_producer(graph, node->inputs[0]);
    if (before == NULL)
        return;
    if (node->kind == GRAPH_NORM && before->kind == GRAPH_CONV)
        join_norm(graph, before, node);
    else if (node->kind == GRAPH_MAP && activation_in(before) != NULL)
        join_activation(graph, before, node);
    else if (is_map(node, MAP_CLIP) && is_map(before, MAP_RELU) && node->attributes.map.beta >= 0) {
        before->removed = true;
        graph->values[before->output].n_uses--;
        node->inputs[0] = before->inputs[0];
        node->attributes.map.alpha = fmaxf(node->attributes.map.alpha, 0);
    }
}

void graph_remove_unread(struct graph *graph)
{
    for (uint32_t i = graph->n_nodes; i-- > 0;) {
        struct graph_node *node = &graph->nodes[i];
        if (node->removed || graph->values[node->output].n_uses > 0)
            continue;
        for (uint32_t k = 0; k < node->n_inputs; k++)
            if (has_input(node, k))
                graph->values[node->inputs[k]].n_uses--;
        node->removed = true;
    }
}

/* Outputs are numbers in a row: one that has only another shape than what a node makes, or a name, is no copy of it. */
static void skip_copies(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_outputs; i++) {
        const struct graph_node *node;
        while ((node = graph_producer(graph, graph->outputs[i])) != NULL &&
               (node->kind == GRAPH_RESHAPE || is_linear_map(node, 1, 0)) &&
               graph_producer(graph, node->inputs[0]) != NULL) {
            graph->values[node->output].n_uses--;
            graph->values[node->inputs[0]].n_uses++;
            graph->outputs[i] = node->inputs[0];
        }
    }
}

void graph_fuse(struct graph *graph)
{
    graph_remove_unread(graph);
    graph_fuse_attention(graph);
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].removed)
            fuse_node(graph, &graph->nodes[i]);
    skip_copies(graph);
    graph_remove_unread(graph);
}
