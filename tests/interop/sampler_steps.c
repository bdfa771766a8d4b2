/* sampler_steps.c - what host/generation/sampler.c makes of logits, for sampler_reference.py.
 *
 * Standard input: cases of numbers with blanks between: do_sample temperature top_k top_p min_p
 * repetition_penalty presence_penalty frequency_penalty seed sequence vocab_size n_prompt n_steps, the
 * prompt's ids, then the logits of each step. Standard output, a line for each step: the token that was
 * drawn, the number of candidates, and each candidate's id and weight. */
#include "sampler.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_IDS 1000000

struct numbers {
    struct sampler_settings settings;
    uint64_t seed, sequence;
    int64_t vocab_size, n_prompt, n_steps;
};

static bool read_case(struct numbers *n)
{
    int do_sample = 0;
    struct sampler_settings *s = &n->settings;
    const int n_read = scanf("%d %lf %" SCNd64 " %lf %lf %lf %lf %lf %" SCNu64 " %" SCNu64
                             " %" SCNd64 " %" SCNd64 " %" SCNd64,
                             &do_sample, &s->temperature, &s->top_k, &s->top_p, &s->min_p,
                             &s->repetition_penalty, &s->presence_penalty, &s->frequency_penalty,
                             &n->seed, &n->sequence, &n->vocab_size, &n->n_prompt, &n->n_steps);
    s->do_sample = do_sample != 0;
    return n_read == 13 && n->vocab_size > 0 && n->vocab_size <= MAX_IDS && n->n_prompt >= 0 &&
           n->n_prompt <= MAX_IDS;
}

static bool step(struct sampler *sampler, float *logits)
{
    size_t n = 0;
    int64_t id = -1;
    for (int64_t i = 0; i < sampler->vocab_size; i++)
        if (scanf("%f", &logits[i]) != 1)
            return false;
    if (sampler_filter(sampler, logits, &n, NULL) != MODEL_OK)
        return false;
    struct candidate *candidates = malloc(n * sizeof *candidates);
    for (size_t i = 0; candidates != NULL && i < n; i++)
        candidates[i] = sampler->candidates[i];
    const bool drawn = candidates != NULL && sampler_next(sampler, logits, &id, NULL) == MODEL_OK;
    printf("%" PRId64 " %zu", id, n);
    for (size_t i = 0; drawn && i < n; i++)
        printf(" %" PRId64 " %.17g", candidates[i].id, candidates[i].value);
    (void)putchar('\n');
    free(candidates);
    return drawn;
}

static bool run_case(const struct numbers *n)
{
    struct sampler sampler;
    int64_t *prompt = calloc((size_t)n->n_prompt + 1, sizeof *prompt);
    float *logits = calloc((size_t)n->vocab_size, sizeof *logits);
    bool sound =
        prompt != NULL && logits != NULL &&
        sampler_init(&sampler, &n->settings, n->vocab_size, n->seed, n->sequence, NULL) == MODEL_OK;
    if (sound) {
        for (int64_t i = 0; i < n->n_prompt && sound; i++)
            sound = scanf("%" SCNd64, &prompt[i]) == 1;
        sampler_add_prompt(&sampler, prompt, (size_t)n->n_prompt);
        for (int64_t i = 0; i < n->n_steps && sound; i++)
            sound = step(&sampler, logits);
        sampler_finish(&sampler);
    }
    free(prompt);
    free(logits);
    return sound;
}

int main(void)
{
    struct numbers numbers;
    bool sound = true;
    while (sound && read_case(&numbers))
        sound = run_case(&numbers);
    return sound && feof(stdin) ? 0 : 1;
}
