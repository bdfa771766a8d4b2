/* test_graph_attention.c - attention out of its products, softmax and transposes: the one node computes what the formula
 * says, and whatever is only nearly attention stays as it is.
 * Covers plugins/graph/graph_fuse_attention.c and operators/operator_attention.c. */
#include "graph_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2, HEADS = 3, QUERIES = 21, KEYS = 21, SIZE = 20, WIDTH = HEADS * SIZE, IN = 7 };

#define SCALE 0.3f

/* How the graph of a test is written, and what is not as it should be. */
struct writing {
    int scale_at;             /* of SCALES */
    int mask;                 /* of MASKS */
    bool swapped, turned_key; /* mask + scores; keys transposed once more, as transpose_y is */
    bool flat;                /* [s, n heads, size], of one sequence */
    bool columns;             /* rows are columns of one value */
    bool joint;               /* rows are products of one x */
    bool scores_are_read, probabilities_are_read, wrong_axis, wrong_order, negative, no_bias;
    bool bent;        /* rows of queries go through a function, which is no scale */
    uint32_t n_nodes; /* 0: it must not be one node of attention */
};
enum { SCALE_NONE, SCALE_QUERY, SCALE_ROWS, SCALE_KEY, SCALE_SCORES, SCALE_DIVIDES };
enum { MASK_NONE, MASK_KEYS, MASK_QUERIES, MASK_HEADS, MASK_ALL, MASK_ROW, MASK_COLUMN };

static const struct graph_shape masks[] = {[MASK_KEYS] = {4, {N, 1, 1, KEYS}},
                                           [MASK_QUERIES] = {4, {1, 1, QUERIES, KEYS}},
                                           [MASK_HEADS] = {3, {HEADS, 1, KEYS}},
                                           [MASK_ALL] = {4, {N, HEADS, QUERIES, KEYS}},
                                           [MASK_ROW] = {1, {KEYS}},
                                           [MASK_COLUMN] = {4, {N, 1, QUERIES, 1}}};

struct attending {
    struct graph_test *test;
    const struct writing *how;
    size_t n, heads;
    double *rows[3]; /* (n, s, heads, SIZE) */
    const float *inputs[8];
    uint32_t n_inputs;
    const float *mask;
};

static uint32_t scaled(struct attending *t, uint32_t x)
{
    struct graph_builder *b = &t->test->builder;
    if (t->how->scale_at == SCALE_DIVIDES)
        return graph_binary(b, BINARY_DIVIDE, x, graph_add_scalar(b, 1 / SCALE));
    return t->how->scale_at == SCALE_ROWS
               ? graph_map(b, x, MAP_LINEAR, SCALE, 0)
               : graph_binary(b, BINARY_MULTIPLY,
                              graph_add_scalar(b, t->how->negative ? -SCALE : SCALE), x);
}

static uint32_t add_input(struct attending *t, const struct graph_shape *shape)
{
    t->inputs[t->n_inputs++] = graph_test_numbers(t->test, graph_shape_size(shape));
    return graph_test_input(t->test, shape);
}

