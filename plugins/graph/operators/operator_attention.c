/* operator_attention.c - softmax(scale Q K^T + mask) V of all heads, by the kernels: what graph_fuse_attention.c makes
 * of the products, the softmax and the transposes around them. */
#include "operators.h"

enum { QUERY, KEY, VALUE, MASK };

#define SEQUENCE_NUMBERS (sizeof(struct attention_sequence) / sizeof(float))
#define ALIGN_NUMBERS    16 /* 64 bytes */

/* Whether rows of these sizes are all inside the value. */
static bool holds(const struct operator_shapes *shapes, uint32_t input, int64_t n_rows)
{
    const struct graph_attributes *a = &shapes->node->attributes;
    const int64_t width = a->attention.num_heads * a->attention.head_size;
    return a->attention.first[input] >= 0 && width <= a->attention.stride &&
           a->attention.first[input] <= a->attention.stride - width &&
           n_rows <= MAP_MAX_SIZE / a->attention.stride &&
           graph_shape_size(input_shape(shapes->graph, shapes->node, input)) ==
               (size_t)(n_rows * a->attention.stride);
}

/* Dimension i of what is added, as [n_sequences, num_heads, n_queries, n_keys]. */
static int64_t mask_size(const struct graph_shape *mask, uint32_t i)
{
    return i + mask->rank < 4 ? 1 : mask->size[i + mask->rank - 4];
}

static bool mask_fits(const struct graph_shape *mask, const struct graph_attributes *a)
{
    const int64_t whole[] = {a->attention.n_sequences, a->attention.num_heads,
                             a->attention.n_queries, a->attention.n_keys};
    bool fits = mask->rank >= 1 && mask->rank <= 4 && mask_size(mask, 3) == whole[3];
    for (uint32_t i = 0; i < 3 && fits; i++)
        fits = mask_size(mask, i) == 1 || mask_size(mask, i) == whole[i];
    return fits;
}

static void infer(struct operator_shapes *shapes)
{
    const struct graph_attributes *a = &shapes->node->attributes;
    const int64_t n = a->attention.n_sequences, queries = a->attention.n_queries;
    const int64_t keys = a->attention.n_keys;
    const int64_t sizes[] = {
        n, queries, keys, a->attention.num_heads, a->attention.head_size, a->attention.stride};
    bool fits = a->attention.scale > 0 && (!a->attention.causal || queries <= keys);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        fits = fits && sizes[i] >= 1 && sizes[i] <= MAP_MAX_SIZE;
    if (fits && has_input(shapes->node, MASK))
        fits = mask_fits(input_shape(shapes->graph, shapes->node, MASK), a);
    if (!fits || !holds(shapes, QUERY, n * queries) || !holds(shapes, KEY, n * keys) ||
        !holds(shapes, VALUE, n * keys)) {
        graph_fail(shapes->builder, MODEL_CORRUPT, "attention over rows that are not there");
        return;
    }
    *shapes->ret =
        (struct graph_shape){4, {n, queries, a->attention.num_heads, a->attention.head_size}};
}

/* Of the table of sequences, which is in front of the kernels' own. */
static size_t table_size(const struct graph_attributes *a)
{
    const size_t n = (size_t)a->attention.n_sequences * SEQUENCE_NUMBERS;
    return (n + ALIGN_NUMBERS - 1) / ALIGN_NUMBERS * ALIGN_NUMBERS;
}

static size_t scratch_size(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_attributes *a = &node->attributes;
    const size_t bytes = attention_workspace_bytes(graph->kernels, (size_t)a->attention.head_size,
                                                   (size_t)a->attention.n_keys);
    return table_size(a) + (bytes + sizeof(float) - 1) / sizeof(float);
}

static struct attention_sequence *list_sequences(const struct graph_attributes *a, float *scratch)
{
    struct attention_sequence *sequences = (void *)scratch;
    const size_t queries = (size_t)a->attention.n_queries, keys = (size_t)a->attention.n_keys;
    for (size_t i = 0; i < (size_t)a->attention.n_sequences; i++)
        sequences[i] = (struct attention_sequence){i * queries, queries, i * keys, keys};
    return sequences;
}

/* Queries and the keys that they see, of a sequence. */
static size_t pairs_of(const struct graph_attributes *a)
{
    const size_t queries = (size_t)a->attention.n_queries, keys = (size_t)a->attention.n_keys;
    return queries * keys - (a->attention.causal ? queries * (queries - 1) / 2 : 0);
}

static void run(const struct operator_call *call)
{
    const struct graph_node *node = call->node;
    const struct graph_attributes *a = &node->attributes;
    const size_t heads = (size_t)a->attention.num_heads;
    const size_t head_size = (size_t)a->attention.head_size;
    struct attention attention = {.query = input_data(call, QUERY) + a->attention.first[QUERY],
                                  .key = input_data(call, KEY) + a->attention.first[KEY],
                                  .value = input_data(call, VALUE) + a->attention.first[VALUE],
                                  .stride = (size_t)a->attention.stride,
                                  .context = call->y,
                                  .context_stride = heads * head_size,
                                  .num_heads = heads,
                                  .head_size = head_size,
                                  .scale = a->attention.scale,
                                  .causal = a->attention.causal,
                                  .sequences = list_sequences(a, call->scratch),
                                  .n_sequences = (size_t)a->attention.n_sequences,
                                  .workspace = call->scratch + table_size(a)};
    if (has_input(node, MASK)) {
        const struct graph_shape *mask = input_shape(call->graph, node, MASK);
        size_t step = (size_t)mask_size(mask, 3);
        attention.mask = input_data(call, MASK);
        for (uint32_t i = 3; i-- > 0; step *= (size_t)mask_size(mask, i))
            attention.mask_strides[i] = mask_size(mask, i) == 1 ? 0 : step;
    }
    attention_run(call->graph->kernels, &attention);
    linear_runner_count(call->runner, 2 * attention.n_sequences * pairs_of(a) * heads * head_size);
}

const struct operator_type operator_attention = {.name = "attention",
                                                 .min_inputs = 3,
                                                 .max_inputs = 4,
                                                 .infer = infer,
                                                 .scratch_size = scratch_size,
                                                 .run = run};
