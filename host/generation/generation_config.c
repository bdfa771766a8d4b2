/* generation_config.c - see generation_config.h. Fields and defaults are those of transformers'
 * GenerationConfig. [any-thread] */
#include "generation_config.h"
#include "errors.h"
#include "package_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONFIG_BYTES       (1u << 20)
#define DEFAULT_MAX_NEW_TOKENS 128
#define DEFAULT_TOP_K          50
#define MAX_NEW_TOKENS         (1 << 24)
#define MAX_SEQUENCES          64
#define MAX_TOP_LOGPROBS       1000

struct reader {
    const json_node *tree;
    const char *what;
    struct model_error *err;
    model_status status; /* of the first error */
};

static void refuse(struct reader *reader, const char *name, const char *wanted)
{
    if (reader->status == MODEL_OK)
        reader->status =
            error_set(reader->err, MODEL_CORRUPT, "%s: '%s' is not %s", reader->what, name, wanted);
}

static double read_number(struct reader *reader, const char *name, double fallback)
{
    const json_node *node = json_member(reader->tree, name);
    if (json_is_null(node))
        return fallback;
    if (!json_is_number(node))
        refuse(reader, name, "a number");
    return json_number_or(node, fallback);
}

static int64_t read_integer(struct reader *reader, const char *name, int64_t fallback)
{
    const json_node *node = json_member(reader->tree, name);
    int64_t value = fallback;
    if (!json_is_null(node) && !json_integer(node, -1, INT32_MAX, &value))
        refuse(reader, name, "a whole number from -1 to 2147483647");
    return value;
}

/* Absent is transformers' default; null turns the filter off. */
static int64_t read_top_k(struct reader *reader)
{
    const json_node *node = json_member(reader->tree, "top_k");
    return read_integer(reader, "top_k", node == NULL ? DEFAULT_TOP_K : 0);
}

static bool read_bool(struct reader *reader, const char *name, bool fallback)
{
    const json_node *node = json_member(reader->tree, name);
    if (!json_is_null(node) && !json_is_bool(node))
        refuse(reader, name, "true or false");
    return json_bool_or(node, fallback);
}

/* A number, or an array of numbers. */
static void read_eos(struct reader *reader, struct generation_config *ret)
{
    const json_node *node = json_member(reader->tree, "eos_token_id");
    const json_node *item = json_is_array(node) ? json_first(node) : node;
    if (json_is_null(node))
        return;
    for (; item != NULL; item = json_is_array(node) ? json_next(item) : NULL) {
        int64_t id = 0;
        if (ret->n_eos == GENERATION_MAX_EOS || !json_integer(item, -1, INT32_MAX, &id)) {
            refuse(reader, "eos_token_id", "a token id, or an array of at most 32");
            return;
        }
        ret->eos_token_ids[ret->n_eos++] = id;
    }
}

/* A string, or an array of strings. */
static void read_stops(struct reader *reader, struct generation_config *ret)
{
    const json_node *node = json_member(reader->tree, "stop_strings");
    const json_node *item = json_is_array(node) ? json_first(node) : node;
    if (json_is_null(node))
        return;
    for (; item != NULL; item = json_is_array(node) ? json_next(item) : NULL) {
        const char *text = json_string_or(item, "");
        const size_t bytes = strlen(text);
        if (ret->n_stop_strings == GENERATION_MAX_STOPS || bytes == 0 ||
            bytes > GENERATION_MAX_STOP_BYTES) {
            refuse(reader, "stop_strings", "a text of 1 to 128 bytes, or an array of at most 16");
            return;
        }
        memcpy(ret->stop_strings[ret->n_stop_strings++], text, bytes + 1);
    }
}

/* ---- what is not computed */

static bool is_neutral(const json_node *node, double neutral)
{
    if (json_is_null(node) || (json_is_number(node) && json_number_or(node, 0) == neutral))
        return true;
    if (json_is_bool(node))
        return !json_bool_or(node, false);
    return (json_is_array(node) || json_is_object(node)) && json_count(node) == 0;
}

