/* gpt2_reference_harness.h - small random GPT-2s, and what they must answer: the formulas of
 * modeling_gpt2.py in double precision, one number at a time, every position computed at once. */
#ifndef GPT2_REFERENCE_HARNESS_H
#define GPT2_REFERENCE_HARNESS_H

#include "plugin_harness.h"

struct gpt {
    int64_t hidden, inner, layers, heads, vocab, positions, labels; /* inner 0: n_inner is null */
    int64_t pad;                                                    /* -1: no pad_token_id */
    const char *prefix;                                             /* "transformer." or "" */
    const char *activation;
    const char *class;             /* architectures[0], or NULL */
    int32_t dtype;                 /* of all weights */
    double eps;                    /* layer_norm_epsilon */
    bool plain_scores;             /* scale_attn_weights: false */
    bool by_layer, upcast;         /* scale_attn_by_inverse_layer_idx, reorder_and_upcast_attn */
    bool untied;                   /* tie_word_embeddings: false */
    bool own_head, score, buffers; /* weights lm_head, score; buffers attn.bias, masked_bias */
    bool word_under_head;          /* no wte.weight, but lm_head.weight */
    uint32_t threads;
};

extern const struct gpt gpt_default;

/* A harness with the model's weights and config.json, not loaded yet. */
struct harness *gpt_create(const struct gpt *gpt);
/* The same, loaded, which must succeed. */
struct harness *gpt_loaded(const struct gpt *gpt);
/* config.json with `more` members ("\"a\": 1,") before the others; freed by the caller. */
char *gpt_config(const struct gpt *gpt, const char *more);

/* The answers, freed by the caller. */
double *gpt_hidden(const struct harness *h, const struct gpt *gpt,
                   const struct harness_inputs *inputs); /* (batch, sequence, hidden) */
/* x(rows, hidden) W^T for a weight (n, hidden): the logits. */
double *gpt_head(const struct harness *h, const char *weight, const double *x, size_t rows);
/* The name of the weight that the words' logits come from. */
const char *gpt_head_name(const struct gpt *gpt);

/* Fails unless |found - want| is small for n numbers. */
void gpt_assert_close(const char *what, const float *found, const double *want, size_t n);
/* The same of rows; rows under the mask (NULL: none) must be zeros. */
void gpt_assert_rows(const char *what, const struct model_tensor *found, const double *want,
                     size_t width, const int64_t *mask);

/* Runs ids [1, n] on slot `slot` (or without slots for -1) and returns a copy of output `name`; NULL
 * when the status is not `status`. */
float *gpt_read(struct harness *h, int slot, const int64_t *ids, int64_t n, const char *name,
                model_status status);
/* keep(), which must succeed and keep all. */
void gpt_keep(struct harness *h, uint32_t to, uint32_t from, int64_t n_tokens);

#endif
