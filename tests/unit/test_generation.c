/* Generating with the fixture plugin_counter, whose tokens tell what was read: host/generation/generation.c,
 * host/generation/generation_steps.c, host/generation/generation_sequence.c, host/hosted_instance.c,
 * host/api_generate.c. */
#include "echo_package.h"
#include "json_view.h"

#include <math.h>

struct counting {
    struct modelhost *host;
    struct modelhost_model *model;
    struct modelhost_result *result;
    json_node *answer;
    char *dir;
    struct model_error err;
};

static struct counting open_counter(const char *config)
{
    struct counting c = {.dir = make_package("counter", config), .err.struct_size = sizeof c.err};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.store_dir = options.plugin_path = c.dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &c.host, &c.err) != MODEL_OK ||
        modelhost_load(c.host, c.dir, &c.model, &c.err) != MODEL_OK)
        fail_msg("%s", c.err.message);
    return c;
}

static void clear_answer(struct counting *c)
{
    json_free(c->answer);
    modelhost_result_destroy(c->result);
    c->answer = NULL;
    c->result = NULL;
}

static void close_counter(struct counting *c)
{
    clear_answer(c);
    modelhost_release(c->model);
    modelhost_destroy(c->host);
    remove_package(c->dir);
}

static struct modelhost_prompt prompt_of(const int64_t *ids, size_t n_ids)
{
    return (struct modelhost_prompt){
        .struct_size = sizeof(struct modelhost_prompt), .token_ids = ids, .n_token_ids = n_ids};
}

static model_status generate(struct counting *c, const struct modelhost_prompt *prompts,
                             uint32_t n_prompts, const struct modelhost_generation *generation)
{
    clear_answer(c);
    model_status status =
        modelhost_generate(c->model, prompts, n_prompts, generation, NULL, &c->result, &c->err);
    if (status == MODEL_OK) {
        const char *text = modelhost_result_json(c->result);
        assert_int_equal(json_parse(text, strlen(text), "the answer", &c->answer, NULL), MODEL_OK);
    }
    return status;
}

/* The token ids of answer `path` as text, "3 4 5". */
static void expect_ids(const struct counting *c, const char *path, const char *want)
{
    struct buffer text = BUFFER_INIT(4096);
    const json_node *id = json_first(json_path(c->answer, path));
    for (; id != NULL; id = json_next(id))
        (void)buffer_printf(&text, "%s%.0f", text.size > 0 ? " " : "", json_number_or(id, -1));
    assert_string_equal(text.data != NULL ? text.data : "", want);
    buffer_finish(&text);
}

static void expect_text(const struct counting *c, const char *path, const char *want)
{
    assert_string_equal(json_string_or(json_path(c->answer, path), "(none)"), want);
}

static struct modelhost_generation greedy(int64_t max_new_tokens)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    generation.do_sample = 0;
    generation.max_new_tokens = max_new_tokens;
    return generation;
}

static const int64_t zeros[64];

static void greedy_takes_the_most_probable_token_each_time(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    const struct modelhost_generation generation = greedy(5);
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    expect_ids(&c, "[0].prompt_token_ids", "0 0 0");
    expect_ids(&c, "[0].token_ids", "3 4 5 6 7");
    expect_text(&c, "[0].finish_reason", "length");
    close_counter(&c);
}

static void a_model_without_slots_generates_the_same(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"slots\": false}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    const struct modelhost_generation generation = greedy(5);
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    expect_ids(&c, "[0].token_ids", "3 4 5 6 7");
    close_counter(&c);
}

static void prompts_of_different_lengths_run_side_by_side(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const struct modelhost_prompt prompts[] = {prompt_of(zeros, 1), prompt_of(zeros, 7),
                                               prompt_of(zeros, 4), prompt_of(zeros, 2),
                                               prompt_of(zeros, 9)}; /* more than there are slots */
    const struct modelhost_generation generation = greedy(3);
    assert_int_equal(generate(&c, prompts, 5, &generation), MODEL_OK);
    expect_ids(&c, "[0].token_ids", "1 2 3");
    expect_ids(&c, "[1].token_ids", "7 8 9");
    expect_ids(&c, "[2].token_ids", "4 5 6");
    expect_ids(&c, "[3].token_ids", "2 3 4");
    expect_ids(&c, "[4].token_ids", "9 10 11");
    close_counter(&c);
}

