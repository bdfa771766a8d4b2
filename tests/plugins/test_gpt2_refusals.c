/* test_gpt2_refusals.c - what the gpt2 plugin refuses, in words, and that no failing allocation leaks. */
#include "gpt2_reference_harness.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const next[] = {"next_token_logits", NULL};

static void refused(const struct gpt *gpt, const char *more, model_status status,
                    const char *message)
{
    struct harness *h = gpt_create(gpt);
    char *config = gpt_config(gpt, more);
    harness_configure(h, config);
    assert_int_equal(harness_load(h), status);
    assert_string_equal(h->err.message, message);
    assert_int_equal(harness_destroy(h), 0);
    free(config);
}

static void variants_that_are_not_computed_are_refused_in_words(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    refused(&gpt, "\"add_cross_attention\": true,", MODEL_UNSUPPORTED,
            "config.json: 'add_cross_attention' is true, this plugin computes false only");
    static const char *const classes[] = {"GPT2DoubleHeadsModel", "GPT2ForTokenClassification",
                                          "LlamaForCausalLM"};
    for (size_t i = 0; i < 3; i++) {
        char message[256];
        (void)snprintf(message, sizeof message,
                       "config.json: this plugin does not compute '%s', want GPT2LMHeadModel, "
                       "GPT2Model or GPT2ForSequenceClassification",
                       classes[i]);
        gpt.class = classes[i];
        refused(&gpt, "", MODEL_UNSUPPORTED, message);
    }
}

static void a_wrong_configuration_is_refused_in_words(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    refused(&gpt, "\"hidden_size\": 0,", MODEL_INVALID_ARGUMENT,
            "config.json: 'hidden_size' is 0, want a whole number from 1 to 65536");
    refused(&gpt, "\"pad_token_id\": \"x\",", MODEL_INVALID_ARGUMENT,
            "config.json: 'pad_token_id' is \"x\", want a whole number from -2147483648 to "
            "2147483647");
    gpt.heads = 5;
    refused(&gpt, "", MODEL_INVALID_ARGUMENT,
            "config.json: 'n_embd' is 24, want a multiple of 'n_head', which is 5");
}

static void missing_and_misshapen_weights_are_named(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    gpt.untied = true;
    refused(&gpt, "", MODEL_NOT_FOUND,
            "weight 'lm_head.weight' is missing from the package; the files are of another "
            "architecture, or one of them was not downloaded");
    gpt = gpt_default;
    gpt.class = "GPT2ForSequenceClassification";
    gpt.score = true;
    struct harness *h = gpt_create(&gpt);
    gpt.labels = 7;
    char *config = gpt_config(&gpt, "");
    harness_configure(h, config);
    assert_int_equal(harness_load(h), MODEL_CORRUPT);
    assert_string_equal(h->err.message, "weight 'score.weight': shape [4, 24], want [7, 24]");
    free(config);
    assert_int_equal(harness_destroy(h), 0);
    gpt = gpt_default;
    h = gpt_create(&gpt);
    gpt.inner = 40;
    config = gpt_config(&gpt, "");
    harness_configure(h, config);
    assert_int_equal(harness_load(h), MODEL_CORRUPT);
    assert_string_equal(h->err.message, "weight 'transformer.h.0.mlp.c_fc.weight': shape [24, 96], "
                                        "want [24, 40]");
    free(config);
    assert_int_equal(harness_destroy(h), 0);
}

/* ---- requests */

