/* test_bert.c - the bert plugin on small random models: every head, naming, dtype, activation and
 * mask against the formulas in double precision, and what it refuses. */
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

/* A batch of three sequences of 9: whole, tail padding, holes and a hidden first position. */
#define BATCH    3
#define SEQUENCE 9
static const int64_t some_mask[BATCH * SEQUENCE] = {1, 1, 1, 1, 1, 1, 1, 1, 1, /* whole */
                                                    1, 1, 1, 1, 0, 0, 0, 0, 0, /* tail */
                                                    0, 1, 1, 0, 0, 1, 0, 1, 0 /* holes */};
static int64_t some_ids[BATCH * SEQUENCE], some_types[BATCH * SEQUENCE],
    some_positions[BATCH * SEQUENCE];

static struct harness_inputs some_inputs(const int64_t *mask)
{
    for (int i = 0; i < BATCH * SEQUENCE; i++) {
        some_ids[i] = i * 7 % 50;
        some_types[i] = i % 3;
        some_positions[i] = 19 - i % 20;
    }
    return (struct harness_inputs){BATCH, SEQUENCE, some_ids, mask, some_types, NULL};
}

static struct harness *loaded(const struct toy *toy)
{
    struct harness *h = toy_create(toy);
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s", h->err.message);
    return h;
}

/* Rows under the mask must be zeros, all others as wanted. mask NULL: compare all. */
static void assert_rows(const char *what, const struct model_tensor *found, const double *want,
                        size_t width, const int64_t *mask)
{
    const float *x = found->data;
    size_t n_rows = found->size_bytes / sizeof(float) / width;
    double worst = 0;
    for (size_t i = 0; i < n_rows * width; i++) {
        bool hidden = mask != NULL && mask[i / width] == 0 && i / width % SEQUENCE != 0;
        double difference = fabs((double)x[i] - (hidden ? 0 : want[i]));
        worst = difference > worst || difference != difference ? difference : worst;
    }
    if (!(worst <= TOLERANCE))
        fail_msg("%s: differs by %g", what, worst);
}

