/* test_bert_parity.c - full-size models against what transformers and torch computed from the same
 * weights (../shared/models); skipped where that folder is absent. */
#include "plugin_harness.h"

#include "files.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ABS 2e-5
#define MAX_RMS 2e-6

struct parity {
    struct harness *h;         /* the model */
    struct harness *reference; /* its reference.safetensors, as a table of tensors */
    struct buffer config;
    struct harness_inputs inputs;
};

/* false: skip. */
static bool open_model(const char *name, uint32_t threads, struct parity *ret)
{
    char *folder = harness_synth_model(name);
    char *reference = harness_shared_file(name, "reference.safetensors");
    memset(ret, 0, sizeof *ret);
    if (folder == NULL || reference == NULL) {
        free(folder);
        free(reference);
        print_message("SHARED/models is absent: set SHARED to run the parity tests\n");
        return false;
    }
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    ret->config.max_bytes = 1 << 20;
    assert_int_equal(file_read(path, 1 << 20, &ret->config, NULL), MODEL_OK);
    ret->h = harness_create("bert", ret->config.data, threads);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    harness_open(ret->h, path);
    ret->reference = harness_create("bert", "{}", 1);
    harness_open(ret->reference, reference);
    if (harness_load(ret->h) != MODEL_OK)
        fail_msg("%s", ret->h->err.message);
    const struct model_tensor *ids = harness_tensor(ret->reference, "input_ids");
    ret->inputs = (struct harness_inputs){ids->shape[0],
                                          ids->shape[1],
                                          ids->data,
                                          harness_tensor(ret->reference, "attention_mask")->data,
                                          harness_tensor(ret->reference, "token_type_ids")->data,
                                          NULL};
    free(folder);
    free(reference);
    return true;
}

static void close_model(struct parity *p)
{
    assert_int_equal(harness_destroy(p->h), 0);
    (void)harness_destroy(p->reference);
    buffer_finish(&p->config);
}

/* Rows of width numbers; rows whose mask is 0 are not compared, but must be zeros. mask may be NULL. */
static void assert_close(const char *what, const float *found, const float *want, size_t n_rows,
                         size_t width, const int64_t *mask)
{
    double max = 0, squares = 0;
    size_t n = 0;
    for (size_t row = 0; row < n_rows; row++) {
        for (size_t i = row * width; i < (row + 1) * width; i++) {
            if (mask != NULL && mask[row] == 0) {
                assert_true(found[i] == 0);
                continue;
            }
            double difference = fabs((double)found[i] - (double)want[i]);
            max = difference > max || !(difference == difference) ? difference : max;
            squares += difference * difference;
            n++;
        }
    }
    double rms = sqrt(squares / (double)n);
    print_message("%-28s max %.2e  rms %.2e\n", what, max, rms);
    assert_true(max <= MAX_ABS && rms <= MAX_RMS);
}

static void check(const struct parity *p, const char *name, const struct model_tensor *found)
{
    const struct model_tensor *want = harness_tensor(p->reference, name);
    size_t width = (size_t)found->shape[found->rank - 1];
    assert_int_equal(found->size_bytes, want->size_bytes);
    assert_close(name, found->data, want->data, found->size_bytes / sizeof(float) / width, width,
                 found->rank == 3 ? p->inputs.attention_mask : NULL);
}

static void check_words(const struct parity *p, const struct model_tensor *found)
{
    const int64_t *want = harness_tensor(p->reference, "mlm_logits_argmax")->data;
    const float *logits = found->data;
    size_t vocab = (size_t)found->shape[2], sequence = (size_t)found->shape[1];
    for (size_t row = 0; row < (size_t)found->shape[0] * sequence; row++) {
        size_t best = 0;
        for (size_t i = 1; i < vocab && p->inputs.attention_mask[row] != 0; i++)
            if (logits[row * vocab + i] > logits[row * vocab + best])
                best = i;
        if (p->inputs.attention_mask[row] != 0)
            assert_int_equal(best, want[row]);
    }
    const struct model_tensor *first = harness_tensor(p->reference, "mlm_logits_first");
    size_t rows[] = {0, sequence}; /* position 0 of both sequences */
    for (size_t i = 0; i < 2; i++)
        assert_close("mlm_logits_first", logits + rows[i] * vocab,
                     (const float *)first->data + i * vocab, 1, vocab, NULL);
}

