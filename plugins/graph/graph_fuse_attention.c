/* graph_fuse_attention.c - multi-head attention as converters write it, as one node; see graph_passes.h.
 *
 *   transpose(softmax(scale Q K^T + mask) V)
 *
 * where Q, K and V are transposes of rows [n, s, heads, head_size] (or [s, heads, head_size]) to [n, heads, s, head_size]:
 * the kernels read a row's heads where they lie, so that nothing is moved, and keep the scores in their caches. The scale may stand
 * anywhere between the rows and the mask. Rows may be columns of a wider value, which an equal split made. A choice between the
 * scores and a low number is a mask, too (graph_fuse_mask.c).
 *
 * Nothing is changed unless all of it is there: a value in between that something else reads, other shapes, broadcast
 * keys, or a scale that is not positive leave the nodes as they are. */
#include "graph_passes.h"

#include <math.h>

#define MAX_STEPS 16 /* upwards, from an operand to its rows: converters write four */

enum { QUERY, KEY, VALUE, MASK };

/* Where the rows of Q, K or V lie. */
struct rows {
    uint32_t base; /* value */
    int64_t width; /* heads times head_size */
    int64_t first, stride;
    double scale; /* that stood in between */
};

struct pattern {
    struct rows rows[3];
    uint32_t mask;             /* what is added, or GRAPH_NONE */
    struct graph_mask choice;  /* below it; of scores_at 0: there is none */
    struct graph_shape scores; /* [n, heads, n_queries, n_keys], or [heads, n_queries, n_keys] */
    double scale;              /* of the scores */
};

static bool is_number(struct graph *graph, uint32_t value, double *ret)
{
    if (graph->values[value].constant == NULL || graph_shape_size(&graph->values[value].shape) != 1)
        return false;
    const float *number = graph_numbers(graph, value);
    *ret = number != NULL ? (double)*number : 0;
    return number != NULL;
}

/* Goes up from the value of a node that multiplies one input by a number, and does nothing else; *factor with it. */
static bool skip_scale(struct graph *graph, const struct graph_node *node, uint32_t *value,
                       double *factor)
{
    const struct graph_attributes *a = &node->attributes;
    if (node->kind == GRAPH_MAP) {
        if (a->map.function != MAP_LINEAR || a->map.shift != 0 || a->map.beta != 0)
            return false;
        *factor *= (double)a->map.alpha * (double)a->map.scale;
        *value = node->inputs[0];
        return true;
    }
    if (node->kind != GRAPH_BINARY)
        return false;
    const bool divides = a->binary.function == BINARY_DIVIDE;
    for (uint32_t i = divides ? 1 : 0; i < 2; i++) {
        double number = 1;
        if ((divides || a->binary.function == BINARY_MULTIPLY) &&
            is_number(graph, node->inputs[i], &number) &&
            graph_shape_equal(input_shape(graph, node, 1 - i),
                              &graph->values[node->output].shape)) {
            *factor *= divides ? 1 / number : number;
            *value = node->inputs[1 - i];
            return true;
        }
    }
    return false;
}

/* Dimension i of `value` is dimension order[i] of what is found: through transposes and scales upwards. */
static uint32_t skip_transposes(struct graph *graph, uint32_t value, uint32_t *order, double *scale)
{
    const struct graph_node *node;
    const uint32_t rank = graph->values[value].shape.rank;
    for (uint32_t i = 0; i < rank; i++)
        order[i] = i;
    for (int steps = 0; steps < MAX_STEPS && (node = graph_producer(graph, value)) != NULL; steps++)
        if (node->kind == GRAPH_TRANSPOSE) {
            for (uint32_t i = 0; i < rank; i++)
                order[i] = node->attributes.order[order[i]];
            value = node->inputs[0];
        } else if (!skip_scale(graph, node, &value, scale)) {
            break;
        }
    return value;
}

