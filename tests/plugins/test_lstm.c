/* test_lstm.c - what the lstm plugin says of itself and refuses, and that its memory stays flat. */
#include "lstm_harness.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lstm_cases cases;

static int setup(void **state)
{
    (void)state;
    cases = lstm_cases_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lstm_cases_close(&cases);
    return 0;
}

/* The weights of a case (NULL: none) under another configuration, not loaded. */
static struct harness *with_config(const char *name, const char *config)
{
    struct harness *h = harness_create("lstm", config, 1);
    char start[64];
    int length = snprintf(start, sizeof start, "%s/weight.", name);
    for (size_t i = 0; i < cases.tensors->n_tensors; i++) {
        const struct model_tensor *tensor = &cases.tensors->tensors[i];
        if (strncmp(tensor->name, start, (size_t)length) == 0)
            harness_add(h, tensor->name + length, tensor->dtype, tensor->rank, tensor->shape,
                        tensor->data);
    }
    return h;
}

static void refused(const char *name, const char *config, model_status status, const char *message)
{
    struct harness *h = with_config(name, config);
    assert_int_equal(harness_load(h), status);
    assert_string_equal(h->err.message, message);
    assert_int_equal(harness_destroy(h), 0);
}

/* ---- description */

static const struct model_tensor_spec *find(const struct model_tensor_spec *const *specs,
                                            uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(specs[i]->name, name) == 0)
            return specs[i];
    return NULL;
}

static void a_character_model_is_described_as_one_that_generates(void **state)
{
    (void)state;
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    const struct model_description *d = h->model->description;
    assert_string_equal(d->architecture, "LSTM");
    assert_string_equal(d->task, "text-generation");
    assert_int_equal(d->max_slots, 64);
    assert_int_equal(d->n_inputs, 4);
    assert_int_equal(d->n_outputs, 5);
    const struct model_tensor_spec *ids = find(d->inputs, d->n_inputs, "input_ids");
    assert_int_equal(ids->flags, 0);
    assert_string_equal(ids->shape[0].name, "batch");
    assert_string_equal(ids->shape[1].name, "sequence");
    assert_int_equal(ids->shape[1].min, 1); /* the host refuses a sequence of length 0 */
    const struct model_tensor_spec *h0 = find(d->inputs, d->n_inputs, "h0");
    assert_int_equal(h0->flags, MODEL_SPEC_OPTIONAL);
    assert_int_equal(h0->shape[0].max, 2);
    assert_int_equal(h0->shape[2].min, 9);
    assert_int_equal(find(d->outputs, d->n_outputs, "next_token_logits")->flags,
                     MODEL_SPEC_ON_REQUEST);
    assert_true(d->instance_bytes > 64 * 2 * 2 * 9 * sizeof(float));
    assert_int_equal(harness_destroy(h), 0);
}

static void time_comes_first_when_config_says_so(void **state)
{
    (void)state;
    struct harness *h = lstm_case_load(&cases, "gru_time_first", 1);
    const struct model_description *d = h->model->description;
    assert_string_equal(d->architecture, "GRU");
    assert_null(d->task);
    assert_string_equal(find(d->inputs, d->n_inputs, "input")->shape[0].name, "sequence");
    assert_string_equal(find(d->inputs, d->n_inputs, "h0")->shape[1].name, "batch");
    assert_null(find(d->inputs, d->n_inputs, "c0"));
    assert_null(find(d->outputs, d->n_outputs, "c_n"));
    assert_int_equal(harness_destroy(h), 0);
}

static void what_cannot_generate_does_not_say_so(void **state)
{
    (void)state;
    static const char *const models[] = {"lstm_labels", "gru_bf16", "lstm_bidirectional"};
    for (size_t i = 0; i < 3; i++) {
        struct harness *h = lstm_case_load(&cases, models[i], 1);
        assert_null(h->model->description->task);
        assert_int_equal(harness_destroy(h), 0);
    }
}

/* ---- refusals */

#define GATES "\"model_type\": \"lstm\", \"input_size\": 6, "

