/* Greedy text with and without proposals, from the fixture plugin_reader, whose tokens tell what was read:
 * host/generation/generation_steps.c, host/generation/generation_call.c, host/generation/generation_run.c,
 * host/generation/generation_answer.c. */
#include "reader_package.h"

#define MAX_TEXT 60

/* Prompts one by one: the text is that of the rule. Returns how many tokens were accepted. */
static double check_prompts(struct reader *r, int32_t speculation, size_t n_prompts, size_t n_new)
{
    double n_accepted = 0;
    for (size_t i = 0; i < n_prompts; i++) {
        int64_t ids[MAX_TEXT];
        const size_t n_ids = 1 + i * 7 % MAX_TEXT;
        reader_text(ids, n_ids, i);
        const struct modelhost_prompt prompt = reader_prompt(ids, n_ids);
        struct modelhost_generation generation = reader_greedy((int64_t)n_new);
        generation.speculation = speculation;
        if (reader_generate(r, &prompt, 1, &generation) != MODEL_OK)
            fail_msg("%s", r->err.message);
        reader_expect(r, 0, &prompt, n_new);
        assert_string_equal(json_string_or(json_path(r->answer, "[0].finish_reason"), ""),
                            "length");
        n_accepted += reader_number(r, "[0].accepted_tokens");
        assert_true(reader_number(r, "[0].accepted_tokens") <=
                    reader_number(r, "[0].proposed_tokens"));
    }
    return n_accepted;
}

static void proposals_change_no_token_of_a_text(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    assert_true(check_prompts(&r, MODELHOST_SPECULATION_PROMPT, 200, 60) > 2000);
    const uint32_t n_runs = r.n_runs;
    assert_true(check_prompts(&r, MODELHOST_SPECULATION_OFF, 200, 60) == 0);
    assert_true(r.n_runs - n_runs == 200 * 60); /* a prompt, or a token, a run */
    assert_true(n_runs < 200 * 40);
    reader_close(&r);
}

static void logits_that_depend_on_how_they_are_read_change_none_either(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\", \"near\": 3}", NULL);
    struct modelhost_generation generation = reader_greedy(4);
    int64_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const struct modelhost_prompt prompt = reader_prompt(ids, 9);
    assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_OK);
    /* The prompt itself is read at once, so that its next token may be the other one: begin with one id. */
    double n_accepted = 0;
    for (int64_t id = 0; id < READER_VOCABULARY; id++) {
        const struct modelhost_prompt one = reader_prompt(&id, 1);
        generation = reader_greedy(80);
        if (reader_generate(&r, &one, 1, &generation) != MODEL_OK)
            fail_msg("%s", r.err.message);
        reader_expect(&r, 0, &one, 80);
        n_accepted += reader_number(&r, "[0].accepted_tokens");
    }
    assert_true(n_accepted > 100);
    reader_close(&r);
}

static void several_sequences_have_their_own_text(void **state)
{
    (void)state;
    int64_t ids[6][20];
    struct modelhost_prompt prompts[6];
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\", \"slots\": 4}", NULL);
    for (size_t i = 0; i < 6; i++) {
        reader_text(ids[i], 20, i);
        prompts[i] = reader_prompt(ids[i], 20 - i);
    }
    const struct modelhost_generation generation = reader_greedy(50);
    if (reader_generate(&r, prompts, 6, &generation) != MODEL_OK)
        fail_msg("%s", r.err.message);
    for (uint32_t i = 0; i < 6; i++)
        reader_expect(&r, i, &prompts[i], 50);
    reader_close(&r);
}

static void a_token_that_ends_the_text_ends_it_in_a_proposal_too(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    for (int64_t seed = 0; seed < 40; seed++) {
        int64_t text[200];
        size_t n_text = 10;
        reader_text(text, n_text, (uint64_t)seed);
        const struct modelhost_prompt prompt = reader_prompt(text, 10);
        for (; n_text < 60; n_text++)
            text[n_text] = reader_next(text, n_text);
        const int64_t end = text[40 + seed % 15]; /* the first one may be earlier */
        size_t n_new = 0;
        while (text[10 + n_new++] != end)
            continue;
        struct modelhost_generation generation = reader_greedy(50);
        generation.stop_token_ids = &end;
        generation.n_stop_token_ids = 1;
        assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_OK);
        reader_expect(&r, 0, &prompt, n_new);
        assert_string_equal(json_string_or(json_path(r.answer, "[0].finish_reason"), ""), "stop");
        /* What the slot keeps is the text and nothing that was proposed: it goes on right. */
        struct modelhost_generation longer = reader_greedy(5);
        const struct modelhost_prompt rest = reader_prompt(text, 10 + n_new);
        assert_int_equal(reader_generate(&r, &rest, 1, &longer), MODEL_OK);
        assert_int_equal(reader_cached(&r), 10 + (int64_t)n_new - 1);
        reader_expect(&r, 0, &rest, 5);
    }
    reader_close(&r);
}