/* A slice along the last dimension only. */
static bool is_columns(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_shape *x = input_shape(graph, node, 0);
    const struct graph_attributes *a = &node->attributes;
    if (node->kind != GRAPH_SLICE || x->rank == 0 || a->slice.stride[x->rank - 1] != 1)
        return false;
    for (uint32_t i = 0; i + 1 < x->rank; i++)
        if (a->slice.begin[i] != 0 || a->slice.end[i] != x->size[i] || a->slice.stride[i] != 1)
            return false;
    return true;
}

/* What is below: reshapes, which move nothing, scales, and one slice of columns. */
static void find_base(struct graph *graph, uint32_t value, struct rows *ret)
{
    const struct graph_node *node;
    ret->first = 0;
    ret->stride = ret->width;
    for (int steps = 0; steps < MAX_STEPS && (node = graph_producer(graph, value)) != NULL;
         steps++) {
        const struct graph_shape *shape = &graph->values[value].shape;
        if (is_columns(graph, node) && shape->size[shape->rank - 1] == ret->width) {
            ret->first = node->attributes.slice.begin[shape->rank - 1];
            ret->stride = input_shape(graph, node, 0)->size[shape->rank - 1];
            value = node->inputs[0];
            break;
        }
        if (node->kind == GRAPH_RESHAPE)
            value = node->inputs[0];
        else if (!skip_scale(graph, node, &value, &ret->scale))
            break;
    }
    ret->base = value;
}

/* An operand [.., heads, s, head_size], or of keys [.., heads, head_size, s], as rows [.., s, heads, head_size]. */
static bool find_rows(struct graph *graph, uint32_t value, bool turned, struct rows *ret)
{
    uint32_t order[MODEL_MAX_RANK];
    const uint32_t rank = graph->values[value].shape.rank;
    ret->scale = 1;
    value = skip_transposes(graph, value, order, &ret->scale);
    if ((rank == 4 && order[0] != 0) || order[rank - 3] != rank - 2 ||
        order[turned ? rank - 1 : rank - 2] != rank - 3 ||
        order[turned ? rank - 2 : rank - 1] != rank - 1)
        return false;
    const struct graph_shape *rows = &graph->values[value].shape;
    ret->width = rows->size[rank - 2] * rows->size[rank - 1];
    find_base(graph, value, ret);
    return true;
}

/* The product of queries and keys, with a scale behind it or not. */
static bool find_scores(struct graph *graph, uint32_t value, struct pattern *p)
{
    struct graph_node *node = graph_sole_producer(graph, value);
    p->scale = 1;
    if (node != NULL && skip_scale(graph, node, &value, &p->scale))
        node = graph_sole_producer(graph, value);
    if (node == NULL || node->kind != GRAPH_MATMUL)
        return false;
    const struct graph_shape *q = input_shape(graph, node, 0), *k = input_shape(graph, node, 1);
    p->scores = graph->values[node->output].shape;
    if (p->scores.rank < 3 || p->scores.rank > 4 || q->rank != p->scores.rank ||
        k->rank != p->scores.rank)
        return false;
    for (uint32_t i = 0; i + 2 < p->scores.rank; i++)
        if (q->size[i] != k->size[i])
            return false;
    return find_rows(graph, node->inputs[0], false, &p->rows[QUERY]) &&
           find_rows(graph, node->inputs[1], true, &p->rows[KEY]);
}

/* Whether it can be added to the scores without making them larger, key by key. */
static bool is_mask(const struct graph *graph, uint32_t value, const struct graph_shape *scores)
{
    const struct graph_shape *mask = &graph->values[value].shape;
    if (mask->rank < 1 || mask->rank > scores->rank)
        return false;
    const uint32_t before = scores->rank - mask->rank;
    for (uint32_t i = 0; i + 1 < mask->rank; i++)
        if (mask->size[i] != 1 && mask->size[i] != scores->size[before + i])
            return false;
    return mask->size[mask->rank - 1] == scores->size[scores->rank - 1];
}