static void the_end_of_text_token_ends_a_sequence(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"eos_token_id\": [15, 5]}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    struct modelhost_generation generation = greedy(9);
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    expect_ids(&c, "[0].token_ids", "3 4 5");
    expect_text(&c, "[0].finish_reason", "stop");
    generation.ignore_eos = 1;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    expect_ids(&c, "[0].token_ids", "3 4 5 6 7 8 9 10 11");
    const int64_t own_end[] = {8};
    generation.stop_token_ids = own_end;
    generation.n_stop_token_ids = 1;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    expect_ids(&c, "[0].token_ids", "3 4 5 6 7 8");
    close_counter(&c);
}

static void a_stop_token_id_outside_the_vocabulary_is_refused(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    struct modelhost_generation generation = greedy(9);
    const int64_t ends[] = {8, 999999};
    generation.stop_token_ids = ends;
    generation.n_stop_token_ids = 2;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_INVALID_ARGUMENT);
    assert_non_null(
        strstr(c.err.message, "stop token id 999999 is not in the vocabulary, want 0 to"));
    close_counter(&c);
}

static void what_was_read_of_an_earlier_prompt_is_not_read_again(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const int64_t conversation[] = {0, 0, 0, 3, 4, 1, 1};
    const struct modelhost_prompt first = prompt_of(conversation, 3);
    const struct modelhost_prompt longer = prompt_of(conversation, 7);
    const struct modelhost_generation generation = greedy(2);
    assert_int_equal(generate(&c, &first, 1, &generation), MODEL_OK);
    assert_int_equal(modelhost_result_timing(c.result).cached_tokens, 0);
    expect_ids(&c, "[0].token_ids", "3 4");
    assert_int_equal(generate(&c, &longer, 1, &generation), MODEL_OK);
    assert_int_equal(modelhost_result_timing(c.result).prompt_tokens, 7);
    assert_int_equal(modelhost_result_timing(c.result).cached_tokens, 4); /* 4 was not read yet */
    expect_ids(&c, "[0].token_ids", "7 8");
    assert_int_equal(generate(&c, &first, 1, &generation), MODEL_OK); /* a rewind */
    assert_int_equal(modelhost_result_timing(c.result).cached_tokens, 2);
    expect_ids(&c, "[0].token_ids", "3 4");
    close_counter(&c);
}

static void a_state_that_cannot_rewind_is_read_again(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"rewinds\": 0}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    struct modelhost_generation generation = greedy(3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
        assert_int_equal(modelhost_result_timing(c.result).cached_tokens, 0);
        expect_ids(&c, "[0].token_ids", "3 4 5");
    }
    close_counter(&c);
}

static void a_full_context_ends_a_sequence_and_says_so(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"positions\": 6}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 4);
    const struct modelhost_generation generation = greedy(9);
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    expect_ids(&c, "[0].token_ids", "4 5 6");
    expect_text(&c, "[0].finish_reason", "context");
    close_counter(&c);
}

static void a_sliding_window_goes_on_with_the_younger_half(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"positions\": 6}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 4);
    struct modelhost_generation generation = greedy(9);
    generation.sliding_window = 1;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    /* 4 tokens, then 5 and 6; the seventh makes it slide to the last 3. */
    expect_ids(&c, "[0].token_ids", "4 5 6 3 4 5 6 3 4");
    expect_text(&c, "[0].finish_reason", "length");
    close_counter(&c);
}

static void what_a_window_finds_read_is_not_counted_as_a_prompts(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"positions\": 6}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 6);
    struct modelhost_generation generation = greedy(3);
    generation.sliding_window = 1;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    assert_int_equal(modelhost_result_timing(c.result).prompt_tokens, 6);
    assert_int_equal(modelhost_result_timing(c.result).cached_tokens, 0);
    close_counter(&c);
}

static void a_model_without_slots_slides_by_one(void **state)
{
    (void)state;
    struct counting c =
        open_counter("{\"model_type\": \"counter\", \"slots\": false, \"positions\": 6}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 4);
    struct modelhost_generation generation = greedy(6);
    generation.sliding_window = 1;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    expect_ids(&c, "[0].token_ids", "4 5 6 6 6 6");
    close_counter(&c);
}

static void a_prompt_beyond_the_context_is_refused(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"positions\": 6}");
    const struct modelhost_prompt prompts[] = {prompt_of(zeros, 4), prompt_of(zeros, 7)};
    struct modelhost_generation generation = greedy(2);
    assert_int_equal(generate(&c, prompts, 2, &generation), MODEL_INVALID_ARGUMENT);
    assert_string_equal(c.err.message,
                        "prompt 2 has 7 tokens, the model looks back on at most 6; shorten it, or "
                        "let its oldest part go (sliding window)");
    generation.sliding_window = 1;
    assert_int_equal(generate(&c, prompts, 2, &generation), MODEL_OK);
    expect_ids(&c, "[1].token_ids", "3 4");
    close_counter(&c);
}

