/* test_gpt2_generation.c - greedy text of a real GPT-2 in every dtype: the same each time, beside others, with proposals and without
 * (host/generation/speculation.c), behind beginnings that were read before (host/hosted_instance.c) and in pieces
 * (host/generation/generation_reading.c), here and in a worker. */
#include "gpt2_reference_harness.h"
#include "harness_package.h"
#include "json_view.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>

enum { MAX_IDS = 600, VOCABULARY = 50 };

static struct model_error err = {.struct_size = sizeof err};

static char *make_random(void)
{
    struct gpt gpt = gpt_default;
    gpt.positions = 700;
    gpt.vocab = VOCABULARY + 3;
    gpt.hidden = 64;
    gpt.heads = 4;
    return harness_package("gpt2", gpt_create(&gpt));
}

/* The real model of SHARED, or a random one. */
static char *make_folder(void)
{
    char *path = harness_shared_file("real/capp-gpt2", "model.safetensors");
    char *dir = make_random();
    if (path == NULL)
        return dir;
    char *config = harness_shared_file("real/capp-gpt2", "config.json");
    static const char *const names[] = {"model.safetensors", "config.json"};
    const char *const targets[] = {path, config};
    for (int i = 0; i < 2; i++) {
        char *backend = path_join(dir, "backends/cpu"), *file = path_join(backend, names[i]);
        char *target = realpath(targets[i], NULL);
        assert_non_null(target);
        assert_int_equal(unlink(file), 0);
        assert_int_equal(symlink(target, file), 0);
        free(target);
        free(backend);
        free(file);
    }
    free(path);
    free(config);
    return dir;
}

struct ids {
    int64_t ids[MAX_IDS];
    size_t n_ids;
};

/* Texts that repeat themselves, and texts that do not. */
static struct ids make_prompt(uint64_t seed)
{
    struct ids prompt = {.n_ids = 1 + seed * 13 % 80};
    const size_t period = 2 + seed % 17;
    for (size_t i = 0; i < prompt.n_ids; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        prompt.ids[i] = i < period || period % 2 == 0 ? (int64_t)(seed >> 40) % VOCABULARY
                                                      : prompt.ids[i - period];
    }
    return prompt;
}

static char *tokens_of(const json_node *answer)
{
    char *text = json_print(json_member(answer, "token_ids"), false);
    assert_non_null(text);
    return text;
}

/* The answer to prompts(n), to be freed. */
static json_node *generate_all(struct modelhost_model *model,
                               const struct modelhost_prompt *prompts, uint32_t n,
                               int32_t speculation, int64_t n_new, int64_t *ret_cached)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    struct modelhost_result *result = NULL;
    json_node *answer = NULL;
    generation.do_sample = 0;
    generation.max_new_tokens = n_new;
    generation.ignore_eos = generation.logprobs = 1;
    generation.speculation = speculation;
    if (modelhost_generate(model, prompts, n, &generation, NULL, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    const char *json = modelhost_result_json(result);
    assert_int_equal(json_parse(json, strlen(json), "the answer", &answer, &err), MODEL_OK);
    if (ret_cached != NULL)
        *ret_cached = modelhost_result_timing(result).cached_tokens;
    modelhost_result_destroy(result);
    return answer;
}

/* The token ids behind a prompt, as text. */
static char *generate(struct modelhost_model *model, const struct ids *ids, int32_t speculation,
                      int64_t n_new, int64_t *ret_cached, double *n_accepted)
{
    const struct modelhost_prompt prompt = {
        .struct_size = sizeof prompt, .token_ids = ids->ids, .n_token_ids = ids->n_ids};
    json_node *answer = generate_all(model, &prompt, 1, speculation, n_new, ret_cached);
    char *text = tokens_of(json_first(answer));
    *n_accepted += json_number_or(json_path(answer, "[0].accepted_tokens"), 0);
    json_free(answer);
    return text;
}

/* What rounding moves long before it moves a token. */
static double first_logprob(struct modelhost_model *model, const struct ids *ids)
{
    const struct modelhost_prompt prompt = {
        .struct_size = sizeof prompt, .token_ids = ids->ids, .n_token_ids = ids->n_ids};
    json_node *answer = generate_all(model, &prompt, 1, MODELHOST_SPECULATION_OFF, 1, NULL);
    const double logprob = json_number_or(json_path(answer, "[0].cumulative_logprob"), NAN);
    assert_true(logprob < 0);
    json_free(answer);
    return logprob;
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

static struct modelhost *open_host(const char *dir)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return host;
}

static struct modelhost_model *load(struct modelhost *host, const char *dir,
                                    const struct modelhost_load_options *options)
{
    struct modelhost_model *model = NULL;
    if (modelhost_load_with(host, dir, options, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

static void remove_folder(char *dir)
{
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
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
    char *dir = make_random();
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
                prompts[i] = (struct modelhost_prompt){.struct_size = sizeof prompts[i],
                                                       .token_ids = ids[i].ids,
                                                       .n_token_ids = ids[i].n_ids};
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
