/* test_graph_fold.c - constants that are asked for while a graph is built: read where they are or computed, once, and
 * given back; what depends on a run, or is too much, is none. Covers plugins/graph/graph_fold.c and graph_constants.c. */
#include "graph_harness.h"

#include "graph_compose.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct graph_shape matrix = {2, {20, 30}};

/* Doubled as often. */
static uint32_t doubled(struct graph_test *test, uint32_t x, size_t times)
{
    for (size_t i = 0; i < times; i++)
        x = graph_map(&test->builder, x, MAP_LINEAR, 2, 0);
    return x;
}

static void rows_and_shapes_of_what_a_reader_has_are_views(void **state)
{
    (void)state;
    static const int32_t dtypes[] = {MODEL_F32, MODEL_F16, MODEL_F64};
    static const size_t number_bytes[] = {4, 2, 8};
    static const double file[600];
    for (size_t d = 0; d < 3; d++) {
        struct graph_test *test = graph_test_create();
        const uint32_t x = graph_add_constant(&test->builder, dtypes[d], &matrix, file);
        const uint32_t y = graph_reshape(&test->builder, x, 3, (const int64_t[]){4, 5, 30});
        const uint32_t rows = graph_slice(&test->builder, y, 0, 1, 3);
        assert_true(graph_is_constant(&test->builder, rows));
        const struct graph_value *view = &test->builder.graph->values[rows];
        assert_ptr_equal(view->constant, (const char *)file + 150 * number_bytes[d]);
        assert_int_equal(view->dtype, dtypes[d]);
        assert_false(view->is_own);
        graph_test_destroy(test);
    }
}

static void what_is_no_row_or_not_in_order_is_computed(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t x = graph_test_constant(test, &matrix);
    const float *from = test->builder.graph->values[x].constant;
    const uint32_t turned = graph_transpose(&test->builder, x, (const uint32_t[]){1, 0});
    const uint32_t columns = graph_slice(&test->builder, x, 1, 5, 25);
    struct graph_attributes a = {.slice = {.begin = {19, 0}, .end = {-1, 30}, .stride = {-1, 1}}};
    const uint32_t back = graph_add(&test->builder, GRAPH_SLICE, 1, &x, &a);
    const float *known = NULL;
    const uint32_t four = doubled(test, turned, 2);
    assert_true(graph_is_constant(&test->builder, four));
    known = graph_known(&test->builder, four);
    for (size_t i = 0; i < 600; i++)
        assert_true(known[i] == 4 * from[i % 20 * 30 + i / 20]);
    assert_true(graph_is_constant(&test->builder, columns));
    known = graph_known(&test->builder, columns);
    for (size_t i = 0; i < 400; i++)
        assert_true(known[i] == from[i / 20 * 30 + 5 + i % 20]);
    assert_true(graph_is_constant(&test->builder, back));
    known = graph_known(&test->builder, back);
    for (size_t i = 0; i < 600; i++)
        assert_true(known[i] == from[(19 - i / 30) * 30 + i % 30]);
    assert_int_equal(graph_test_nodes(test), 0);
    graph_test_destroy(test);
}

/* Each gives back its own. */
static void memory_of_the_graph_has_one_value(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    const uint32_t x =
        graph_give_constant(&test->builder, MODEL_F32, &matrix, graph_test_numbers(test, 600));
    const uint32_t y = graph_reshape(&test->builder, x, 1, (const int64_t[]){600});
    assert_true(graph_is_constant(&test->builder, y));
    const struct graph_value *from = &test->builder.graph->values[x],
                             *to = &test->builder.graph->values[y];
    assert_true(to->is_own && from->is_own && to->constant != from->constant);
    assert_memory_equal(to->constant, from->constant, 600 * sizeof(float));
    graph_test_destroy(test);
}

static void count_discards(void *reader, const void *data, size_t size_bytes)
{
    (void)data, (void)size_bytes;
    ++*(size_t *)reader;
}

