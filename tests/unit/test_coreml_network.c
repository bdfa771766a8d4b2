/* test_coreml_network.c - layers of a NeuralNetwork, their order, their parameters and weights in every form.
 * Covers store/coreml/coreml_network.c, store/coreml/coreml_weights.c, store/coreml/coreml_summary.c and
 * store/coreml/coreml_arena.c. */
#include "coreml_arena.h"
#include "coreml_summary.h"
#include "coreml_weights.h"
#include "coreml_writer.h"

static const struct proto nothing;

/* A model with one convolution whose parameters hold the weights (field 90). */
static struct coreml_model *with_weights(struct proto weights)
{
    const struct proto model =
        model_of(3, 500, proto_in(1, layer_of("x", "y", 100, proto_in(90, weights))));
    return read_model(&model);
}

static model_status decode(struct proto weights, size_t n, size_t n_channels, float *ret,
                           struct model_error *err)
{
    struct coreml_weights found;
    struct coreml_model *model = with_weights(weights);
    model_status status = coreml_weights_read(
        coreml_child(model->network->layers[0].params, "weights"), "c", &found, err);
    if (status == MODEL_OK)
        status = coreml_weights_to_float32(&found, n, n_channels, "c", ret, err);
    coreml_model_close(model);
    return status;
}

static struct proto quantised(const uint8_t *data, size_t n, unsigned n_bits, uint32_t member,
                              struct proto table)
{
    struct proto weights = {.n = 0}, quantization = {.n = 0};
    proto_number(&quantization, 1, n_bits);
    proto_child(&quantization, member, &table);
    proto_bytes(&weights, 30, data, n);
    proto_child(&weights, 40, &quantization);
    return weights;
}

static void reads_layers_and_parameters_by_name(void **state)
{
    (void)state;
    struct proto params = {.n = 0}, body = {.n = 0}, layer;
    proto_number(&params, 1, 6);
    proto_number(&params, 20, 5);
    proto_number(&params, 20, 3);
    proto_empty(&params, 51);
    layer = layer_of("x", "h", 100, params);
    proto_child(&body, 1, &layer);
    layer = layer_of("h", "y", 9999, nothing);
    proto_child(&body, 1, &layer);
    proto_number(&body, 5, 1);
    const struct proto model = model_of(4, 500, body);
    struct coreml_model *read = read_model(&model);
    const struct coreml_layer *first = read->network->layers;
    assert_int_equal(read->network->n_layers, 2);
    assert_int_equal(read->network->array_mapping, COREML_EXACT_ARRAYS);
    assert_int_equal(first->kind, 100);
    assert_string_equal(first->kind_name, "convolution");
    assert_string_equal(first->inputs[0], "x");
    assert_string_equal(first->outputs[0], "h");
    assert_int_equal(coreml_int(first->params, "outputChannels"), 6);
    assert_int_equal(coreml_count(first->params, "kernelSize"), 2);
    assert_int_equal(coreml_int_at(first->params, "kernelSize", 1), 3);
    assert_int_equal(coreml_count(first->params, "stride"), 0);
    assert_string_equal(coreml_choice(first->params), "same");
    assert_non_null(coreml_child(first->params, "same"));
    assert_null(coreml_child(first->params, "valid"));
    assert_int_equal(first[1].kind, 9999);
    assert_string_equal(first[1].kind_name, "kind 9999");
    assert_null(first[1].params);
    coreml_model_close(read);
}

static void numbers_kinds_that_it_does_not_know(void **state)
{
    (void)state;
    struct proto body = {.n = 0}, layer = layer_of("x", "h", 9999, nothing), none = {.n = 0};
    proto_child(&body, 1, &layer);
    proto_text(&none, 3, "y");
    proto_number(&none, 9998, 1); /* a number is no kind */
    proto_child(&body, 1, &none);
    const struct proto model = model_of(4, 500, body);
    struct coreml_model *read = read_model(&model);
    struct coreml_summary summary;
    assert_int_equal(read->network->layers[1].kind, 0);
    assert_string_equal(read->network->layers[1].kind_name, "no kind");
    assert_int_equal(coreml_summarise(read, &summary, NULL), MODEL_OK);
    assert_int_equal(summary.n_operators, 2);
    assert_string_equal(summary.operators[0].name, "kind 9999");
    assert_string_equal(summary.operators[1].name, "no kind");
    coreml_summary_finish(&summary);
    coreml_model_close(read);
}

