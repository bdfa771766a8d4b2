/* test_graph_fusing.c - graphs made at random compute the same whether nodes are joined or not.
 *
 *   test_graph_fusing [SEEDS [FIRST]]     how many graphs (200), from this seed on (1)
 *
 * Covers plugins/graph/graph_fuse.c, graph_fuse_attention.c and graph_fuse_mask.c. */
#include "graph_harness.h"

#include "bert_reference_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { N_STEPS = 14, MAX_VALUES = 64, N_INPUTS = 4, CHANNELS = 8, WIDTH = 16, HEADS = 2 };
enum { ITEMS = 2, STEPS = 7, ROWS_TABLE = 9 };

static const struct graph_shape map_shape = {4, {1, 5, 6, CHANNELS}},
                                rows_shape = {3, {ITEMS, STEPS, WIDTH}},
                                places_shape = {2, {ITEMS, STEPS}}, keys_shape = {1, {STEPS}};

/* A graph that grows: maps and rows that there are. */
struct growing {
    struct graph_test *test;
    struct graph_builder *b;
    uint64_t choices;
    uint32_t maps[MAX_VALUES], rows[MAX_VALUES], n_maps, n_rows, places, keys;
};

/* A whole number in [0, n). */
static uint32_t pick(struct growing *g, uint32_t n)
{
    return (uint32_t)((toy_random(&g->choices) + 1) / 2 * n * 0.999999);
}

static uint32_t any_map(struct growing *g)
{
    /* The newest ones more often, so that chains come about. */
    return g->maps[pick(g, 2) == 0 ? pick(g, g->n_maps) : g->n_maps - 1];
}

static uint32_t any_rows(struct growing *g)
{
    return g->rows[pick(g, 2) == 0 ? pick(g, g->n_rows) : g->n_rows - 1];
}

/* A constant of small numbers, so that values stay about 1. */
static uint32_t small(struct growing *g, uint32_t rank, const int64_t *size, float scale)
{
    struct graph_shape shape = {.rank = rank};
    memcpy(shape.size, size, rank * sizeof *size);
    const size_t n = graph_shape_size(&shape);
    float *data = graph_test_numbers(g->test, n);
    for (size_t i = 0; i < n; i++)
        data[i] *= scale;
    return graph_add_constant(g->b, MODEL_F32, &shape, data);
}

/* ---- maps */

static uint32_t add_conv(struct growing *g, uint32_t x)
{
    const int64_t kernel = pick(g, 2) == 0 ? 1 : 3, groups = pick(g, 3) == 0 ? CHANNELS : 1;
    const int64_t pad = kernel / 2, shape[] = {CHANNELS, CHANNELS / groups, kernel, kernel};
    const uint32_t inputs[] = {x, small(g, 4, shape, 0.4f),
                               small(g, 1, (int64_t[]){CHANNELS}, 0.5f)};
    return graph_add(g->b, GRAPH_CONV, 2 + pick(g, 2), inputs,
                     &(struct graph_attributes){.conv = {.window = {.kernel = {kernel, kernel},
                                                                    .stride = {1, 1},
                                                                    .dilation = {1, 1},
                                                                    .begin = {pad, pad},
                                                                    .end = {pad, pad}},
                                                         .groups = groups}});
}

static uint32_t add_norm(struct growing *g, uint32_t x)
{
    const int64_t n[] = {CHANNELS};
    const uint32_t one = graph_add_scalar(g->b, 1), variance = small(g, 1, n, 0.5f);
    const uint32_t inputs[] = {x, small(g, 1, n, 1), small(g, 1, n, 1), small(g, 1, n, 1),
                               graph_binary(g->b, BINARY_ADD, variance, one)};
    return graph_add(g->b, GRAPH_NORM, 5, inputs,
                     &(struct graph_attributes){.norm = {.eps = 1e-5}});
}