static void check_masked_lm(const char *model, uint32_t threads)
{
    static const char *const names[] = {"last_hidden_state",       "pooler_output",
                                        "seq_relationship_logits", "logits",
                                        "prediction_logits",       NULL};
    struct parity p;
    struct harness_outputs outputs;
    if (!open_model(model, threads, &p))
        skip();
    assert_string_equal(p.h->model->description->architecture, "BertForMaskedLM");
    assert_int_equal(harness_run(p.h, &p.inputs, names, &outputs), MODEL_OK);
    check(&p, "last_hidden_state", &outputs.tensors[0]);
    check(&p, "pooler_output", &outputs.tensors[1]);
    const struct model_tensor *next = harness_tensor(p.reference, "nsp_logits");
    assert_close("nsp_logits", outputs.tensors[2].data, next->data, 2, 2, NULL);
    check_words(&p, &outputs.tensors[3]);
    assert_memory_equal(outputs.tensors[3].data, outputs.tensors[4].data,
                        outputs.tensors[3].size_bytes);
    harness_outputs_free(&outputs);
    close_model(&p);
}

static void bert_tiny_agrees_with_transformers(void **state)
{
    (void)state;
    check_masked_lm("bert-tiny-synth", 1);
}

static void bert_base_agrees_with_transformers(void **state)
{
    (void)state;
    check_masked_lm("bert-base-synth", 2);
}

static void minilm_embeds_sentences_as_sentence_transformers(void **state)
{
    (void)state;
    static const char *const names[] = {"last_hidden_state", NULL};
    struct parity p;
    struct harness_outputs outputs;
    if (!open_model("minilm-l6-synth", 1, &p))
        skip();
    assert_string_equal(p.h->model->description->architecture, "BertModel");
    assert_int_equal(harness_run(p.h, &p.inputs, names, &outputs), MODEL_OK);
    size_t width = (size_t)outputs.tensors[0].shape[2];
    float *embedding = calloc(2 * width, sizeof *embedding);
    for (size_t b = 0; b < 2; b++) {
        const float *x = (const float *)outputs.tensors[0].data + b * 27 * width;
        double length = 0;
        for (size_t i = 0; i < width; i++) {
            double sum = 0;
            for (size_t row = 0; row < 27;
                 row++) /* hidden rows are zeros, so the sum is the mask's */
                sum += (double)x[row * width + i];
            embedding[b * width + i] = (float)sum;
            length += sum * sum;
        }
        for (size_t i = 0; i < width; i++)
            embedding[b * width + i] /= (float)sqrt(length);
    }
    assert_close("sentence_embedding", embedding,
                 harness_tensor(p.reference, "sentence_embedding")->data, 2, width, NULL);
    free(embedding);
    harness_outputs_free(&outputs);
    close_model(&p);
}

static void a_batch_gives_what_its_sequences_give_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"last_hidden_state", NULL};
    struct parity p;
    struct harness_outputs batch, single;
    if (!open_model("bert-tiny-synth", 1, &p))
        skip();
    assert_int_equal(harness_run(p.h, &p.inputs, names, &batch), MODEL_OK);
    for (int64_t b = 0; b < 2; b++) {
        struct harness_inputs one = {1,
                                     b == 0 ? 27 : 12,
                                     p.inputs.input_ids + b * 27,
                                     NULL,
                                     p.inputs.token_type_ids + b * 27,
                                     NULL};
        assert_int_equal(harness_run(p.h, &one, names, &single), MODEL_OK);
        assert_close("single", single.tensors[0].data,
                     (const float *)batch.tensors[0].data + b * 27 * 128, (size_t)one.sequence, 128,
                     NULL);
        harness_outputs_free(&single);
    }
    harness_outputs_free(&batch);
    close_model(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_tiny_agrees_with_transformers),
        cmocka_unit_test(minilm_embeds_sentences_as_sentence_transformers),
        cmocka_unit_test(a_batch_gives_what_its_sequences_give_alone),
        cmocka_unit_test(bert_base_agrees_with_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
