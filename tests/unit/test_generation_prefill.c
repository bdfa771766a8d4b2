/* Prompts of one call that are read together, with the fixture plugin_reader, whose runs and rows are counted:
 * host/generation/generation_prefill.c, host/generation/generation_call.c. */
#include "reader_package.h"

enum { N = 8, MOST = 64 }; /* as many as the plugin has slots */

static const char with_mask[] = "{\"model_type\": \"reader\", \"mask\": 1}";

struct texts {
    int64_t ids[N][MOST];
    struct modelhost_prompt prompts[N];
};

/* N texts of so many tokens, no two of which begin alike. */
static void make_texts(struct texts *texts, const size_t *lengths)
{
    for (size_t i = 0; i < N; i++) {
        reader_text(texts->ids[i], MOST, i + 1);
        texts->ids[i][0] = (int64_t)i;
        texts->prompts[i] = reader_prompt(texts->ids[i], lengths[i]);
    }
}

static void open_reader(struct reader *r, const char *config, uint32_t prefill_chunk)
{
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    load.prefill_chunk = prefill_chunk;
    load.speculation = MODELHOST_SPECULATION_OFF;
    reader_open(r, config, &load);
}

/* Generates n_new tokens behind each, which must be right. */
static void generate(struct reader *r, const struct texts *texts, uint32_t n, int64_t n_new)
{
    const struct modelhost_generation generation = reader_greedy(n_new);
    r->n_runs = r->n_rows = 0;
    if (reader_generate(r, texts->prompts, n, &generation) != MODEL_OK)
        fail_msg("%s", r->err.message);
    for (uint32_t i = 0; i < n; i++)
        reader_expect(r, i, &texts->prompts[i], (size_t)n_new);
}

static void short_prompts_take_one_run(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 3, 8, 1, 20, 5, 8, 8};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, with_mask, 0);
    generate(&r, &texts, N, 1);
    assert_int_equal(r.n_runs, 1);
    assert_int_equal(r.n_rows, 61); /* and no padding */
    assert_int_equal(modelhost_result_timing(r.result).prompt_tokens, 61);
    assert_int_equal(modelhost_result_timing(r.result).cached_tokens, 0);
    reader_close(&r);
    open_reader(&r, with_mask, 0);
    generate(&r, &texts, N, 20);
    assert_int_equal(r.n_runs, 20);
    reader_close(&r);
}

static void without_a_mask_those_of_one_length_do(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 8, 8, 9, 9, 8, 8, 8};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, "{\"model_type\": \"reader\"}", 0);
    generate(&r, &texts, N, 1);
    assert_int_equal(r.n_runs, 3);
    reader_close(&r);
}

static void a_run_reads_no_more_than_a_piece(void **state)
{
    (void)state;
    static const size_t lengths[N] = {45, 8, 8, 8, 20, 20, 19, 1};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, with_mask, 20);
    generate(&r, &texts, N, 3);
    /* 20, 20, 5 + 8, 8 + 8, 20, 20, 19 + 1; then two steps */
    assert_int_equal(r.n_runs, 7 + 2);
    reader_close(&r);
}

/* Not every plugin spares itself the padding. */
static void a_long_prompt_takes_few_short_ones_along(void **state)
{
    (void)state;
    static const size_t lengths[N] = {40, 1, 1, 1, 1, 1, 1, 1};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, with_mask, 0);
    generate(&r, &texts, N, 1);
    assert_int_equal(r.n_runs, 2);
    generate(&r, &texts, 4, 1);
    assert_int_equal(r.n_runs, 1);
    reader_close(&r);
}

static void a_beginning_that_prompts_share_is_read_once(void **state)
{
    (void)state;
    static const size_t lengths[N] = {40, 41, 42, 40, 40, 40, 40, 40};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    for (size_t i = 1; i < N; i++)
        memcpy(texts.ids[i], texts.ids[0], 30 * sizeof *texts.ids[i]);
    for (size_t i = 0; i < N; i++)
        texts.ids[i][30] = (int64_t)i;
    open_reader(&r, with_mask, 0);
    generate(&r, &texts, N, 1);
    assert_int_equal(r.n_runs, 2);
    assert_int_equal(r.n_rows, 40 + 11 + 12 + 5 * 10);
    assert_int_equal(reader_cached(&r), 7 * 30);
    reader_close(&r);
}

