/* generation_prefill.h - reading the prompts of a call, up to their first tokens. Internal to host/generation/. [lane-thread]
 *
 * With slots, one call of the plugin reads a piece of a prompt, or several prompts that fit into a piece together: the
 * weights come from memory once for all of them, and shorter ones end behind a mask. Where that would round a prompt
 * otherwise than by itself (struct hosted_instance, min_rows), or one had better wait until the beginning that it shares
 * with another has been read, it does not join. When a call for several fails, each is read by itself. */
#ifndef GENERATION_PREFILL_H
#define GENERATION_PREFILL_H

#include "generation_reading.h"

/* The first of sequences(n) whose prompt was not read; n: there is none. */
uint32_t prefill_first(const struct sequence *sequences, uint32_t n);

/* Reads the next piece of the prompt of sequences[0], or what is left of it with prompts behind it, and chooses the first token of
 * each sequence whose prompt has been read. MODEL_INVALID_ARGUMENT: the prompt is too long. */
model_status prefill_step(const struct generation_run *run, struct sequence *sequences, uint32_t n,
                          struct model_error *err);

#endif
