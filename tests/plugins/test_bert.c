/* test_bert.c - the bert plugin on small random models: every head, naming, dtype, activation and
 * mask against the formulas in double precision. */
#include "bert_reference_harness.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 2e-5

static const char *const only_hidden[] = {"last_hidden_state", NULL};

static void check_hidden(const char *what, const struct toy *toy,
                         const struct harness_inputs *inputs)
{
    struct harness *h = toy_loaded(toy);
    struct harness_outputs outputs;
    if (harness_run(h, inputs, only_hidden, &outputs) != MODEL_OK)
        fail_msg("%s", h->err.message);
    double *want = toy_hidden(h, toy, inputs);
    toy_assert_rows(what, &outputs.tensors[0], want, (size_t)toy->hidden, inputs->attention_mask);
    free(want);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void hidden_states_agree_without_a_mask(void **state)
{
    (void)state;
    struct harness_inputs inputs = toy_inputs(NULL);
    check_hidden("plain", &toy_default, &inputs);
    inputs.token_type_ids = NULL;
    check_hidden("without types", &toy_default, &inputs);
    inputs.position_ids = toy_positions;
    check_hidden("own positions", &toy_default, &inputs);
}

static void masks_may_have_holes_anywhere(void **state)
{
    (void)state;
    struct harness_inputs inputs = toy_inputs(toy_mask);
    check_hidden("holes", &toy_default, &inputs);
}

static void a_sequence_without_a_visible_token_gives_numbers(void **state)
{
    (void)state;
    static const int64_t mask[TOY_BATCH * TOY_SEQUENCE] = {1, 1, 1, [TOY_SEQUENCE * 2] = 1};
    struct harness_inputs inputs = toy_inputs(mask);
    check_hidden("nothing visible", &toy_default, &inputs);
}

static void every_naming_loads(void **state)
{
    (void)state;
    struct harness_inputs inputs = toy_inputs(toy_mask);
    for (int i = 0; i < 4; i++) {
        struct toy toy = toy_default;
        toy.prefix = i & 1 ? "" : "bert.";
        toy.gamma = i & 2;
        check_hidden("names", &toy, &inputs);
    }
}

static void every_float_dtype_loads(void **state)
{
    (void)state;
    static const int32_t dtypes[] = {MODEL_F64, MODEL_F32, MODEL_F16, MODEL_BF16};
    struct harness_inputs inputs = toy_inputs(toy_mask);
    for (size_t i = 0; i < 4; i++) {
        struct toy toy = toy_default;
        toy.dtype = dtypes[i];
        check_hidden("dtype", &toy, &inputs);
    }
}

static void every_activation_agrees(void **state)
{
    (void)state;
    static const char *const names[] = {
        "gelu",          "gelu_python", "gelu_10", "gelu_new", "gelu_fast", "gelu_pytorch_tanh",
        "gelu_accurate", "quick_gelu",  "relu",    "relu2",    "relu6",     "leaky_relu",
        "sigmoid",       "silu",        "swish",   "mish",     "tanh",      "laplace",
        "linear"};
    struct harness_inputs inputs = toy_inputs(toy_mask);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct toy toy = toy_default;
        toy.activation = names[i];
        check_hidden(names[i], &toy, &inputs);
    }
}

static void odd_shapes_and_two_threads_agree(void **state)
{
    (void)state;
    static const struct {
        int64_t hidden, heads, inner;
    } shapes[] = {{24, 24, 1}, {5, 1, 7}, {17, 17, 33}, {34, 2, 65}, {100, 1, 3}, {128, 2, 64}};
    struct harness_inputs inputs = toy_inputs(toy_mask);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct toy toy = toy_default;
        toy.hidden = shapes[i].hidden;
        toy.heads = shapes[i].heads;
        toy.inner = shapes[i].inner;
        toy.threads = 1 + i % 2;
        check_hidden("shape", &toy, &inputs);
    }
}

/* More rows than one group, with masks of all lengths. */
static void a_large_batch_is_computed_in_groups(void **state)
{
    (void)state;
    enum { N = 70, LENGTH = 20 };
    static int64_t ids[N * LENGTH], mask[N * LENGTH];
    for (int i = 0; i < N * LENGTH; i++) {
        ids[i] = i * 13 % 50;
        mask[i] = i % LENGTH <= i / LENGTH % LENGTH;
    }
    struct harness_inputs inputs = {N, LENGTH, ids, mask, NULL, NULL};
    struct harness_inputs open = {N, LENGTH, ids, NULL, NULL, NULL};
    struct harness *h = toy_loaded(&toy_default);
    struct harness_outputs outputs;
    const struct harness_inputs *list[] = {&inputs, &open};
    for (int j = 0; j < 2; j++) {
        assert_int_equal(harness_run(h, list[j], only_hidden, &outputs), MODEL_OK);
        double *want = toy_hidden(h, &toy_default, list[j]);
        const float *x = outputs.tensors[0].data;
        for (int i = 0; i < N * LENGTH * 24; i++) {
            bool hidden = list[j]->attention_mask != NULL && mask[i / 24] == 0;
            assert_true(fabs((double)x[i] - (hidden ? 0 : want[i])) <= TOLERANCE);
        }
        free(want);
        harness_outputs_free(&outputs);
    }
    assert_int_equal(harness_destroy(h), 0);
}

