/* generation.c - see generation.h: the job of a request, from prompts to its answer.
 *
 * The job belongs to its request. Sequences are touched by the lane only. */
#include "generation.h"
#include "errors.h"
#include "generation_prompt.h"
#include "generation_steps.h"
#include "json_view.h"
#include "loaded_model.h"
#include "result.h"
#include "scores.h"
#include "text_pipeline.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PROMPTS      1024
#define MAX_STOP_STRINGS 64
#define MAX_STOP_BYTES   4096
#define MAX_AT_ONCE      64 /* sequences of one step */

struct generation {
    struct request_job job;
    struct generation_model model;
    struct generation_settings settings;
    const struct tokenizer *tokenizer; /* NULL: none */
    int64_t bos_token_id;              /* negative: the tokenizer's */
    struct prompt *prompts;            /* (n_prompts) */
    uint32_t n_prompts;
    char **stop_strings; /* (n_stop_strings) */
    uint32_t n_stop_strings;
    struct sequence *sequences; /* (n_prompts * num_sequences) */
    uint32_t n_sequences;

    struct modelhost_request *request; /* whose job this is, on the lane */
    void (*on_token)(void *context, const struct modelhost_token *token);
    void *context;
};

static void tell(void *context, const struct modelhost_token *token)
{
    struct generation *generation = context;
    if (!request_begin_telling(generation->request))
        return;
    generation->on_token(generation->context, token);
    request_end_telling(generation->request);
}

static void destroy_job(struct request_job *job)
{
    struct generation *generation = (struct generation *)job;
    for (uint32_t i = 0; generation->sequences != NULL && i < generation->n_sequences; i++)
        sequence_finish(&generation->sequences[i]);
    for (uint32_t i = 0; generation->prompts != NULL && i < generation->n_prompts; i++)
        prompt_finish(&generation->prompts[i]);
    for (uint32_t i = 0; generation->stop_strings != NULL && i < generation->n_stop_strings; i++)
        free(generation->stop_strings[i]);
    free(generation->sequences);
    free(generation->prompts);
    free(generation->stop_strings);
    free(generation);
}

/* The settings stay: they come from the package, and from its caller. */
static model_status rebind_job(struct request_job *job, struct modelhost_model *model,
                               struct model_error *err)
{
    struct generation *generation = (struct generation *)job;
    struct text_pipeline *pipeline = NULL;
    model_status status = MODEL_OK;
    if (generation->tokenizer != NULL)
        status = loaded_model_pipeline(model, &pipeline, err);
    if (status == MODEL_OK)
        status = generation_model_find(modelhost_description(model), &generation->model, err);
    if (status == MODEL_OK && pipeline != NULL)
        generation->tokenizer = text_pipeline_tokenizer(pipeline);
    return status;
}

/* ---- what is to be continued */

static model_status take_prompts(struct generation *generation,
                                 const struct modelhost_prompt *given, uint32_t n_given,
                                 struct model_error *err)
{
    if (n_given == 0 || n_given > MAX_PROMPTS || given == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u prompts, want 1 to %d", n_given,
                         MAX_PROMPTS);
    generation->prompts = calloc(n_given, sizeof *generation->prompts);
    if (generation->prompts == NULL)
        return error_no_memory(err, "prompts");
    generation->n_prompts = n_given;
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < n_given && status == MODEL_OK; i++) {
        status =
            prompt_take(&generation->prompts[i], &given[i], generation->tokenizer != NULL, err);
        if (status != MODEL_OK)
            error_prefix(err, "prompt %u", i + 1);
    }
    return status;
}

static model_status prepare_job(struct request_job *job, struct modelhost_request *request,
                                struct model_error *err)
{
    struct generation *generation = (struct generation *)job;
    model_status status = MODEL_OK;
    generation->request = request;
    for (uint32_t i = 0; i < generation->n_prompts && status == MODEL_OK; i++) {
        status = prompt_encode(&generation->prompts[i], generation->tokenizer,
                               generation->bos_token_id, &request->cancelled, err);
        if (status != MODEL_OK)
            error_prefix(err, "prompt %u", i + 1);
    }
    return status;
}

/* An id that the model never makes would never stop it. */
static model_status check_stop_ids(const struct generation *generation,
                                   const struct modelhost_generation *wanted,
                                   struct model_error *err)
{
    for (uint32_t i = 0; i < wanted->n_stop_token_ids; i++)
        if (wanted->stop_token_ids[i] < 0 ||
            wanted->stop_token_ids[i] >= generation->model.vocab_size)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "stop token id %lld is not in the vocabulary, want 0 to %lld",
                             (long long)wanted->stop_token_ids[i],
                             (long long)generation->model.vocab_size - 1);
    return MODEL_OK;
}

