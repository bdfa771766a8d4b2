/* reader_package.h - a host with the fixture plugin_reader in it, and what it must say: the next token by its rule, from
 * the whole text. What it logs is kept. */
#ifndef READER_PACKAGE_H
#define READER_PACKAGE_H

#include "echo_package.h"
#include "errors.h"
#include "json_view.h"

#include <uv.h>

enum { READER_VOCABULARY = 50, READER_PERIOD = 5, READER_BREAKS = 7 };

struct reader {
    struct modelhost *host;
    struct modelhost_model *model;
    struct modelhost_result *result;
    json_node *answer;
    char *dir;
    struct model_error err;
    uv_mutex_t mutex; /* guards what follows */
    uint32_t n_runs, n_rows, n_instances;
};

static inline void reader_log(void *context, int32_t level, const char *message)
{
    struct reader *reader = context;
    const char *said = strstr(message, "reader: ");
    (void)level;
    uv_mutex_lock(&reader->mutex);
    if (said != NULL && strstr(said, "an instance") != NULL)
        reader->n_instances++;
    else if (said != NULL) {
        reader->n_runs++;
        reader->n_rows += (uint32_t)strtoul(said + strlen("reader: "), NULL, 10);
    }
    uv_mutex_unlock(&reader->mutex);
}

/* `load` NULL: the defaults. */
static inline void reader_open_on(uint32_t lanes, struct reader *reader, const char *config,
                                  const struct modelhost_load_options *load)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    *reader = (struct reader){.dir = make_package("reader", config),
                              .err.struct_size = sizeof reader->err};
    assert_int_equal(uv_mutex_init(&reader->mutex), 0);
    options.store_dir = options.plugin_path = reader->dir;
    options.lanes = lanes;
    options.threads = 1;
    options.log = reader_log;
    options.log_context = reader;
    if (modelhost_create(&options, &reader->host, &reader->err) != MODEL_OK ||
        modelhost_load_with(reader->host, reader->dir, load, &reader->model, &reader->err) !=
            MODEL_OK)
        fail_msg("%s", reader->err.message);
}

static inline void reader_open(struct reader *reader, const char *config,
                               const struct modelhost_load_options *load)
{
    reader_open_on(1, reader, config, load);
}

static inline void reader_clear(struct reader *reader)
{
    json_free(reader->answer);
    modelhost_result_destroy(reader->result);
    reader->answer = NULL;
    reader->result = NULL;
}

static inline void reader_close(struct reader *reader)
{
    reader_clear(reader);
    modelhost_release(reader->model);
    modelhost_destroy(reader->host);
    remove_package(reader->dir);
    uv_mutex_destroy(&reader->mutex);
}

static inline struct modelhost_prompt reader_prompt(const int64_t *ids, size_t n_ids)
{
    return (struct modelhost_prompt){
        .struct_size = sizeof(struct modelhost_prompt), .token_ids = ids, .n_token_ids = n_ids};
}

static inline struct modelhost_generation reader_greedy(int64_t max_new_tokens)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    generation.do_sample = 0;
    generation.max_new_tokens = max_new_tokens;
    return generation;
}

static inline model_status reader_generate(struct reader *reader,
                                           const struct modelhost_prompt *prompts,
                                           uint32_t n_prompts,
                                           const struct modelhost_generation *generation)
{
    reader_clear(reader);
    model_status status = modelhost_generate(reader->model, prompts, n_prompts, generation, NULL,
                                             &reader->result, &reader->err);
    if (status == MODEL_OK) {
        const char *text = modelhost_result_json(reader->result);
        assert_int_equal(json_parse(text, strlen(text), "the answer", &reader->answer, NULL),
                         MODEL_OK);
    }
    return status;
}

/* The plugin's rule, for a vocabulary of 50, periods of 5 and breaks of 7. */
static inline int64_t reader_next(const int64_t *ids, size_t n)
{
    uint64_t digest = 1469598103934665603u;
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ (uint64_t)ids[i]) * 1099511628211u;
    digest ^= digest >> 29;
    if (n < READER_PERIOD || digest % READER_BREAKS == 0)
        return (int64_t)(digest >> 16) % READER_VOCABULARY;
    return ids[n - READER_PERIOD];
}

/* Fails unless answer `index` goes on as the rule says, for n tokens. */
static inline void reader_expect(const struct reader *reader, uint32_t index,
                                 const struct modelhost_prompt *prompt, size_t n)
{
    int64_t ids[8192];
    size_t n_ids = prompt->n_token_ids;
    char path[40];
    (void)snprintf(path, sizeof path, "[%u].token_ids", index);
    const json_node *id = json_first(json_path(reader->answer, path));
    assert_true(n_ids + n <= 8192);
    memcpy(ids, prompt->token_ids, n_ids * sizeof *ids);
    for (size_t i = 0; i < n; i++, id = json_next(id)) {
        assert_non_null(id);
        const int64_t want = reader_next(ids, n_ids);
        if (json_number_or(id, -1) != (double)want)
            fail_msg("token %zu is %.0f, want %lld", i, json_number_or(id, -1), (long long)want);
        ids[n_ids++] = want;
    }
    assert_null(id);
}

static inline double reader_number(const struct reader *reader, const char *path)
{
    return json_number_or(json_path(reader->answer, path), 0);
}

static inline int64_t reader_cached(const struct reader *reader)
{
    return modelhost_result_timing(reader->result).cached_tokens;
}

/* n ids that tell texts with different seeds apart. */
static inline void reader_text(int64_t *ids, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        ids[i] = (int64_t)(seed >> 40) % READER_VOCABULARY;
    }
}

#endif