static void fails(struct harness *h, const struct harness_inputs *inputs, const char *const *names,
                  const char *message)
{
    struct harness_outputs outputs;
    assert_int_equal(harness_run(h, inputs, names, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, message);
    harness_outputs_free(&outputs);
}

static void values_out_of_range_are_named_and_the_instance_goes_on(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default);
    int64_t ids[] = {1, 2, 3, 50, 5, 6}, positions[] = {0, 1, 150, 0, 0, 0};
    const int64_t hidden[] = {1, 1, 1, 0, 0, 0}, wrong[] = {1, 1, 1, 1, 1, 2};
    struct harness_inputs inputs = {2, 3, ids, NULL, NULL, NULL};
    fails(h, &inputs, next, "input_ids[1, 0] is 50, want 0 to 49 (vocab_size 50)");
    ids[3] = -1;
    fails(h, &inputs, next, "input_ids[1, 0] is -1, want 0 to 49 (vocab_size 50)");
    ids[3] = 4;
    inputs.position_ids = positions;
    fails(h, &inputs, next, "position_ids[0, 2] is 150, want 0 to 149 (n_positions 150)");
    inputs.position_ids = NULL;
    inputs.attention_mask = wrong;
    fails(h, &inputs, next, "attention_mask[1, 2] is 2, want 0 (hidden) or 1");
    inputs.attention_mask = hidden;
    fails(h, &inputs, next,
          "attention_mask[1] hides all positions, want at least one that is visible");
    inputs.attention_mask = NULL;
    struct harness_outputs outputs;
    assert_int_equal(harness_run(h, &inputs, next, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void padding_that_pushes_a_position_out_of_range_is_named(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default);
    int64_t ids[150] = {0}, mask[150] = {[149] = 1};
    const uint32_t slot = 0;
    free(gpt_read(h, 0, ids, 5, "next_token_logits", MODEL_OK));
    struct harness_inputs inputs = {1, 150, ids, mask, NULL, NULL};
    h->slots = &slot;
    fails(h, &inputs, next,
          "item 0: column 149 after 5 positions would be position 154, want 0 to 149 (n_positions "
          "150): give position_ids that leave the padding out");
    int64_t positions[150] = {[149] = 5};
    struct harness_outputs outputs;
    inputs.position_ids = positions;
    assert_int_equal(harness_run(h, &inputs, next, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_classifier_says_how_it_finds_the_end_of_a_text(void **state)
{
    (void)state;
    static const char *const logits[] = {"logits", NULL};
    struct gpt gpt = gpt_default;
    gpt.class = "GPT2ForSequenceClassification";
    gpt.score = true;
    const int64_t ids[] = {1, 2, 3, 4, 5, 6};
    struct harness_inputs inputs = {2, 3, ids, NULL, NULL, NULL};
    struct harness *h = gpt_loaded(&gpt);
    fails(
        h, &inputs, logits,
        "a batch of 2 needs an attention_mask, or 'pad_token_id' in config.json, by which the last "
        "token of each text is found; give one of them, or one text at a time");
    inputs.batch = 1;
    struct harness_outputs outputs;
    assert_int_equal(harness_run(h, &inputs, logits, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void each_failing_allocation_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    gpt.dtype = MODEL_F16;
    gpt.layers = 1;
    const int64_t ids[] = {1, 2, 3, 4, 5, 6};
    const uint32_t slots[] = {1, 0};
    struct harness_inputs inputs = {2, 3, ids, NULL, NULL, NULL};
    for (size_t fail_at = 1;; fail_at++) {
        struct harness *h = gpt_create(&gpt);
        struct harness_outputs outputs = {.n = 0};
        h->fail_at = fail_at;
        h->slots = slots;
        model_status status = harness_load(h);
        if (status == MODEL_OK)
            status = harness_run(h, &inputs, next, &outputs);
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

static void packed_sources_are_discarded_and_tied_halves_kept(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    struct harness *h = gpt_loaded(&gpt);
    assert_int_equal(h->n_discarded, 3 * 4 + 1);
    assert_int_equal(h->n_blobs, 3 * 4 + 1);
    assert_int_equal(harness_destroy(h), 0);
    gpt.dtype = MODEL_BF16;
    h = gpt_loaded(&gpt);
    assert_int_equal(h->n_discarded, 3 * 4);
    assert_int_equal(h->n_blobs, 3 * 4);
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_that_are_not_computed_are_refused_in_words),
        cmocka_unit_test(a_wrong_configuration_is_refused_in_words),
        cmocka_unit_test(missing_and_misshapen_weights_are_named),
        cmocka_unit_test(values_out_of_range_are_named_and_the_instance_goes_on),
        cmocka_unit_test(padding_that_pushes_a_position_out_of_range_is_named),
        cmocka_unit_test(a_classifier_says_how_it_finds_the_end_of_a_text),
        cmocka_unit_test(each_failing_allocation_is_an_error_and_leaks_nothing),
        cmocka_unit_test(packed_sources_are_discarded_and_tied_halves_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
