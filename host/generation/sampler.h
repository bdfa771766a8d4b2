/* sampler.h - from the logits of the next token to the token: penalties, temperature, filters, choice.
 *
 * The order is that of transformers' generate(): repetition penalty (Keskar et al. 2019; over prompt and
 * new tokens), presence and frequency penalty (over new tokens, as the OpenAI API defines them), then
 * temperature, top-k (Fan et al. 2018), top-p (Holtzman et al. 2019), min-p (Nguyen et al. 2024), then one
 * draw. Of equal logits at a filter's edge the lower ids stay. Without sampling: the largest logit after
 * the penalties, the lowest id among equals.
 * A sampler belongs to one sequence and one thread at a time. */
#ifndef SAMPLER_H
#define SAMPLER_H

#include "modelhost.h"
#include "random_stream.h"

#include <stdbool.h>

struct sampler_settings {
    bool do_sample;
    double temperature;                                             /* > 0 */
    int64_t top_k;                                                  /* 0: all */
    double top_p;                                                   /* (0, 1] */
    double min_p;                                                   /* [0, 1) */
    double repetition_penalty, presence_penalty, frequency_penalty; /* 1, 0, 0: none */
};

struct candidate {
    int64_t id;
    double value; /* a logit, then a probability */
};

struct sampler {
    const struct sampler_settings *settings;
    struct random_stream random;
    int64_t vocab_size;
    uint32_t *n_new; /* (vocab_size) how often a token was generated; NULL without penalties */
    bool *in_prompt; /* (vocab_size), or NULL */
    struct candidate *candidates; /* (vocab_size) */
    float *adjusted;              /* (vocab_size) */
};

model_status sampler_init(struct sampler *sampler, const struct sampler_settings *settings,
                          int64_t vocab_size, uint64_t seed, uint64_t sequence,
                          struct model_error *err);
void sampler_finish(struct sampler *sampler);

/* Counts tokens for the penalties. Ids out of range are passed over. */
void sampler_add_prompt(struct sampler *sampler, const int64_t *ids, size_t n);

/* What the next token is drawn from: candidates [0, *ret_n) by id, value: their probabilities times a
 * constant. The first step of sampler_next(). */
model_status sampler_filter(struct sampler *sampler, const float *logits, size_t *ret_n,
                            struct model_error *err);
/* The next token, which is counted. logits(vocab_size). MODEL_INTERNAL when no logit is a number. */
model_status sampler_next(struct sampler *sampler, const float *logits, int64_t *ret_id,
                          struct model_error *err);

/* The natural logarithm of the probability of `id`, by the logits as they are, and the `n` most
 * probable tokens, the first first (value: their logarithms); returns how many there are. */
double sampler_logprob(const float *logits, int64_t vocab_size, int64_t id);
size_t sampler_top_logprobs(const struct sampler *sampler, const float *logits, size_t n,
                            struct candidate *ret);

#endif
