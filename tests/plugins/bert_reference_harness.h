/* bert_reference_harness.h - small random BERTs, and what they must answer: the formulas of
 * modeling_bert.py in double precision, one number at a time, every position computed. */
#ifndef BERT_REFERENCE_HARNESS_H
#define BERT_REFERENCE_HARNESS_H

#include "plugin_harness.h"

struct toy {
    int64_t hidden, inner, layers, heads, vocab, positions, types, labels;
    const char *prefix;     /* "bert." or "" */
    const char *activation; /* hidden_act */
    bool gamma;             /* LayerNorm.gamma and .beta */
    int32_t dtype;          /* of all weights */
    bool pooler, predictions, own_decoder, decoder_bias, next;
    const char *classifier; /* "classifier", "qa_outputs" or NULL */
    const char *class;      /* architectures[0], or NULL */
    uint32_t threads;
};

extern const struct toy toy_default;

/* A harness with the model's weights and config.json, not loaded yet. */
struct harness *toy_create(const struct toy *toy);
/* config.json with `more` members ("\"a\": 1,") before the others; freed by the caller. */
char *toy_config(const struct toy *toy, const char *more);

/* The answers, freed by the caller. */
double *toy_hidden(const struct harness *h, const struct toy *toy,
                   const struct harness_inputs *inputs); /* (batch, sequence, hidden) */
/* tanh(first W^T + b) of each sequence: (batch, hidden). */
double *toy_pooled(const struct harness *h, const struct toy *toy, const double *hidden,
                   int64_t batch, int64_t sequence);
/* x(rows, in) W^T + b for the weights of these names; bias may be NULL. */
double *toy_linear(const struct harness *h, const char *weight, const char *bias, const double *x,
                   int64_t rows);
/* The transform of the masked language model: (rows, hidden). */
double *toy_transform(const struct harness *h, const struct toy *toy, const double *hidden,
                      int64_t rows);
double toy_activation(const char *name, double x);

/* splitmix64 as a number in [-1, 1). */
double toy_random(uint64_t *state);

#endif