/* Fields that change the text. Those that only say how it is computed, or matter to beams alone, pass. */
static void refuse_unsupported(struct reader *reader)
{
    static const struct {
        const char *name;
        double neutral;
    } fields[] = {{"num_beams", 1},
                  {"num_beam_groups", 1},
                  {"num_return_sequences", 1},
                  {"diversity_penalty", 0},
                  {"constraints", 0},
                  {"force_words_ids", 0},
                  {"bad_words_ids", 0},
                  {"suppress_tokens", 0},
                  {"begin_suppress_tokens", 0},
                  {"sequence_bias", 0},
                  {"forced_bos_token_id", -1},
                  {"forced_eos_token_id", -1},
                  {"forced_decoder_ids", 0},
                  {"exponential_decay_length_penalty", 0},
                  {"min_length", 0},
                  {"min_new_tokens", 0},
                  {"max_time", -1},
                  {"no_repeat_ngram_size", 0},
                  {"encoder_no_repeat_ngram_size", 0},
                  {"encoder_repetition_penalty", 1},
                  {"penalty_alpha", 0},
                  {"typical_p", 1},
                  {"epsilon_cutoff", 0},
                  {"eta_cutoff", 0},
                  {"top_h", 1},
                  {"guidance_scale", 1},
                  {"dola_layers", 0},
                  {"watermarking_config", 0},
                  {"token_healing", 0}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields && reader->status == MODEL_OK; i++)
        if (!is_neutral(json_member(reader->tree, fields[i].name), fields[i].neutral))
            reader->status =
                error_set(reader->err, MODEL_UNSUPPORTED,
                          "%s: '%s' changes the text and is not supported; take it out to have the "
                          "text without it",
                          reader->what, fields[i].name);
}

static model_status read_tree(const json_node *tree, const char *what,
                              struct generation_config *ret, struct model_error *err)
{
    struct reader reader = {tree, what, err, MODEL_OK};
    struct generation_config config = {.max_new_tokens = 0};
    config.sampling = (struct sampler_settings){
        .do_sample = read_bool(&reader, "do_sample", false),
        .temperature = read_number(&reader, "temperature", 1.0),
        .top_k = read_top_k(&reader),
        .top_p = read_number(&reader, "top_p", 1.0),
        .min_p = read_number(&reader, "min_p", 0.0),
        .repetition_penalty = read_number(&reader, "repetition_penalty", 1.0),
        .presence_penalty = read_number(&reader, "presence_penalty", 0.0),
        .frequency_penalty = read_number(&reader, "frequency_penalty", 0.0),
    };
    config.max_new_tokens = read_integer(&reader, "max_new_tokens", 0);
    config.max_length = read_integer(&reader, "max_length", 0);
    config.bos_token_id = read_integer(&reader, "bos_token_id", -1);
    read_eos(&reader, &config);
    read_stops(&reader, &config);
    refuse_unsupported(&reader);
    if (reader.status == MODEL_OK)
        *ret = config;
    return reader.status;
}

static model_status read_file(const struct archive *archive, const char *dir,
                              struct generation_config *ret, struct model_error *err)
{
    char *path = path_join(dir, "generation_config.json");
    json_node *tree = NULL;
    model_status status = path != NULL
                              ? package_file_json(archive, path, MAX_CONFIG_BYTES, &tree, err)
                              : error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = json_is_object(tree)
                     ? json_check_unique_keys(tree, path, err)
                     : error_set(err, MODEL_CORRUPT, "%s: want a JSON object", path);
    if (status == MODEL_OK)
        status = read_tree(tree, path, ret, err);
    json_free(tree);
    free(path);
    return status;
}

model_status generation_config_read(const struct archive *archive, const char *package_dir,
                                    const char *backend_dir, const json_node *config,
                                    struct generation_config *ret, struct model_error *err)
{
    struct model_error why = MODEL_ERROR_INIT; /* that a file is not there is nobody's error */
    model_status status = read_file(archive, package_dir, ret, &why);
    if (status == MODEL_NOT_FOUND)
        status = read_file(archive, backend_dir, ret, &why);
    if (status == MODEL_NOT_FOUND)
        return read_tree(config, "config.json", ret, err);
    return status == MODEL_OK ? MODEL_OK : error_set(err, status, "%s", why.message);
}

static bool given(double value)
{
    return value != MODELHOST_AS_CONFIGURED;
}

static void take_number(double wanted, double *value)
{
    if (given(wanted))
        *value = wanted;
}

static model_status check_number(const char *name, double value, double min, double max,
                                 struct model_error *err)
{
    if (value >= min && value <= max)
        return MODEL_OK;
    return error_set(err, MODEL_INVALID_ARGUMENT, "%s is %g, want a number from %g to %g", name,
                     value, min, max);
}

static model_status check_sampling(const struct sampler_settings *sampling, struct model_error *err)
{
    const struct {
        const char *name;
        double value, min, max;
    } numbers[] = {
        {"temperature", sampling->temperature, 0, 100},
        {"top_p", sampling->top_p, 0, 1},
        {"min_p", sampling->min_p, 0, 1},
        {"repetition_penalty", sampling->repetition_penalty, 0.01, 100},
        {"presence_penalty", sampling->presence_penalty, -100, 100},
        {"frequency_penalty", sampling->frequency_penalty, -100, 100},
    };
    model_status status = MODEL_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && status == MODEL_OK; i++)
        status =
            check_number(numbers[i].name, numbers[i].value, numbers[i].min, numbers[i].max, err);
    if (status == MODEL_OK && sampling->top_k < 0)
        status = error_set(err, MODEL_INVALID_ARGUMENT, "top_k is %lld, want 0 (all) or more",
                           (long long)sampling->top_k);
    return status;
}

