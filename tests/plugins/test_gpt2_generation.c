/* test_gpt2_generation.c - greedy text of a real GPT-2 in every dtype: the same each time, beside others, with proposals and without
 * (host/generation/speculation.c), behind beginnings that were read before (host/hosted_instance.c) and in pieces
 * (host/generation/generation_reading.c), here and in a worker. */
#include "gpt2_text_harness.h"

static char *tokens_of(const json_node *answer)
{
    char *text = json_print(json_member(answer, "token_ids"), false);
    assert_non_null(text);
    return text;
}

/* The token ids behind a prompt, as text. */
static char *generate(struct modelhost_model *model, const struct ids *ids, int32_t speculation,
                      int64_t n_new, int64_t *ret_cached, double *n_accepted)
{
    const struct modelhost_prompt prompt = prompt_of(ids);
    json_node *answer = generate_all(model, &prompt, 1, speculation, n_new, ret_cached);
    char *text = tokens_of(json_first(answer));
    *n_accepted += json_number_or(json_path(answer, "[0].accepted_tokens"), 0);
    json_free(answer);
    return text;
}

static void append_text(struct ids *prompt, const char *json)
{
    json_node *ids = NULL;
    assert_int_equal(json_parse(json, strlen(json), "ids", &ids, &err), MODEL_OK);
    for (const json_node *id = json_first(ids); id != NULL; id = json_next(id)) {
        assert_true(prompt->n_ids < MAX_IDS);
        prompt->ids[prompt->n_ids++] = (int64_t)json_number_or(id, -1);
    }
    json_free(ids);
}

static void proposals_change_no_token(void **state)
{
    (void)state;
    char *dir = make_folder();
    struct modelhost *host = open_host(dir);
    for (int32_t dtype = MODELHOST_F32; dtype <= MODELHOST_INT4; dtype++) {
        struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
        options.dtype = dtype;
        options.prefix_cache = -1;
        struct modelhost_model *model = load(host, dir, &options);
        double n_accepted = 0;
        for (uint64_t seed = 0; seed < (dtype == MODELHOST_F32 ? 300 : 60); seed++) {
            const struct ids prompt = make_prompt(seed);
            char *plain =
                generate(model, &prompt, MODELHOST_SPECULATION_OFF, 100, NULL, &n_accepted);
            char *guessed =
                generate(model, &prompt, MODELHOST_SPECULATION_PROMPT, 100, NULL, &n_accepted);
            assert_string_equal(guessed, plain);
            free(plain);
            free(guessed);
        }
        assert_true(n_accepted > 100);
        modelhost_release(model);
    }
    modelhost_destroy(host);
    remove_folder(dir);
}

/* Each prompt behind the beginnings of others, and in pieces, as from a cold start. */
static void compare_with_cold(const char *dir, int32_t dtype, int32_t isolation,
                              uint32_t prefill_chunk)
{
    struct modelhost *host = open_host(dir);
    struct modelhost_load_options cold = MODELHOST_LOAD_OPTIONS_INIT, warm = cold;
    cold.dtype = warm.dtype = dtype;
    cold.prefix_cache = -1;
    cold.speculation = MODELHOST_SPECULATION_OFF;
    warm.isolation = isolation;
    warm.prefill_chunk = prefill_chunk;
    struct modelhost_model *models[] = {load(host, dir, &cold), load(host, dir, &warm)};
    int64_t n_cached = 0;
    double n_accepted = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct ids prompt = make_prompt(seed / 6 * 13 + 5);
        const struct ids end = make_prompt(seed + 1000);
        if (seed % 6 > 0) { /* another end */
            memcpy(prompt.ids + prompt.n_ids, end.ids, end.n_ids * sizeof *end.ids);
            prompt.n_ids += end.n_ids;
        }
        int64_t cached = 0;
        char *want = generate(models[0], &prompt, 0, 40, &cached, &n_accepted);
        assert_int_equal(cached, 0);
        char *found = generate(models[1], &prompt, 0, 40, &cached, &n_accepted);
        assert_string_equal(found, want);
        n_cached += cached;
        free(want);
        free(found);
    }
    assert_true(n_cached > 60);
    modelhost_release(models[0]);
    modelhost_release(models[1]);
    modelhost_destroy(host);
}

static void beginnings_that_were_read_before_change_no_token(void **state)
{
    (void)state;
    char *dir = make_folder();
    for (int32_t dtype = MODELHOST_F32; dtype <= MODELHOST_INT4; dtype++)
        compare_with_cold(dir, dtype, MODELHOST_INPROC, 0);
    compare_with_cold(dir, MODELHOST_INT8, MODELHOST_WORKER, 0);
    remove_folder(dir);
}