/* One of query, key and value, [n, s, WIDTH] or alike, with its numbers noted. */
static uint32_t add_rows(struct attending *t, uint32_t i, uint32_t x)
{
    struct graph_builder *b = &t->test->builder;
    const size_t n_rows = t->n * (i == 0 ? QUERIES : KEYS), width = t->heads * SIZE;
    const struct graph_shape shape = {3, {(int64_t)t->n, (int64_t)(n_rows / t->n), (int64_t)width}};
    const struct graph_shape weights = {2, {(int64_t)width, IN}}, vector = {1, {(int64_t)width}};
    t->rows[i] = calloc(n_rows * width, sizeof(double));
    if (!t->how->joint && !t->how->columns) {
        const uint32_t value = add_input(t, &shape);
        for (size_t k = 0; k < n_rows * width; k++) {
            t->rows[i][k] = (double)t->inputs[t->n_inputs - 1][k];
            if (t->how->bent && i == 0)
                t->rows[i][k] = fabs(t->rows[i][k]);
        }
        return t->how->bent && i == 0 ? graph_map(b, value, MAP_ABS, 0, 0) : value;
    }
    const struct graph_shape *have = &b->graph->values[x].shape;
    const size_t stride = (size_t)have->size[2];
    if (t->how->columns) {
        struct graph_attributes a = {.slice = {.stride = {1, 1, 1}}};
        memcpy(a.slice.end, have->size, sizeof have->size);
        a.slice.begin[2] = (int64_t)(i * width);
        a.slice.end[2] = (int64_t)((i + 1) * width);
        for (size_t k = 0; k < n_rows * width; k++)
            t->rows[i][k] = (double)t->inputs[0][k / width * stride + i * width + k % width];
        return graph_add(b, GRAPH_SLICE, 1, &x, &a);
    }
    const uint32_t inputs[] = {x, graph_test_constant(t->test, &weights),
                               graph_test_constant(t->test, &vector)};
    const float *w = b->graph->values[inputs[1]].constant,
                *bias = b->graph->values[inputs[2]].constant;
    for (size_t k = 0; k < n_rows * width; k++) {
        t->rows[i][k] = t->how->no_bias && i == 1 ? 0 : (double)bias[k % width];
        for (size_t j = 0; j < IN; j++)
            t->rows[i][k] +=
                (double)t->inputs[0][k / width * IN + j] * (double)w[k % width * IN + j];
    }
    return graph_add(b, GRAPH_LINEAR, t->how->no_bias && i == 1 ? 2 : 3, inputs,
                     &(struct graph_attributes){.linear = {.transposed = false}});
}

/* [n, heads, s, SIZE], or of keys the last two the other way round. */
static uint32_t split(struct attending *t, uint32_t i, uint32_t rows)
{
    struct graph_builder *b = &t->test->builder;
    const int64_t s = i == 0 ? QUERIES : KEYS, heads = (int64_t)t->heads;
    static const uint32_t heads_first[] = {0, 2, 1, 3}, keys_last[] = {0, 2, 3, 1};
    static const uint32_t turn[] = {0, 1, 3, 2}, flat[] = {1, 0, 2}, flat_keys[] = {1, 2, 0};
    if (i == 0 && t->how->scale_at == SCALE_ROWS)
        rows = scaled(t, rows);
    if (t->how->flat)
        return graph_transpose(b, graph_reshape(b, rows, 3, (int64_t[]){s, heads, SIZE}),
                               i == 1 ? flat_keys : flat);
    const uint32_t x = graph_reshape(b, rows, 4, (int64_t[]){(int64_t)t->n, s, heads, SIZE});
    if (i != 1)
        return graph_transpose(b, x, heads_first);
    return t->how->turned_key ? graph_transpose(b, graph_transpose(b, x, heads_first), turn)
                              : graph_transpose(b, x, keys_last);
}

static uint32_t add_mask(struct attending *t, uint32_t scores)
{
    struct graph_builder *b = &t->test->builder;
    if (t->how->mask == MASK_NONE)
        return scores;
    const uint32_t mask = add_input(t, &masks[t->how->mask]);
    t->mask = t->inputs[t->n_inputs - 1];
    return t->how->swapped ? graph_binary(b, BINARY_ADD, mask, scores)
                           : graph_binary(b, BINARY_ADD, scores, mask);
}

static uint32_t product(struct attending *t, uint32_t x, uint32_t y)
{
    return graph_add(&t->test->builder, GRAPH_MATMUL, 2, (uint32_t[]){x, y},
                     &(struct graph_attributes){.order = {0}});
}

