/* test_gpt2_generation.c - greedy text of a real GPT-2 in every dtype: the same with proposals and without
 * (host/generation/speculation.c), behind beginnings that were read before (host/hosted_instance.c) and in pieces
 * (host/generation/generation_reading.c), here and in a worker. */
#include "gpt2_reference_harness.h"
#include "harness_package.h"
#include "json_view.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

enum { MAX_IDS = 200, VOCABULARY = 50 };

static struct model_error err = {.struct_size = sizeof err};

/* The real model of SHARED, or a random one. */
static char *make_folder(void)
{
    char *path = harness_shared_file("real/capp-gpt2", "model.safetensors");
    struct gpt gpt = gpt_default;
    gpt.positions = 400;
    gpt.vocab = VOCABULARY + 3;
    gpt.hidden = 64;
    gpt.heads = 4;
    struct harness *h = gpt_create(&gpt);
    char *dir = harness_package("gpt2", h);
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

/* The token ids behind a prompt, as text. */
static char *generate(struct modelhost_model *model, const struct ids *ids, int32_t speculation,
                      int64_t n_new, int64_t *ret_cached, double *n_accepted)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    const struct modelhost_prompt prompt = {
        .struct_size = sizeof prompt, .token_ids = ids->ids, .n_token_ids = ids->n_ids};
    struct modelhost_result *result = NULL;
    json_node *answer = NULL;
    generation.do_sample = 0;
    generation.max_new_tokens = n_new;
    generation.ignore_eos = 1;
    generation.speculation = speculation;
    if (modelhost_generate(model, &prompt, 1, &generation, NULL, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    const char *json = modelhost_result_json(result);
    assert_int_equal(json_parse(json, strlen(json), "the answer", &answer, &err), MODEL_OK);
    char *text = tokens_of(json_first(answer));
    *n_accepted += json_number_or(json_path(answer, "[0].accepted_tokens"), 0);
    if (ret_cached != NULL)
        *ret_cached = modelhost_result_timing(result).cached_tokens;
    json_free(answer);
    modelhost_result_destroy(result);
    return text;
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
static void compare_with_cold(const char *dir, int32_t isolation, uint32_t prefill_chunk)
{
    struct modelhost *host = open_host(dir);
    struct modelhost_load_options cold = MODELHOST_LOAD_OPTIONS_INIT, warm = cold;
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
    compare_with_cold(dir, MODELHOST_INPROC, 0);
    compare_with_cold(dir, MODELHOST_WORKER, 0);
    remove_folder(dir);
}

static void pieces_change_no_token(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 5, 6, 7, 16, 33, 64};
    char *dir = make_folder();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        compare_with_cold(dir, MODELHOST_INPROC, sizes[i]);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_change_no_token),
        cmocka_unit_test(beginnings_that_were_read_before_change_no_token),
        cmocka_unit_test(pieces_change_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
