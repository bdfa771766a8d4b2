/* test_bert_refusals.c - what the bert plugin refuses, and how it behaves when a run is cancelled or
 * memory runs out. */
#include "bert_reference_harness.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char *const only_hidden[] = {"last_hidden_state", NULL};

static void refused(const struct toy *toy, const char *more, model_status status,
                    const char *message)
{
    struct harness *h = toy_create(toy);
    char *config = toy_config(toy, more);
    harness_configure(h, config);
    assert_int_equal(harness_load(h), status);
    assert_string_equal(h->err.message, message);
    assert_int_equal(harness_destroy(h), 0);
    free(config);
}

static void variants_that_are_not_computed_are_refused_in_words(void **state)
{
    (void)state;
    const struct toy *toy = &toy_default;
    refused(toy, "\"position_embedding_type\": \"relative_key\",", MODEL_UNSUPPORTED,
            "config.json: 'position_embedding_type' is \"relative_key\", this plugin computes "
            "\"absolute\" only");
    refused(toy, "\"is_decoder\": true,", MODEL_UNSUPPORTED,
            "config.json: 'is_decoder' is true, this plugin computes false only");
    refused(toy, "\"architectures\": [\"RobertaModel\"],", MODEL_UNSUPPORTED,
            "config.json: this plugin does not compute 'RobertaModel', want BertModel, "
            "BertForMaskedLM, -PreTraining, -NextSentencePrediction, -SequenceClassification, "
            "-TokenClassification or -QuestionAnswering");
    struct toy wrong = toy_default;
    wrong.activation = "snake";
    refused(&wrong, "", MODEL_UNSUPPORTED,
            "the activation 'snake' is not computed, want gelu, gelu_new, gelu_fast, "
            "gelu_pytorch_tanh, gelu_10, quick_gelu, relu, relu2, relu6, leaky_relu, sigmoid, "
            "silu, mish, tanh, laplace or linear");
}

static void a_wrong_configuration_is_refused_in_words(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    refused(&toy, "\"num_labels\": \"two\",", MODEL_INVALID_ARGUMENT,
            "config.json: 'num_labels' is \"two\", want a whole number from 1 to 1048576");
    refused(&toy, "\"layer_norm_eps\": -1,", MODEL_INVALID_ARGUMENT,
            "config.json: 'layer_norm_eps' is -1, want a number from 0 to 1");
    toy.heads = 5;
    refused(&toy, "", MODEL_INVALID_ARGUMENT,
            "config.json: 'hidden_size' is 24, want a multiple of 'num_attention_heads', which is "
            "5");
    struct harness *h = toy_create(&toy_default);
    harness_configure(h, "{\"hidden_size\": 24}");
    assert_int_equal(harness_load(h), MODEL_NOT_FOUND);
    assert_string_equal(h->err.message, "config.json: 'intermediate_size' is missing, want a whole "
                                        "number from 1 to 262144");
    assert_int_equal(harness_destroy(h), 0);
}

static void missing_and_misshapen_weights_are_named(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    toy.class = "BertForMaskedLM";
    refused(&toy, "", MODEL_NOT_FOUND,
            "weight 'cls.predictions.transform.dense.weight' is missing from the package; the "
            "files are of another architecture, or one of them was not downloaded");
    toy.predictions = true;
    refused(&toy, "\"tie_word_embeddings\": false,", MODEL_NOT_FOUND,
            "weight 'cls.predictions.decoder.weight' is missing from the package; the files are of "
            "another architecture, or one of them was not downloaded");
    toy = toy_default;
    toy.classifier = "classifier";
    toy.labels = 4;
    toy.class = "BertForSequenceClassification";
    refused(&toy, "\"id2label\": {\"0\": \"a\", \"1\": \"b\"},", MODEL_CORRUPT,
            "weight 'classifier.weight': shape [4, 24], want [2, 24]");
    toy.classifier = "qa_outputs"; /* a span has a start and an end, whatever num_labels says */
    toy.class = "BertForQuestionAnswering";
    refused(&toy, "\"num_labels\": 4,", MODEL_CORRUPT,
            "weight 'qa_outputs.weight': shape [4, 24], want [2, 24]");
    struct harness *h = toy_create(&toy_default);
    toy = toy_default;
    toy.inner = 41;
    char *config = toy_config(&toy, "");
    harness_configure(h, config);
    assert_int_equal(harness_load(h), MODEL_CORRUPT);
    assert_string_equal(
        h->err.message,
        "weight 'bert.encoder.layer.0.intermediate.dense.weight': shape [40, 24], want [41, 24]");
    free(config);
    assert_int_equal(harness_destroy(h), 0);
    h = toy_create(&toy_default);
    h->tensors[0].dtype = MODEL_I8;
    assert_int_equal(harness_load(h), MODEL_UNSUPPORTED);
    assert_string_equal(h->err.message, "weight 'bert.embeddings.word_embeddings.weight': dtype "
                                        "I8, want F32, F16, BF16 or F64");
    assert_int_equal(harness_destroy(h), 0);
}

