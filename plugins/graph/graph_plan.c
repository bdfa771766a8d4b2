/* graph_plan.c - the memory of a run; see graph_passes.h.
 *
 * Values that are one memory (a reshape and its input, an operator that writes over its input) form a group
 * with one life, from its first node to its last. Groups take the smallest gap that holds them as their life
 * begins, and leave it behind as it ends. */
#include "graph_passes.h"

#define ALIGN          64
#define ROOM           16 /* a sixteenth */
#define MAX_PLAN_BYTES ((size_t)1 << 40)

struct gap {
    size_t offset, size_bytes;
};

struct planning {
    const struct graph *graph;
    struct graph_plan *plan;
    uint32_t *group; /* (n_values): the value that stands for the group */
    uint32_t
        *last; /* (n_values): node after which the group is not needed; at its representative */
    struct gap *gaps; /* (n_gaps), by offset; at most n_values + 1 */
    size_t n_gaps, end;
};

static uint32_t group_of(const struct planning *p, uint32_t value)
{
    while (p->group[value] != value)
        value = p->group[value];
    return value;
}

/* With linear_row_capacity(), whatever is a row. */
static size_t value_bytes(const struct graph *graph, uint32_t value)
{
    const size_t bytes = graph_shape_size(&graph->values[value].shape) * sizeof(float);
    return (bytes + bytes / ROOM + ALIGN - 1) / ALIGN * ALIGN;
}

/* Last uses of single values. */
static void find_lives(struct planning *p)
{
    const struct graph *graph = p->graph;
    for (uint32_t v = 0; v < graph->n_values; v++) {
        p->group[v] = v;
        p->last[v] = graph->values[v].producer == GRAPH_NONE ? 0 : graph->values[v].producer;
        p->plan->offsets[v] = GRAPH_NO_OFFSET;
        p->plan->same[v] = GRAPH_NONE;
    }
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        for (uint32_t k = 0; k < graph->nodes[i].n_inputs && !graph->nodes[i].removed; k++)
            if (has_input(&graph->nodes[i], k))
                p->last[graph->nodes[i].inputs[k]] = i;
}

static void join(struct planning *p, uint32_t value, uint32_t into)
{
    const uint32_t group = group_of(p, into);
    p->group[value] = group;
    if (p->last[value] > p->last[group])
        p->last[group] = p->last[value];
}

/* The input that the node may write over: it lies in the block, ends here, and is read at the place that is
 * written. */
static bool may_overwrite(const struct planning *p, uint32_t index, uint32_t input)
{
    const struct graph *graph = p->graph;
    const struct graph_node *node = &graph->nodes[index];
    const uint32_t value = node->inputs[input], group = group_of(p, value);
    if (p->last[group] != index || p->plan->offsets[group] == GRAPH_NO_OFFSET ||
        graph_is_output(graph, node->output) ||
        graph_shape_size(&graph->values[value].shape) !=
            graph_shape_size(&graph->values[node->output].shape))
        return false;
    for (uint32_t k = 0; k < node->n_inputs; k++)
        if (k != input && has_input(node, k) && group_of(p, node->inputs[k]) == group)
            return false;
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        if (group_of(p, graph->outputs[i]) == group)
            return false;
    return true;
}

/* Which input's memory the result gets, or GRAPH_NONE. */
static uint32_t overwritten(const struct planning *p, uint32_t index)
{
    const struct graph_node *node = &p->graph->nodes[index];
    uint32_t input = GRAPH_NONE;
    if ((node->kind == GRAPH_CONV && node->attributes.conv.accumulate) ||
        (node->kind == GRAPH_LINEAR && node->attributes.linear.accumulate))
        input = node->n_inputs - 1;
    else if (operator_of(node->kind)->in_place)
        input = 0;
    return input != GRAPH_NONE && may_overwrite(p, index, input) ? node->inputs[input] : GRAPH_NONE;
}

static size_t take_gap(struct planning *p, size_t size_bytes)
{
    size_t best = p->n_gaps;
    for (size_t i = 0; i < p->n_gaps; i++)
        if (p->gaps[i].size_bytes >= size_bytes &&
            (best == p->n_gaps || p->gaps[i].size_bytes < p->gaps[best].size_bytes))
            best = i;
    if (best == p->n_gaps) {
        const size_t offset = p->end;
        p->end += size_bytes;
        return offset;
    }
    const size_t offset = p->gaps[best].offset;
    p->gaps[best].offset += size_bytes;
    p->gaps[best].size_bytes -= size_bytes;
    if (p->gaps[best].size_bytes == 0)
        for (p->n_gaps--; best < p->n_gaps; best++)
            p->gaps[best] = p->gaps[best + 1];
    return offset;
}