static void equal_prompts_are_read_once(void **state)
{
    (void)state;
    static const size_t lengths[N] = {40, 40, 40, 40, 40, 40, 40, 40};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    for (size_t i = 1; i < N; i++)
        memcpy(texts.ids[i], texts.ids[0], sizeof texts.ids[i]);
    open_reader(&r, with_mask, 0);
    generate(&r, &texts, N, 4);
    assert_int_equal(r.n_rows, 40 + 7 + 3 * N);
    reader_close(&r);
}

static void a_word_that_prompts_share_is_not_waited_for(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 8, 8, 8, 8, 8, 8, 8};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    for (size_t i = 0; i < N; i++) {
        texts.ids[i][0] = 7;
        texts.ids[i][1] = (int64_t)i;
    }
    open_reader(&r, with_mask, 0);
    generate(&r, &texts, N, 1);
    assert_int_equal(r.n_runs, 1);
    reader_close(&r);
}

/* Such a memory goes on from a whole text only. */
static void a_memory_that_cannot_rewind_waits_for_whole_texts_only(void **state)
{
    (void)state;
    static const size_t lengths[N] = {12, 20, 20, 20, 20, 20, 20, 20};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, "{\"model_type\": \"reader\", \"mask\": 1, \"rewinds\": 0}", 0);
    generate(&r, &texts, 2, 1);
    generate(&r, &texts, 2, 1); /* and so is known not to rewind */
    for (size_t i = 1; i < N; i++)
        memcpy(texts.ids[i], texts.ids[i == 1 ? 0 : 1], (i == 1 ? 12u : 17u) * sizeof(int64_t));
    for (size_t i = 0; i < N; i++) {
        texts.ids[i][17] = (int64_t)i;
        texts.ids[i][1] = 33; /* unlike before */
    }
    generate(&r, &texts, N, 1);
    assert_int_equal(r.n_runs, 2);
    assert_int_equal(r.n_rows, 12 + 7 * 8); /* the 17 that texts share are not to be had */
    reader_close(&r);
}

static void what_was_read_for_earlier_calls_is_not_read_again(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 20, 20, 20, 20, 20, 20, 20};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, with_mask, 0);
    generate(&r, &texts, 4, 1);
    generate(&r, &texts, 4, 1); /* four texts are remembered */
    assert_int_equal(r.n_runs, 1);
    assert_int_equal(r.n_rows, 4);
    assert_int_equal(reader_cached(&r), 7 + 3 * 19);
    reader_close(&r);
}

static void several_answers_to_each_begin_with_its_prompt(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 3, 30};
    struct modelhost_generation generation = reader_greedy(5);
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, with_mask, 0);
    generation.do_sample = 1;
    generation.num_sequences = 2;
    generation.top_k = 1;
    assert_int_equal(reader_generate(&r, texts.prompts, 3, &generation), MODEL_OK);
    assert_int_equal(r.n_runs, 5);
    for (uint32_t i = 0; i < 6; i++)
        reader_expect(&r, i, &texts.prompts[i / 2], 5);
    reader_close(&r);
}

static void prompts_that_want_no_token_are_not_read(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 30, 9, 10, 11, 12, 3, 4};
    static const size_t n_new[N] = {2, 0, 1, 0, 0, 0, 7, 6};
    const struct modelhost_generation generation = reader_greedy(-1);
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, "{\"model_type\": \"reader\", \"mask\": 1, \"max_length\": 10}", 0);
    assert_int_equal(reader_generate(&r, texts.prompts, N, &generation), MODEL_OK);
    for (uint32_t i = 0; i < N; i++)
        reader_expect(&r, i, &texts.prompts[i], n_new[i]);
    assert_int_equal(modelhost_result_timing(r.result).prompt_tokens, 8 + 9 + 3 + 4);
    reader_close(&r);
}