static void a_wrong_configuration_is_refused_in_words(void **state)
{
    (void)state;
    refused("lstm", "{\"model_type\": \"rnn\"}", MODEL_INVALID_ARGUMENT,
            "config.json: 'model_type' must be \"lstm\" or \"gru\"");
    refused("lstm", "{\"model_type\": \"lstm\", \"hidden_size\": 9}", MODEL_NOT_FOUND,
            "config.json: 'input_size' is missing, want a whole number from 1 to 16777216");
    refused("lstm", "{" GATES "\"hidden_size\": 0}", MODEL_INVALID_ARGUMENT,
            "config.json: 'hidden_size' is 0, want a whole number from 1 to 65536");
    refused("lstm", "{" GATES "\"hidden_size\": 9, \"num_layers\": 1e9}", MODEL_INVALID_ARGUMENT,
            "config.json: 'num_layers' is 1000000000, want a whole number from 1 to 1024");
    refused("lstm", "{" GATES "\"hidden_size\": 9, \"proj_size\": 9}", MODEL_INVALID_ARGUMENT,
            "config.json: 'proj_size' must be smaller than 'hidden_size'");
    refused("gru",
            "{\"model_type\": \"gru\", \"input_size\": 6, \"hidden_size\": 9, \"proj_size\": 2}",
            MODEL_INVALID_ARGUMENT,
            "config.json: 'proj_size' is for an LSTM, a GRU has no projection; leave it out");
    refused("lstm", "{" GATES "\"hidden_size\": 9, \"input\": \"bytes\"}", MODEL_INVALID_ARGUMENT,
            "config.json: 'input' is \"bytes\", want \"features\", \"one-hot\" or \"embedding\"");
    refused("lstm", "{" GATES "\"hidden_size\": 9, \"bidirectional\": 1}", MODEL_INVALID_ARGUMENT,
            "config.json: 'bidirectional' is 1, want true or false");
    refused("lstm", "{" GATES "\"hidden_size\": 9, \"input\": \"one-hot\", \"vocab_size\": 7}",
            MODEL_INVALID_ARGUMENT,
            "config.json: 'vocab_size' and 'input_size' differ; for one-hot ids they are the same");
    refused("lstm_embedding", "{" GATES "\"hidden_size\": 9}", MODEL_NOT_FOUND,
            "config.json: 'vocab_size' is missing, want a whole number from 1 to 16777216");
}

static void weights_that_do_not_fit_are_named(void **state)
{
    (void)state;
    refused("lstm", "{" GATES "\"hidden_size\": 65536, \"num_layers\": 1024}", MODEL_CORRUPT,
            "weight 'lstm.weight_ih_l0': shape [36, 6], want [262144, 6]");
    refused("lstm", "{" GATES "\"hidden_size\": 9, \"num_layers\": 2}", MODEL_NOT_FOUND,
            "weight 'lstm.weight_ih_l1' is missing from the package; the files are of another "
            "architecture, or one of them was not downloaded");
    refused("lstm", "{" GATES "\"hidden_size\": 9, \"bidirectional\": true}", MODEL_NOT_FOUND,
            "weight 'lstm.weight_ih_l0_reverse' is missing from the package; the files are of "
            "another architecture, or one of them was not downloaded");
    refused("lstm", "{" GATES "\"hidden_size\": 9, \"proj_size\": 3}", MODEL_CORRUPT,
            "weight 'lstm.weight_hh_l0': shape [36, 9], want [36, 3]");
    refused("lstm", "{\"model_type\": \"gru\", \"input_size\": 6, \"hidden_size\": 9}",
            MODEL_CORRUPT, "weight 'lstm.weight_ih_l0': shape [36, 6], want [27, 6]");
    refused("lstm_embedding", "{" GATES "\"hidden_size\": 9, \"vocab_size\": 12}", MODEL_CORRUPT,
            "weight 'embed.weight': shape [11, 6], want [12, 6]");
    refused("lstm_embedding",
            "{" GATES
            "\"hidden_size\": 9, \"num_layers\": 2, \"vocab_size\": 11, \"num_labels\": 5}",
            MODEL_CORRUPT, "weight 'head.weight': shape [11, 9], want [5, 9]");
}

