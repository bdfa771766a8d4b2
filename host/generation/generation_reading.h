/* generation_reading.h - reading what a sequence has before its next token: its window, of which its prompt is the first
 * (generation_prefill.h). Internal to host/generation/. [lane-thread]
 *
 * With slots it is read in pieces (chunked prefill), behind what some slot of the instance has read already, so that
 * others have their turn between two of them. Without slots the whole window goes in each time. */
#ifndef GENERATION_READING_H
#define GENERATION_READING_H

#include "generation_call.h"
#include "generation_sequence.h"

size_t window_length(const struct sequence *sequence);
/* Whether the window is longer than the model looks back. */
bool window_is_full(const struct generation_run *run, const struct sequence *sequence);
/* Forgets the oldest half, or, where the whole window is read each time, what does not fit. */
model_status window_slide(const struct generation_run *run, struct sequence *sequence,
                          struct model_error *err);

/* How much of it a slot may have read before: what is left is read as all of it would be. */
size_t window_reusable(const struct generation_run *run, const struct sequence *sequence);
/* The most tokens that are read in one call. */
size_t window_piece(const struct generation_run *run);

/* Takes a slot for the window. */
model_status window_begin(const struct generation_run *run, struct sequence *sequence,
                          struct model_error *err);
/* Reads the next piece, or the window; ret->result is NULL unless it was the last one. */
model_status window_read(const struct generation_run *run, struct sequence *sequence,
                         struct logits *ret, struct model_error *err);
/* Gives the slot back, with what it has read. */
void window_end(const struct generation_run *run, struct sequence *sequence);

#endif