/* Whoever gives a number of sampling wants sampling. */
static bool decide_sampling(const struct modelhost_generation *wanted, bool configured)
{
    if (wanted->do_sample >= 0)
        return wanted->do_sample != 0;
    return configured || given(wanted->temperature) || given(wanted->top_p) ||
           given(wanted->min_p) || wanted->top_k >= 0 || wanted->num_sequences > 1;
}

static model_status take_ends(const struct generation_config *config,
                              const struct modelhost_generation *wanted,
                              struct generation_settings *ret, struct model_error *err)
{
    if (wanted->n_stop_token_ids > GENERATION_MAX_EOS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u stop token ids, at most %d",
                         wanted->n_stop_token_ids, GENERATION_MAX_EOS);
    if (wanted->n_stop_token_ids > 0 && wanted->stop_token_ids == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "the list of %u stop token ids is NULL",
                         wanted->n_stop_token_ids);
    for (uint32_t i = 0; i < config->n_eos && !wanted->ignore_eos; i++)
        ret->eos_token_ids[ret->n_eos++] = config->eos_token_ids[i];
    for (uint32_t i = 0; i < wanted->n_stop_token_ids; i++)
        ret->eos_token_ids[ret->n_eos++] = wanted->stop_token_ids[i];
    return MODEL_OK;
}

static model_status check_counts(const struct modelhost_generation *wanted,
                                 const struct generation_settings *settings,
                                 struct model_error *err)
{
    if (wanted->max_new_tokens < -1 || wanted->max_new_tokens > MAX_NEW_TOKENS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "max_new_tokens is %lld, want 0 to %d",
                         (long long)wanted->max_new_tokens, MAX_NEW_TOKENS);
    if (settings->num_sequences > MAX_SEQUENCES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "num_sequences is %u, at most %d",
                         settings->num_sequences, MAX_SEQUENCES);
    if (settings->num_sequences > 1 && !settings->sampling.do_sample)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "num_sequences is %u, but without sampling all would be the same: give a "
                         "temperature above 0, or 1 sequence",
                         settings->num_sequences);
    if (settings->logprobs > MAX_TOP_LOGPROBS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "logprobs is %u, at most %d",
                         settings->logprobs, MAX_TOP_LOGPROBS);
    return MODEL_OK;
}

model_status generation_settings_make(const struct generation_config *config,
                                      const struct modelhost_generation *wanted,
                                      struct generation_settings *ret, struct model_error *err)
{
    struct generation_settings settings = {.sampling = config->sampling};
    struct sampler_settings *sampling = &settings.sampling;
    take_number(wanted->temperature, &sampling->temperature);
    take_number(wanted->top_p, &sampling->top_p);
    take_number(wanted->min_p, &sampling->min_p);
    take_number(wanted->repetition_penalty, &sampling->repetition_penalty);
    take_number(wanted->presence_penalty, &sampling->presence_penalty);
    take_number(wanted->frequency_penalty, &sampling->frequency_penalty);
    if (wanted->top_k != -1)
        sampling->top_k = wanted->top_k;
    model_status status = check_sampling(sampling, err);
    if (status != MODEL_OK && check_sampling(&config->sampling, NULL) != MODEL_OK)
        error_prefix(err, "the package's settings of generating");
    if (status == MODEL_OK && (wanted->do_sample < -1 || wanted->do_sample > 1))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "do_sample is %d, want -1 (as configured), 0 or 1", wanted->do_sample);
    sampling->do_sample =
        decide_sampling(wanted, config->sampling.do_sample) && sampling->temperature > 0;
    settings.num_sequences = wanted->num_sequences > 0 ? wanted->num_sequences : 1;
    settings.seed = wanted->seed;
    settings.sliding_window = wanted->sliding_window != 0;
    settings.logprobs = wanted->logprobs;
    settings.on_token = wanted->on_token;
    settings.context = wanted->context;
    settings.max_new_tokens =
        wanted->max_new_tokens >= 0 ? wanted->max_new_tokens : config->max_new_tokens;
    if (wanted->max_new_tokens < 0 && config->max_new_tokens <= 0) {
        settings.max_length = config->max_length;
        settings.max_new_tokens = DEFAULT_MAX_NEW_TOKENS;
    }
    if (status == MODEL_OK)
        status = take_ends(config, wanted, &settings, err);
    if (status == MODEL_OK)
        status = check_counts(wanted, &settings, err);
    if (status == MODEL_OK)
        *ret = settings;
    return status;
}

int64_t generation_limit(const struct generation_settings *settings, size_t n_prompt)
{
    int64_t limit = settings->max_new_tokens;
    if (settings->max_length > 0)
        limit =
            settings->max_length > (int64_t)n_prompt ? settings->max_length - (int64_t)n_prompt : 0;
    return limit < MAX_NEW_TOKENS ? limit : MAX_NEW_TOKENS; /* a package may name any */
}