/* The caller's, else the package's. */
static model_status take_stop_strings(struct generation *generation,
                                      const struct generation_config *config,
                                      const struct modelhost_generation *wanted,
                                      struct model_error *err)
{
    const bool asked = wanted->n_stop_strings > 0;
    const uint32_t n = asked ? wanted->n_stop_strings : config->n_stop_strings;
    if (n == 0 || (!asked && generation->tokenizer == NULL)) /* no text, nothing to find there */
        return MODEL_OK;
    if (asked && wanted->stop_strings == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "the list of %u stop strings is NULL", n);
    if (n > MAX_STOP_STRINGS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u stop strings, at most %d", n,
                         MAX_STOP_STRINGS);
    if (generation->tokenizer == NULL)
        return error_set(
            err, MODEL_NOT_FOUND,
            "stop strings want text, but the package has no tokenizer: give stop token "
            "ids instead");
    generation->stop_strings = calloc(n, sizeof *generation->stop_strings);
    if (generation->stop_strings == NULL)
        return error_no_memory(err, "stop strings");
    for (uint32_t i = 0; i < n; i++) {
        const char *text = asked ? wanted->stop_strings[i] : config->stop_strings[i];
        if (text == NULL || text[0] == '\0' || strlen(text) > MAX_STOP_BYTES)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "stop string %u is empty or longer than %d bytes", i + 1,
                             MAX_STOP_BYTES);
        if (utf8_valid_prefix(text, strlen(text)) < strlen(text)) /* or half a character is shown */
            return error_set(err, MODEL_INVALID_ARGUMENT, "stop string %u is not UTF-8", i + 1);
        generation->stop_strings[i] = text_format("%s", text);
        if (generation->stop_strings[i] == NULL)
            return error_no_memory(err, "stop strings");
        generation->n_stop_strings++;
    }
    return MODEL_OK;
}