/* Scores, behind a choice or not. */
static bool find_chosen_scores(struct graph *graph, uint32_t value, struct pattern *p)
{
    const struct graph_node *node = graph_sole_producer(graph, value);
    p->choice = (struct graph_mask){GRAPH_NONE, 0};
    if (node == NULL || !graph_mask_of_choice(graph, node, &p->choice))
        return find_scores(graph, value, p);
    return find_scores(graph, node->inputs[p->choice.scores_at], p) &&
           graph_shape_equal(&graph->values[value].shape, &p->scores) &&
           is_mask(graph, p->choice.value, &p->scores);
}

/* What the softmax reads: scores, with something added or not. */
static bool find_masked_scores(struct graph *graph, uint32_t value, struct pattern *p)
{
    struct graph_node *node = graph_sole_producer(graph, value);
    p->mask = GRAPH_NONE;
    if (node == NULL || node->kind != GRAPH_BINARY ||
        node->attributes.binary.function != BINARY_ADD)
        return find_chosen_scores(graph, value, p);
    for (uint32_t i = 0; i < 2; i++)
        if (find_chosen_scores(graph, node->inputs[i], p) &&
            is_mask(graph, node->inputs[1 - i], &p->scores)) {
            p->mask = node->inputs[1 - i];
            return true;
        }
    return false;
}

static bool find_pattern(struct graph *graph, const struct graph_node *last, struct pattern *p)
{
    const uint32_t rank = graph->values[last->output].shape.rank;
    const uint32_t *order = last->attributes.order;
    if (last->kind != GRAPH_TRANSPOSE || rank < 3 || rank > 4 || (rank == 4 && order[0] != 0) ||
        order[rank - 3] != rank - 2 || order[rank - 2] != rank - 3 || order[rank - 1] != rank - 1)
        return false;
    const struct graph_node *context = graph_sole_producer(graph, last->inputs[0]);
    if (context == NULL || context->kind != GRAPH_MATMUL)
        return false;
    const struct graph_node *softmax = graph_sole_producer(graph, context->inputs[0]);
    if (softmax == NULL || softmax->kind != GRAPH_SOFTMAX ||
        softmax->attributes.along.axis != rank - 1 ||
        !find_masked_scores(graph, softmax->inputs[0], p) || p->scores.rank != rank)
        return false;
    const struct graph_shape *value = input_shape(graph, context, 1);
    bool fits = value->rank == rank;
    for (uint32_t i = 0; i + 2 < rank && fits; i++)
        fits = value->size[i] == p->scores.size[i];
    return fits && find_rows(graph, context->inputs[1], false, &p->rows[VALUE]);
}

/* The node's inputs are these from now on. */
static bool set_inputs(struct graph *graph, struct graph_node *node, uint32_t n,
                       const uint32_t *inputs)
{
    uint32_t *own = kernels_allocate(graph->kernels, n * sizeof *own);
    if (own == NULL)
        return false;
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (has_input(node, i))
            graph->values[node->inputs[i]].n_uses--;
    for (uint32_t i = 0; i < n; i++) {
        own[i] = inputs[i];
        graph->values[inputs[i]].n_uses++;
    }
    node->inputs = own;
    node->n_inputs = n;
    return true;
}

/* What the kernels do about masks: they see keys up to a query's own, or add the one that is left in p->mask. */
static bool settle_mask(struct graph *graph, struct pattern *p, struct graph_attributes *a)
{
    const struct graph_mask added = {p->mask, 0};
    const int64_t n_queries = a->attention.n_queries, n_keys = a->attention.n_keys;
    if (p->choice.scores_at != 0) {
        a->attention.causal = graph_mask_is_causal(graph, &p->choice, n_queries, n_keys);
        if (a->attention.causal)
            return true;
        if (p->mask != GRAPH_NONE)
            return false; /* two masks */
        p->mask = graph_add_mask(graph, &p->choice);
        return p->mask != GRAPH_NONE;
    }
    if (p->mask != GRAPH_NONE && graph_mask_is_causal(graph, &added, n_queries, n_keys)) {
        a->attention.causal = true;
        p->mask = GRAPH_NONE;
    }
    return true;
}