static void refuses_a_layer_that_writes_what_is_there_and_is_no_copy(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {130, 600}; /* activation, copy */
    static const char *const outputs[] = {"y", "x"};
    for (size_t i = 0; i < 4; i++) {
        struct proto body = proto_in(1, layer_of("x", "y", 130, nothing));
        const struct proto again = layer_of("x", outputs[i % 2], kinds[i / 2], nothing);
        char sentence[80];
        proto_child(&body, 1, &again);
        (void)snprintf(sentence, sizeof sentence, "the layer '%s' writes '%s', which is there",
                       outputs[i % 2], outputs[i % 2]);
        const struct proto model = model_of(4, 500, body);
        if (i < 2)
            expect_refusal(&model, MODEL_CORRUPT, sentence);
        else
            coreml_model_close(read_model(&model));
    }
}

static void refuses_preprocessing_of_no_input(void **state)
{
    (void)state;
    static const char *const names[] = {"", "x", "z"};
    for (size_t i = 0; i < 3; i++) {
        struct proto body = proto_in(1, layer_of("x", "y", 130, nothing));
        const struct proto step = proto_of_text(1, names[i]);
        proto_child(&body, 2, &step);
        const struct proto model = model_of(4, 500, body);
        if (i == 2)
            expect_refusal(&model, MODEL_CORRUPT,
                           "the preprocessing of 'z' is of no input of the model");
        else
            coreml_model_close(read_model(&model));
    }
}

static void refuses_a_layer_that_reads_what_comes_later(void **state)
{
    (void)state;
    const struct proto model = model_of(4, 500, proto_in(1, layer_of("z", "y", 130, nothing)));
    expect_refusal(&model, MODEL_CORRUPT, "'y' reads 'z'");
}

static void reads_networks_in_a_branch(void **state)
{
    (void)state;
    const struct proto inner = proto_in(1, layer_of("x", "h", 600, nothing));
    struct proto body = {.n = 0}, layer = layer_of("x", "b", 605, proto_in(1, inner));
    proto_child(&body, 1, &layer);
    layer = layer_of("h", "y", 600, nothing); /* what the branch wrote */
    proto_child(&body, 1, &layer);
    const struct proto model = model_of(4, 500, body);
    struct coreml_model *read = read_model(&model);
    struct coreml_summary summary;
    assert_non_null(read->network->layers[0].networks[0]);
    assert_null(read->network->layers[0].networks[1]);
    assert_int_equal(read->network->layers[0].networks[0]->n_layers, 1);
    assert_int_equal(coreml_summarise(read, &summary, NULL), MODEL_OK);
    assert_int_equal(summary.n_operations, 3);
    assert_string_equal(summary.operators[0].name, "copy");
    assert_int_equal(summary.operators[0].n, 2);
    coreml_summary_finish(&summary);
    coreml_model_close(read);
}

static void decodes_floats_and_halves(void **state)
{
    (void)state;
    float got[4] = {0};
    struct proto weights = {.n = 0};
    proto_float(&weights, 1, 1.5f);
    proto_float(&weights, 1, -2);
    assert_int_equal(decode(weights, 2, 1, got, NULL), MODEL_OK);
    assert_true(got[0] == 1.5f && got[1] == -2);
    /* 1, -2, the least subnormal, infinity (IEEE 754 binary16) */
    weights = nothing;
    proto_bytes(&weights, 2, "\x00\x3c\x00\xc0\x01\x00\x00\x7c", 8);
    assert_int_equal(decode(weights, 4, 1, got, NULL), MODEL_OK);
    assert_true(got[0] == 1 && got[1] == -2 && got[2] == 0x1p-24f && got[3] > 1e38f);
}

static void decodes_linear_weights_by_channel(void **state)
{
    (void)state;
    float got[4];
    struct proto linear = {.n = 0};
    proto_float(&linear, 1, 0.5f);
    proto_float(&linear, 1, 2);
    proto_float(&linear, 2, -1);
    const uint8_t bytes[] = {0, 255, 1, 200};
    assert_int_equal(decode(quantised(bytes, 4, 8, 101, linear), 4, 2, got, NULL), MODEL_OK);
    assert_true(got[0] == -1 && got[1] == 126.5f && got[2] == 1 && got[3] == 399);
}

