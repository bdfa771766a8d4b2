/* generation_answer.c - what a job that generates answers, as JSON. [lane-thread] */
#include "errors.h"
#include "generation_job.h"
#include "json_view.h"
#include "result.h"
#include "scores.h"

#include <stdlib.h>

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
    if (sequence->speculation.n_proposed > 0) {
        (void)json_add_number(item, "proposed_tokens", (double)sequence->speculation.n_proposed);
        (void)json_add_number(item, "accepted_tokens", (double)sequence->speculation.n_accepted);
    }
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

model_status generation_answer_job(struct request_job *job, struct modelhost_result *result,
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
