/* speculation.h - speculative decoding by prompt lookup: guessing what comes next from what was there before.
 *
 * The last tokens of a sequence are looked for in it, and what followed them there is proposed as what follows now
 * (Saxena 2023, "Prompt lookup decoding"; verifying drafts as Leviathan et al. 2023, for the most probable token). One
 * call of the model then reads all that is proposed, and whoever chooses tokens keeps as many as he would have
 * chosen. Proposals become longer as they are taken and shorter as they are not; when one fails altogether they stop
 * until two guesses in a row, made without asking the model, were right; twice as many after each failure more. No clock is looked at, so that a prompt has
 * the same proposals each time. Belongs to one sequence and one thread. */
#ifndef SPECULATION_H
#define SPECULATION_H

#include "modelhost.h"

#include <stdbool.h>

/* With the token before them six rows: in float32 our kernels take about as long for them as for one, in fewer bits up
 * to a third of a step more for each. */
#define SPECULATION_MAX_TOKENS 5

struct speculation {
    uint32_t n_tokens; /* to be proposed; 0: it pauses */
    uint32_t n_hits;   /* right guesses in a row while it pauses */
    uint32_t n_needed; /* of them to go on */
    uint32_t n_failed; /* proposals in a row of which nothing was taken */
    int64_t guess;     /* the next token while it pauses; -1: none */
    bool is_unsure;    /* the next step is to be one token */
    int64_t n_proposed, n_accepted;
};

void speculation_init(struct speculation *speculation);
/* Proposes up to max_tokens of what follows ids(n_ids); returns how many. Once for each step. */
size_t speculation_propose(struct speculation *speculation, const int64_t *ids, size_t n_ids,
                           size_t max_tokens, int64_t *ret);
/* What became of those that were judged. is_unsure: the next one was too close to call (below), and must be chosen
 * without a proposal. */
void speculation_learn(struct speculation *speculation, size_t n_judged, size_t n_accepted,
                       bool is_unsure);

/* Whether the largest of logits(n) is so far ahead of the next that the way its row was computed, alone or with
 * others, cannot matter. */
bool speculation_is_certain(const float *logits, int64_t n);

#endif