static void inputs_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"output", NULL};
    const int64_t ids_shape[] = {1, 2}, rows_shape[] = {1, 2, 6}, state_shape[] = {1, 1, 9};
    const int64_t ids[] = {0, 5}, bad[] = {0, -1};
    const float rows[12] = {1, 0}, zeros[9] = {0};
    struct harness *h = lstm_case_load(&cases, "lstm_one_hot", 1);
    struct harness_outputs outputs;
    struct lstm_call call = {.n_inputs = 0};
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message,
                        "want one of the inputs 'input_ids' and 'input', got neither");
    lstm_input(&call, "input_ids", MODEL_I64, 2, ids_shape, ids);
    lstm_input(&call, "input", MODEL_F32, 3, rows_shape, rows);
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "want one of the inputs 'input_ids' and 'input', got both");
    call.n_inputs = 1;
    lstm_input(&call, "h0", MODEL_F32, 3, state_shape, zeros);
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "'h0' and 'c0' are one state: give both, or neither");
    harness_outputs_free(&outputs);
    call.n_inputs = 0;
    lstm_input(&call, "input_ids", MODEL_I64, 2, ids_shape, bad);
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "input_ids[0, 1] is -1, want 0 to 5 (vocab_size 6)");
    call.inputs[0].data = (void *)(uintptr_t)ids;
    lstm_input(&call, "attention_mask", MODEL_I64, 2, ids_shape, ids);
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "attention_mask[0, 1] is 5, want 0 (hidden) or 1");
    call.n_inputs = 1;
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

/* ---- embeddings */

/* Too many rows for a table of their products. */
static void a_large_vocabulary_gives_what_its_rows_give(void **state)
{
    (void)state;
    static const char *const names[] = {"output", "h_n", NULL};
    enum { VOCAB = 60000, N = 300, IN = 6 };
    static float table[VOCAB * IN], rows[N * IN];
    static int64_t ids[N];
    const int64_t shape[] = {3, N / 3, IN}, table_shape[] = {VOCAB, IN};
    struct harness *by_rows = with_config("lstm", "{" GATES "\"hidden_size\": 9}");
    struct harness *by_ids =
        with_config("lstm", "{" GATES "\"hidden_size\": 9, \"vocab_size\": 60000}");
    struct lstm_call call = {.n_inputs = 0}, ids_call = {.n_inputs = 0};
    struct harness_outputs outputs, ids_outputs;
    for (size_t i = 0; i < VOCAB * IN; i++)
        table[i] = (float)(i * 7919 % 2003) / 1000.0f - 1.0f;
    for (size_t i = 0; i < N; i++) {
        ids[i] = (int64_t)(i * 1009 % VOCAB);
        memcpy(rows + i * IN, table + ids[i] * IN, IN * sizeof *rows);
    }
    harness_add(by_ids, "embed.weight", MODEL_F32, 2, table_shape, table);
    assert_int_equal(harness_load(by_rows), MODEL_OK);
    assert_int_equal(harness_load(by_ids), MODEL_OK);
    assert_true(by_ids->model->description->memory_bytes < 1 << 20);
    lstm_input(&call, "input", MODEL_F32, 3, shape, rows);
    lstm_input(&ids_call, "input_ids", MODEL_I64, 2, shape, ids);
    assert_int_equal(lstm_run_call(by_rows, &call, names, &outputs), MODEL_OK);
    assert_int_equal(lstm_run_call(by_ids, &ids_call, names, &ids_outputs), MODEL_OK);
    for (uint32_t i = 0; i < 2; i++)
        assert_memory_equal(outputs.tensors[i].data, ids_outputs.tensors[i].data,
                            outputs.tensors[i].size_bytes);
    harness_outputs_free(&outputs);
    harness_outputs_free(&ids_outputs);
    assert_int_equal(harness_destroy(by_rows), 0);
    assert_int_equal(harness_destroy(by_ids), 0);
}

