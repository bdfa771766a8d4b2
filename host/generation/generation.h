/* generation.h - continuing prompts: the loop that asks a model for the next token and chooses it.
 *
 * The host generates, not the plugin: a plugin only gives the logits behind the tokens that it has read
 * (output "next_token_logits", or the last row of "logits"). A model with slots reads a prompt once and then
 * one token per step, all running sequences in one call; one without reads the whole text each step.
 *
 *   generation.c           the job: what it was asked, its end
 *   generation_run.c       its run: an instance, turns on a lane
 *   generation_answer.c    what it answers
 *   generation_prompt.c    one prompt: what was given, and its tokens
 *   generation_sequence.c  one sequence: its tokens, its text, when it ends
 *   generation_call.c      calling the plugin
 *   generation_reading.c   reading prompts in pieces, and the sliding window
 *   generation_steps.c     the steps of all sequences
 *   speculation.c          guessing several tokens of a step
 *   generation_config.c    defaults and wishes
 *   sampler.c, random_stream.c, stop_strings.c */
#ifndef GENERATION_H
#define GENERATION_H

#include "generation_config.h"
#include "request.h"
#include "tokenizer.h"

/* A job for a request on `model`, whose generating settings come from `config`. tokenizer NULL: prompts
 * must be ids, and there is no text. Copies everything. */
model_status generation_job_create(const struct model_description *description,
                                   const struct tokenizer *tokenizer,
                                   const struct generation_config *config,
                                   const struct modelhost_prompt *prompts, uint32_t n_prompts,
                                   const struct modelhost_generation *wanted,
                                   struct request_job **ret, struct model_error *err);

#endif