static void values_out_of_range_are_named_and_the_instance_goes_on(void **state)
{
    (void)state;
    struct harness *h = toy_loaded(&toy_default);
    struct harness_outputs outputs;
    struct harness_inputs inputs = toy_inputs(NULL);
    int64_t ids[TOY_BATCH * TOY_SEQUENCE] = {[TOY_SEQUENCE + 5] = 50};
    inputs.input_ids = ids;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "input_ids[1, 5] is 50, want 0 to 49 (vocab_size 50)");
    ids[TOY_SEQUENCE + 5] = -1;
    inputs.token_type_ids = ids;
    inputs.input_ids = toy_ids;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "token_type_ids[1, 5] is -1, want 0 to 2 "
                                        "(type_vocab_size 3)");
    inputs.token_type_ids = NULL;
    inputs.position_ids = toy_positions;
    inputs.attention_mask = toy_ids;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "attention_mask[0, 1] is 7, want 0 (hidden) or 1");
    inputs.attention_mask = NULL;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

/* ---- cancellation and memory */

static void cancel_at_clock(void *context, size_t n_items, void (*body)(void *, size_t),
                            void *argument)
{
    struct harness *h = context;
    for (size_t i = 0; i < n_items; i++)
        body(argument, i);
    __atomic_store_n(&h->cancelled, MODEL_DEADLINE, __ATOMIC_RELAXED);
}

static void a_raised_token_stops_the_run_and_the_instance_goes_on(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    struct harness_outputs outputs;
    struct harness_inputs inputs = toy_inputs(toy_mask);
    toy.threads = 2;
    struct harness *h = toy_loaded(&toy);
    h->cancelled = MODEL_CANCELLED;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_CANCELLED);
    assert_string_equal(h->err.message, "the run was cancelled");
    harness_outputs_free(&outputs);
    h->cancelled = 0;
    /* In the midst of the first layer: its attention is the first parallel work. */
    void (*parallel_for)(void *, size_t, void (*)(void *, size_t), void *) =
        h->services.parallel_for;
    h->services.parallel_for = cancel_at_clock;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_DEADLINE);
    assert_string_equal(h->err.message, "the deadline passed during the run");
    harness_outputs_free(&outputs);
    h->services.parallel_for = parallel_for;
    h->cancelled = 0;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_OK);
    double *want = toy_hidden(h, &toy, &inputs);
    toy_assert_rows("after cancelling", &outputs.tensors[0], want, 24, toy_mask);
    free(want);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_warm_instance_allocates_nothing(void **state)
{
    (void)state;
    struct harness *h = toy_loaded(&toy_default);
    struct harness_inputs inputs = toy_inputs(toy_mask);
    struct harness_outputs outputs;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    size_t before = h->n_allocated;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(h->n_allocated, before + 1); /* the request for scratch */
    assert_int_equal(harness_destroy(h), 0);
}

static void each_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    toy.class = "BertForMaskedLM";
    toy.predictions = true;
    toy.dtype = MODEL_F16;
    static const char *const names[] = {"logits", "pooler_output", NULL};
    struct harness_inputs inputs = toy_inputs(toy_mask);
    for (size_t fail_at = 1;; fail_at++) {
        struct harness *h = toy_create(&toy);
        struct harness_outputs outputs = {.n = 0};
        h->fail_at = fail_at;
        model_status status = harness_load(h);
        if (status == MODEL_OK)
            status = harness_run(h, &inputs, names, &outputs);
        bool reached = h->n_allocated >= fail_at;
        assert_int_equal(status, reached ? MODEL_OUT_OF_MEMORY : MODEL_OK);
        assert_true(!reached || h->err.message[0] != '\0');
        harness_outputs_free(&outputs);
        assert_int_equal(harness_destroy(h), 0);
        if (!reached)
            break;
        assert_true(fail_at < 1000);
    }
}

static void packed_sources_are_discarded_and_tied_ones_kept(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    toy.class = "BertForMaskedLM";
    toy.predictions = true;
    struct harness *h = toy_loaded(&toy);
    /* query, key, value, two dense and two of the network in each layer; pooler and transform. */
    assert_int_equal(h->n_discarded, 2 * 6 + 2);
    assert_int_equal(h->n_blobs, 2 * 4 + 2);
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_that_are_not_computed_are_refused_in_words),
        cmocka_unit_test(a_wrong_configuration_is_refused_in_words),
        cmocka_unit_test(missing_and_misshapen_weights_are_named),
        cmocka_unit_test(values_out_of_range_are_named_and_the_instance_goes_on),
        cmocka_unit_test(a_raised_token_stops_the_run_and_the_instance_goes_on),
        cmocka_unit_test(a_warm_instance_allocates_nothing),
        cmocka_unit_test(each_failing_allocation_is_an_error_and_leaks_nothing),
        cmocka_unit_test(packed_sources_are_discarded_and_tied_ones_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