/* Halves are read as float32 for it, and what is made on the way goes when the graph is finished. */
static void memory_is_what_is_read_in_the_end(void **state)
{
    (void)state;
    enum { N = 1 << 18, NUMBERS_BYTES = N * 4, LITTLE = 1 << 16 };
    const struct graph_shape shape = {2, {N / 2, 2}};
    struct graph_test *test = graph_test_create();
    uint16_t *halves = calloc(N, sizeof *halves);
    size_t n_discarded = 0;
    test->builder.graph->reader = &n_discarded;
    test->builder.graph->discard = count_discards;
    const uint32_t x = graph_test_input(test, &shape);
    const uint32_t weight = graph_add_constant(&test->builder, MODEL_F16, &shape, halves);
    const uint64_t before = kernels_memory_bytes(test->kernels);
    const uint32_t once = doubled(test, weight, 1);
    assert_true(graph_is_constant(&test->builder, once));
    assert_in_range(kernels_memory_bytes(test->kernels) - before, NUMBERS_BYTES,
                    NUMBERS_BYTES + LITTLE);
    const uint32_t twice = doubled(test, once, 1);
    assert_true(graph_is_constant(&test->builder, twice));
    graph_test_finish(test, graph_binary(&test->builder, BINARY_ADD, x, twice));
    assert_in_range(kernels_memory_bytes(test->kernels) - before, NUMBERS_BYTES,
                    NUMBERS_BYTES + LITTLE);
    assert_int_equal(n_discarded, 1);
    graph_test_destroy(test);
    free(halves);
}

static void what_depends_on_a_run_is_no_constant(void **state)
{
    (void)state;
    const struct graph_shape channels = {1, {100}};
    const struct graph_attributes a = {.norm = {.eps = 1e-3}};
    struct graph_test *test = graph_test_create();
    const uint32_t x = graph_test_input(test, &channels);
    const uint32_t known = doubled(test, graph_test_constant(test, &channels), 3);
    const uint32_t sum = graph_binary(&test->builder, BINARY_ADD, known, x);
    assert_false(graph_is_constant(&test->builder, x));
    assert_false(graph_is_constant(&test->builder, doubled(test, sum, 1)));
    assert_false(graph_is_constant(&test->builder, GRAPH_NONE));
    assert_int_equal(test->builder.status, MODEL_OK);
    (void)graph_add(&test->builder, GRAPH_NORM, 5, (uint32_t[]){x, known, known, known, known}, &a);
    assert_int_equal(test->builder.status, MODEL_OK);
    (void)graph_add(&test->builder, GRAPH_NORM, 5, (uint32_t[]){x, known, known, sum, known}, &a);
    assert_int_equal(test->builder.status, MODEL_UNSUPPORTED);
    assert_non_null(strstr(test->harness->err.message, "computed in each run, want constants"));
    graph_test_destroy(test);
}

static void too_many_numbers_or_nodes_are_left_for_later(void **state)
{
    (void)state;
    enum { MOST = 1 << 22, DEEP = 64 };
    struct graph_test *test = graph_test_create();
    const uint32_t one = graph_add_scalar(&test->builder, 1);
    uint32_t parts[2];
    for (size_t i = 0; i < 2; i++)
        parts[i] =
            graph_broadcast(&test->builder, one, &(struct graph_shape){1, {MOST / 2 + MOST / 4}});
    assert_true(graph_is_constant(&test->builder, parts[0]));
    assert_false(graph_is_constant(&test->builder, parts[1]));
    const uint32_t x = graph_test_constant(test, &matrix);
    assert_true(graph_is_constant(&test->builder, doubled(test, x, DEEP)));
    const uint32_t deeper = doubled(test, x, DEEP + 1);
    assert_false(graph_is_constant(&test->builder, deeper));
    assert_int_equal(test->builder.status, MODEL_OK);
    /* All are computed in their order before the first run. */
    graph_test_finish(test, deeper);
    assert_true(test->builder.graph->values[deeper].is_kept);
    graph_test_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_shapes_of_what_a_reader_has_are_views),
        cmocka_unit_test(what_is_no_row_or_not_in_order_is_computed),
        cmocka_unit_test(memory_of_the_graph_has_one_value),
        cmocka_unit_test(memory_is_what_is_read_in_the_end),
        cmocka_unit_test(what_depends_on_a_run_is_no_constant),
        cmocka_unit_test(too_many_numbers_or_nodes_are_left_for_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
