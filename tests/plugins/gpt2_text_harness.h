/* gpt2_text_harness.h - a real or a random GPT-2 that says greedy text, for tests of what must not change it. */
#ifndef GPT2_TEXT_HARNESS_H
#define GPT2_TEXT_HARNESS_H

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

static inline char *make_random(int64_t vocab)
{
    struct gpt gpt = gpt_default;
    gpt.positions = 700;
    gpt.vocab = vocab;
    gpt.hidden = 64;
    gpt.heads = 4;
    return harness_package("gpt2", gpt_create(&gpt));
}

/* The real model of SHARED, or a random one. */
static inline char *make_folder(void)
{
    char *path = harness_shared_file("real/capp-gpt2", "model.safetensors");
    char *dir = make_random(VOCABULARY + 3);
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
static inline struct ids make_prompt(uint64_t seed)
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

static inline struct modelhost_prompt prompt_of(const struct ids *ids)
{
    return (struct modelhost_prompt){.struct_size = sizeof(struct modelhost_prompt),
                                     .token_ids = ids->ids,
                                     .n_token_ids = ids->n_ids};
}

/* The answer to prompts(n), to be freed. */
static inline json_node *generate_all(struct modelhost_model *model,
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

/* What rounding moves long before it moves a token. */
static inline double first_logprob(struct modelhost_model *model, const struct ids *ids)
{
    const struct modelhost_prompt prompt = prompt_of(ids);
    json_node *answer = generate_all(model, &prompt, 1, MODELHOST_SPECULATION_OFF, 1, NULL);
    const double logprob = json_number_or(json_path(answer, "[0].cumulative_logprob"), NAN);
    assert_true(logprob < 0);
    json_free(answer);
    return logprob;
}

static inline struct modelhost *open_host(const char *dir)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return host;
}

static inline struct modelhost_model *load(struct modelhost *host, const char *dir,
                                           const struct modelhost_load_options *options)
{
    struct modelhost_model *model = NULL;
    if (modelhost_load_with(host, dir, options, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

static inline void remove_folder(char *dir)
{
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

#endif
