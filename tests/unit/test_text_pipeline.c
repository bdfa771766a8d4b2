/* test_text_pipeline.c - texts to tensors and tensors to answers, with a vocabulary and logits made by hand,
 * so that every expected number can be checked on paper. Covers
 * host/pipelines/text_batch.c, host/pipelines/task_embed.c, host/pipelines/task_fill_mask.c,
 * host/pipelines/task_classify.c, host/pipelines/task_token_classify.c, host/pipelines/task_question.c
 * and host/result.c. */
#include "text_fixture.h"

static void several_texts_are_one_padded_batch(void **state)
{
    (void)state;
    struct fixture f = open_fixture("feature-extraction", &hidden, NULL, "{}");
    make_pipeline(&f);
    struct modelhost_text texts[] = {{sizeof texts[0], "Anna lives in Rome", 18, NULL, 0},
                                     {sizeof texts[0], "rome", 4, "now", 3}};
    assert_int_equal(make_batch_of(&f, texts, 2, NULL, NULL), MODEL_OK);
    uint32_t n = 0;
    const struct model_tensor *const *tensors = text_batch_inputs(f.batch, &n);
    assert_int_equal(n, 3);
    const int64_t wanted_ids[] = {2, ANNA, LIVES, IN, ROME, 3, 2, ROME, 3, NOW, 3, 0};
    const int64_t wanted_mask[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
    const int64_t wanted_types[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0};
    assert_string_equal(tensors[0]->name, "input_ids");
    assert_int_equal(tensors[0]->shape[1], 6);
    assert_memory_equal(tensors[0]->data, wanted_ids, sizeof wanted_ids);
    assert_memory_equal(tensors[1]->data, wanted_mask, sizeof wanted_mask);
    assert_memory_equal(tensors[2]->data, wanted_types, sizeof wanted_types);
    close_fixture(&f);
}

static void embeddings_are_the_mean_over_the_tokens(void **state)
{
    (void)state;
    struct fixture f = open_fixture("feature-extraction", &hidden, NULL, "{}");
    start(&f, "rome", NULL);
    float *data = output(&f, 0, 3, 1, 3, 2);
    const float values[] = {1, 10, 2, 20, 6, 60};
    memcpy(data, values, sizeof values);
    const json_node *item = answer(&f);
    assert_near(json_path(item, "embedding[0]"), 3);
    assert_near(json_path(item, "embedding[1]"), 30);
    const struct model_tensor *embeddings = modelhost_result_find(f.result, "embeddings");
    assert_int_equal(embeddings->shape[0], 1);
    assert_int_equal(embeddings->shape[1], 2);
    assert_null(modelhost_result_find(f.result, "last_hidden_state"));
    close_fixture(&f);
}

static void a_mask_is_filled_with_the_likeliest_words(void **state)
{
    (void)state;
    struct fixture f = open_fixture("fill-mask", &words, NULL, "{}");
    start(&f, "anna lives in [MASK]", NULL);
    float *data = output(&f, 0, 3, 1, 6, VOCAB);
    data[4 * VOCAB + ROME] = 100;
    data[4 * VOCAB + NOW] = 99;
    const json_node *item = answer(&f);
    assert_near(json_path(item, "masks[0].index"), 4);
    assert_int_equal(json_count(json_path(item, "masks[0].candidates")), 5);
    const json_node *best = json_path(item, "masks[0].candidates[0]");
    assert_string_equal(json_string_or(json_member(best, "token_str"), ""), "rome");
    assert_string_equal(json_string_or(json_member(best, "sequence"), ""), "anna lives in rome");
    assert_near(json_member(best, "score"), 0.7310586); /* 1 / (1 + e^-1) */
    close_fixture(&f);
}

static void with_several_masks_the_others_stay(void **state)
{
    (void)state;
    struct fixture f = open_fixture("fill-mask", &words, NULL, "{}");
    start(&f, "[MASK] lives in [MASK]", NULL);
    float *data = output(&f, 0, 3, 1, 6, VOCAB);
    data[1 * VOCAB + ANNA] = data[4 * VOCAB + ROME] = 100;
    const json_node *item = answer(&f);
    assert_int_equal(json_count(json_member(item, "masks")), 2);
    assert_string_equal(json_string_or(json_path(item, "masks[0].candidates[0].sequence"), ""),
                        "[CLS] anna lives in [MASK] [SEP]");
    assert_string_equal(json_string_or(json_path(item, "masks[1].candidates[0].sequence"), ""),
                        "[CLS] [MASK] lives in rome [SEP]");
    close_fixture(&f);
}

static void a_text_without_a_mask_is_refused_before_anything_runs(void **state)
{
    (void)state;
    struct fixture f = open_fixture("fill-mask", &words, NULL, "{}");
    struct model_error err = MODEL_ERROR_INIT;
    make_pipeline(&f);
    assert_int_equal(make_batch(&f, "anna lives", NULL, NULL, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "text 1 has no mask; put [MASK] where the word is wanted");
    close_fixture(&f);
}

static void labels_come_from_the_config_and_sum_to_one(void **state)
{
    (void)state;
    struct fixture f = open_fixture("text-classification", &labels, NULL,
                                    "{\"id2label\":{\"0\":\"bad\",\"2\":\"good\"}}");
    start(&f, "rome", NULL);
    float *data = output(&f, 0, 2, 1, 3, 0);
    data[2] = 2;
    data[1] = 1;
    const json_node *item = answer(&f);
    assert_string_equal(json_string_or(json_path(item, "labels[0].label"), ""), "good");
    assert_string_equal(json_string_or(json_path(item, "labels[1].label"), ""), "LABEL_1");
    assert_string_equal(json_string_or(json_path(item, "labels[2].label"), ""), "bad");
    assert_near(json_path(item, "labels[0].score"), 0.6652410); /* e^2 / (e^2 + e + 1) */
    close_fixture(&f);
}

static void multi_label_models_score_each_label_alone(void **state)
{
    (void)state;
    struct fixture f = open_fixture("text-classification", &labels, NULL,
                                    "{\"problem_type\":\"multi_label_classification\"}");
    start(&f, "rome", NULL);
    output(&f, 0, 2, 1, 3, 0)[0] = 2;
    const json_node *item = answer(&f);
    assert_near(json_path(item, "labels[0].score"), 0.8807971); /* sigmoid(2) */
    assert_near(json_path(item, "labels[1].score"), 0.5);
    close_fixture(&f);
}

static void neighbouring_tokens_of_one_entity_form_a_group(void **state)
{
    (void)state;
    struct fixture f = open_fixture("token-classification", &tags, NULL,
                                    "{\"id2label\":{\"0\":\"O\",\"1\":\"B-PER\",\"2\":\"I-PER\"}}");
    start(&f, "anna rome lives anna", NULL); /* [CLS] anna rome lives anna [SEP] */
    float *data = output(&f, 0, 3, 1, 6, 3);
    const int best[] = {1, 1, 2, 0, 1, 1};
    for (int t = 0; t < 6; t++)
        data[t * 3 + best[t]] = 50;
    const json_node *item = answer(&f);
    assert_int_equal(json_count(json_member(item, "entities")), 3); /* specials and O left out */
    assert_int_equal(json_count(json_member(item, "groups")), 2);
    assert_string_equal(json_string_or(json_path(item, "groups[0].word"), ""), "anna rome");
    assert_string_equal(json_string_or(json_path(item, "groups[0].entity_group"), ""), "PER");
    assert_near(json_path(item, "groups[1].start"), 16);
    assert_near(json_path(item, "groups[1].end"), 20);
    close_fixture(&f);
}

static void outputs_of_another_head_are_no_labels(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct fixture f = open_fixture("token-classification", &tags, NULL, "{\"num_labels\":2}");
    start(&f, "rome", NULL);
    f.description.task = "fill-mask"; /* as if the caller had named the other one */
    (void)output(&f, 0, 3, 1, 3, 3);
    assert_int_equal(text_batch_answer(f.batch, f.result, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "for each of the 2 labels in config.json"));
    assert_non_null(strstr(err.message, "its own task is fill-mask"));
    close_fixture(&f);
}

static void labels_of_any_length_join(void **state)
{
    (void)state;
    char config[1400], type[401];
    memset(type, 'P', 400);
    type[400] = '\0';
    (void)snprintf(config, sizeof config,
                   "{\"id2label\":{\"0\":\"O\",\"1\":\"B-%s\",\"2\":\"I-%s\"}}", type, type);
    struct fixture f = open_fixture("token-classification", &tags, NULL, config);
    start(&f, "anna rome lives anna", NULL); /* [CLS] anna rome lives anna [SEP] */
    float *data = output(&f, 0, 3, 1, 6, 3);
    const int best[] = {0, 1, 2, 2, 0, 0};
    for (int t = 0; t < 6; t++)
        data[t * 3 + best[t]] = 50;
    const json_node *item = answer(&f);
    assert_int_equal(json_count(json_member(item, "groups")), 1);
    assert_string_equal(json_string_or(json_path(item, "groups[0].word"), ""), "anna rome lives");
    assert_string_equal(json_string_or(json_path(item, "groups[0].entity_group"), ""), type);
    close_fixture(&f);
}

static void tokens_without_named_labels_join_too(void **state)
{
    (void)state;
    struct fixture f = open_fixture("token-classification", &tags, NULL, "{}");
    start(&f, "anna rome lives", NULL); /* [CLS] anna rome lives [SEP] */
    float *data = output(&f, 0, 3, 1, 5, 3);
    const int best[] = {0, 1, 1, 2, 0};
    for (int t = 0; t < 5; t++)
        data[t * 3 + best[t]] = 50;
    const json_node *item = answer(&f);
    assert_int_equal(json_count(json_member(item, "groups")), 2);
    assert_string_equal(json_string_or(json_path(item, "groups[0].entity_group"), ""), "LABEL_1");
    assert_string_equal(json_string_or(json_path(item, "groups[0].word"), ""), "anna rome");
    assert_string_equal(json_string_or(json_path(item, "groups[1].entity_group"), ""), "LABEL_2");
    close_fixture(&f);
}

static void a_question_is_answered_out_of_its_context(void **state)
{
    (void)state;
    struct fixture f = open_fixture("question-answering", &starts, &ends, "{}");
    start(&f, "who?", "Anna lives in Rome"); /* [CLS] who ? [SEP] anna lives in rome [SEP] */
    float *start_logits = output(&f, 0, 2, 1, 9, 0), *end_logits = output(&f, 1, 2, 1, 9, 0);
    start_logits[1] = end_logits[2] = 90; /* the question's own tokens must not win */
    start_logits[6] = end_logits[7] = 50;
    const json_node *item = answer(&f);
    assert_string_equal(json_string_or(json_path(item, "answers[0].answer"), ""), "in Rome");
    assert_near(json_path(item, "answers[0].score"), 1);
    assert_near(json_path(item, "answers[0].start"), 11);
    assert_near(json_path(item, "answers[0].end"), 18);
    close_fixture(&f);
}

static void the_class_token_takes_its_share_and_is_no_answer(void **state)
{
    (void)state;
    struct fixture f = open_fixture("question-answering", &starts, &ends, "{}");
    start(&f, "who?", "Anna lives in Rome"); /* [CLS] who ? [SEP] anna lives in rome [SEP] */
    float *start_logits = output(&f, 0, 2, 1, 9, 0), *end_logits = output(&f, 1, 2, 1, 9, 0);
    for (int t = 0; t < 9; t++)
        start_logits[t] = end_logits[t] = -500;
    start_logits[0] = start_logits[6] = 3;          /* a half each */
    end_logits[0] = 3 + logf(3), end_logits[7] = 3; /* three quarters, one quarter */
    start_logits[3] = end_logits[8] = 90;           /* other special tokens take nothing */
    const json_node *item = answer(&f);
    assert_string_equal(json_string_or(json_path(item, "answers[0].answer"), ""), "in Rome");
    assert_near(json_path(item, "answers[0].score"), 0.125);
    close_fixture(&f);
}

static void an_answer_is_widened_to_whole_words(void **state)
{
    (void)state;
    struct fixture f = open_fixture("question-answering", &starts, &ends, "{}");
    start(&f, "who?", "Anna nowna rome"); /* [CLS] who ? [SEP] anna now ##na rome [SEP] */
    float *start_logits = output(&f, 0, 2, 1, 9, 0), *end_logits = output(&f, 1, 2, 1, 9, 0);
    start_logits[5] = end_logits[5] = 50;
    assert_string_equal(json_string_or(json_path(answer(&f), "answers[0].answer"), ""), "nowna");
    close_fixture(&f);
}

static void a_question_without_context_is_refused(void **state)
{
    (void)state;
    struct fixture f = open_fixture("question-answering", &starts, &ends, "{}");
    struct model_error err = MODEL_ERROR_INIT;
    make_pipeline(&f);
    assert_int_equal(make_batch(&f, "who?", NULL, NULL, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "text 1: a question wants its context; give it as the second "
                                     "text (--context)");
    close_fixture(&f);
}

static void a_text_longer_than_the_model_is_refused_or_cut(void **state)
{
    (void)state;
    struct fixture f = open_fixture("feature-extraction", &hidden, NULL, "{}");
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    const char *text = "anna anna anna anna anna anna anna anna anna anna anna";
    make_pipeline(&f);
    assert_int_equal(make_batch(&f, text, NULL, NULL, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "text 1 has 13 tokens, the model takes at most 12; shorten it or let "
                        "it be cut (--truncate)");
    options.truncate = 1;
    assert_int_equal(make_batch(&f, text, NULL, &options, &err), MODEL_OK);
    uint32_t n = 0;
    assert_int_equal(text_batch_inputs(f.batch, &n)[0]->shape[1], 12);
    close_fixture(&f);
}

static void write_beside_vocabulary(const struct fixture *f, const char *name, const char *text)
{
    char *path = path_join(f->dir, name);
    write_file(path, text, strlen(text));
    free(path);
}

static void embeddings_have_the_limit_of_sentence_transformers(void **state)
{
    (void)state;
    struct fixture f = open_fixture("fill-mask", &hidden, &words, "{}");
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    const char *text = "anna anna anna anna [MASK]"; /* and [CLS], [SEP] */
    write_beside_vocabulary(&f, "modules.json",
                            "[{\"type\":\"sentence_transformers.models.Transformer\"}]");
    write_beside_vocabulary(&f, "sentence_bert_config.json", "{\"max_seq_length\":5}");
    make_pipeline(&f);
    options.task = "embed";
    assert_int_equal(make_batch(&f, text, NULL, &options, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "text 1 has 7 tokens, the model takes at most 5"));
    options.truncate = 1;
    assert_int_equal(make_batch(&f, text, NULL, &options, &err), MODEL_OK);
    uint32_t n = 0;
    assert_int_equal(text_batch_inputs(f.batch, &n)[0]->shape[1], 5);
    assert_int_equal(make_batch(&f, text, NULL, NULL, &err), MODEL_OK); /* another task */
    assert_int_equal(text_batch_inputs(f.batch, &n)[0]->shape[1], 7);
    close_fixture(&f);
}

static void a_cancelled_request_is_not_tokenized(void **state)
{
    (void)state;
    struct fixture f = open_fixture("feature-extraction", &hidden, NULL, "{}");
    struct modelhost_text text = {sizeof text, "anna", 4, NULL, 0};
    struct model_error err = MODEL_ERROR_INIT;
    const uint32_t cancelled = MODEL_CANCELLED;
    uint32_t n = 0;
    make_pipeline(&f);
    assert_int_equal(text_batch_create(f.pipeline, &text, 1, NULL, &f.batch, &err), MODEL_OK);
    assert_int_equal(text_batch_tokenize(f.batch, &cancelled, &err), MODEL_CANCELLED);
    assert_string_equal(err.message, "the request was cancelled");
    (void)text_batch_inputs(f.batch, &n);
    assert_int_equal(n, 0);
    close_fixture(&f);
}

static void text_that_is_not_utf8_is_refused_at_its_byte(void **state)
{
    (void)state;
    struct fixture f = open_fixture("feature-extraction", &hidden, NULL, "{}");
    struct model_error err = MODEL_ERROR_INIT;
    make_pipeline(&f);
    assert_int_equal(make_batch(&f, "anna \xFF", NULL, NULL, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "text 1"));
    assert_non_null(strstr(err.message, "is not UTF-8: byte 0xFF at offset 5"));
    close_fixture(&f);
}

static void tasks_that_the_model_cannot_do_are_refused(void **state)
{
    (void)state;
    struct fixture f = open_fixture("feature-extraction", &hidden, NULL, "{}");
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    make_pipeline(&f);
    options.task = "classify";
    assert_int_equal(make_batch(&f, "anna", NULL, &options, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "task classify wants the output 'logits', which this Fixture does not "
                        "have; its own task is feature-extraction");
    options.task = "translate";
    assert_int_equal(make_batch(&f, "anna", NULL, &options, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "unknown task 'translate'; there are embed, fill-mask, classify, "
                        "token-classify, question");
    close_fixture(&f);
}

static void outputs_of_another_shape_are_refused(void **state)
{
    (void)state;
    struct fixture f = open_fixture("feature-extraction", &hidden, NULL, "{}");
    struct model_error err = MODEL_ERROR_INIT;
    start(&f, "rome", NULL);
    (void)output(&f, 0, 3, 1, 2, 2); /* two tokens instead of three */
    assert_int_equal(text_batch_answer(f.batch, f.result, &err), MODEL_UNSUPPORTED);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_texts_are_one_padded_batch),
        cmocka_unit_test(embeddings_are_the_mean_over_the_tokens),
        cmocka_unit_test(a_mask_is_filled_with_the_likeliest_words),
        cmocka_unit_test(with_several_masks_the_others_stay),
        cmocka_unit_test(a_text_without_a_mask_is_refused_before_anything_runs),
        cmocka_unit_test(labels_come_from_the_config_and_sum_to_one),
        cmocka_unit_test(multi_label_models_score_each_label_alone),
        cmocka_unit_test(neighbouring_tokens_of_one_entity_form_a_group),
        cmocka_unit_test(outputs_of_another_head_are_no_labels),
        cmocka_unit_test(labels_of_any_length_join),
        cmocka_unit_test(tokens_without_named_labels_join_too),
        cmocka_unit_test(a_question_is_answered_out_of_its_context),
        cmocka_unit_test(the_class_token_takes_its_share_and_is_no_answer),
        cmocka_unit_test(an_answer_is_widened_to_whole_words),
        cmocka_unit_test(a_question_without_context_is_refused),
        cmocka_unit_test(a_text_longer_than_the_model_is_refused_or_cut),
        cmocka_unit_test(embeddings_have_the_limit_of_sentence_transformers),
        cmocka_unit_test(a_cancelled_request_is_not_tokenized),
        cmocka_unit_test(text_that_is_not_utf8_is_refused_at_its_byte),
        cmocka_unit_test(tasks_that_the_model_cannot_do_are_refused),
        cmocka_unit_test(outputs_of_another_shape_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
