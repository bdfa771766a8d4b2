/* bert.h - BERT (Devlin et al. 2018) as transformers' modeling_bert.py computes it.
 *
 * bert.c reads config.json and describes the model, bert_weights.c loads it, bert_forward.c runs it.
 * Positions that the attention mask hides are not computed: their outputs are zeros (packed_rows.h).
 * Position 0, which the pooler reads, always is. */
#ifndef BERT_H
#define BERT_H

#include "kernels.h"

enum bert_head { POOLER = 1, NEXT_SENTENCE = 2, PREDICTIONS = 4, CLASSIFIER = 8, SPAN = 16 };

/* Results; an output is a name for one. Up to LABELS per sequence, then per position. */
enum bert_result { NOTHING, POOLED, PAIR, LABELS, HIDDEN, TAGS, WORDS, START, END, N_RESULTS };

struct bert_class {
    const char *name, *task;
    unsigned heads;          /* enum bert_head: those that it cannot be without */
    enum bert_result logits; /* what it calls "logits" */
    const char *second_name; /* an output that repeats another: only on request */
};

struct bert_config {
    const struct bert_class *class;
    const char *prefix; /* of the weights: "bert." or "" */
    unsigned heads;     /* enum bert_head: the class's own, and what else the weights give */
    int64_t vocab_size, max_position_embeddings, type_vocab_size, num_labels;
    struct encoder_config encoder;
    bool tie_word_embeddings;
};

struct bert_weights {
    struct embedding word, position, token_type; /* (vocab_size and so on, hidden) */
    struct layer_norm norm;                      /* (hidden) */
    struct encoder encoder;
    /* Heads; NULL if absent. */
    const struct linear *pooler;      /* (hidden, hidden), then tanh */
    const struct linear *next;        /* (2, hidden), on the pooler's output */
    const struct linear *transform;   /* (hidden, hidden), then hidden_act */
    struct layer_norm transform_norm; /* (hidden) */
    const struct linear *decoder;     /* (vocab_size, hidden) */
    const struct linear *classifier;  /* (num_labels, hidden) */
};

struct bert {
    struct plugin_model model;
    enum bert_result results[MAX_SPECS]; /* (n_outputs): what the outputs are */
    struct bert_config config;
    struct bert_weights weights;
};

model_status bert_weights_load(struct bert *bert, struct model_error *err);
model_status bert_run(struct model_instance *self, const struct model_call *call,
                      struct model_error *err);
size_t bert_scratch_bytes(const struct bert *bert, size_t sequence); /* of one sequence */

#endif