static void fuse(struct graph *graph, struct graph_node *last)
{
    struct pattern p;
    if (!find_pattern(graph, last, &p))
        return;
    const struct graph_shape *y = &graph->values[last->output].shape;
    const int64_t heads = y->size[y->rank - 2], head_size = y->size[y->rank - 1];
    const double scale = p.scale * p.rows[QUERY].scale * p.rows[KEY].scale;
    struct graph_attributes a = {
        .attention = {.n_sequences = y->rank == 4 ? y->size[0] : 1,
                      .n_queries = p.scores.size[y->rank - 2],
                      .n_keys = p.scores.size[y->rank - 1],
                      .num_heads = heads,
                      .head_size = head_size,
                      .stride = p.rows[QUERY].stride,
                      .first = {p.rows[QUERY].first, p.rows[KEY].first, p.rows[VALUE].first},
                      .scale = (float)scale}};
    for (uint32_t i = QUERY; i <= VALUE; i++)
        if (p.rows[i].stride != p.rows[QUERY].stride || p.rows[i].width != heads * head_size)
            return;
    if (p.rows[VALUE].scale != 1 || !isfinite(a.attention.scale) || a.attention.scale <= 0 ||
        !settle_mask(graph, &p, &a))
        return;
    const uint32_t inputs[] = {p.rows[QUERY].base, p.rows[KEY].base, p.rows[VALUE].base, p.mask};
    if (set_inputs(graph, last, p.mask == GRAPH_NONE ? 3 : 4, inputs)) {
        last->kind = GRAPH_ATTENTION;
        last->attributes = a;
    }
}

/* ---- queries, keys and values that come out of one product */

/* Products of one x that nothing but the attention reads. */
static bool are_joint(const struct graph *graph, const struct graph_node *attention,
                      struct graph_node *products[3])
{
    for (uint32_t i = QUERY; i <= VALUE; i++) {
        products[i] = graph_sole_producer(graph, attention->inputs[i]);
        if (products[i] == NULL || products[i]->kind != GRAPH_LINEAR)
            return false;
        const struct graph_attributes *a = &products[i]->attributes;
        if (a->linear.transposed || a->linear.accumulate || a->linear.n_parts > 0 ||
            a->linear.activation != ACTIVATION_NONE ||
            products[i]->inputs[0] != products[0]->inputs[0] ||
            input_shape(graph, products[i], 1)->size[0] != attention->attributes.attention.stride ||
            has_input(products[i], 2) != has_input(products[0], 2) ||
            !graph_shape_equal(input_shape(graph, products[i], 1),
                               input_shape(graph, products[0], 1)))
            return false;
    }
    return true;
}

static void join_products(struct graph *graph, struct graph_node *attention)
{
    struct graph_node *products[3], *first;
    const int64_t width = attention->attributes.attention.stride;
    if (!are_joint(graph, attention, products))
        return;
    first = products[QUERY] < products[KEY] ? products[QUERY] : products[KEY];
    first = products[VALUE] < first ? products[VALUE] : first;
    struct graph_shape *shape = &graph->values[first->output].shape;
    const uint32_t inputs[] = {first->output, first->output, first->output,
                               attention->n_inputs > MASK ? attention->inputs[MASK] : GRAPH_NONE};
    if ((int64_t)graph_shape_size(shape) > MAP_MAX_SIZE / 3 ||
        !set_inputs(graph, attention, attention->n_inputs, inputs))
        return;
    for (uint32_t i = QUERY; i <= VALUE; i++) {
        first->attributes.linear.parts[i] = (uint32_t)(products[i] - graph->nodes);
        attention->attributes.attention.first[i] = i * width;
        if (products[i] != first) {
            products[i]->removed = true;
            graph->values[first->inputs[0]].n_uses--;
        }
    }
    first->attributes.linear.n_parts = 3;
    shape->size[shape->rank - 1] = 3 * width;
    attention->attributes.attention.stride = 3 * width;
}

void graph_fuse_attention(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].removed)
            fuse(graph, &graph->nodes[i]);
    graph_remove_unread(graph);
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].removed && graph->nodes[i].kind == GRAPH_ATTENTION)
            join_products(graph, &graph->nodes[i]);
}
