/* generation_steps.h - the steps of sequences that run side by side. Internal to host/generation/. [lane-thread] */
#ifndef GENERATION_STEPS_H
#define GENERATION_STEPS_H

#include "generation_reading.h"

/* Calls the plugin once, or once for each sequence where there are no slots: for the next prompts, or the next piece of
 * one, or for the next token of all sequences(n) that have read theirs. These are the sequences of one or several prompts, each
 * prompt's side by side; n is at most GENERATION_MAX_AT_ONCE, and max_slots unless that is 0. *ret_running: some have not ended;
 * *ret_has_more: some of their prompts are not read. */
model_status generation_step(const struct generation_run *run, struct sequence *sequences,
                             uint32_t n, bool *ret_running, bool *ret_has_more,
                             struct model_error *err);

#endif