static uint32_t write_attention(struct attending *t)
{
    static const uint32_t back[] = {0, 2, 1, 3}, back_flat[] = {1, 0, 2};
    const struct writing *how = t->how;
    struct graph_builder *b = &t->test->builder;
    uint32_t x = GRAPH_NONE, operands[3];
    if (how->joint || how->columns)
        x = add_input(
            t,
            &(struct graph_shape){
                3, {(int64_t)t->n, QUERIES, how->joint ? IN : 3 * (int64_t)t->heads * SIZE + 4}});
    for (uint32_t i = 0; i < 3; i++)
        operands[i] = split(t, i, add_rows(t, i, x));
    if (how->scale_at == SCALE_QUERY || how->scale_at == SCALE_KEY)
        operands[how->scale_at == SCALE_KEY] = scaled(t, operands[how->scale_at == SCALE_KEY]);
    uint32_t scores = product(t, operands[0], operands[1]);
    if (how->scale_at == SCALE_SCORES || how->scale_at == SCALE_DIVIDES)
        scores = scaled(t, scores);
    if (how->scores_are_read)
        graph_add_output(b, scores);
    const uint32_t masked = add_mask(t, scores);
    const struct graph_attributes a = {.along = {.axis = how->wrong_axis ? 2 : how->flat ? 2 : 3}};
    const uint32_t weights = graph_add(b, GRAPH_SOFTMAX, 1, &masked, &a);
    if (how->probabilities_are_read)
        graph_add_output(b, weights);
    return graph_transpose(b, product(t, weights, operands[2]),
                           how->wrong_order ? (uint32_t[]){0, 1, 3, 2}
                           : how->flat      ? back_flat
                                            : back);
}

static double mask_of(const struct attending *t, size_t n, size_t head, size_t query, size_t key)
{
    const size_t at[] = {n, head, query, key};
    if (t->how->mask == MASK_NONE)
        return 0;
    const struct graph_shape *shape = &masks[t->how->mask];
    size_t place = 0;
    for (uint32_t i = 0; i < shape->rank; i++) {
        const size_t size = (size_t)shape->size[i];
        place = place * size + (size == 1 ? 0 : at[4 - shape->rank + i]);
    }
    return (double)t->mask[place];
}

/* One number of the result [n, QUERIES, heads, SIZE], by the formula. */
static double want_at(const struct attending *t, size_t n, size_t query, size_t head, size_t d)
{
    const double scale =
        t->how->scale_at == SCALE_NONE ? 1 : (double)SCALE * (t->how->negative ? -1 : 1);
    const size_t width = t->heads * SIZE;
    const double *q = t->rows[0] + (n * QUERIES + query) * width + head * SIZE;
    double sum = 0, value = 0;
    for (size_t key = 0; key < KEYS; key++) {
        const double *k = t->rows[1] + (n * KEYS + key) * width + head * SIZE;
        double score = 0;
        for (size_t i = 0; i < SIZE; i++)
            score += q[i] * k[i];
        const double weight = exp(scale * score + mask_of(t, n, head, query, key));
        sum += weight;
        value += weight * t->rows[2][(n * KEYS + key) * width + head * SIZE + d];
    }
    return value / sum;
}