static void an_empty_prompt_begins_with_the_models_own_beginning(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"bos_token_id\": 0}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 0);
    const struct modelhost_generation generation = greedy(3);
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
    expect_ids(&c, "[0].prompt_token_ids", "0");
    expect_ids(&c, "[0].token_ids", "1 2 3");
    close_counter(&c);
    c = open_counter("{\"model_type\": \"counter\"}");
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_INVALID_ARGUMENT);
    assert_string_equal(c.err.message,
                        "prompt 1: no tokens, and the model names no bos_token_id to begin with");
    close_counter(&c);
}

static void unknown_ids_are_the_plugins_to_refuse(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const int64_t ids[] = {1, 99};
    const struct modelhost_prompt prompt = prompt_of(ids, 2);
    assert_int_equal(generate(&c, &prompt, 1, NULL), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(c.err.message, "counter: an id is not in the vocabulary"));
    close_counter(&c);
}

static void text_without_a_tokenizer_is_refused(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const struct modelhost_prompt prompt = {
        .struct_size = sizeof prompt, .text = "Once", .text_bytes = 4};
    assert_int_equal(generate(&c, &prompt, 1, NULL), MODEL_NOT_FOUND);
    assert_string_equal(c.err.message,
                        "prompt 1: the package has no tokenizer: give token ids instead of text");
    close_counter(&c);
}

static void logits_that_are_no_numbers_are_an_error(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"nan\": 1}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 2);
    assert_int_equal(generate(&c, &prompt, 1, NULL), MODEL_INTERNAL);
    assert_string_equal(c.err.message,
                        "the model's logits are not numbers: its weights may be broken (pkgmgr "
                        "verify), or overflow");
    close_counter(&c);
}

static void a_seed_decides_the_text(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"vocab_size\": 1000}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 2);
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    generation.max_new_tokens = 20;
    generation.temperature = 50; /* nearly all the same */
    generation.top_k = 0;
    char *texts[3];
    for (int i = 0; i < 3; i++) {
        generation.seed = i == 2 ? 8 : 7;
        assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_OK);
        texts[i] = text_format("%s", modelhost_result_json(c.result));
    }
    assert_string_equal(texts[0], texts[1]);
    assert_string_not_equal(texts[0], texts[2]);
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    close_counter(&c);
}

static void several_sequences_come_best_first(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const struct modelhost_prompt prompts[] = {prompt_of(zeros, 2), prompt_of(zeros, 5)};
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    generation.max_new_tokens = 4;
    generation.temperature = 3;
    generation.num_sequences = 6; /* more than there are slots */
    assert_int_equal(generate(&c, prompts, 2, &generation), MODEL_OK);
    assert_int_equal(json_count(c.answer), 12);
    double last = 0;
    size_t i = 0;
    for (const json_node *item = json_first(c.answer); item != NULL; item = json_next(item), i++) {
        const double logprob = json_number_or(json_member(item, "cumulative_logprob"), NAN);
        assert_true(logprob < 0 && (i % 6 == 0 || logprob <= last));
        assert_int_equal(json_count(json_member(item, "prompt_token_ids")), i < 6 ? 2 : 5);
        last = logprob;
    }
    generation.temperature = 0;
    assert_int_equal(generate(&c, prompts, 2, &generation), MODEL_INVALID_ARGUMENT);
    assert_string_equal(c.err.message,
                        "num_sequences is 6, but without sampling all would be the same: give a "
                        "temperature above 0, or 1 sequence");
    close_counter(&c);
}

struct told {
    struct buffer text;
    int n_ends;
};

static void note_token(void *context, const struct modelhost_token *token)
{
    struct told *told = context;
    (void)buffer_printf(&told->text, "%u:%lld ", token->prompt, (long long)token->token_id);
    told->n_ends += token->finish_reason != NULL;
    assert_null(token->text);
}

static void each_token_is_told_as_it_comes(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const struct modelhost_prompt prompts[] = {prompt_of(zeros, 1), prompt_of(zeros, 5)};
    struct told told = {.text = BUFFER_INIT(1000)};
    struct modelhost_generation generation = greedy(3);
    generation.on_token = note_token;
    generation.context = &told;
    assert_int_equal(generate(&c, prompts, 2, &generation), MODEL_OK);
    assert_string_equal(told.text.data, "0:1 1:5 0:2 1:6 0:3 1:7 ");
    assert_int_equal(told.n_ends, 2);
    buffer_finish(&told.text);
    close_counter(&c);
}

