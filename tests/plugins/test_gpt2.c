/* test_gpt2.c - the gpt2 plugin on small random models: every class, naming, dtype, configuration field
 * and mask against the formulas in double precision, in calls without memory. */
#include "gpt2_reference_harness.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, SEQUENCE = 11 };

static const int64_t mask[BATCH * SEQUENCE] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* whole */
                                               0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, /* left padding */
                                               1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0 /* hole, right */};
static const int64_t positions[BATCH * SEQUENCE] = {0, 1, 2,  3, 4, 5, 6, 7, 8, 9, 10,
                                                    1, 1, 1,  1, 0, 1, 2, 3, 4, 5, 6,
                                                    9, 8, 13, 7, 6, 5, 4, 3, 2, 1, 0};

static struct harness_inputs make_inputs(bool masked, bool positioned)
{
    static int64_t ids[BATCH * SEQUENCE];
    for (int i = 0; i < BATCH * SEQUENCE; i++)
        ids[i] = i * 17 % 50;
    return (struct harness_inputs){
        BATCH, SEQUENCE, ids, masked ? mask : NULL, NULL, positioned ? positions : NULL};
}

/* Hidden states and logits of a model with a language head. */
static void check(const char *what, const struct gpt *gpt, const struct harness_inputs *inputs)
{
    static const char *const names[] = {"last_hidden_state", "logits", NULL};
    struct harness *h = gpt_loaded(gpt);
    struct harness_outputs outputs;
    if (harness_run(h, inputs, names, &outputs) != MODEL_OK)
        fail_msg("%s: %s", what, h->err.message);
    double *hidden = gpt_hidden(h, gpt, inputs);
    double *logits =
        gpt_head(h, gpt_head_name(gpt), hidden, (size_t)(inputs->batch * inputs->sequence));
    gpt_assert_rows(what, &outputs.tensors[0], hidden, (size_t)gpt->hidden, inputs->attention_mask);
    gpt_assert_rows(what, &outputs.tensors[1], logits, (size_t)gpt->vocab, inputs->attention_mask);
    free(logits);
    free(hidden);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void check_both(const char *what, const struct gpt *gpt)
{
    struct harness_inputs plain = make_inputs(false, false), padded = make_inputs(true, true);
    check(what, gpt, &plain);
    check(what, gpt, &padded);
}

static void masks_and_positions_agree(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct harness_inputs inputs = make_inputs(i & 1, i & 2);
        check("mask and positions", &gpt_default, &inputs);
    }
}

static void every_field_of_the_configuration_counts(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    gpt.inner = 37;
    check_both("n_inner", &gpt);
    gpt.plain_scores = true;
    check_both("scale_attn_weights", &gpt);
    gpt.by_layer = true;
    check_both("scale_attn_by_inverse_layer_idx", &gpt);
    gpt.upcast = true;
    check_both("reorder_and_upcast_attn", &gpt);
    gpt.plain_scores = false;
    check_both("both scales", &gpt);
    gpt.eps = 0.5;
    check_both("layer_norm_epsilon", &gpt);
    gpt.positions = 14;
    check_both("n_positions", &gpt);
    gpt.layers = 1;
    gpt.vocab = 65;
    check_both("n_layer, vocab_size", &gpt);
    gpt.untied = gpt.own_head = true;
    check_both("tie_word_embeddings", &gpt);
    gpt.untied = false;
    check_both("tied, though the files have a head of their own", &gpt);
}

static void every_activation_agrees(void **state)
{
    (void)state;
    static const char *const names[] = {"gelu", "gelu_new", "gelu_fast", "relu", "silu", "tanh"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct gpt gpt = gpt_default;
        gpt.activation = names[i];
        check_both(names[i], &gpt);
    }
}

static void every_naming_loads(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    gpt.buffers = true;
    check_both("mask buffers", &gpt);
    gpt.prefix = "";
    check_both("without a prefix", &gpt);
    gpt.class = NULL;
    check_both("without a class", &gpt);
    gpt.word_under_head = true;
    check_both("the shared embedding under the head's name", &gpt);
}

static void every_float_dtype_loads(void **state)
{
    (void)state;
    static const int32_t dtypes[] = {MODEL_F64, MODEL_F32, MODEL_F16, MODEL_BF16};
    for (int i = 0; i < 8; i++) {
        struct gpt gpt = gpt_default;
        gpt.dtype = dtypes[i / 2];
        gpt.untied = gpt.own_head = i & 1;
        check_both("dtype", &gpt);
    }
}