static void check(const char *what, const struct writing *how)
{
    struct attending t = {.test = graph_test_create(), .how = how, .n = how->flat ? 1 : N};
    static double want[N * QUERIES * WIDTH];
    t.heads = how->flat ? N * HEADS : HEADS;
    const uint32_t y = write_attention(&t);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const size_t d = i % SIZE, head = i / SIZE % t.heads, row = i / SIZE / t.heads;
        want[i] = want_at(&t, row / QUERIES, row % QUERIES, head, d);
    }
    /* The harness runs graphs of one output: that of attention comes first. */
    struct graph *graph = t.test->builder.graph;
    graph_test_finish(t.test, y);
    const uint32_t first = graph->outputs[0];
    graph->outputs[0] = y;
    graph->outputs[graph->n_outputs - 1] = first;
    float *outputs[2] = {malloc(sizeof want), malloc(1u << 20)};
    const struct model_cancel cancel = {sizeof cancel, &t.test->harness->cancelled, INT64_MAX};
    struct graph_input given[sizeof t.inputs / sizeof *t.inputs];
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        given[i] = (struct graph_input){t.inputs[i], MODEL_F32};
    linear_runner_begin(t.test->runner, &cancel, &t.test->harness->err);
    assert_int_equal(
        graph_run(graph, t.test->runner, &cancel, given, outputs, &t.test->harness->err), MODEL_OK);
    if (!how->wrong_axis && !how->wrong_order)
        graph_test_close(what, outputs[0], want, sizeof want / sizeof *want);
    uint32_t n_attention = 0;
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        n_attention += !graph->nodes[i].removed && graph->nodes[i].kind == GRAPH_ATTENTION;
    if (n_attention != (how->n_nodes > 0) ||
        (how->n_nodes > 0 && graph_test_nodes(t.test) != how->n_nodes))
        fail_msg("%s: %u nodes, of which %u are attention, want %u", what, graph_test_nodes(t.test),
                 n_attention, how->n_nodes);
    for (size_t i = 0; i < 3; i++)
        free(t.rows[i]);
    free(outputs[0]);
    free(outputs[1]);
    graph_test_destroy(t.test);
}

static void attention_is_one_node_wherever_the_scale_stands(void **state)
{
    (void)state;
    for (int at = SCALE_NONE; at <= SCALE_DIVIDES; at++)
        check("scaled", &(struct writing){.scale_at = at, .turned_key = at % 2 == 0, .n_nodes = 1});
    check("flat", &(struct writing){.scale_at = SCALE_QUERY, .flat = true, .n_nodes = 1});
}

static void what_is_added_to_the_scores_may_be_broadcast(void **state)
{
    (void)state;
    for (int mask = MASK_KEYS; mask <= MASK_ROW; mask++)
        check("masked",
              &(struct writing){
                  .scale_at = SCALE_SCORES, .mask = mask, .swapped = mask % 2 == 0, .n_nodes = 1});
}

static void columns_of_a_wider_value_are_read_where_they_lie(void **state)
{
    (void)state;
    check("columns",
          &(struct writing){
              .scale_at = SCALE_QUERY, .mask = MASK_KEYS, .columns = true, .n_nodes = 1});
}

static void three_products_of_one_value_become_one(void **state)
{
    (void)state;
    check("joint", &(struct writing){
                       .scale_at = SCALE_QUERY, .mask = MASK_KEYS, .joint = true, .n_nodes = 2});
    check("of which one has no bias",
          &(struct writing){.scale_at = SCALE_QUERY, .joint = true, .no_bias = true, .n_nodes = 4});
}

static void functions_of_the_rows_are_computed_before(void **state)
{
    (void)state;
    check("bent", &(struct writing){.scale_at = SCALE_QUERY, .bent = true, .n_nodes = 2});
}

static void what_is_nearly_attention_stays_as_it_is(void **state)
{
    (void)state;
    check("scores that are read", &(struct writing){.scores_are_read = true});
    check("probabilities that are read", &(struct writing){.probabilities_are_read = true});
    check("a softmax along queries", &(struct writing){.wrong_axis = true});
    check("a result that is turned otherwise", &(struct writing){.wrong_order = true});
    check("a negative scale", &(struct writing){.scale_at = SCALE_QUERY, .negative = true});
    check("a mask for queries only", &(struct writing){.mask = MASK_COLUMN});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_is_one_node_wherever_the_scale_stands),
        cmocka_unit_test(what_is_added_to_the_scores_may_be_broadcast),
        cmocka_unit_test(columns_of_a_wider_value_are_read_where_they_lie),
        cmocka_unit_test(three_products_of_one_value_become_one),
        cmocka_unit_test(functions_of_the_rows_are_computed_before),
        cmocka_unit_test(what_is_nearly_attention_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