static void more_prompts_than_slots_take_turns(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 3, 8, 1, 20, 5, 8, 8};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, "{\"model_type\": \"reader\", \"mask\": 1, \"slots\": 3}", 0);
    generate(&r, &texts, N, 2);
    assert_int_equal(r.n_runs, 3 * 2);
    reader_close(&r);
}

struct told {
    uint32_t n_first; /* tokens of the first prompt */
    uint32_t n_others;
};

static void count_token(void *context, const struct modelhost_token *token)
{
    struct told *told = context;
    told->n_first += token->prompt == 0;
    told->n_others += token->prompt != 0;
}

/* The run for both fails, as does that of the second one by itself: a token behind the first one has come by then. */
static void a_prompt_that_fails_fails_by_itself(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 30};
    struct modelhost_generation generation = reader_greedy(5);
    struct told told = {0};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    texts.ids[1][20] = 4096; /* not in the vocabulary */
    open_reader(&r, with_mask, 0);
    generation.on_token = count_token;
    generation.context = &told;
    assert_int_equal(reader_generate(&r, texts.prompts, 2, &generation), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(r.err.message, "reader: an id is not in the vocabulary"));
    assert_int_equal(told.n_first, 1);
    assert_int_equal(told.n_others, 0);
    generate(&r, &texts, 1, 5); /* and what is remembered of it is right */
    assert_int_equal(reader_cached(&r), 7);
    reader_close(&r);
}

static void a_run_that_fails_once_costs_no_text(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 30, 9, 10, 11, 12, 3, 4};
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, "{\"model_type\": \"reader\", \"mask\": 1, \"fails_at\": 25}", 0);
    generate(&r, &texts, N, 5);
    assert_int_equal(r.n_runs, 1 + N + 4);
    assert_int_equal(modelhost_result_timing(r.result).prompt_tokens, 87);
    assert_int_equal(reader_cached(&r), 0);
    reader_close(&r);
}

/* Only its own sentence says which one is too long, when its turn comes. */
static void a_prompt_beyond_the_context_joins_no_other(void **state)
{
    (void)state;
    static const size_t lengths[N] = {8, 8, 41, 8, 8, 8, 8, 8};
    struct modelhost_generation generation = reader_greedy(2);
    struct texts texts;
    struct reader r;
    make_texts(&texts, lengths);
    open_reader(&r, "{\"model_type\": \"reader\", \"mask\": 1, \"positions\": 40}", 0);
    assert_int_equal(reader_generate(&r, texts.prompts, N, &generation), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(r.err.message, "prompt 3 has 41 tokens"));
    generation.sliding_window = 1;
    assert_int_equal(reader_generate(&r, texts.prompts, N, &generation), MODEL_OK);
    for (uint32_t i = 0; i < N; i++)
        if (i != 2)
            reader_expect(&r, i, &texts.prompts[i], 2);
    reader_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_prompts_take_one_run),
        cmocka_unit_test(without_a_mask_those_of_one_length_do),
        cmocka_unit_test(a_run_reads_no_more_than_a_piece),
        cmocka_unit_test(a_long_prompt_takes_few_short_ones_along),
        cmocka_unit_test(a_beginning_that_prompts_share_is_read_once),
        cmocka_unit_test(equal_prompts_are_read_once),
        cmocka_unit_test(a_word_that_prompts_share_is_not_waited_for),
        cmocka_unit_test(a_memory_that_cannot_rewind_waits_for_whole_texts_only),
        cmocka_unit_test(what_was_read_for_earlier_calls_is_not_read_again),
        cmocka_unit_test(several_answers_to_each_begin_with_its_prompt),
        cmocka_unit_test(prompts_that_want_no_token_are_not_read),
        cmocka_unit_test(more_prompts_than_slots_take_turns),
        cmocka_unit_test(a_prompt_that_fails_fails_by_itself),
        cmocka_unit_test(a_run_that_fails_once_costs_no_text),
        cmocka_unit_test(a_prompt_beyond_the_context_joins_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
