/* gpt2.h - GPT-2 (Radford et al. 2019) as transformers' modeling_gpt2.py computes it.
 *
 * gpt2.c reads config.json and describes the model, gpt2_weights.c loads it, gpt2_forward.c runs it.
 * Positions that the attention mask hides are not computed: their outputs are zeros, and they do not
 * enter a slot (decoder_rows.h). Every computation is in f32, so reorder_and_upcast_attn, which asks
 * for f32 in the attention of f16 models, changes nothing. */
#ifndef GPT2_H
#define GPT2_H

#include "kernels.h"

/* Results; an output is a name for one. */
enum gpt2_result { HIDDEN, WORDS, NEXT_WORDS, LABELS, N_RESULTS };

struct gpt2_class {
    const char *name, *task;
    const char *head; /* the weight of its logits; NULL: it has none */
    enum gpt2_result logits;
};

struct gpt2_config {
    const struct gpt2_class *class;
    const char *prefix; /* of the weights: "transformer." or "" */
    int64_t vocab_size, num_labels, pad_token_id;
    struct decoder_config decoder;
    bool tie_word_embeddings;
};

struct gpt2_weights {
    struct embedding word, position; /* (vocab_size, hidden), (n_positions, hidden) */
    struct layer_norm norm;          /* (hidden): after the last layer */
    const struct linear *head;       /* (vocab_size or num_labels, hidden); NULL: GPT2Model */
};

struct gpt2 {
    struct decoder_model base;
    enum gpt2_result results[MAX_SPECS]; /* (n_outputs): what the outputs are */
    struct gpt2_config config;
    struct gpt2_weights weights;
};

model_status gpt2_weights_load(struct gpt2 *gpt2, struct model_error *err);
model_status gpt2_run(struct model_instance *self, const struct model_call *call,
                      struct model_error *err);

#endif