/* ---- memory */

static void no_memory_is_an_error_wherever_it_happens(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", "output", "h_n", NULL};
    for (size_t fail_at = 1;; fail_at++) {
        struct harness *h =
            with_config("lstm_embedding",
                        "{" GATES "\"hidden_size\": 9, \"num_layers\": 2, \"vocab_size\": 11}");
        struct lstm_call call = lstm_case_call(&cases, "lstm_embedding");
        struct harness_outputs outputs = {.n = 0};
        h->fail_at = fail_at;
        model_status status = harness_load(h);
        if (status == MODEL_OK)
            status = lstm_run_call(h, &call, names, &outputs);
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

static void a_thousand_models_leave_nothing_behind(void **state)
{
    (void)state;
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    size_t held = h->held;
    for (int i = 0; i < 1000; i++) {
        struct model *model = NULL;
        struct model_instance *instance = NULL;
        assert_int_equal(h->create_model(&h->services, &h->args, &model, &h->err), MODEL_OK);
        assert_int_equal(model->create_instance(model, &instance, &h->err), MODEL_OK);
        instance->destroy(instance);
        model->destroy(model);
        while (h->n_blobs > 16) /* the host would keep them by key */
            free(h->blobs[--h->n_blobs]);
        assert_int_equal(h->held, held);
    }
    assert_int_equal(harness_destroy(h), 0);
}

static void a_long_stream_takes_no_more_memory(void **state)
{
    (void)state;
    static const char *const names[] = {"next_token_logits", NULL};
    const int64_t shape[] = {1, 3}, ids[] = {1, 2, 3};
    const uint32_t slot = 0;
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    struct lstm_call call = {.slots = &slot, .n_slots = 1};
    struct harness_outputs outputs;
    lstm_input(&call, "input_ids", MODEL_I64, 2, shape, ids);
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    const size_t held = h->held, scratch_bytes = h->scratch_bytes, n_blobs = h->n_blobs;
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_OK);
        harness_outputs_free(&outputs);
    }
    assert_int_equal(h->held, held);
    assert_int_equal(h->scratch_bytes, scratch_bytes);
    assert_int_equal(h->n_blobs, n_blobs);
    assert_int_equal(harness_destroy(h), 0);
}

/* Scratch does not grow with the sequence, as long as there is one direction. */
static void a_long_sequence_takes_the_memory_of_a_segment(void **state)
{
    (void)state;
    static const char *const names[] = {"h_n", NULL};
    enum { N = 20000 };
    static int64_t ids[N];
    const int64_t shape[] = {1, 600}, longer[] = {1, N};
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    struct harness_outputs outputs;
    struct lstm_call call = {.n_inputs = 0}, next = {.n_inputs = 0};
    lstm_input(&call, "input_ids", MODEL_I64, 2, shape, ids);
    lstm_input(&next, "input_ids", MODEL_I64, 2, longer, ids);
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    const size_t scratch_bytes = h->scratch_bytes;
    assert_int_equal(lstm_run_call(h, &next, names, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(h->scratch_bytes, scratch_bytes);
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_character_model_is_described_as_one_that_generates),
        cmocka_unit_test(time_comes_first_when_config_says_so),
        cmocka_unit_test(what_cannot_generate_does_not_say_so),
        cmocka_unit_test(a_wrong_configuration_is_refused_in_words),
        cmocka_unit_test(weights_that_do_not_fit_are_named),
        cmocka_unit_test(inputs_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_large_vocabulary_gives_what_its_rows_give),
        cmocka_unit_test(no_memory_is_an_error_wherever_it_happens),
        cmocka_unit_test(a_thousand_models_leave_nothing_behind),
        cmocka_unit_test(a_long_stream_takes_no_more_memory),
        cmocka_unit_test(a_long_sequence_takes_the_memory_of_a_segment),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