/* ---- heads */

static const char *find_output(const struct harness *h, const char *name, bool *ret_on_request)
{
    const struct model_description *d = h->model->description;
    for (uint32_t i = 0; i < d->n_outputs; i++) {
        if (strcmp(d->outputs[i]->name, name) != 0)
            continue;
        *ret_on_request = d->outputs[i]->flags & MODEL_SPEC_ON_REQUEST;
        return name;
    }
    return NULL;
}

static void assert_outputs(const struct harness *h, const char *want)
{
    char found[512] = "";
    const struct model_description *d = h->model->description;
    for (uint32_t i = 0; i < d->n_outputs; i++) {
        size_t used = strlen(found);
        (void)snprintf(found + used, sizeof found - used, "%s%s%s", i > 0 ? " " : "",
                       d->outputs[i]->name,
                       d->outputs[i]->flags & MODEL_SPEC_ON_REQUEST ? "?" : "");
    }
    assert_string_equal(found, want);
}

static void check_words(struct toy toy, const char *weight, const char *bias)
{
    struct harness *h = toy_loaded(&toy);
    struct harness_outputs outputs;
    static const char *const names[] = {"logits", "prediction_logits", NULL};
    const int64_t *masks[] = {NULL, toy_mask};
    for (int i = 0; i < 2; i++) {
        struct harness_inputs inputs = toy_inputs(masks[i]);
        assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
        double *hidden = toy_hidden(h, &toy, &inputs);
        double *transform = toy_transform(h, &toy, hidden, TOY_BATCH * TOY_SEQUENCE);
        double *want = toy_linear(h, weight, bias, transform, TOY_BATCH * TOY_SEQUENCE);
        toy_assert_rows("logits", &outputs.tensors[0], want, (size_t)toy.vocab, masks[i]);
        toy_assert_rows("prediction_logits", &outputs.tensors[1], want, (size_t)toy.vocab,
                        masks[i]);
        free(want);
        free(transform);
        free(hidden);
        harness_outputs_free(&outputs);
    }
    assert_int_equal(harness_destroy(h), 0);
}

static void masked_lm_gives_words(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    toy.class = "BertForMaskedLM";
    toy.predictions = true;
    const char *word = "bert.embeddings.word_embeddings.weight";
    check_words(toy, word, "cls.predictions.bias");
    toy.dtype = MODEL_BF16; /* tied and not F32: packed after all */
    check_words(toy, word, "cls.predictions.bias");
    toy.dtype = MODEL_F32;
    toy.decoder_bias = true;
    check_words(toy, word, "cls.predictions.decoder.bias");
    toy.own_decoder = true;
    toy.class = "BertForPreTraining";
    toy.next = true;
    check_words(toy, "cls.predictions.decoder.weight", "cls.predictions.decoder.bias");
}