static void pieces_change_no_token(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 5, 6, 7, 16, 33, 64};
    char *dir = make_folder();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int32_t dtype = MODELHOST_F32; dtype <= MODELHOST_INT4; dtype++)
            compare_with_cold(dir, dtype, MODELHOST_INPROC, sizes[i]);
    remove_folder(dir);
}

/* Also where the plugin cuts a piece into groups of its own. */
static void long_pieces_change_no_token(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 510, 516, 600};
    char *dir = make_random(VOCABULARY + 3);
    struct modelhost *host = open_host(dir);
    for (int32_t dtype = MODELHOST_F32; dtype <= MODELHOST_INT4; dtype++) {
        struct modelhost_model *models[4];
        for (int i = 0; i < 4; i++) {
            struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
            options.dtype = dtype;
            options.prefix_cache = -1;
            options.prefill_chunk = sizes[i];
            models[i] = load(host, dir, &options);
        }
        for (size_t n_ids = 508; n_ids < 524; n_ids++) {
            struct ids prompt = make_prompt(n_ids);
            for (prompt.n_ids = 0; prompt.n_ids < n_ids; prompt.n_ids++)
                prompt.ids[prompt.n_ids] = (int64_t)(prompt.n_ids * prompt.n_ids % VOCABULARY);
            const double want = first_logprob(models[0], &prompt);
            for (int i = 1; i < 4; i++)
                assert_true(fabs(first_logprob(models[i], &prompt) - want) < 1e-4);
        }
        for (int i = 0; i < 4; i++)
            modelhost_release(models[i]);
    }
    modelhost_destroy(host);
    remove_folder(dir);
}

/* In every dtype: the same prompt again, its beginning, and the text that came of it as the next prompt. */
static void a_call_gives_the_same_text_each_time(void **state)
{
    (void)state;
    char *dir = make_folder();
    struct modelhost *host = open_host(dir);
    for (int32_t dtype = MODELHOST_F32; dtype <= MODELHOST_INT4; dtype++) {
        struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
        options.dtype = dtype;
        struct modelhost_model *model = load(host, dir, &options);
        options.prefix_cache = -1;
        struct modelhost_model *cold = load(host, dir, &options);
        int64_t n_cached = 0;
        for (uint64_t seed = 0; seed < 100; seed++) {
            struct ids prompt = make_prompt(seed);
            for (int turn = 0; turn < 3; turn++) {
                char *want = generate(cold, &prompt, 0, 24, NULL, &(double){0});
                for (int again = 0; again < 2; again++) {
                    int64_t cached = 0;
                    char *found = generate(model, &prompt, 0, 24, &cached, &(double){0});
                    assert_string_equal(found, want);
                    free(found);
                    n_cached += cached;
                }
                append_text(&prompt, want);
                free(want);
            }
        }
        assert_true(n_cached > 100 * 24);
        modelhost_release(model);
        modelhost_release(cold);
    }
    modelhost_destroy(host);
    remove_folder(dir);
}

/* What modelhost.h promises of calls of so many sequences, in every dtype. */
static void six_texts_of_a_call_are_those_of_six_calls(void **state)
{
    (void)state;
    enum { N = 6 };
    char *dir = make_folder();
    struct modelhost *host = open_host(dir);
    for (int32_t dtype = MODELHOST_F32; dtype <= MODELHOST_INT4; dtype++) {
        struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
        options.dtype = dtype;
        options.prefix_cache = -1;
        struct modelhost_model *model = load(host, dir, &options);
        for (uint64_t round = 0; round < 10; round++) {
            struct ids ids[N];
            struct modelhost_prompt prompts[N];
            for (uint64_t i = 0; i < N; i++) {
                ids[i] = make_prompt(round * N + i);
                prompts[i] = prompt_of(&ids[i]);
            }
            json_node *answer = generate_all(model, prompts, N, 0, 24, NULL);
            const json_node *text = json_first(answer);
            for (int i = 0; i < N; i++, text = json_next(text)) {
                char *together = tokens_of(text);
                char *alone = generate(model, &ids[i], 0, 24, NULL, &(double){0});
                assert_string_equal(together, alone);
                free(together);
                free(alone);
            }
            json_free(answer);
        }
        modelhost_release(model);
    }
    modelhost_destroy(host);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_change_no_token),
        cmocka_unit_test(beginnings_that_were_read_before_change_no_token),
        cmocka_unit_test(pieces_change_no_token),
        cmocka_unit_test(long_pieces_change_no_token),
        cmocka_unit_test(six_texts_of_a_call_are_those_of_six_calls),
        cmocka_unit_test(a_call_gives_the_same_text_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