static uint32_t add_function(struct growing *g, uint32_t x)
{
    switch (pick(g, 8)) {
    case 0:
        return graph_map(g->b, x, MAP_RELU, 0, 0);
    case 1:
        return graph_map(g->b, x, MAP_CLIP, 0, 6);
    case 2: /* relu6 as -max(-relu(x), -6) */
        x = graph_map(g->b, graph_map(g->b, x, MAP_RELU, 0, 0), MAP_LINEAR, -1, 0);
        return graph_map(g->b, graph_map(g->b, x, MAP_CLIP, -6, INFINITY), MAP_LINEAR, -1, 0);
    case 3:
        return graph_map(g->b, x, MAP_LEAKY_RELU, 0.1f, 0);
    case 4:
        return graph_map(g->b, x, MAP_SIGMOID, 0, 0);
    case 5:
        return graph_map(g->b, x, pick(g, 2) == 0 ? MAP_GELU : MAP_GELU_TANH, 0, 0);
    case 6:
        return graph_map(g->b, x, MAP_LINEAR, 1, 0);
    default:
        return graph_map(g->b, x, MAP_TANH, 0, 0);
    }
}

static uint32_t grow_map(struct growing *g)
{
    const uint32_t x = any_map(g);
    switch (pick(g, 6)) {
    case 0:
    case 1:
        return add_conv(g, x);
    case 2:
        return add_norm(g, x);
    case 3:
        return graph_binary(g->b, BINARY_ADD, x, any_map(g));
    default:
        return add_function(g, x);
    }
}

/* ---- rows */

static uint32_t add_linear(struct growing *g, uint32_t x)
{
    const uint32_t inputs[] = {x, small(g, 2, (int64_t[]){WIDTH, WIDTH}, 0.3f),
                               small(g, 1, (int64_t[]){WIDTH}, 0.5f)};
    return graph_add(g->b, GRAPH_LINEAR, 2 + pick(g, 2), inputs,
                     &(struct graph_attributes){.linear = {.transposed = false}});
}

static uint32_t add_layer_norm(struct growing *g, uint32_t x)
{
    const int64_t n[] = {WIDTH};
    const uint32_t inputs[] = {x, small(g, 1, n, 1), small(g, 1, n, 1)};
    return graph_add(g->b, GRAPH_LAYER_NORM, 3, inputs,
                     &(struct graph_attributes){.norm = {.eps = 1e-5}});
}

/* Something that hides keys, in one of the ways that converters write, or one that is nearly so. */
static uint32_t hide(struct growing *g, uint32_t scores)
{
    const struct graph_shape shape = {2, {STEPS, STEPS}};
    const uint32_t form = pick(g, 4), look = pick(g, 3);
    const float lows[] = {-INFINITY, -1e4f, -1};
    const float low = lows[pick(g, 3)];
    float *numbers = kernels_allocate(g->test->kernels, graph_shape_size(&shape) * sizeof *numbers);
    if (form == 3)
        return scores;
    for (size_t i = 0; i < STEPS * STEPS; i++) {
        const size_t query = i / STEPS, key = i % STEPS;
        const bool sees = key <= query || (look == 1 && query + key == 9) || look == 2;
        numbers[i] = form == 0 ? (sees ? 0 : low) : sees == (form == 1);
    }
    const uint32_t mask = graph_give_constant(g->b, MODEL_F32, &shape, numbers);
    const uint32_t number = graph_add_scalar(g->b, low);
    if (form == 0)
        return graph_binary(g->b, BINARY_ADD, scores, mask);
    const uint32_t inputs[] = {mask, form == 1 ? scores : number, form == 1 ? number : scores};
    return graph_add(g->b, GRAPH_SELECT, 3, inputs, &(struct graph_attributes){.order = {0}});
}

static uint32_t split_heads(struct growing *g, uint32_t rows, bool is_key)
{
    static const uint32_t heads_first[] = {0, 2, 1, 3}, keys_last[] = {0, 2, 3, 1};
    const int64_t shape[] = {ITEMS, STEPS, HEADS, WIDTH / HEADS};
    return graph_transpose(g->b, graph_reshape(g->b, rows, 4, shape),
                           is_key ? keys_last : heads_first);
}

static uint32_t product(struct growing *g, uint32_t x, uint32_t y)
{
    return graph_add(g->b, GRAPH_MATMUL, 2, (uint32_t[]){x, y},
                     &(struct graph_attributes){.order = {0}});
}

