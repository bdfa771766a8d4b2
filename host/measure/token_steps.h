/* token_steps.h - the time from one token of the first prompt to its next, when several prompts are continued together.
 *
 * Prompts are read, together or one after the other, before all make their steps: what passes while another prompt is
 * read is nobody's step. All zero is the begin of a call. One thread. */
#ifndef TOKEN_STEPS_H
#define TOKEN_STEPS_H

#include <stdint.h>

struct token_steps {
    int64_t begin_ns;   /* of the step that runs */
    uint32_t n_started; /* prompts that have a token */
};

/* A token of this prompt came. Returns the nanoseconds of the step that it ends, -1: it ends none that counts. */
int64_t token_steps_take(struct token_steps *steps, uint32_t prompt, int64_t now_ns);

#endif
