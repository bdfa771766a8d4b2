/* attention.h - softmax(scale Q K^T) V for each head of each sequence, on packed rows.
 *
 * The rows of all sequences lie one after the other; a sequence's queries and its visible keys are
 * ranges of rows, so hidden ones need no mask and there is no work on padding (Vaswani et al. 2017,
 * section 3.2). A sequence without a visible key gets a context of zeros. What a model adds to its
 * scores besides may be added. */
#ifndef ATTENTION_H
#define ATTENTION_H

#include "model_abi.h"

#include <stdbool.h>

struct kernels;

struct attention_sequence {
    size_t first_row, n_rows; /* its queries */
    size_t first_key, n_keys; /* the rows whose keys and values they see */
};

struct attention {
    const float *query; /* (rows, num_heads, head_size), rows `stride` floats apart */
    const float *key;   /* the same */
    const float *value; /* the same */
    size_t stride;      /* 3 * hidden for a fused product */
    float *context;     /* (rows, num_heads, head_size), rows context_stride floats apart */
    size_t context_stride;
    size_t num_heads, head_size;
    float scale; /* 1 / sqrt(head_size) */
    /* A sequence's query i of n sees its keys up to the i-th of the last n (and has so many); else all. */
    bool causal;
    /* NULL, or what is added to the scaled scores: a number for each key. That of sequence s, head h and the
     * query i of the sequence begins mask_strides[0] s + [1] h + [2] i floats behind. */
    const float *mask;
    size_t mask_strides[3];
    const struct attention_sequence *sequences;
    size_t n_sequences;
    void *workspace; /* attention_workspace_bytes(), 64-byte aligned */
};

size_t attention_workspace_bytes(const struct kernels *kernels, size_t head_size, size_t max_keys);
/* [lane-thread] */
void attention_run(const struct kernels *kernels, const struct attention *attention);

#endif
