/* packed_rows.h - the rows of a padded batch that are computed, one after the other.
 *
 * A batch comes as [batch, sequence] with an attention mask that may have holes anywhere. Only the
 * visible positions are computed, and position 0 of each sequence, which poolers read: if the mask
 * hides it, it asks but is not seen. Outputs of positions that are not computed are zeros. (Their
 * values in the reference implementations depend on what the padding holds, and nothing that is
 * visible depends on them.) [lane-thread] */
#ifndef PACKED_ROWS_H
#define PACKED_ROWS_H

#include "attention.h"
#include "linear.h"

struct packed_rows {
    int64_t *source;                      /* (n_rows): b * sequence_length + position */
    struct attention_sequence *sequences; /* (n_sequences); first_row is its position 0 */
    size_t n_rows, n_sequences;
    size_t first_sequence;  /* in the batch */
    size_t sequence_length; /* of the padded batch */
};

/* The largest group that packed_rows_fill() makes of a batch of n: at most max_rows, or one sequence.
 * mask(n, sequence_length) or NULL: all are visible. */
size_t packed_rows_largest(const int64_t *mask, size_t n, size_t sequence_length, size_t max_rows);

/* Packs sequences [first, ...) as long as they fit max_rows; at least one. Returns the sequence to go
 * on with. source has room for packed_rows_largest(), sequences for as many, or n if that is less. */
size_t packed_rows_fill(struct packed_rows *rows, const int64_t *mask, size_t n,
                        size_t sequence_length, size_t first, size_t max_rows);

/* Self-attention of the sequences: query_key_value(n_rows, 3, num_heads, head_size) as a stacked
 * linear gives it -> context(n_rows, num_heads, head_size), with scale 1 / sqrt(head_size). */
void packed_rows_attend(const struct kernels *kernels, const struct packed_rows *rows,
                        const float *query_key_value, size_t num_heads, size_t head_size,
                        void *workspace, float *context);

/* y(n_sequences, width) <- position 0 of each sequence in x(n_rows, width). */
void packed_rows_first(const struct packed_rows *rows, const float *x, size_t width, float *y);

/* y(batch, sequence_length, width) <- x(n_rows, width) for the packed sequences; zeros elsewhere. */
void packed_rows_scatter(const struct packed_rows *rows, const float *x, size_t width, float *y);

/* y(batch, sequence_length) <- column `column` of x(n_rows, width); zeros elsewhere. */
void packed_rows_scatter_column(const struct packed_rows *rows, const float *x, size_t width,
                                size_t column, float *y);

/* y(batch, sequence_length, out_features) <- linear(x(n_rows, in_features)), zeros elsewhere. x has
 * room for row_capacity rows, block for PACKED_BLOCK_ROWS rows of the result. */
#define PACKED_BLOCK_ROWS 64
void packed_rows_linear(const struct packed_rows *rows, struct linear_runner *runner,
                        const struct linear *linear, const float *x, size_t row_capacity,
                        float *block, float *y);

/* y(n_rows, width) <- or += the rows of a table by ids(batch, sequence_length). Without ids: by
 * position if by_position, else row 0. */
void packed_rows_embed(const struct packed_rows *rows, const struct embedding *embedding,
                       const int64_t *ids, bool by_position, bool add, float *y);

#endif