static void odd_shapes_and_two_threads_agree(void **state)
{
    (void)state;
    static const struct {
        int64_t hidden, heads, inner;
    } shapes[] = {{24, 24, 1}, {5, 1, 7}, {17, 17, 33}, {34, 2, 65}, {100, 1, 3}, {128, 2, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct gpt gpt = gpt_default;
        gpt.hidden = shapes[i].hidden;
        gpt.heads = shapes[i].heads;
        gpt.inner = shapes[i].inner;
        gpt.threads = (uint32_t)(1 + i % 2);
        check_both("shape", &gpt);
    }
}

/* More rows and items than one group, of all lengths; and one item that is larger than a group. */
static void large_batches_are_computed_in_groups(void **state)
{
    (void)state;
    enum { N = 90, LENGTH = 14 };
    static int64_t ids[1400], some[N * LENGTH];
    struct gpt gpt = gpt_default;
    for (int i = 0; i < 1400; i++)
        ids[i] = i * 13 % 50;
    for (int i = 0; i < N * LENGTH; i++)
        some[i] = i % LENGTH <= i / LENGTH % LENGTH;
    struct harness_inputs part = {N, LENGTH, ids, some, NULL, NULL};
    struct harness_inputs whole = {N, LENGTH, ids, NULL, NULL, NULL};
    check("groups of padded items", &gpt, &part);
    check("groups of whole items", &gpt, &whole);
    gpt.positions = 700;
    gpt.hidden = 8;
    gpt.heads = 1;
    struct harness_inputs single = {2, 700, ids, NULL, NULL, NULL};
    check("items larger than a group", &gpt, &single);
}

static void next_token_logits_are_those_of_the_last_visible_position(void **state)
{
    (void)state;
    static const char *const names[] = {"next_token_logits", NULL};
    static const size_t last[] = {10, 10, 6};
    for (int masked = 0; masked < 2; masked++) {
        struct harness *h = gpt_loaded(&gpt_default);
        struct harness_inputs inputs = make_inputs(masked, masked);
        struct harness_outputs outputs;
        assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
        double *hidden = gpt_hidden(h, &gpt_default, &inputs);
        double *logits = gpt_head(h, gpt_head_name(&gpt_default), hidden, BATCH * SEQUENCE);
        for (size_t b = 0; b < BATCH; b++)
            gpt_assert_close("next", (const float *)outputs.tensors[0].data + b * 50,
                             logits + (b * SEQUENCE + (masked ? last[b] : 10)) * 50, 50);
        free(logits);
        free(hidden);
        harness_outputs_free(&outputs);
        assert_int_equal(harness_destroy(h), 0);
    }
}

/* ids of which some are 49, and the mask if there is one; the scored columns were counted by hand. */
static void check_scores(const char *what, int64_t pad, const int64_t *ids, const int64_t *shown,
                         const size_t columns[BATCH])
{
    static const char *const names[] = {"logits", NULL};
    struct gpt gpt = gpt_default;
    gpt.class = "GPT2ForSequenceClassification";
    gpt.score = true;
    gpt.pad = pad;
    struct harness *h = gpt_loaded(&gpt);
    struct harness_inputs inputs = {BATCH, SEQUENCE, ids, shown, NULL, NULL};
    struct harness_outputs outputs;
    if (harness_run(h, &inputs, names, &outputs) != MODEL_OK)
        fail_msg("%s: %s", what, h->err.message);
    double *hidden = gpt_hidden(h, &gpt, &inputs);
    double *scores = gpt_head(h, "score.weight", hidden, BATCH * SEQUENCE);
    for (size_t b = 0; b < BATCH; b++)
        gpt_assert_close(what, (const float *)outputs.tensors[0].data + b * 4,
                         scores + (b * SEQUENCE + columns[b]) * 4, 4);
    free(scores);
    free(hidden);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_classifier_scores_the_last_token_that_is_not_padding(void **state)
{
    (void)state;
    static const int64_t sides[] = {1,  2,  3,  4,  49, 49, 49, 49, 49, 49, 49, /* right */
                                    49, 49, 49, 49, 49, 5,  6,  7,  8,  9,  10, /* left */
                                    49, 1,  49, 49, 2,  3,  49, 4,  49, 49, 49 /* both, inside */};
    static const int64_t plain[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, /* none */
                                    49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, /* alone */
                                    49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 3};
    check_scores("sides", 49, sides, NULL, (const size_t[]){3, 10, 7});
    check_scores("whole and nothing", 49, plain, NULL, (const size_t[]){10, 0, 10});
    /* mask: whole; columns 4 to 10; 0, 1 and 3 to 6 */
    check_scores("sides, masked", 49, sides, mask, (const size_t[]){3, 10, 5});
    check_scores("whole and nothing, masked", 49, plain, mask, (const size_t[]){10, 4, 0});
}

/* Texts of different lengths from a tokenizer that pads with another token than config.json names. */
static void a_classifier_finds_the_end_of_each_text_by_the_mask(void **state)
{
    (void)state;
    static const int64_t shown[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0,
                                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
    int64_t ids[BATCH * SEQUENCE];
    for (int i = 0; i < BATCH * SEQUENCE; i++)
        ids[i] = shown[i] ? 1 + i : 0;
    check_scores("another pad", 49, ids, shown, (const size_t[]){10, 3, 10});
    check_scores("no pad", -1, ids, shown, (const size_t[]){10, 3, 10});
    check_scores("the same pad", 0, ids, shown, (const size_t[]){10, 3, 10});
    check_scores("no pad, holes", -1, ids, mask, (const size_t[]){10, 10, 6});
}

static void each_class_describes_itself(void **state)
{
    (void)state;
    static const struct {
        const char *class, *task;
        uint32_t n_outputs;
        const char *last;
    } want[] = {{"GPT2LMHeadModel", "text-generation", 3, "next_token_logits"},
                {"GPT2ForSequenceClassification", "text-classification", 2, "logits"},
                {"GPT2Model", "feature-extraction", 1, "last_hidden_state"}};
    for (size_t i = 0; i < 3; i++) {
        struct gpt gpt = gpt_default;
        gpt.class = want[i].class;
        gpt.score = true;
        struct harness *h = gpt_loaded(&gpt);
        const struct model_description *d = h->model->description;
        assert_string_equal(d->architecture, want[i].class);
        assert_string_equal(d->task, want[i].task);
        assert_int_equal(d->n_inputs, 3);
        assert_int_equal(d->n_outputs, want[i].n_outputs);
        assert_string_equal(d->outputs[d->n_outputs - 1]->name, want[i].last);
        assert_int_equal(d->max_slots, 64);
        assert_int_equal(d->inputs[0]->shape[1].max, 150);
        assert_true(d->memory_bytes > 0 && d->instance_bytes > 0);
        assert_int_equal(harness_destroy(h), 0);
    }
    struct gpt gpt = gpt_default;
    gpt.class = NULL;
    gpt.score = true;
    struct harness *h = gpt_loaded(&gpt);
    assert_string_equal(h->model->description->architecture, "GPT2ForSequenceClassification");
    assert_int_equal(harness_destroy(h), 0);
}

static void fields_may_have_the_names_of_the_attribute_map(void **state)
{
    (void)state;
    struct harness *h = gpt_create(&gpt_default);
    harness_configure(h, "{\"model_type\": \"gpt2\", \"hidden_size\": 24, \"num_hidden_layers\": 3,"
                         " \"num_attention_heads\": 3, \"max_position_embeddings\": 150,"
                         " \"vocab_size\": 50}");
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s", h->err.message);
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_and_positions_agree),
        cmocka_unit_test(every_field_of_the_configuration_counts),
        cmocka_unit_test(every_activation_agrees),
        cmocka_unit_test(every_naming_loads),
        cmocka_unit_test(every_float_dtype_loads),
        cmocka_unit_test(odd_shapes_and_two_threads_agree),
        cmocka_unit_test(large_batches_are_computed_in_groups),
        cmocka_unit_test(next_token_logits_are_those_of_the_last_visible_position),
        cmocka_unit_test(a_classifier_scores_the_last_token_that_is_not_padding),
        cmocka_unit_test(a_classifier_finds_the_end_of_each_text_by_the_mask),
        cmocka_unit_test(each_class_describes_itself),
        cmocka_unit_test(fields_may_have_the_names_of_the_attribute_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
