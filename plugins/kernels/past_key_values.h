/* past_key_values.h - the keys and values that a decoder has read, in slots of an instance.
 *
 * A slot is a list of pages of PAST_PAGE positions, so that it grows without a copy and a short text
 * takes little memory. In a page lie, for each layer, all keys, then all values, head by head as
 * attention_panels.h has them: keys (head_size, PAST_PAGE), values (PAST_PAGE, head_columns); behind
 * all layers stand the positions that its tokens had, which are not 0, 1, 2, ... where a text was padded. What is
 * behind n_tokens is not defined; a run writes there first and counts it in when it has succeeded, so
 * that a failing one leaves the slot as it was.
 *
 * Belongs to one instance; not thread-safe. [lane-thread] */
#ifndef PAST_KEY_VALUES_H
#define PAST_KEY_VALUES_H

#include "model_abi.h"

#define PAST_PAGE      64
#define PAST_MAX_SLOTS 64

struct past_slot {
    char **pages; /* (n_pages); room for all that the model can have */
    size_t n_pages, n_tokens;
};

struct past_key_values {
    const struct kernels *kernels;
    size_t num_layers, num_heads, head_size, max_tokens;
    struct past_slot slots[PAST_MAX_SLOTS];
};

/* Bytes of one layer in a page of n positions, a multiple of 16. */
size_t past_layer_bytes(const struct kernels *kernels, size_t num_heads, size_t head_size,
                        size_t n_positions);
/* Bytes of a slot that holds n_tokens. */
size_t past_slot_bytes(const struct past_key_values *past, size_t n_tokens);

/* The others are set by the caller, slots are zeros at first. Gives back all memory. */
void past_finish(struct past_key_values *past);

/* Room for n_tokens <= max_tokens in all. MODEL_OUT_OF_MEMORY; what the slot holds stays. */
model_status past_reserve(struct past_key_values *past, uint32_t slot, size_t n_tokens,
                          struct model_error *err);

/* The position that token `index` of a slot has, to be read or, by who reads the token, written; there
 * is room for it. */
int32_t *past_position(const struct past_key_values *past, uint32_t slot, size_t index);
/* The position behind that of the last token; 0 when the slot is empty. */
size_t past_next_position(const struct past_key_values *past, uint32_t slot);

/* model_instance.keep(). Pages that are no longer needed are given back. MODEL_INVALID_ARGUMENT when
 * `from` holds less. */
model_status past_keep(struct past_key_values *past, uint32_t to, uint32_t from, int64_t n_tokens,
                       int64_t *ret_kept, struct model_error *err);

#endif
