/* graph_fuse.c - joins nodes that are computed together; see graph_passes.h.
 *
 * One walk in the order of computing: each node is tried against the one that makes its first input. Where a
 * node takes another in, it also takes over its place, so that what follows finds the joined node. */
#include "graph_passes.h"

#include <math.h>
#include <string.h>

enum { CONV_X, CONV_BIAS = 2, CONV_NORM, CONV_RESIDUAL = 7, CONV_ALL };

bool graph_is_output(const struct graph *graph, uint32_t value)
{
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == value)
            return true;
    return false;
}

/* The node that makes the value, or NULL. */
static struct graph_node *producer_of(const struct graph *graph, uint32_t value)
{
    const uint32_t producer = value == GRAPH_NONE ? GRAPH_NONE : graph->values[value].producer;
    return producer == GRAPH_NONE ? NULL : &graph->nodes[producer];
}

/* The same, if nothing else reads the value. */
static struct graph_node *sole_producer(const struct graph *graph, uint32_t value)
{
    return value != GRAPH_NONE && graph->values[value].n_uses == 1 ? producer_of(graph, value)
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
    struct graph_node *max = sole_producer(graph, node->inputs[0]);
    if (!is_map(max, MAP_CLIP) || max->attributes.map.beta != INFINITY)
        return;
    struct graph_node *minus = sole_producer(graph, max->inputs[0]);
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

/* What changes nothing: readers of its result read its input. */
static bool skip_identity(struct graph *graph, struct graph_node *node)
{
    const bool same = is_linear_map(node, 1, 0) ||
                      (is_map(node, MAP_RELU) && is_positive(producer_of(graph, node->inputs[0])));
    if (!same || graph_is_output(graph, node->output))
        return false;
    struct graph_value *value = &graph->values[node->output];
    for (uint32_t i = 0; i < graph->n_nodes && value->n_uses > 0; i++)
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

/* A convolution with all its inputs spelt out. */
static bool widen(struct graph *graph, struct graph_node *conv)
{
    if (conv->n_inputs == CONV_ALL)
        return true;
    uint32_t *inputs = kernels_allocate(graph->kernels, CONV_ALL * sizeof *inputs);
    if (inputs == NULL)
        return false; /* not fused is slower, and right */
    for (uint32_t i = 0; i < CONV_ALL; i++)
        inputs[i] = i < conv->n_inputs ? conv->inputs[i] : GRAPH_NONE;
    conv->inputs = inputs;
    conv->n_inputs = CONV_ALL;
    return true;
}

static void join_norm(struct graph *graph, struct graph_node *conv, struct graph_node *node)
{
    if (conv->attributes.conv.activation != ACTIVATION_NONE || conv->attributes.conv.accumulate ||
        has_input(conv, CONV_NORM) || !widen(graph, conv))
        return;
    memcpy(conv->inputs + CONV_NORM, node->inputs + 1, 4 * sizeof *node->inputs);
    conv->attributes.conv.norm_eps = node->attributes.norm.eps;
    absorb(graph, conv, node);
}

/* conv(x) + y, where y is there before the convolution runs. */
static bool join_residual(struct graph *graph, struct graph_node *conv, struct graph_node *node,
                          uint32_t other)
{
    const struct graph_value *y = &graph->values[other];
    const uint32_t place = (uint32_t)(conv - graph->nodes);
    if (conv->attributes.conv.activation != ACTIVATION_NONE || conv->attributes.conv.accumulate ||
        conv->attributes.conv.transposed || y->constant != NULL ||
        (y->producer != GRAPH_NONE && y->producer >= place) ||
        !graph_shape_equal(&y->shape, &graph->values[conv->output].shape) || !widen(graph, conv))
        return false;
    conv->inputs[CONV_RESIDUAL] = other;
    conv->attributes.conv.accumulate = true;
    absorb(graph, conv, node);
    return true;
}

static void join_add(struct graph *graph, struct graph_node *node)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct graph_node *conv = sole_producer(graph, node->inputs[i]);
        if (conv != NULL && conv->kind == GRAPH_CONV &&
            join_residual(graph, conv, node, node->inputs[1 - i]))
            return;
    }
}

/* The kernels' name of a map, after what the node has already. */
static enum activation activation_of(const struct graph_node *node, enum activation before)
{
    if (is_map(node, MAP_CLIP) && node->attributes.map.beta == 6 &&
        (before == ACTIVATION_RELU ||
         (before == ACTIVATION_NONE && node->attributes.map.alpha == 0)))
        return ACTIVATION_RELU6;
    if (before != ACTIVATION_NONE)
        return ACTIVATION_NONE;
    return is_map(node, MAP_RELU)      ? ACTIVATION_RELU
           : is_map(node, MAP_SIGMOID) ? ACTIVATION_SIGMOID
           : is_map(node, MAP_TANH)    ? ACTIVATION_TANH
                                       : ACTIVATION_NONE;
}

static void join_activation(struct graph *graph, struct graph_node *before, struct graph_node *node)
{
    enum activation *activation = before->kind == GRAPH_CONV
                                      ? &before->attributes.conv.activation
                                      : &before->attributes.linear.activation;
    const enum activation joined = activation_of(node, *activation);
    if (joined == ACTIVATION_NONE)
        return;
    *activation = joined;
    absorb(graph, before, node);
}

static void fuse_node(struct graph *graph, struct graph_node *node)
{
    join_clip(graph, node);
    if (skip_identity(graph, node))
        return;
    if (node->kind == GRAPH_BINARY && node->attributes.binary.function == BINARY_ADD) {
        join_add(graph, node);
        return;
    }
    struct graph_node *before = sole_producer(graph, node->inputs[0]);
    if (before == NULL)
        return;
    if (node->kind == GRAPH_NORM && before->kind == GRAPH_CONV)
        join_norm(graph, before, node);
    else if (node->kind == GRAPH_MAP &&
             (before->kind == GRAPH_CONV || before->kind == GRAPH_LINEAR))
        join_activation(graph, before, node);
    else if (is_map(node, MAP_CLIP) && is_map(before, MAP_RELU) && node->attributes.map.beta >= 0) {
        before->removed = true;
        graph->values[before->output].n_uses--;
        node->inputs[0] = before->inputs[0];
        node->attributes.map.alpha = fmaxf(node->attributes.map.alpha, 0);
    }
}

/* From the last to the first: what nobody reads. */
static void remove_unread(struct graph *graph)
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

void graph_fuse(struct graph *graph)
{
    remove_unread(graph);
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].removed)
            fuse_node(graph, &graph->nodes[i]);
}