static void nothing_is_proposed_beyond_the_context(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\", \"positions\": 64}", NULL);
    for (size_t n_ids = 55; n_ids <= 64; n_ids++) {
        int64_t ids[64];
        for (size_t i = 0; i < n_ids; i++)
            ids[i] = (int64_t)(i % READER_PERIOD);
        const struct modelhost_prompt prompt = reader_prompt(ids, n_ids);
        const struct modelhost_generation generation = reader_greedy(50);
        assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_OK);
        assert_string_equal(json_string_or(json_path(r.answer, "[0].finish_reason"), ""),
                            "context");
        reader_expect(&r, 0, &prompt, 64 - n_ids + 1);
    }
    reader_close(&r);
}

/* What the rule says of a window that forgets its older half when it is full. */
static size_t slide(int64_t *text, size_t n_text, size_t max, size_t n_new)
{
    size_t first = 0;
    for (size_t end = n_text + n_new; n_text < end; n_text++) {
        if (n_text - first > max)
            first = n_text - max / 2;
        text[n_text] = reader_next(text + first, n_text - first);
    }
    return n_text;
}

static void a_window_that_slides_says_the_same(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\", \"positions\": 40}", NULL);
    for (int32_t speculation = 1; speculation <= 2; speculation++) {
        int64_t text[400];
        reader_text(text, 30, 3);
        const struct modelhost_prompt prompt = reader_prompt(text, 30);
        struct modelhost_generation generation = reader_greedy(300);
        generation.sliding_window = 1;
        generation.speculation = speculation;
        assert_int_equal(slide(text, 30, 40, 300), 330);
        assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_OK);
        const json_node *id = json_first(json_path(r.answer, "[0].token_ids"));
        for (size_t i = 30; i < 330; i++, id = json_next(id))
            assert_int_equal((int64_t)json_number_or(id, -1), text[i]);
        assert_null(id);
    }
    reader_close(&r);
}

static void a_memory_that_cannot_rewind_is_not_speculated_with(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\", \"rewinds\": 0}", NULL);
    assert_true(check_prompts(&r, MODELHOST_SPECULATION_PROMPT, 40, 60) == 0);
    assert_int_equal(r.n_runs, 40 * 60);
    reader_close(&r);
}

static void a_memory_of_one_slot_finds_out_by_itself(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\", \"rewinds\": 0, \"slots\": 1}", NULL);
    (void)check_prompts(&r, MODELHOST_SPECULATION_PROMPT, 20, 60);
    assert_true(check_prompts(&r, MODELHOST_SPECULATION_PROMPT, 40, 60) == 0);
    reader_close(&r);
    reader_open(&r, "{\"model_type\": \"reader\", \"slots\": 1}", NULL);
    assert_true(check_prompts(&r, MODELHOST_SPECULATION_PROMPT, 40, 60) > 100);
    reader_close(&r);
}

static void without_slots_there_are_no_proposals(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\", \"slots\": 0}", NULL);
    assert_true(check_prompts(&r, MODELHOST_SPECULATION_PROMPT, 20, 60) == 0);
    reader_close(&r);
}

static void penalties_are_applied_without_proposals(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    int64_t ids[30];
    reader_text(ids, 30, 1);
    const struct modelhost_prompt prompt = reader_prompt(ids, 30);
    for (int i = 0; i < 3; i++) {
        struct modelhost_generation generation = reader_greedy(40);
        const uint32_t n_runs = r.n_runs;
        generation.repetition_penalty = i == 0 ? 1.1 : 1;
        generation.presence_penalty = i == 1 ? 0.1 : 0;
        generation.frequency_penalty = i == 2 ? 0.1 : 0;
        assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_OK);
        assert_int_equal(r.n_runs - n_runs, 40);
        assert_null(json_path(r.answer, "[0].proposed_tokens"));
    }
    reader_close(&r);
}