static void a_deadline_ends_it_and_nothing_is_told_afterwards(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\", \"wait_at\": 5}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct told told = {.text = BUFFER_INIT(1000)};
    struct modelhost_generation generation = greedy(9);
    generation.on_token = note_token;
    generation.context = &told;
    options.timeout_ms = 50;
    assert_int_equal(
        modelhost_generate(c.model, &prompt, 1, &generation, &options, &c.result, &c.err),
        MODEL_DEADLINE);
    assert_null(c.result);
    assert_int_equal(told.n_ends, 0);
    buffer_finish(&told.text);
    close_counter(&c);
}

static void numbers_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    generation.temperature = (double)NAN;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_INVALID_ARGUMENT);
    assert_string_equal(c.err.message, "temperature is nan, want a number from 0 to 100");
    generation = (struct modelhost_generation)MODELHOST_GENERATION_INIT;
    generation.top_p = 1.5;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_INVALID_ARGUMENT);
    assert_string_equal(c.err.message, "top_p is 1.5, want a number from 0 to 1");
    generation = (struct modelhost_generation)MODELHOST_GENERATION_INIT;
    generation.struct_size = 16;
    assert_int_equal(generate(&c, &prompt, 1, &generation), MODEL_INVALID_ARGUMENT);
    assert_int_equal(generate(&c, &prompt, 0, NULL), MODEL_INVALID_ARGUMENT);
    assert_string_equal(c.err.message, "0 prompts, want 1 to 1024");
    close_counter(&c);
}

static void a_session_is_refused(void **state)
{
    (void)state;
    struct counting c = open_counter("{\"model_type\": \"counter\"}");
    struct modelhost_session *session = NULL;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    assert_int_equal(modelhost_session_create(c.model, &session, &c.err), MODEL_OK);
    options.session = session;
    assert_int_equal(modelhost_generate(c.model, &prompt, 1, NULL, &options, &c.result, &c.err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(c.err.message,
                        "generating takes no session: give the whole text each time; what was read "
                        "of it before is not read again");
    modelhost_session_release(session);
    close_counter(&c);
}

static void a_model_of_another_kind_is_refused(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"model_type\": \"echo\"}", 0);
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_result *result = NULL;
    const struct modelhost_prompt prompt = prompt_of(zeros, 3);
    assert_int_equal(modelhost_generate(echo.model, &prompt, 1, NULL, NULL, &result, &err),
                     MODEL_UNSUPPORTED);
    assert_null(result);
    echo_close(&echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_most_probable_token_each_time),
        cmocka_unit_test(a_model_without_slots_generates_the_same),
        cmocka_unit_test(prompts_of_different_lengths_run_side_by_side),
        cmocka_unit_test(the_end_of_text_token_ends_a_sequence),
        cmocka_unit_test(a_stop_token_id_outside_the_vocabulary_is_refused),
        cmocka_unit_test(what_was_read_of_an_earlier_prompt_is_not_read_again),
        cmocka_unit_test(a_state_that_cannot_rewind_is_read_again),
        cmocka_unit_test(a_full_context_ends_a_sequence_and_says_so),
        cmocka_unit_test(a_sliding_window_goes_on_with_the_younger_half),
        cmocka_unit_test(what_a_window_finds_read_is_not_counted_as_a_prompts),
        cmocka_unit_test(a_model_without_slots_slides_by_one),
        cmocka_unit_test(a_prompt_beyond_the_context_is_refused),
        cmocka_unit_test(an_empty_prompt_begins_with_the_models_own_beginning),
        cmocka_unit_test(unknown_ids_are_the_plugins_to_refuse),
        cmocka_unit_test(text_without_a_tokenizer_is_refused),
        cmocka_unit_test(logits_that_are_no_numbers_are_an_error),
        cmocka_unit_test(a_seed_decides_the_text),
        cmocka_unit_test(several_sequences_come_best_first),
        cmocka_unit_test(each_token_is_told_as_it_comes),
        cmocka_unit_test(a_deadline_ends_it_and_nothing_is_told_afterwards),
        cmocka_unit_test(numbers_that_make_no_sense_are_refused),
        cmocka_unit_test(a_session_is_refused),
        cmocka_unit_test(a_model_of_another_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