static uint32_t add_attention(struct growing *g, uint32_t x)
{
    static const uint32_t back[] = {0, 2, 1, 3};
    const struct graph_attributes last = {.along = {.axis = 3}};
    uint32_t operands[3];
    for (uint32_t i = 0; i < 3; i++) { /* of one value, or not */
        const uint32_t from = pick(g, 5) == 0 ? any_rows(g) : x;
        operands[i] = split_heads(g, pick(g, 6) == 0 ? from : add_linear(g, from), i == 1);
        if (pick(g, 5) == 0)
            operands[i] = graph_map(g->b, operands[i], MAP_LINEAR, 0.5f, 0);
    }
    uint32_t scores = product(g, operands[0], operands[1]);
    scores = graph_map(g->b, scores, MAP_LINEAR, pick(g, 8) == 0 ? -0.3f : 0.3f, 0);
    scores = hide(g, scores);
    if (pick(g, 4) == 0)
        scores = graph_binary(g->b, BINARY_ADD, scores, g->keys);
    const uint32_t weights = graph_add(g->b, GRAPH_SOFTMAX, 1, &scores, &last);
    const uint32_t y = graph_transpose(g->b, product(g, weights, operands[2]), back);
    if (pick(g, 8) == 0)
        graph_add_output(g->b, pick(g, 2) == 0 ? weights : operands[0]);
    return graph_reshape(g->b, y, 3, rows_shape.size);
}

/* An LSTM over rows of a table, or over rows that there are. */
static uint32_t add_lstm(struct growing *g, uint32_t x)
{
    static const uint32_t swapped[] = {1, 0, 2};
    const int64_t matrix[] = {WIDTH, WIDTH};
    uint32_t inputs[15];
    if (pick(g, 2) == 0)
        x = graph_add(g->b, GRAPH_GATHER, 2,
                      (uint32_t[]){small(g, 2, (int64_t[]){ROWS_TABLE, WIDTH}, 1), g->places},
                      &(struct graph_attributes){.places = {.form = PLACES_AXIS}});
    inputs[0] = graph_transpose(g->b, x, swapped);
    for (uint32_t i = 1; i < 15; i++)
        inputs[i] = i < 9    ? small(g, 2, matrix, 0.3f)
                    : i < 13 ? small(g, 1, matrix, 0.5f)
                             : small(g, 2, (int64_t[]){ITEMS, WIDTH}, 0.5f);
    const struct graph_attributes a = {.lstm = {.reverse = pick(g, 2) == 0}};
    const uint32_t steps = graph_add(g->b, GRAPH_LSTM, 15, inputs, &a);
    const struct graph_attributes cut = {
        .slice = {.end = {STEPS, ITEMS, WIDTH}, .stride = {1, 1, 1}}};
    return graph_transpose(g->b, graph_add(g->b, GRAPH_SLICE, 1, &steps, &cut), swapped);
}

static uint32_t grow_rows(struct growing *g)
{
    const uint32_t x = any_rows(g);
    switch (pick(g, 9)) {
    case 0:
    case 1:
        return add_linear(g, x);
    case 2:
        return add_layer_norm(g, x);
    case 3:
        return graph_binary(g->b, BINARY_ADD, x, any_rows(g));
    case 4:
        return graph_binary(g->b, BINARY_ADD, small(g, 1, (int64_t[]){WIDTH}, 0.5f), x);
    case 5:
    case 6:
        return add_attention(g, x);
    case 7:
        return add_lstm(g, x);
    default:
        return add_function(g, x);
    }
}

/* ---- both graphs of a seed */

static void grow(struct growing *g, struct graph_test *test, uint64_t seed)
{
    *g = (struct growing){.test = test, .b = &test->builder, .choices = seed};
    g->maps[g->n_maps++] = graph_test_input(test, &map_shape);
    g->rows[g->n_rows++] = graph_test_input(test, &rows_shape);
    g->places = graph_test_input(test, &places_shape);
    g->keys = graph_test_input(test, &keys_shape);
    for (uint32_t i = 0; i < N_STEPS; i++) {
        const bool map = pick(g, 2) == 0;
        const uint32_t made = map ? grow_map(g) : grow_rows(g);
        if (map)
            g->maps[g->n_maps++] = made;
        else
            g->rows[g->n_rows++] = made;
        if (pick(g, 6) == 0) /* one that must stay there */
            graph_add_output(g->b, pick(g, 2) == 0 ? any_map(g) : any_rows(g));
    }
    graph_add_output(g->b, g->maps[g->n_maps - 1]);
}

