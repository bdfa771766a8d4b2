/* causal_attention.c - see causal_attention.h.
 *
 * A thread takes a (sequence, head) pair, writes the new keys and values into the pages and walks over
 * the queries in tiles of PRODUCT_ROWS: scores page by page, exponentials of as many as each row sees,
 * context page by page. In a page the keys lie transposed, so both products read it in order and
 * nothing is copied. */
#include "kernels_internal.h"

#include <stdatomic.h>
#include <string.h>

/* One thread's piece of the workspace. */
struct causal_piece {
    float *scores;  /* (PRODUCT_ROWS, key_columns) */
    float *part;    /* (PRODUCT_ROWS, head_columns): the context of one page */
    float *context; /* (PRODUCT_ROWS, head_columns) */
    size_t key_columns, head_columns;
};

struct causal_job {
    const struct causal_attention *attention;
    const struct vector_kernels *vector;
    size_t max_keys;
    atomic_size_t next; /* the next (sequence, head) */
};

static size_t piece_floats(size_t head_size, size_t max_keys)
{
    return PRODUCT_ROWS * (product_columns(max_keys) + 2 * product_columns(head_size));
}

size_t causal_attention_workspace_bytes(const struct kernels *kernels, size_t head_size,
                                        size_t max_keys)
{
    return kernels->threads * piece_floats(head_size, max_keys) * sizeof(float);
}

/* The keys (head_size, page_positions) of a head in the page of a position. */
static float *page_keys(const struct causal_attention *a, const struct causal_sequence *sequence,
                        size_t head, size_t position)
{
    return sequence->pages[position / a->page_positions] + a->page_offset +
           head * a->head_size * a->page_positions;
}

/* The values (page_positions, head_columns). */
static float *page_values(const struct causal_attention *a, const struct causal_sequence *sequence,
                          size_t head, size_t position)
{
    return sequence->pages[position / a->page_positions] + a->page_offset +
           a->page_positions * (a->num_heads * a->head_size + head * product_columns(a->head_size));
}

static void append(const struct causal_attention *a, const struct causal_sequence *sequence,
                   size_t head)
{
    const size_t width = a->num_heads * a->head_size, head_columns = product_columns(a->head_size);
    const float *key =
        a->query_key_value + sequence->first_row * 3 * width + width + head * a->head_size;
    for (size_t i = 0; i < sequence->n_rows; i++, key += 3 * width) {
        const size_t position = sequence->n_past + i, column = position % a->page_positions;
        float *keys = page_keys(a, sequence, head, position) + column;
        float *values = page_values(a, sequence, head, position) + column * head_columns;
        for (size_t d = 0; d < a->head_size; d++)
            keys[d * a->page_positions] = key[d];
        memcpy(values, key + width, a->head_size * sizeof *values);
        memset(values + a->head_size, 0, (head_columns - a->head_size) * sizeof *values);
    }
}

/* Scores and exponentials of n_rows queries, of which the first sees n_visible positions and each
 * other one more than the one before; unseen positions get zeros. */
static void weigh(const struct causal_job *job, const struct causal_piece *piece,
                  const struct causal_sequence *sequence, size_t head, size_t row, size_t n_rows,
                  float *sums)
{
    const struct causal_attention *a = job->attention;
    const size_t stride = 3 * a->num_heads * a->head_size, page = a->page_positions;
    const size_t n_visible = sequence->n_past + row + 1, n_keys = n_visible + n_rows - 1;
    const float *query =
        a->query_key_value + (sequence->first_row + row) * stride + head * a->head_size;
    for (size_t k = 0; k < n_keys; k += page)
        job->vector->product(query, stride, n_rows, page_keys(a, sequence, head, k), page,
                             a->head_size, piece->scores + k, piece->key_columns,
                             n_keys - k < page ? product_columns(n_keys - k) : page);
    for (size_t r = 0; r < n_rows; r++) {
        float *scores = piece->scores + r * piece->key_columns;
        sums[r] = job->vector->exp_row(scores, n_visible + r, a->scale, scores);
        memset(scores + n_visible + r, 0, (n_rows - 1 - r) * sizeof *scores);
    }
}

/* Rows [row, row + n_rows) of a sequence. */
static void attend_tile(const struct causal_job *job, const struct causal_piece *piece,
                        const struct causal_sequence *sequence, size_t head, size_t row,
                        size_t n_rows)
{
    const struct causal_attention *a = job->attention;
    const size_t columns = piece->head_columns, n_keys = sequence->n_past + row + n_rows;
    const size_t page = a->page_positions, width = a->num_heads * a->head_size;
    float sums[PRODUCT_ROWS];
    weigh(job, piece, sequence, head, row, n_rows, sums);
    for (size_t k = 0; k < n_keys; k += page) {
        float *out = k == 0 ? piece->context : piece->part;
        job->vector->product(piece->scores + k, piece->key_columns, n_rows,
                             page_values(a, sequence, head, k), columns,
                             n_keys - k < page ? n_keys - k : page, out, columns, columns);
        for (size_t i = 0; k > 0 && i < n_rows * columns; i++)
            piece->context[i] += piece->part[i];
    }
    for (size_t r = 0; r < n_rows; r++) {
        float *context = a->context + (sequence->first_row + row + r) * width + head * a->head_size;
        for (size_t d = 0; d < a->head_size; d++)
            context[d] = piece->context[r * columns + d] / sums[r];
    }
}

/* What one thread does: pairs as long as there are any. */
static void causal_worker(void *argument, size_t index)
{
    struct causal_job *job = argument;
    const struct causal_attention *a = job->attention;
    struct causal_piece piece = {.key_columns = product_columns(job->max_keys),
                                 .head_columns = product_columns(a->head_size)};
    piece.scores = (float *)a->workspace + index * piece_floats(a->head_size, job->max_keys);
    piece.part = piece.scores + PRODUCT_ROWS * piece.key_columns;
    piece.context = piece.part + PRODUCT_ROWS * piece.head_columns;
    size_t pair;
    while ((pair = atomic_fetch_add(&job->next, 1)) < a->n_sequences * a->num_heads) {
        const struct causal_sequence *sequence = &a->sequences[pair / a->num_heads];
        const size_t head = pair % a->num_heads;
        append(a, sequence, head);
        for (size_t row = 0; row < sequence->n_rows; row += PRODUCT_ROWS) {
            size_t left = sequence->n_rows - row;
            attend_tile(job, &piece, sequence, head, row,
                        left < PRODUCT_ROWS ? left : PRODUCT_ROWS);
        }
    }
}

void causal_attention_run(const struct kernels *kernels, const struct causal_attention *attention)
{
    struct causal_job job = {.attention = attention, .vector = kernels->vector};
    for (size_t i = 0; i < attention->n_sequences; i++) {
        const struct causal_sequence *sequence = &attention->sequences[i];
        if (sequence->n_past + sequence->n_rows > job.max_keys)
            job.max_keys = sequence->n_past + sequence->n_rows;
    }
    atomic_init(&job.next, 0);
    kernels_parallel(kernels, kernels->threads, causal_worker, &job);
}
