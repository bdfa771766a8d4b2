/* generation.c - see generation.h: the job of a request, what it was asked and its end. */
#include "generation.h"
#include "errors.h"
#include "generation_job.h"
#include "loaded_model.h"
#include "text_pipeline.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PROMPTS      1024
#define MAX_STOP_STRINGS 64
#define MAX_STOP_BYTES   4096

static void tell(void *context, const struct modelhost_token *token)
{
    struct generation *generation = context;
    if (!request_begin_telling(generation->request))
        return;
    generation->on_token(generation->context, token);
    request_end_telling(generation->request);
}

static void free_generation(struct generation *generation)
{
    for (uint32_t i = 0; generation->sequences != NULL && i < generation->n_sequences; i++)
        sequence_finish(&generation->sequences[i]);
    for (uint32_t i = 0; generation->prompts != NULL && i < generation->n_prompts; i++)
        prompt_finish(&generation->prompts[i]);
    for (uint32_t i = 0; generation->stop_strings != NULL && i < generation->n_stop_strings; i++)
        free(generation->stop_strings[i]);
    modelhost_result_destroy(generation->result);
    free(generation->sequences);
    free(generation->prompts);
    free(generation->stop_strings);
    free(generation);
}

static void destroy_instance(void *argument)
{
    struct generation *generation = argument;
    struct modelhost_model *owner = generation->owner;
    hosted_instance_destroy(generation->run.instance);
    loaded_model_drop(owner);
    free_generation(generation);
}

/* One that was given up while it was suspended has an instance still; plugin code, if there is any to run, is the
 * reaper's: this may be the application's thread. Where the plugin ended its thread, the instance is left. */
static void destroy_job(struct request_job *job)
{
    struct generation *generation = (struct generation *)job;
    struct hosted_instance *instance = generation->is_running ? NULL : generation->run.instance;
    if (instance != NULL)
        generation_leave_slots(generation->owner, instance);
    if (instance == NULL || loaded_model_keep_instance(generation->owner, instance)) {
        free_generation(generation);
        return;
    }
    loaded_model_retain(generation->owner);
    generation->end = (struct reaper_item){NULL, destroy_instance, generation, false};
    reaper_give(generation->owner->reaper, &generation->end);
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
    if (generation->run.instance != NULL) /* it goes on */
        return MODEL_OK;
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

static model_status take_speculation(struct generation *generation,
                                     const struct modelhost_generation *wanted,
                                     struct model_error *err)
{
    if (!MODEL_HAS(struct modelhost_generation, wanted, speculation))
        return MODEL_OK;
    generation->speculation = wanted->speculation;
    if (wanted->speculation >= MODELHOST_SPECULATION_DEFAULT &&
        wanted->speculation <= MODELHOST_SPECULATION_PROMPT)
        return MODEL_OK;
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "speculation is %d, want 0 (the model's), 1 (off) or 2 (prompt lookup)",
                     wanted->speculation);
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
                                           .run = generation_run_job,
                                           .answer = generation_answer_job,
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
        status = take_speculation(generation, wanted, err);
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