static float **run(struct graph_test *test, const struct graph_input *inputs)
{
    const struct graph *graph = test->builder.graph;
    const struct model_cancel cancel = {sizeof cancel, &test->harness->cancelled, INT64_MAX};
    float **y = calloc(graph->n_outputs, sizeof *y);
    for (uint32_t i = 0; i < graph->n_outputs; i++)
        y[i] = calloc(graph_shape_size(&graph->values[graph->outputs[i]].shape), sizeof **y);
    linear_runner_begin(test->runner, &cancel, &test->harness->err);
    if (graph_run(graph, test->runner, &cancel, inputs, y, &test->harness->err) != MODEL_OK)
        fail_msg("%s", test->harness->err.message);
    return y;
}

/* How often nodes were joined, by what became of them. */
struct joined {
    uint32_t attention, causal, residual, activation, norm, joint, table;
};

static void count(const struct graph *graph, struct joined *ret)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct graph_node *node = &graph->nodes[i];
        const struct graph_attributes *a = &node->attributes;
        const bool conv = node->kind == GRAPH_CONV, linear = node->kind == GRAPH_LINEAR;
        if (node->removed)
            continue;
        ret->attention += node->kind == GRAPH_ATTENTION;
        ret->causal += node->kind == GRAPH_ATTENTION && a->attention.causal;
        ret->residual += (conv && a->conv.accumulate) || (linear && a->linear.accumulate);
        ret->activation += (conv && a->conv.activation != ACTIVATION_NONE) ||
                           (linear && a->linear.activation != ACTIVATION_NONE);
        ret->norm += conv && node->n_inputs > 3 && node->inputs[3] != GRAPH_NONE;
        ret->joint += linear && a->linear.n_parts > 0;
        ret->table += node->kind == GRAPH_LSTM && a->lstm.by_places;
    }
}

static void compare(uint64_t seed, const struct graph *graph, float **apart, float **joined)
{
    for (uint32_t o = 0; o < graph->n_outputs; o++) {
        const size_t n = graph_shape_size(&graph->values[graph->outputs[o]].shape);
        float largest = 1;
        for (size_t i = 0; i < n; i++)
            largest = fmaxf(largest, fabsf(apart[o][i]));
        for (size_t i = 0; i < n; i++)
            if (!(fabsf(apart[o][i] - joined[o][i]) <= 1e-5f * largest))
                fail_msg("seed %llu, output %u[%zu]: %g joined, %g apart", (unsigned long long)seed,
                         o, i, (double)joined[o][i], (double)apart[o][i]);
        free(apart[o]);
        free(joined[o]);
    }
    free(apart);
    free(joined);
}

static void check(uint64_t seed, struct joined *ret)
{
    struct graph_test *tests[2];
    struct growing growing;
    float **found[2];
    for (uint32_t i = 0; i < 2; i++) {
        tests[i] = graph_test_create();
        tests[i]->seed = seed;
        grow(&growing, tests[i], seed);
        tests[i]->builder.graph->keeps_apart = i == 0;
        graph_test_finish(tests[i], growing.rows[growing.n_rows - 1]);
    }
    float *x = graph_test_numbers(tests[0], graph_shape_size(&map_shape));
    float *rows = graph_test_numbers(tests[0], graph_shape_size(&rows_shape));
    float *keys = graph_test_numbers(tests[0], STEPS), places[ITEMS * STEPS];
    for (size_t i = 0; i < ITEMS * STEPS; i++)
        places[i] = (float)(i * 5 % ROWS_TABLE);
    const struct graph_input inputs[N_INPUTS] = {
        {x, MODEL_F32}, {rows, MODEL_F32}, {places, MODEL_F32}, {keys, MODEL_F32}};
    for (uint32_t i = 0; i < 2; i++)
        found[i] = run(tests[i], inputs);
    count(tests[1]->builder.graph, ret);
    compare(seed, tests[0]->builder.graph, found[0], found[1]);
    graph_test_destroy(tests[0]);
    graph_test_destroy(tests[1]);
}

static uint64_t n_seeds = 200, first_seed = 1;

static void joined_nodes_compute_what_they_do_apart(void **state)
{
    struct joined joined = {.attention = 0};
    (void)state;
    for (uint64_t i = 0; i < n_seeds; i++)
        check(first_seed + i, &joined);
    if (n_seeds < 100)
        return;
    assert_true(joined.attention > joined.causal && joined.causal > 0);
    assert_true(joined.residual > 0 && joined.activation > 0 && joined.norm > 0);
    assert_true(joined.joint > 0 && joined.table > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(joined_nodes_compute_what_they_do_apart)};
    n_seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : n_seeds;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : first_seed;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