/* The next n of them. */
static model_status make_sequences(struct generation *generation, uint32_t n,
                                   struct model_error *err)
{
    const uint32_t n_each = generation->settings.num_sequences;
    for (uint32_t end = generation->n_sequences + n; generation->n_sequences < end;) {
        const uint32_t i = generation->n_sequences;
        const struct prompt *prompt = &generation->prompts[i / n_each];
        struct sequence *sequence = &generation->sequences[i];
        sequence->prompt = i / n_each;
        sequence->number = i % n_each;
        generation->n_sequences++;
        model_status status =
            sequence_init(sequence, &generation->settings, generation->tokenizer, prompt->ids,
                          prompt->n_ids, (const char *const *)generation->stop_strings,
                          generation->n_stop_strings, generation->model.vocab_size, err);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

/* ---- running */

/* Runs all sequences, a few at a time. Those that have ended keep what they have made, and no sampler,
 * which is as large as the vocabulary. */
static model_status run_sequences(struct generation *generation, const struct generation_run *run,
                                  struct model_error *err)
{
    const uint32_t max_slots = generation->model.max_slots;
    const uint32_t at_once = max_slots > 0 && max_slots < MAX_AT_ONCE ? max_slots : MAX_AT_ONCE;
    const uint32_t n = generation->n_prompts * generation->settings.num_sequences;
    model_status status = MODEL_OK;
    generation->sequences = calloc(n, sizeof *generation->sequences);
    if (generation->sequences == NULL)
        return error_no_memory(err, "sequences");
    for (uint32_t i = 0; i < n && status == MODEL_OK; i = generation->n_sequences) {
        status = make_sequences(generation, n - i < at_once ? n - i : at_once, err);
        if (status == MODEL_OK)
            status =
                generation_run(run, generation->sequences + i, generation->n_sequences - i, err);
        for (uint32_t k = i; k < generation->n_sequences; k++)
            sampler_finish(&generation->sequences[k].sampler);
    }
    return status;
}

static model_status run_job(struct request_job *job, struct modelhost_request *request,
                            struct modelhost_result **ret_result, struct model_error *err)
{
    struct generation *generation = (struct generation *)job;
    struct modelhost_result *result = NULL;
    model_status status = result_create_empty(&result, err);
    struct generation_run run = {.model = &generation->model,
                                 .settings = &generation->settings,
                                 .request = request,
                                 .timing = result != NULL ? &result->timing : NULL};
    if (status == MODEL_OK)
        status = loaded_model_take_instance(request->model, generation->prompts[0].ids,
                                            generation->prompts[0].n_ids, &run.instance, err);
    if (status != MODEL_OK) {
        modelhost_result_destroy(result);
        return status;
    }
    status = run_sequences(generation, &run, err);
    request_return_instance(request, run.instance);
    if (status == MODEL_OK)
        *ret_result = result;
    else
        modelhost_result_destroy(result);
    return status;
}

/* ---- the answer */

static json_node *add_ids(json_node *item, const char *key, const int64_t *ids, size_t n)
{
    json_node *array = json_add_array(item, key);
    for (size_t i = 0; i < n; i++)
        if (json_add_number(array, NULL, (double)ids[i]) == NULL)
            return NULL;
    return array;
}

static json_node *add_logprobs(json_node *item, const struct sequence *sequence)
{
    json_node *array = json_add_array(item, "logprobs");
    for (size_t i = 0; i < sequence->n_ids - sequence->n_prompt; i++) {
        const struct token_logprobs *noted = &sequence->logprobs[i];
        json_node *token = json_add_object(array, NULL);
        (void)scores_add(token, "logprob", noted->logprob);
        json_node *top = noted->n_top > 0 ? json_add_array(token, "top") : NULL;
        for (size_t k = 0; k < noted->n_top; k++) {
            json_node *candidate = json_add_object(top, NULL);
            (void)json_add_number(candidate, "token_id", (double)noted->top[k].id);
            if (scores_add(candidate, "logprob", noted->top[k].value) == NULL)
                return NULL;
        }
    }
    return array;
}

static json_node *add_sequence(json_node *answers, const struct generation *generation,
                               const struct sequence *sequence)
{
    const struct prompt *prompt = &generation->prompts[sequence->prompt];
    const size_t n_prompt = sequence->n_prompt;
    json_node *item = json_add_object(answers, NULL);
    (void)json_add_string(item, "task", "text-generation");
    if (prompt->text != NULL)
        (void)json_add_text(item, "text", prompt->text, prompt->text_bytes);
    if (add_ids(item, "prompt_token_ids", sequence->ids, n_prompt) == NULL)
        return NULL;
    (void)json_add_number(item, "sequence", sequence->number);
    if (generation->tokenizer != NULL)
        (void)json_add_text(item, "generated_text",
                            sequence->text.data != NULL ? sequence->text.data : "",
                            sequence->text.size);
    if (add_ids(item, "token_ids", sequence->ids + n_prompt, sequence->n_ids - n_prompt) == NULL)
        return NULL;
    if (generation->settings.logprobs > 0 || generation->settings.num_sequences > 1)
        (void)scores_add(item, "cumulative_logprob", sequence->cumulative_logprob);
    if (generation->settings.logprobs > 0 && add_logprobs(item, sequence) == NULL)
        return NULL;
    return json_add_string(item, "finish_reason", sequence->finish_reason);
}

/* Prompts in their order, the sequences of each by how probable they are. */
static int by_probability(const void *a, const void *b)
{
    const struct sequence *x = *(const struct sequence *const *)a;
    const struct sequence *y = *(const struct sequence *const *)b;
    if (x->prompt != y->prompt)
        return x->prompt < y->prompt ? -1 : 1;
    if (x->cumulative_logprob != y->cumulative_logprob)
        return x->cumulative_logprob > y->cumulative_logprob ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static model_status answer_job(struct request_job *job, struct modelhost_result *result,
                               struct model_error *err)
{
    const struct generation *generation = (const struct generation *)job;
    const struct sequence **order = calloc(generation->n_sequences, sizeof *order);
    json_node *answers = json_new_array();
    bool complete = answers != NULL && order != NULL;
    for (uint32_t i = 0; i < generation->n_sequences && complete; i++)
        order[i] = &generation->sequences[i];
    if (complete)
        qsort(order, generation->n_sequences, sizeof *order, by_probability);
    for (uint32_t i = 0; i < generation->n_sequences && complete; i++) {
        complete = add_sequence(answers, generation, order[i]) != NULL;
        result->timing.new_tokens += (int64_t)(order[i]->n_ids - order[i]->n_prompt);
    }
    result->json = complete ? json_print(answers, false) : NULL;
    free(order);
    json_free(answers);
    return result->json != NULL ? MODEL_OK : error_no_memory(err, "the answer");
}

model_status generation_job_create(const struct model_description *description,
                                   const struct tokenizer *tokenizer,
                                   const struct generation_config *config,
                                   const struct modelhost_prompt *prompts, uint32_t n_prompts,
                                   const struct modelhost_generation *wanted,
                                   struct request_job **ret, struct model_error *err)
{
    static const struct modelhost_generation usual = MODELHOST_GENERATION_INIT;
    wanted = wanted != NULL ? wanted : &usual;
    if (!MODEL_HAS(struct modelhost_generation, wanted, context))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "modelhost_generation: struct_size is %zu, want at least %zu; start from "
                         "MODELHOST_GENERATION_INIT",
                         wanted->struct_size, sizeof *wanted);
    struct generation *generation = calloc(1, sizeof *generation);
    if (generation == NULL)
        return error_no_memory(err, "a request");
    generation->job = (struct request_job){.prepare = prepare_job,
                                           .run = run_job,
                                           .answer = answer_job,
                                           .destroy = destroy_job,
                                           .rebind = rebind_job};
    generation->tokenizer = tokenizer;
    generation->bos_token_id = config->bos_token_id;
    generation->on_token = wanted->on_token;
    generation->context = wanted->context;
    model_status status = generation_model_find(description, &generation->model, err);
    if (status == MODEL_OK)
        status = generation_settings_make(config, wanted, &generation->settings, err);
    if (status == MODEL_OK)
        status = check_stop_ids(generation, wanted, err);
    if (status == MODEL_OK)
        status = take_stop_strings(generation, config, wanted, err);
    if (status == MODEL_OK)
        status = take_prompts(generation, prompts, n_prompts, err);
    if (generation->on_token != NULL)
        generation->settings.on_token = tell;
    generation->settings.context = generation;
    generation->settings.first_prompt = wanted->first_prompt;
    if (status == MODEL_OK)
        *ret = &generation->job;
    else
        destroy_job(&generation->job);
    return status;
}
