/* test_graph_fuse_mask.c - what hides keys from queries, written as a choice or a sum, is a mask of attention or makes it
 * causal, and computes what the formula says; what hides only nearly stays as it is. */
#include "graph_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

enum { QUERIES = 21, KEYS = 24, HEADS = 2, SIZE = 8, WIDTH = HEADS * SIZE };

/* Which keys a query sees. */
static bool up_to_its_own(size_t query, size_t key)
{
    return key <= query + KEYS - QUERIES;
}
static bool one_too_many(size_t query, size_t key)
{
    return up_to_its_own(query, key) || (query == 4 && key == 20);
}
static bool some(size_t query, size_t key)
{
    return (query * 7 + key * 5) % 3 != 0;
}
static bool none_of_one(size_t query, size_t key)
{
    return query != 9 && some(query, key);
}

enum form { CHOICE, INVERTED, SUM };
enum joined { APART, MASKED, CAUSAL };

struct hiding {
    enum form form;
    bool (*sees)(size_t query, size_t key);
    float low;
    bool by_heads;    /* the constant is [HEADS, QUERIES, KEYS] */
    bool with_bias;   /* something computed is added besides */
    bool of_columns;  /* the constant is [QUERIES, 1], and shows all */
    enum joined want; /* what becomes of it */
};

struct attending {
    struct graph_test *test;
    const float *rows[3]; /* query [QUERIES, WIDTH], key and value [KEYS, WIDTH] */
    const float *bias;    /* [KEYS] */
};

static uint32_t constant(struct graph_builder *b, const struct hiding *how)
{
    const size_t n = (how->by_heads ? HEADS : 1) * QUERIES * KEYS;
    const struct graph_shape all = {3, {how->by_heads ? HEADS : 1, QUERIES, KEYS}};
    const struct graph_shape column = {2, {QUERIES, 1}};
    float *numbers = kernels_allocate(b->graph->kernels, n * sizeof *numbers);
    for (size_t i = 0; i < n; i++) {
        const bool sees = how->of_columns || how->sees(i / KEYS % QUERIES, i % KEYS);
        numbers[i] = how->form == SUM ? (sees ? 0 : how->low) : sees != (how->form == INVERTED);
    }
    return graph_give_constant(b, MODEL_F32, how->of_columns ? &column : &all, numbers);
}

static uint32_t hide(struct graph_builder *b, const struct hiding *how, uint32_t scores)
{
    const uint32_t mask = constant(b, how);
    if (how->form == SUM)
        return graph_binary(b, BINARY_ADD, mask, scores);
    const uint32_t low = graph_add_scalar(b, how->low);
    const uint32_t inputs[] = {mask, how->form == INVERTED ? low : scores,
                               how->form == INVERTED ? scores : low};
    return graph_add(b, GRAPH_SELECT, 3, inputs, &(struct graph_attributes){.order = {0}});
}

static uint32_t add_rows(struct attending *t, uint32_t i, const uint32_t order[3])
{
    struct graph_builder *b = &t->test->builder;
    const int64_t n = i == 0 ? QUERIES : KEYS;
    const uint32_t x = graph_test_input(t->test, &(struct graph_shape){3, {n, HEADS, SIZE}});
    t->rows[i] = graph_test_numbers(t->test, (size_t)n * WIDTH);
    return graph_transpose(b, x, order);
}

static uint32_t product(struct graph_builder *b, uint32_t x, uint32_t y)
{
    return graph_add(b, GRAPH_MATMUL, 2, (uint32_t[]){x, y},
                     &(struct graph_attributes){.order = {0}});
}

static uint32_t write_attention(struct attending *t, const struct hiding *how)
{
    static const uint32_t heads_first[] = {1, 0, 2}, keys_last[] = {1, 2, 0};
    struct graph_builder *b = &t->test->builder;
    const uint32_t query = add_rows(t, 0, heads_first), key = add_rows(t, 1, keys_last);
    const uint32_t value = add_rows(t, 2, heads_first);
    uint32_t scores = hide(b, how, product(b, query, key));
    if (how->with_bias) {
        t->bias = graph_test_numbers(t->test, KEYS);
        scores = graph_binary(b, BINARY_ADD, scores,
                              graph_test_input(t->test, &(struct graph_shape){1, {KEYS}}));
    }
    const uint32_t weights =
        graph_add(b, GRAPH_SOFTMAX, 1, &scores, &(struct graph_attributes){.along = {.axis = 2}});
    return graph_transpose(b, product(b, weights, value), heads_first);
}

