/* test_text_numbers.c - outputs that are no numbers, as damaged weights make them: each task says so instead
 * of giving an answer that looks like one. Covers host/pipelines/task_*.c. */
#include "text_fixture.h"

#include <math.h>

#define HOLDS(text, output, value, task)                                                           \
    "text " text ": the model's output '" output "' holds " value ", out of which task " task      \
    " makes no answer; its weights may be damaged"

/* Puts `value` at data[at] of output `which` and expects the answer to be refused. */
static void assert_refused(struct fixture *f, float *data, size_t at, float value,
                           const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    data[at] = value;
    assert_int_equal(text_batch_answer(f->batch, f->result, &err), MODEL_INTERNAL);
    assert_string_equal(err.message, sentence);
    data[at] = 0;
}

static void labels_out_of_no_number_are_refused(void **state)
{
    (void)state;
    struct fixture f = open_fixture("text-classification", &labels, NULL, "{}");
    start(&f, "rome", NULL);
    float *data = output(&f, 0, 2, 1, 3, 0);
    assert_refused(&f, data, 2, NAN, HOLDS("1", "logits", "nan", "classify"));
    assert_refused(&f, data, 0, INFINITY, HOLDS("1", "logits", "infinity", "classify"));
    close_fixture(&f);
}

static void embeddings_out_of_no_number_are_refused_but_padding_does_not_count(void **state)
{
    (void)state;
    struct fixture f = open_fixture("feature-extraction", &hidden, NULL, "{}");
    struct modelhost_text texts[] = {{sizeof texts[0], "anna lives in rome", 18, NULL, 0},
                                     {sizeof texts[0], "rome", 4, NULL, 0}};
    struct model_error err = MODEL_ERROR_INIT;
    uint32_t n = 0;
    make_pipeline(&f);
    assert_int_equal(make_batch_of(&f, texts, 2, NULL, &err), MODEL_OK);
    const char *const *names = text_batch_output_names(f.batch, &n);
    assert_int_equal(result_create(&f.description, names, n, &f.result, NULL), MODEL_OK);
    float *data = output(&f, 0, 3, 2, 6, 2);
    assert_refused(&f, data, 6 * 2, NAN, HOLDS("2", "last_hidden_state", "nan", "embed"));
    data[6 * 2 + 3 * 2] = NAN; /* behind [CLS] rome [SEP] */
    (void)answer(&f);
    close_fixture(&f);
}

static void words_out_of_no_number_are_refused(void **state)
{
    (void)state;
    struct fixture f = open_fixture("fill-mask", &words, NULL, "{}");
    start(&f, "[MASK] lives", NULL);
    const int64_t vocab_size = words.shape[2].max;
    float *data = output(&f, 0, 3, 1, 4, vocab_size);
    assert_refused(&f, data, (size_t)vocab_size + 3, NAN,
                   HOLDS("1", "prediction_logits", "nan", "fill-mask"));
    close_fixture(&f);
}

static void entities_out_of_no_number_are_refused(void **state)
{
    (void)state;
    struct fixture f = open_fixture("token-classification", &tags, NULL, "{}");
    start(&f, "rome", NULL);
    const int64_t n_tags = tags.shape[2].max;
    float *data = output(&f, 0, 3, 1, 3, n_tags);
    assert_refused(&f, data, (size_t)n_tags, NAN, HOLDS("1", "logits", "nan", "token-classify"));
    close_fixture(&f);
}

static void spans_out_of_no_number_are_refused(void **state)
{
    (void)state;
    struct fixture f = open_fixture("question-answering", &starts, &ends, "{}");
    start(&f, "who?", "Anna lives in Rome");
    (void)output(&f, 0, 2, 1, 9, 0);
    float *end_logits = output(&f, 1, 2, 1, 9, 0);
    assert_refused(&f, end_logits, 5, -INFINITY, HOLDS("1", "end_logits", "infinity", "question"));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_out_of_no_number_are_refused),
        cmocka_unit_test(embeddings_out_of_no_number_are_refused_but_padding_does_not_count),
        cmocka_unit_test(words_out_of_no_number_are_refused),
        cmocka_unit_test(entities_out_of_no_number_are_refused),
        cmocka_unit_test(spans_out_of_no_number_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
