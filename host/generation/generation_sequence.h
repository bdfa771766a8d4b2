/* generation_sequence.h - one sequence that grows: its tokens, its text, its end. Internal to
 * host/generation/. A sequence belongs to one thread. */
#ifndef GENERATION_SEQUENCE_H
#define GENERATION_SEQUENCE_H

#include "generation_config.h"
#include "incremental_decoder.h"
#include "speculation.h"
#include "stop_strings.h"

/* Logarithms of probabilities of one token and of the best ones beside it. */
struct token_logprobs {
    double logprob;
    struct candidate *top; /* (n_top) */
    size_t n_top;
};

struct sequence {
    uint32_t prompt, number;
    int64_t *ids; /* (n_ids): the prompt, then new ones */
    size_t n_ids, n_prompt, capacity;
    size_t first_read; /* the sliding window begins here */
    uint32_t slot;     /* that it has taken */
    bool has_slot;
    bool is_begun;   /* its prompt, of which it is the first sequence, is being read */
    bool is_apart;   /* and not together with others any more */
    size_t n_read;   /* of its window, by the slot */
    size_t n_reused; /* of its prompt: what a slot had read before */
    struct speculation speculation;
    int64_t limit; /* new tokens at most */
    struct sampler sampler;
    const struct tokenizer *tokenizer; /* NULL: no text */
    struct incremental_decoder decoder;
    struct stop_strings stops;
    struct buffer text;        /* generated, as far as it is certain */
    const char *finish_reason; /* NULL: it goes on */
    double cumulative_logprob;
    struct token_logprobs *logprobs; /* (n_ids - n_prompt), or NULL */
};

/* Takes a copy of the prompt. vocab_size is the logits' width. */
model_status sequence_init(struct sequence *sequence, const struct generation_settings *settings,
                           const struct tokenizer *tokenizer, const int64_t *prompt,
                           size_t n_prompt, const char *const *stop_strings,
                           uint32_t n_stop_strings, int64_t vocab_size, struct model_error *err);
void sequence_finish(struct sequence *sequence);

/* Chooses the next token, takes it in and tells settings->on_token; logits(vocab_size). Sets
 * finish_reason when it was the last one. */
model_status sequence_step(struct sequence *sequence, const struct generation_settings *settings,
                           const float *logits, struct model_error *err);

/* Ends it for another reason than a token: tells the text that was held back. */
model_status sequence_end(struct sequence *sequence, const struct generation_settings *settings,
                          const char *reason, struct model_error *err);

#endif