static void check_sequence_head(struct toy toy, const char *output, const char *weight,
                                const char *bias, int64_t width)
{
    struct harness *h = toy_loaded(&toy);
    struct harness_inputs inputs = toy_inputs(toy_mask);
    struct harness_outputs outputs;
    const char *const names[] = {output, "pooler_output", NULL};
    assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
    double *hidden = toy_hidden(h, &toy, &inputs);
    double *pooled = toy_pooled(h, &toy, hidden, TOY_BATCH, TOY_SEQUENCE);
    double *want = toy_linear(h, weight, bias, pooled, TOY_BATCH);
    assert_int_equal(outputs.tensors[0].rank, 2);
    assert_int_equal(outputs.tensors[0].shape[1], width);
    toy_assert_rows(output, &outputs.tensors[0], want, (size_t)width, NULL);
    toy_assert_rows("pooler_output", &outputs.tensors[1], pooled, (size_t)toy.hidden, NULL);
    free(want);
    free(pooled);
    free(hidden);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void heads_on_the_pooler_agree(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    toy.next = true;
    toy.class = "BertForNextSentencePrediction";
    check_sequence_head(toy, "logits", "cls.seq_relationship.weight", "cls.seq_relationship.bias",
                        2);
    toy.class = "BertForMaskedLM";
    toy.predictions = true;
    check_sequence_head(toy, "seq_relationship_logits", "cls.seq_relationship.weight",
                        "cls.seq_relationship.bias", 2);
    toy = toy_default;
    toy.class = "BertForSequenceClassification";
    toy.classifier = "classifier";
    for (toy.labels = 1; toy.labels <= 5; toy.labels += 2)
        check_sequence_head(toy, "logits", "classifier.weight", "classifier.bias", toy.labels);
}

static void heads_on_tokens_agree(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    struct harness_inputs inputs = toy_inputs(toy_mask);
    struct harness_outputs outputs;
    toy.class = "BertForTokenClassification";
    toy.classifier = "classifier";
    toy.labels = 70; /* more than the other widths */
    toy.pooler = false;
    struct harness *h = toy_loaded(&toy);
    assert_outputs(h, "last_hidden_state logits");
    static const char *const names[] = {"logits", NULL};
    assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
    double *hidden = toy_hidden(h, &toy, &inputs);
    double *want =
        toy_linear(h, "classifier.weight", "classifier.bias", hidden, TOY_BATCH * TOY_SEQUENCE);
    toy_assert_rows("logits", &outputs.tensors[0], want, 70, toy_mask);
    free(want);
    free(hidden);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void question_answering_gives_start_and_end(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    struct harness_inputs inputs = toy_inputs(toy_mask);
    struct harness_outputs outputs;
    toy.class = "BertForQuestionAnswering";
    toy.classifier = "qa_outputs";
    toy.labels = 2;
    struct harness *h = toy_loaded(&toy);
    assert_outputs(h, "last_hidden_state pooler_output start_logits end_logits");
    assert_string_equal(h->model->description->task, "question-answering");
    static const char *const names[] = {"end_logits", "start_logits", NULL};
    assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
    double *hidden = toy_hidden(h, &toy, &inputs);
    double *want =
        toy_linear(h, "qa_outputs.weight", "qa_outputs.bias", hidden, TOY_BATCH * TOY_SEQUENCE);
    for (int side = 0; side < 2; side++) {
        double column[TOY_BATCH * TOY_SEQUENCE];
        for (int i = 0; i < TOY_BATCH * TOY_SEQUENCE; i++)
            column[i] = want[2 * i + side];
        assert_int_equal(outputs.tensors[1 - side].rank, 2);
        toy_assert_rows("span", &outputs.tensors[1 - side], column, 1, toy_mask);
    }
    free(want);
    free(hidden);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void the_class_comes_from_the_weights_when_config_is_silent(void **state)
{
    (void)state;
    static const struct {
        bool pooler, predictions, next;
        const char *classifier, *class, *outputs;
    } cases[] = {
        {true, false, false, NULL, "BertModel", "last_hidden_state pooler_output"},
        {false, false, false, NULL, "BertModel", "last_hidden_state"},
        {true, true, false, NULL, "BertForMaskedLM",
         "last_hidden_state pooler_output prediction_logits? logits"},
        {true, true, true, NULL, "BertForPreTraining",
         "last_hidden_state pooler_output seq_relationship_logits prediction_logits logits?"},
        {true, false, true, NULL, "BertForNextSentencePrediction",
         "last_hidden_state pooler_output seq_relationship_logits? logits"},
        {true, false, false, "classifier", "BertForSequenceClassification",
         "last_hidden_state pooler_output logits"},
        {false, false, false, "classifier", "BertForTokenClassification",
         "last_hidden_state logits"},
        {false, false, false, "qa_outputs", "BertForQuestionAnswering",
         "last_hidden_state start_logits end_logits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct toy toy = toy_default;
        toy.pooler = cases[i].pooler;
        toy.predictions = cases[i].predictions;
        toy.next = cases[i].next;
        toy.classifier = cases[i].classifier;
        toy.labels = 2;
        struct harness *h = toy_loaded(&toy);
        assert_string_equal(h->model->description->architecture, cases[i].class);
        assert_outputs(h, cases[i].outputs);
        assert_int_equal(harness_destroy(h), 0);
    }
}

static void a_masked_lm_with_the_next_sentence_head_offers_both(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    bool on_request = false;
    toy.class = "BertForMaskedLM";
    toy.predictions = toy.next = true;
    struct harness *h = toy_loaded(&toy);
    assert_outputs(h, "last_hidden_state pooler_output seq_relationship_logits prediction_logits? "
                      "logits");
    assert_non_null(find_output(h, "prediction_logits", &on_request));
    assert_true(on_request);
    assert_true(h->model->description->memory_bytes > 0);
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_states_agree_without_a_mask),
        cmocka_unit_test(masks_may_have_holes_anywhere),
        cmocka_unit_test(a_sequence_without_a_visible_token_gives_numbers),
        cmocka_unit_test(every_naming_loads),
        cmocka_unit_test(every_float_dtype_loads),
        cmocka_unit_test(every_activation_agrees),
        cmocka_unit_test(odd_shapes_and_two_threads_agree),
        cmocka_unit_test(a_large_batch_is_computed_in_groups),
        cmocka_unit_test(masked_lm_gives_words),
        cmocka_unit_test(heads_on_the_pooler_agree),
        cmocka_unit_test(heads_on_tokens_agree),
        cmocka_unit_test(question_answering_gives_start_and_end),
        cmocka_unit_test(the_class_comes_from_the_weights_when_config_is_silent),
        cmocka_unit_test(a_masked_lm_with_the_next_sentence_head_offers_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
