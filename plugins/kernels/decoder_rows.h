/* decoder_rows.h - which positions of a padded batch a decoder reads, in which order, and after what.
 *
 * A batch comes as [batch, sequence] with an attention mask that may have holes anywhere. Only visible
 * positions are read, packed one item after the other, in groups of bounded size. With slots an item
 * may be cut between groups: what went before it is in its slot. Without, an item is whole, and its
 * keys and values are kept for one layer at a time. Outputs of hidden positions are zeros. [lane-thread] */
#ifndef DECODER_ROWS_H
#define DECODER_ROWS_H

#include "causal_attention.h"
#include "linear.h"
#include "past_key_values.h"

#define DECODER_GROUP_ROWS      512
#define DECODER_GROUP_SEQUENCES 64

struct scratch;

struct decoder_rows {
    /* The call, set by the caller. */
    const int64_t *mask, *position_ids; /* (batch, sequence_length), or NULL */
    const uint32_t *slots;              /* (batch); NULL: start from nothing */
    struct past_key_values *past;
    size_t batch, sequence_length;
    const char *limit; /* what config.json calls past->max_tokens */
    /* The group that decoder_rows_next() made. */
    int64_t *source;    /* (n_rows): item * sequence_length + column */
    int64_t *positions; /* (n_rows): by position_ids, else behind the slot's last one + column */
    struct causal_sequence *sequences; /* (n_sequences) */
    size_t *last_rows;                 /* (n_ended): rows that end items first_ended and on */
    size_t n_rows, n_sequences, first_ended, n_ended;
    /* Where the next one begins; n_before: rows of that item which were in earlier groups. */
    size_t next_item, next_column, n_before;
    /* Without slots: pages of one layer. */
    char *pages, **page_list;
    size_t page_positions;
    /* The largest group: set by decoder_rows_begin(). */
    size_t max_rows, max_sequences, max_keys;
};

/* Checks the call, makes room in the slots and measures the groups. MODEL_INVALID_ARGUMENT: an item
 * without a visible position; a slot that has no room; a position out of range. */
model_status decoder_rows_begin(struct decoder_rows *rows, struct model_error *err);
void decoder_rows_layout(struct decoder_rows *rows, struct scratch *scratch);
/* The next group; false: all was read. */
bool decoder_rows_next(struct decoder_rows *rows);
/* The run has succeeded: slots hold what was read. */
void decoder_rows_commit(const struct decoder_rows *rows);

/* ret(batch) <- the element of input_ids that is the last token of each item, for a score of the whole
 * item: the rightmost that is visible and not pad_token_id, wherever the padding is; in an item of
 * padding alone the first that is visible. So does transformers 4.53, without the mask.
 * MODEL_INVALID_ARGUMENT: more than one item, no mask and no pad_token_id (DECODER_NO_PAD). */
#define DECODER_NO_PAD INT64_MAX
model_status decoder_rows_last_tokens(const struct decoder_rows *rows, const int64_t *input_ids,
                                      int64_t pad_token_id, int64_t *ret, struct model_error *err);

/* y(batch, sequence_length, width): zeros for the hidden positions, once in a run. */
void decoder_rows_clear(const struct decoder_rows *rows, size_t width, float *y);
/* y(batch, sequence_length, width) <- x(n_rows, width) of the group. */
void decoder_rows_scatter(const struct decoder_rows *rows, const float *x, size_t width, float *y);
/* y(batch, sequence_length, out_features) <- linear(x(n_rows, in_features)); block has room for
 * PACKED_BLOCK_ROWS rows of the result. */
void decoder_rows_linear(const struct decoder_rows *rows, struct linear_runner *runner,
                         const struct linear *linear, const float *x, float *block, float *y);

#endif
