/* causal_attention.h - attention in which a query sees the positions up to its own: those of earlier
 * calls in pages (past_key_values.h), and those of this call, which are added to the pages first.
 *
 * Rows of different sequences lie one after the other, as in attention.h: no masks, no padding. A
 * decoding step is the same with one row for each sequence. */
#ifndef CAUSAL_ATTENTION_H
#define CAUSAL_ATTENTION_H

#include "model_abi.h"

struct kernels;

struct causal_sequence {
    size_t first_row, n_rows; /* n_rows >= 1 */
    size_t n_past;            /* positions in the pages before the first row */
    char *const *pages;       /* room for n_past + n_rows positions */
};

struct causal_attention {
    const float *query_key_value; /* (rows, 3, num_heads, head_size) */
    float *context;               /* (rows, num_heads, head_size) */
    size_t num_heads, head_size;
    float scale;
    size_t page_positions; /* a multiple of 16 */
    size_t page_offset;    /* bytes: where this layer begins in a page */
    const struct causal_sequence *sequences;
    size_t n_sequences;
    void *workspace; /* causal_attention_workspace_bytes(), 64-byte aligned */
};

/* For sequences of at most max_keys positions, those before this call included. */
size_t causal_attention_workspace_bytes(const struct kernels *kernels, size_t head_size,
                                        size_t max_keys);
/* [lane-thread] */
void causal_attention_run(const struct kernels *kernels, const struct causal_attention *attention);

#endif
