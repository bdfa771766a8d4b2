/* test_translate_recurrent.c - which operator computes an LSTM layer of a network: the one of the kernels, wherever its functions
 * are the usual ones. What it computes is compared by tests/system/test_coreml_layers.sh.
 * Covers plugins/coreml-ane/translate_recurrent.c. */
#include "graph_harness.h"

#include "coreml_ane.h"
#include "files.h"
#include "testing.h"

/* Nodes of a layer that are left, of either kind. */
struct counts {
    uint32_t lstm, recurrent;
};

/* What tests/reference/coreml_layers.py writes as long_memories; of two directions the second one has a relu. */
static const struct {
    const char *what;
    struct counts want;
} layers[] = {{"the usual functions", {1, 0}},
              {"peepholes, coupled gates and a limit of 0.4", {0, 1}},
              {"other functions", {0, 1}},
              {"two directions, the last step", {1, 1}},
              {"two directions, every step", {1, 1}}};

static struct counts count(const struct graph *graph, const char *layer)
{
    struct counts n = {0, 0};
    for (uint32_t i = 0; i < graph->n_nodes; i++) {
        const struct graph_node *node = &graph->nodes[i];
        if (node->removed || strcmp(node->name, layer) != 0)
            continue;
        n.lstm += node->kind == GRAPH_LSTM;
        n.recurrent += node->kind == GRAPH_RECURRENT;
    }
    return n;
}

static void plain_lstm_layers_are_computed_by_the_kernels(void **state)
{
    (void)state;
    struct graph_test *test = graph_test_create();
    struct buffer bytes = BUFFER_INIT(1 << 20);
    struct coreml_model *file = NULL;
    struct ane_variant variant = {.graph = test->builder.graph};
    struct model_error *err = &test->harness->err;
    assert_int_equal(
        file_read("tests/fuzz/corpus/coreml_graph/long_memories", 1 << 20, &bytes, err), MODEL_OK);
    if (coreml_model_parse((const uint8_t *)bytes.data, bytes.size, "long_memories", &file, err) !=
            MODEL_OK ||
        coreml_ane_translate(&variant, file, err) != MODEL_OK ||
        graph_finish(variant.graph, err) != MODEL_OK)
        fail_msg("%s", err->message);
    assert_int_equal(file->network->n_layers, sizeof layers / sizeof *layers);
    for (size_t i = 0; i < file->network->n_layers; i++) {
        const struct counts want = layers[i].want,
                            found = count(variant.graph, file->network->layers[i].name);
        if (found.lstm != want.lstm || found.recurrent != want.recurrent)
            fail_msg("%s: %u by the kernels and %u not, want %u and %u", layers[i].what, found.lstm,
                     found.recurrent, want.lstm, want.recurrent);
    }
    coreml_model_close(file);
    buffer_finish(&bytes);
    graph_test_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lstm_layers_are_computed_by_the_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