/* One number of the result [QUERIES, HEADS, SIZE], by the formula. */
static double want_at(const struct attending *t, const struct hiding *how, size_t i)
{
    const size_t query = i / WIDTH, column = i % WIDTH / SIZE * SIZE;
    double scores[KEYS], max = -INFINITY, sum = 0, value = 0;
    for (size_t key = 0; key < KEYS; key++) {
        const bool sees = how->of_columns || how->sees(query, key);
        double score = 0;
        for (size_t d = column; d < column + SIZE; d++)
            score += (double)t->rows[0][query * WIDTH + d] * (double)t->rows[1][key * WIDTH + d];
        scores[key] = (how->form == SUM || sees ? score : 0) + (sees ? 0 : (double)how->low) +
                      (t->bias != NULL ? (double)t->bias[key] : 0);
        max = fmax(max, scores[key]);
    }
    for (size_t key = 0; key < KEYS; key++) {
        const double weight = exp(scores[key] - max);
        sum += weight;
        value += weight * (double)t->rows[2][key * WIDTH + i % WIDTH];
    }
    return value / sum;
}

static void check(const char *what, const struct hiding *how)
{
    struct attending t = {.test = graph_test_create()};
    double want[QUERIES * WIDTH];
    enum joined found = APART;
    graph_test_finish(t.test, write_attention(&t, how));
    for (size_t i = 0; i < QUERIES * WIDTH; i++)
        want[i] = want_at(&t, how, i);
    float *y =
        graph_test_run(t.test, (const float *const[]){t.rows[0], t.rows[1], t.rows[2], t.bias});
    graph_test_close(what, y, want, QUERIES * WIDTH);
    const struct graph *graph = t.test->builder.graph;
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i].removed && graph->nodes[i].kind == GRAPH_ATTENTION)
            found = graph->nodes[i].attributes.attention.causal ? CAUSAL : MASKED;
    if (found != how->want || (found != APART && graph_test_nodes(t.test) != 1))
        fail_msg("%s: joined as %d, want %d; %u nodes", what, (int)found, (int)how->want,
                 graph_test_nodes(t.test));
    free(y);
    graph_test_destroy(t.test);
}

static void keys_up_to_the_querys_own_are_causal_attention(void **state)
{
    (void)state;
    for (int form = CHOICE; form <= SUM; form++)
        for (int heads = 0; heads < 2; heads++) {
            struct hiding how = {.form = (enum form)form, .sees = up_to_its_own, .want = CAUSAL};
            how.by_heads = heads == 1;
            how.low = form == INVERTED ? -INFINITY : form == SUM ? -1e4f : -3.4e38f;
            check("causal", &how);
            how.with_bias = form != SUM; /* two sums are not joined */
            check("causal, and something added", &how);
        }
}

static void other_choices_are_masks(void **state)
{
    (void)state;
    for (int form = CHOICE; form <= SUM; form++) {
        struct hiding how = {.form = (enum form)form, .sees = some, .low = -1e4f, .want = MASKED};
        check("some keys", &how);
        how.sees = one_too_many;
        how.by_heads = true;
        check("one key too many", &how);
    }
}

static void what_hides_only_nearly_stays_as_it_is(void **state)
{
    (void)state;
    check("a number that is not low", &(struct hiding){.sees = up_to_its_own, .low = -9000});
    check("a query without a key",
          &(struct hiding){.sees = none_of_one, .low = -1e4f, .form = INVERTED});
    check("a mask and a bias", &(struct hiding){.sees = some, .low = -1e4f, .with_bias = true});
    check("a choice for queries only",
          &(struct hiding){.sees = some, .low = -1e4f, .of_columns = true});
    check("low numbers that are added and not low",
          &(struct hiding){.form = SUM, .sees = up_to_its_own, .low = -9, .want = MASKED});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_up_to_the_querys_own_are_causal_attention),
        cmocka_unit_test(other_choices_are_masks),
        cmocka_unit_test(what_hides_only_nearly_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