static void sampling_draws_without_proposals(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    int64_t ids[30];
    reader_text(ids, 30, 1);
    const struct modelhost_prompt prompt = reader_prompt(ids, 30);
    struct modelhost_generation generation = reader_greedy(40);
    generation.do_sample = 1;
    generation.top_k = 2;
    generation.speculation = MODELHOST_SPECULATION_PROMPT;
    const uint32_t n_runs = r.n_runs;
    assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_OK);
    assert_int_equal(r.n_runs - n_runs, 40);
    assert_null(json_path(r.answer, "[0].proposed_tokens"));
    reader_close(&r);
}

static void the_call_says_it_before_the_model(void **state)
{
    (void)state;
    struct reader r;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    load.speculation = MODELHOST_SPECULATION_OFF;
    reader_open(&r, "{\"model_type\": \"reader\"}", &load);
    assert_true(check_prompts(&r, MODELHOST_SPECULATION_DEFAULT, 10, 60) == 0);
    assert_true(check_prompts(&r, MODELHOST_SPECULATION_PROMPT, 10, 60) > 0);
    struct modelhost_generation generation = reader_greedy(2);
    const int64_t id = 1;
    const struct modelhost_prompt prompt = reader_prompt(&id, 1);
    generation.speculation = 3;
    assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_INVALID_ARGUMENT);
    assert_string_equal(r.err.message,
                        "speculation is 3, want 0 (the model's), 1 (off) or 2 (prompt lookup)");
    generation.struct_size =
        offsetof(struct modelhost_generation, speculation); /* an older caller */
    assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_OK);
    reader_close(&r);
}

static void what_was_proposed_is_counted(void **state)
{
    (void)state;
    struct reader r;
    struct modelhost_metrics *metrics = NULL;
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    const int64_t ids[] = {1, 2, 3, 4, 5, 1, 2, 3, 4, 5};
    const struct modelhost_prompt prompt = reader_prompt(ids, 10);
    const struct modelhost_generation generation = reader_greedy(40);
    char accepted[80], rejected[80];
    assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_OK);
    const double n_accepted = reader_number(&r, "[0].accepted_tokens");
    const double n_rejected = reader_number(&r, "[0].proposed_tokens") - n_accepted;
    assert_true(n_accepted > 0);
    assert_int_equal(modelhost_metrics_read(r.host, &metrics, &r.err), MODEL_OK);
    const char *text = modelhost_metrics_text(metrics);
    (void)snprintf(accepted, sizeof accepted, "outcome=\"accepted\"} %.0f\n", n_accepted);
    (void)snprintf(rejected, sizeof rejected, "outcome=\"rejected\"} %.0f\n", n_rejected);
    assert_non_null(strstr(strstr(text, "\nmodelhost_proposed_tokens_total{"), accepted));
    assert_non_null(strstr(strstr(text, "\nmodelhost_proposed_tokens_total{"), rejected));
    assert_non_null(
        strstr(strstr(text, "\nmodelhost_prompt_tokens_total{"), "source=\"cached\"} 0\n"));
    assert_non_null(
        strstr(strstr(text, "\nmodelhost_prompt_tokens_total{"), "source=\"read\"} 10\n"));
    modelhost_metrics_destroy(metrics);
    reader_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_change_no_token_of_a_text),
        cmocka_unit_test(logits_that_depend_on_how_they_are_read_change_none_either),
        cmocka_unit_test(several_sequences_have_their_own_text),
        cmocka_unit_test(a_token_that_ends_the_text_ends_it_in_a_proposal_too),
        cmocka_unit_test(nothing_is_proposed_beyond_the_context),
        cmocka_unit_test(a_window_that_slides_says_the_same),
        cmocka_unit_test(a_memory_that_cannot_rewind_is_not_speculated_with),
        cmocka_unit_test(a_memory_of_one_slot_finds_out_by_itself),
        cmocka_unit_test(without_slots_there_are_no_proposals),
        cmocka_unit_test(penalties_are_applied_without_proposals),
        cmocka_unit_test(sampling_draws_without_proposals),
        cmocka_unit_test(the_call_says_it_before_the_model),
        cmocka_unit_test(what_was_proposed_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