static void leave_gap(struct planning *p, size_t offset, size_t size_bytes)
{
    size_t at = 0;
    while (at < p->n_gaps && p->gaps[at].offset < offset)
        at++;
    if (at > 0 && p->gaps[at - 1].offset + p->gaps[at - 1].size_bytes == offset) {
        p->gaps[--at].size_bytes += size_bytes;
    } else {
        for (size_t i = p->n_gaps++; i > at; i--)
            p->gaps[i] = p->gaps[i - 1];
        p->gaps[at] = (struct gap){offset, size_bytes};
    }
    if (at + 1 < p->n_gaps &&
        p->gaps[at].offset + p->gaps[at].size_bytes == p->gaps[at + 1].offset) {
        p->gaps[at].size_bytes += p->gaps[at + 1].size_bytes;
        for (size_t i = at + 1; i + 1 < p->n_gaps; i++)
            p->gaps[i] = p->gaps[i + 1];
        p->n_gaps--;
    }
}

/* The result of a node: joined to an input, or given memory. */
static void place_result(struct planning *p, uint32_t index)
{
    const struct graph_node *node = &p->graph->nodes[index];
    const uint32_t output = node->output;
    p->plan->has_room[output] = !graph_is_output(p->graph, output);
    if (node->kind == GRAPH_RESHAPE && !graph_is_output(p->graph, output)) {
        p->plan->has_room[output] = p->plan->has_room[node->inputs[0]];
        p->plan->same[output] = node->inputs[0];
        join(p, output, node->inputs[0]);
        return;
    }
    const uint32_t over = overwritten(p, index);
    if (over != GRAPH_NONE) {
        join(p, output, over);
        p->plan->offsets[output] = p->plan->offsets[group_of(p, over)];
        return;
    }
    p->plan->offsets[output] = take_gap(p, value_bytes(p->graph, output));
}

/* The memory of groups that end with this node. */
static void end_lives(struct planning *p, uint32_t index)
{
    const struct graph_node *node = &p->graph->nodes[index];
    for (uint32_t k = 0; k <= node->n_inputs; k++) {
        const uint32_t value = k < node->n_inputs ? node->inputs[k] : node->output;
        if (value == GRAPH_NONE)
            continue;
        const uint32_t group = group_of(p, value);
        if (p->last[group] != index || p->plan->offsets[group] == GRAPH_NO_OFFSET)
            continue;
        p->last[group] = GRAPH_NONE; /* once, though two inputs may be of one group */
        leave_gap(p, p->plan->offsets[group], value_bytes(p->graph, group));
    }
}

static void place_all(struct planning *p)
{
    const struct graph *graph = p->graph;
    size_t scratch = 0;
    for (uint32_t i = 0; i < graph->n_inputs; i++)
        if (graph_copies_input(graph, &graph->values[graph->inputs[i]]))
            p->plan->offsets[graph->inputs[i]] = take_gap(p, value_bytes(graph, graph->inputs[i]));
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct graph_node *node = &graph->nodes[i];
        const struct operator_type *type = operator_of(node->kind);
        if (node->removed)
            continue;
        const size_t wanted = type->scratch_size != NULL ? type->scratch_size(graph, node) : 0;
        scratch = wanted > scratch ? wanted : scratch;
        place_result(p, i);
        end_lives(p, i);
    }
    p->plan->scratch_offset = p->end;
    p->plan->size_bytes = p->end + scratch * sizeof(float);
}

bool graph_has_room(const struct graph *graph, uint32_t value)
{
    return graph->plan->has_room[value];
}

model_status graph_plan_create(struct graph *graph, struct model_error *err)
{
    struct kernels *kernels = graph->kernels;
    const struct model_services *services = kernels_services(kernels);
    const size_t n = (size_t)graph->n_values + 1;
    struct graph_plan *plan = kernels_allocate(kernels, sizeof *plan);
    struct planning p = {.graph = graph,
                         .plan = plan,
                         .group = services->allocate(services->context, n * sizeof *p.group),
                         .last = services->allocate(services->context, n * sizeof *p.last),
                         .gaps = services->allocate(services->context, n * sizeof *p.gaps)};
    model_status status = MODEL_OK;
    if (plan != NULL) {
        plan->offsets = kernels_allocate(kernels, n * sizeof *plan->offsets);
        plan->same = kernels_allocate(kernels, n * sizeof *plan->same);
        plan->has_room = kernels_allocate(kernels, n * sizeof *plan->has_room);
    }
    if (plan == NULL || plan->offsets == NULL || plan->same == NULL || plan->has_room == NULL ||
        p.group == NULL || p.last == NULL || p.gaps == NULL) {
        status = kernels_no_memory(err, "the plan of a graph");
    } else {
        p.end = (n * sizeof(void *) + ALIGN - 1) / ALIGN * ALIGN;
        find_lives(&p);
        place_all(&p);
        graph->plan = plan;
        if (plan->size_bytes > MAX_PLAN_BYTES)
            status = kernels_fail(err, MODEL_UNSUPPORTED,
                                  "a run of this graph needs %zu bytes, at most %zu are given",
                                  plan->size_bytes, MAX_PLAN_BYTES);
    }
    services->release(services->context, p.gaps);
    services->release(services->context, p.last);
    services->release(services->context, p.group);
    return status;
}