static void decodes_table_indices_from_the_highest_bit_on(void **state)
{
    (void)state;
    float got[5];
    struct proto table = {.n = 0};
    for (int i = 0; i < 8; i++)
        proto_float(&table, 1, (float)i * 10);
    /* 3 bits each: 101 001 11|1 000 110|0 */
    const uint8_t bytes[] = {0xa7, 0x8c};
    assert_int_equal(decode(quantised(bytes, 2, 3, 102, table), 5, 1, got, NULL), MODEL_OK);
    assert_true(got[0] == 50 && got[1] == 10 && got[2] == 70 && got[3] == 0 && got[4] == 60);
}

static void decodes_table_indices_that_are_bytes(void **state)
{
    (void)state;
    float got[4];
    struct proto table = {.n = 0};
    for (int i = 0; i < 256; i++)
        proto_float(&table, 1, (float)(i * i) - 100);
    const uint8_t bytes[] = {0, 3, 255, 128};
    assert_int_equal(decode(quantised(bytes, 4, 8, 102, table), 4, 1, got, NULL), MODEL_OK);
    assert_true(got[0] == -100 && got[1] == -91 && got[2] == 64925 && got[3] == 16284);
}

static void refuses_weights_that_do_not_fit(void **state)
{
    (void)state;
    float got[8];
    struct model_error err = MODEL_ERROR_INIT;
    struct proto weights = {.n = 0}, linear = {.n = 0};
    const uint8_t bytes[4] = {0};
    proto_float(&weights, 1, 1);
    assert_int_equal(decode(weights, 2, 1, got, &err), MODEL_CORRUPT);
    assert_string_equal(
        err.message,
        "the weights of 'c' are 1 elements, its parameters want 2; " MODEL_CONTRADICTS);
    proto_bytes(&weights, 2, bytes, 2);
    assert_int_equal(decode(weights, 1, 1, got, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "two forms at once"));
    assert_int_equal(decode(quantised(bytes, 4, 8, 101, linear), 4, 1, got, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "without a scale"));
    assert_int_equal(decode(quantised(bytes, 4, 9, 101, linear), 4, 1, got, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "9 bits each"));
    assert_int_equal(decode(quantised(bytes, 4, 2, 102, linear), 4, 1, got, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "table of 0 values"));
    for (int i = 0; i < 3; i++)
        proto_float(&linear, 1, 1);
    assert_int_equal(decode(quantised(bytes, 4, 8, 101, linear), 4, 2, got, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "3 scales"));
    assert_int_equal(decode(quantised(bytes, 4, 8, 101, linear), UINT64_MAX / 4, 1, got, &err),
                     MODEL_CORRUPT);
}

static void an_arena_gives_aligned_zeros_and_refuses_overflow(void **state)
{
    (void)state;
    struct coreml_arena arena = {NULL};
    for (size_t n = 1; n < 100000; n = n * 3 + 1) {
        unsigned char *piece = coreml_arena_take(&arena, n, 1);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % 16, 0);
        assert_true(piece[0] == 0 && piece[n - 1] == 0);
        memset(piece, 0xff, n);
    }
    assert_non_null(coreml_arena_take(&arena, 0, 8));
    assert_null(coreml_arena_take(&arena, SIZE_MAX / 2, 4));
    assert_null(coreml_arena_take(&arena, SIZE_MAX, 1));
    coreml_arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_layers_and_parameters_by_name),
        cmocka_unit_test(numbers_kinds_that_it_does_not_know),
        cmocka_unit_test(refuses_a_layer_that_writes_what_is_there_and_is_no_copy),
        cmocka_unit_test(refuses_preprocessing_of_no_input),
        cmocka_unit_test(refuses_a_layer_that_reads_what_comes_later),
        cmocka_unit_test(reads_networks_in_a_branch),
        cmocka_unit_test(decodes_floats_and_halves),
        cmocka_unit_test(decodes_linear_weights_by_channel),
        cmocka_unit_test(decodes_table_indices_from_the_highest_bit_on),
        cmocka_unit_test(decodes_table_indices_that_are_bytes),
        cmocka_unit_test(refuses_weights_that_do_not_fit),
        cmocka_unit_test(an_arena_gives_aligned_zeros_and_refuses_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
