/* generation_prompt.h - one prompt of a request: what the caller gave, and its tokens.
 *
 * A prompt keeps copies. It is taken on the caller's thread and tokenized on the lane, so that the request's
 * deadline covers that too. */
#ifndef GENERATION_PROMPT_H
#define GENERATION_PROMPT_H

#include "modelhost.h"
#include "tokenizer.h"

struct prompt {
    char *text; /* NULL: ids were given */
    size_t text_bytes;
    int64_t *ids; /* (n_ids) */
    size_t n_ids;
};

/* Fills in a zeroed prompt. has_tokenizer false: a text is MODEL_NOT_FOUND. */
model_status prompt_take(struct prompt *prompt, const struct modelhost_prompt *given,
                         bool has_tokenizer, struct model_error *err);
void prompt_finish(struct prompt *prompt);

/* Makes the ids of a text. An empty prompt is what the model begins every text with: bos_token_id, or the
 * tokenizer's when that is negative. tokenizer NULL: there is none. Stops when *cancelled (may be NULL) is
 * raised. [lane-thread] */
model_status prompt_encode(struct prompt *prompt, const struct tokenizer *tokenizer,
                           int64_t bos_token_id, const uint32_t *cancelled,
                           struct model_error *err);

#endif
