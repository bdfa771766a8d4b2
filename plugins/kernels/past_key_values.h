/* past_key_values.h - the keys and values that a decoder has read, in slots of an instance.
 *
 * A slot is a list of pages of PAST_PAGE positions, so that it grows without a copy and a short text
 * takes little memory. In a page lie, for each layer, all keys, then all values, head by head as
 * causal_attention.h reads them: keys (head_size, PAST_PAGE), values (PAST_PAGE, head_columns). What is
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
    float **pages; /* (n_pages); room for all that the model can have */
    size_t n_pages, n_tokens;
};

struct past_key_values {
    const struct model_services *services;
    size_t num_layers, num_heads, head_size, max_tokens;
    struct past_slot slots[PAST_MAX_SLOTS];
};

/* Floats of one layer in a page of n positions, a multiple of 16. */
size_t past_layer_floats(size_t num_heads, size_t head_size, size_t n_positions);
/* Bytes of a slot that holds n_tokens. */
size_t past_slot_bytes(const struct past_key_values *past, size_t n_tokens);

/* The others are set by the caller, slots are zeros at first. Gives back all memory. */
void past_finish(struct past_key_values *past);

/* Room for n_tokens <= max_tokens in all. MODEL_OUT_OF_MEMORY; what the slot holds stays. */
model_status past_reserve(struct past_key_values *past, uint32_t slot, size_t n_tokens,
                          struct model_error *err);

/* model_instance.keep(). Pages that are no longer needed are given back. MODEL_INVALID_ARGUMENT when
 * `from` holds less. */
model_status past_keep(struct past_key_values *past, uint32_t to, uint32_t from, int64_t n_tokens,
                       int64_t *ret_kept, struct model_error *err);

#endif
