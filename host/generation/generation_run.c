/* generation_run.c - the run of a job that generates: an instance, the sequences a few at a time, turns on a lane.
 * [lane-thread] */
#include "errors.h"
#include "generation_job.h"
#include "lane_suspend.h"
#include "loaded_model.h"
#include "result.h"

#include <stdlib.h>

#define PREFILL_TOKENS 256 /* of a prompt in one call, where nobody said */
#define TURN_STEPS     16  /* behind prompts: about what a piece of one takes */
#define CACHED_SLOTS   4   /* that hold what was read, where nobody said */

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

/* Not where anything but the largest logit counts: how close a draw, or a logit behind its penalties, is to another
 * is nothing that speculation_is_certain() sees. */
static bool speculates(const struct generation *generation,
                       const struct modelhost_load_options *options)
{
    const int32_t wanted = generation->speculation != MODELHOST_SPECULATION_DEFAULT
                               ? generation->speculation
                               : options->speculation;
    const struct sampler_settings *sampling = &generation->settings.sampling;
    const bool is_plain = !sampling->do_sample && sampling->repetition_penalty == 1.0 &&
                          sampling->presence_penalty == 0.0 && sampling->frequency_penalty == 0.0;
    return wanted != MODELHOST_SPECULATION_OFF && is_plain && generation->model.max_slots > 0 &&
           generation->model.every_output != NULL;
}

static model_status begin_run(struct generation *generation, struct modelhost_request *request,
                              struct model_error *err)
{
    const struct modelhost_load_options *options = &request->model->load;
    const uint32_t n = generation->n_prompts * generation->settings.num_sequences;
    struct generation_run run = {.model = &generation->model,
                                 .settings = &generation->settings,
                                 .request = request,
                                 .piece_tokens = options->prefill_chunk > 0 ? options->prefill_chunk
                                                                            : PREFILL_TOKENS,
                                 .speculates = speculates(generation, options)};
    generation->sequences = calloc(n, sizeof *generation->sequences);
    model_status status = generation->sequences != NULL
                              ? result_create_empty(&generation->result, err)
                              : error_no_memory(err, "sequences");
    if (status == MODEL_OK)
        status = loaded_model_take_instance(request->model, generation->prompts[0].ids,
                                            generation->prompts[0].n_ids, &run.instance, err);
    run.timing = generation->result != NULL ? &generation->result->timing : NULL;
    generation->owner = request->model;
    if (status == MODEL_OK)
        generation->run = run;
    return status;
}

/* Those that have ended keep what they have made, and no sampler, which is as large as the vocabulary. */
static void end_sequences(struct generation *generation)
{
    for (; generation->first_running < generation->n_sequences; generation->first_running++)
        sampler_finish(&generation->sequences[generation->first_running].sampler);
}

/* Whether others have their turn now: behind a piece of a prompt, and behind so many steps; who has not begun need not
 * wait for more than a step. */
static bool gives_way(struct generation *generation, bool is_running, bool has_more)
{
    if (!is_running)
        return false;
    const bool is_over = has_more || ++generation->n_steps % TURN_STEPS == 0;
    return lane_may_suspend(generation->request,
                            is_over ? LANE_TURN_OF_ANYBODY : LANE_TURN_OF_NEW_ONES);
}

/* Runs all sequences, a few at a time, to their ends, or until others have their turn. */
static model_status run_sequences(struct generation *generation, bool *ret_suspended,
                                  struct model_error *err)
{
    const uint32_t max_slots = generation->model.max_slots;
    const uint32_t at_once =
        max_slots > 0 && max_slots < GENERATION_MAX_AT_ONCE ? max_slots : GENERATION_MAX_AT_ONCE;
    const uint32_t n = generation->n_prompts * generation->settings.num_sequences;
    model_status status = MODEL_OK;
    while (status == MODEL_OK) {
        const uint32_t first = generation->first_running;
        const uint32_t n_left = n - generation->n_sequences;
        bool is_running = false, has_more = false;
        if (first == generation->n_sequences && n_left == 0)
            break;
        if (first == generation->n_sequences)
            status = make_sequences(generation, n_left < at_once ? n_left : at_once, err);
        if (status == MODEL_OK)
            status = generation_step(&generation->run, generation->sequences + first,
                                     generation->n_sequences - first, &is_running, &has_more, err);
        if (status == MODEL_OK && !is_running)
            end_sequences(generation);
        *ret_suspended = status == MODEL_OK && gives_way(generation, is_running, has_more);
        if (*ret_suspended)
            break;
    }
    return status;
}

static void count_tokens(const struct generation *generation, struct model_metrics *metrics)
{
    const struct modelhost_timing *timing = &generation->result->timing;
    int64_t n_proposed = 0, n_accepted = 0;
    for (uint32_t i = 0; i < generation->n_sequences; i++) {
        n_proposed += generation->sequences[i].speculation.n_proposed;
        n_accepted += generation->sequences[i].speculation.n_accepted;
    }
    model_metrics_generated(metrics, timing->prompt_tokens - timing->cached_tokens,
                            timing->cached_tokens, n_proposed, n_accepted);
}

static uint32_t n_cached(const struct modelhost_model *model)
{
    const int32_t wanted = model->load.prefix_cache;
    return wanted < 0 ? 0 : wanted > 0 ? (uint32_t)wanted : CACHED_SLOTS;
}

void generation_leave_slots(const struct modelhost_model *model, struct hosted_instance *instance)
{
    hosted_instance_release_slots(instance);
    hosted_instance_forget_oldest(instance, n_cached(model));
}

/* Slots keep what they have read for the next request, as many as may. */
static void end_run(struct generation *generation, model_status status)
{
    struct model_error unheard = MODEL_ERROR_INIT; /* the answer is there */
    struct modelhost_request *request = generation->request;
    struct hosted_instance *instance = generation->run.instance;
    generation->run.instance = NULL;
    end_sequences(generation);
    count_tokens(generation, &request->model->metrics);
    generation_leave_slots(request->model, instance);
    if (status == MODEL_OK)
        (void)hosted_instance_trim(instance, n_cached(request->model), &unheard);
    request_return_instance(request, instance);
}

model_status generation_run_job(struct request_job *job, struct modelhost_request *request,
                                struct modelhost_result **ret_result, struct model_error *err)
{
    struct generation *generation = (struct generation *)job;
    bool is_suspended = false;
    model_status status = MODEL_OK;
    generation->is_running = true;
    if (generation->run.instance == NULL)
        status = begin_run(generation, request, err);
    if (status == MODEL_OK)
        status = run_sequences(generation, &is_suspended, err);
    if (generation->run.instance != NULL && !is_suspended)
        end_run(generation, status);
    generation->is_running = false;
    if (status != MODEL_OK || is_suspended)
        return status;
    *ret_result = generation->result;
    generation->result = NULL;
    return MODEL_OK;
}