static void check_hidden(const char *what, const struct toy *toy,
                         const struct harness_inputs *inputs)
{
    struct harness *h = loaded(toy);
    struct harness_outputs outputs;
    if (harness_run(h, inputs, only_hidden, &outputs) != MODEL_OK)
        fail_msg("%s", h->err.message);
    double *want = toy_hidden(h, toy, inputs);
    assert_rows(what, &outputs.tensors[0], want, (size_t)toy->hidden, inputs->attention_mask);
    free(want);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void hidden_states_agree_without_a_mask(void **state)
{
    (void)state;
    struct harness_inputs inputs = some_inputs(NULL);
    check_hidden("plain", &toy_default, &inputs);
    inputs.token_type_ids = NULL;
    check_hidden("without types", &toy_default, &inputs);
    inputs.position_ids = some_positions;
    check_hidden("own positions", &toy_default, &inputs);
}

static void masks_may_have_holes_anywhere(void **state)
{
    (void)state;
    struct harness_inputs inputs = some_inputs(some_mask);
    check_hidden("holes", &toy_default, &inputs);
}

static void a_sequence_without_a_visible_token_gives_numbers(void **state)
{
    (void)state;
    static const int64_t mask[BATCH * SEQUENCE] = {1, 1, 1, [SEQUENCE * 2] = 1};
    struct harness_inputs inputs = some_inputs(mask);
    check_hidden("nothing visible", &toy_default, &inputs);
}

static void every_naming_loads(void **state)
{
    (void)state;
    struct harness_inputs inputs = some_inputs(some_mask);
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
    struct harness_inputs inputs = some_inputs(some_mask);
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
    struct harness_inputs inputs = some_inputs(some_mask);
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
    struct harness_inputs inputs = some_inputs(some_mask);
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
    struct harness *h = loaded(&toy_default);
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
    struct harness *h = loaded(&toy);
    struct harness_outputs outputs;
    static const char *const names[] = {"logits", "prediction_logits", NULL};
    const int64_t *masks[] = {NULL, some_mask};
    for (int i = 0; i < 2; i++) {
        struct harness_inputs inputs = some_inputs(masks[i]);
        assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
        double *hidden = toy_hidden(h, &toy, &inputs);
        double *transform = toy_transform(h, &toy, hidden, BATCH * SEQUENCE);
        double *want = toy_linear(h, weight, bias, transform, BATCH * SEQUENCE);
        assert_rows("logits", &outputs.tensors[0], want, (size_t)toy.vocab, masks[i]);
        assert_rows("prediction_logits", &outputs.tensors[1], want, (size_t)toy.vocab, masks[i]);
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
    struct harness *h = loaded(&toy);
    struct harness_inputs inputs = some_inputs(some_mask);
    struct harness_outputs outputs;
    const char *const names[] = {output, "pooler_output", NULL};
    assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
    double *hidden = toy_hidden(h, &toy, &inputs);
    double *pooled = toy_pooled(h, &toy, hidden, BATCH, SEQUENCE);
    double *want = toy_linear(h, weight, bias, pooled, BATCH);
    assert_int_equal(outputs.tensors[0].rank, 2);
    assert_int_equal(outputs.tensors[0].shape[1], width);
    assert_rows(output, &outputs.tensors[0], want, (size_t)width, NULL);
    assert_rows("pooler_output", &outputs.tensors[1], pooled, (size_t)toy.hidden, NULL);
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
    struct harness_inputs inputs = some_inputs(some_mask);
    struct harness_outputs outputs;
    toy.class = "BertForTokenClassification";
    toy.classifier = "classifier";
    toy.labels = 70; /* more than the other widths */
    toy.pooler = false;
    struct harness *h = loaded(&toy);
    assert_outputs(h, "last_hidden_state logits");
    static const char *const names[] = {"logits", NULL};
    assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
    double *hidden = toy_hidden(h, &toy, &inputs);
    double *want = toy_linear(h, "classifier.weight", "classifier.bias", hidden, BATCH * SEQUENCE);
    assert_rows("logits", &outputs.tensors[0], want, 70, some_mask);
    free(want);
    free(hidden);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void question_answering_gives_start_and_end(void **state)
{
    (void)state;
    struct toy toy = toy_default;
    struct harness_inputs inputs = some_inputs(some_mask);
    struct harness_outputs outputs;
    toy.class = "BertForQuestionAnswering";
    toy.classifier = "qa_outputs";
    toy.labels = 2;
    struct harness *h = loaded(&toy);
    assert_outputs(h, "last_hidden_state pooler_output start_logits end_logits");
    assert_string_equal(h->model->description->task, "question-answering");
    static const char *const names[] = {"end_logits", "start_logits", NULL};
    assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
    double *hidden = toy_hidden(h, &toy, &inputs);
    double *want = toy_linear(h, "qa_outputs.weight", "qa_outputs.bias", hidden, BATCH * SEQUENCE);
    for (int side = 0; side < 2; side++) {
        double column[BATCH * SEQUENCE];
        for (int i = 0; i < BATCH * SEQUENCE; i++)
            column[i] = want[2 * i + side];
        assert_int_equal(outputs.tensors[1 - side].rank, 2);
        assert_rows("span", &outputs.tensors[1 - side], column, 1, some_mask);
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
        struct harness *h = loaded(&toy);
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
    struct harness *h = loaded(&toy);
    assert_outputs(h, "last_hidden_state pooler_output seq_relationship_logits prediction_logits? "
                      "logits");
    assert_non_null(find_output(h, "prediction_logits", &on_request));
    assert_true(on_request);
    assert_true(h->model->description->memory_bytes > 0);
    assert_int_equal(harness_destroy(h), 0);
}

/* ---- refusals */

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
    struct harness *h = loaded(&toy_default);
    struct harness_outputs outputs;
    struct harness_inputs inputs = some_inputs(NULL);
    int64_t ids[BATCH * SEQUENCE] = {[SEQUENCE + 5] = 50};
    inputs.input_ids = ids;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "input_ids[1, 5] is 50, want 0 to 49 (vocab_size 50)");
    ids[SEQUENCE + 5] = -1;
    inputs.token_type_ids = ids;
    inputs.input_ids = some_ids;
    assert_int_equal(harness_run(h, &inputs, only_hidden, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "token_type_ids[1, 5] is -1, want 0 to 2 "
                                        "(type_vocab_size 3)");
    inputs.token_type_ids = NULL;
    inputs.position_ids = some_positions;
    inputs.attention_mask = some_ids;
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
    struct harness_inputs inputs = some_inputs(some_mask);
    toy.threads = 2;
    struct harness *h = loaded(&toy);
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
    assert_rows("after cancelling", &outputs.tensors[0], want, 24, some_mask);
    free(want);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_warm_instance_allocates_nothing(void **state)
{
    (void)state;
    struct harness *h = loaded(&toy_default);
    struct harness_inputs inputs = some_inputs(some_mask);
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
    struct harness_inputs inputs = some_inputs(some_mask);
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
    struct harness *h = loaded(&toy);
    /* query, key, value, two dense and two of the network in each layer; pooler and transform. */
    assert_int_equal(h->n_discarded, 2 * 6 + 2);
    assert_int_equal(h->n_blobs, 2 * 4 + 2);
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
