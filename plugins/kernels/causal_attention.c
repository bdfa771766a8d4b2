/* causal_attention.c - see causal_attention.h.
 *
 * A thread takes a (sequence, head) pair, writes the new keys and values into the pages and walks over
 * the queries in tiles of PRODUCT_ROWS: scores page by page, exponentials of as many as each row sees,
 * context page by page. In a page the keys lie transposed, so both products read it in order and
 * nothing is copied. */
#include "attention_panels.h"

#include <stdatomic.h>
#include <string.h>

/* One thread's piece of the workspace. */
struct causal_piece {
    float *scores;  /* (PRODUCT_ROWS, key_columns) */
    float *part;    /* (PRODUCT_ROWS, head_columns): the context of one page */
    float *context; /* (PRODUCT_ROWS, head_columns) */
    void *space;    /* of attention_panels.h */
    size_t key_columns, head_columns;
};

struct causal_job {
    const struct causal_attention *attention;
    const struct kernels *kernels;
    size_t max_keys;
    atomic_size_t next; /* the next (sequence, head) */
};

static size_t piece_floats(size_t head_size, size_t max_keys)
{
    return PRODUCT_ROWS * (product_columns(max_keys) + 2 * product_columns(head_size));
}

static size_t piece_bytes(const struct kernels *kernels, size_t head_size, size_t max_keys)
{
    return (piece_floats(head_size, max_keys) * sizeof(float) + 63) / 64 * 64 +
           attention_space_bytes(kernels, head_size, max_keys);
}

size_t causal_attention_workspace_bytes(const struct kernels *kernels, size_t head_size,
                                        size_t max_keys)
{
    return kernels->threads * piece_bytes(kernels, head_size, max_keys);
}

/* The keys of a head in the page of a position. */
static char *page_keys(const struct causal_job *job, const struct causal_sequence *sequence,
                       size_t head, size_t position)
{
    const struct causal_attention *a = job->attention;
    return sequence->pages[position / a->page_positions] + a->page_offset +
           head * attention_keys_bytes(job->kernels, a->head_size, a->page_positions);
}

static char *page_values(const struct causal_job *job, const struct causal_sequence *sequence,
                         size_t head, size_t position)
{
    const struct causal_attention *a = job->attention;
    return page_keys(job, sequence, a->num_heads, position) +
           head * attention_values_bytes(job->kernels, a->head_size, a->page_positions);
}

/* Puts the new positions into the pages. */
static void append(const struct causal_job *job, const struct causal_piece *piece,
                   const struct causal_sequence *sequence, size_t head)
{
    const struct causal_attention *a = job->attention;
    const size_t width = a->num_heads * a->head_size, page = a->page_positions;
    const float *key =
        a->query_key_value + sequence->first_row * 3 * width + width + head * a->head_size;
    for (size_t i = 0, n; i < sequence->n_rows; i += n, key += n * 3 * width) {
        const size_t position = sequence->n_past + i, column = position % page;
        n = page - column < sequence->n_rows - i ? page - column : sequence->n_rows - i;
        attention_put_keys(job->kernels, key, 3 * width, n, a->head_size, page, column,
                           piece->space, page_keys(job, sequence, head, position));
        attention_put_values(job->kernels, key + width, 3 * width, n, a->head_size, column,
                             piece->space, page_values(job, sequence, head, position));
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
        attention_multiply(
            job->kernels,
            &(struct attention_product){query, stride, n_rows, a->head_size,
                                        page_keys(job, sequence, head, k), page,
                                        n_keys - k < page ? product_columns(n_keys - k) : page,
                                        piece->scores + k, piece->key_columns},
            piece->space);
    for (size_t r = 0; r < n_rows; r++) {
        float *scores = piece->scores + r * piece->key_columns;
        sums[r] = job->kernels->vector->exp_row(scores, n_visible + r, a->scale, scores);
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
        attention_multiply(job->kernels,
                           &(struct attention_product){
                               piece->scores + k, piece->key_columns, n_rows,
                               n_keys - k < page ? n_keys - k : page,
                               page_values(job, sequence, head, k), columns, columns, out, columns},
                           piece->space);
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
    const size_t own_bytes = piece_bytes(job->kernels, a->head_size, job->max_keys);
    char *own = (char *)a->workspace + index * own_bytes;
    piece.scores = (float *)(void *)own;
    piece.part = piece.scores + PRODUCT_ROWS * piece.key_columns;
    piece.context = piece.part + PRODUCT_ROWS * piece.head_columns;
    piece.space =
        own + own_bytes - attention_space_bytes(job->kernels, a->head_size, job->max_keys);
    size_t pair;
    while ((pair = atomic_fetch_add(&job->next, 1)) < a->n_sequences * a->num_heads) {
        const struct causal_sequence *sequence = &a->sequences[pair / a->num_heads];
        const size_t head = pair % a->num_heads;
        append(job, &piece, sequence, head);
        for (size_t row = 0; row < sequence->n_rows; row += PRODUCT_ROWS) {
            size_t left = sequence->n_rows - row;
            attend_tile(job, &piece, sequence, head, row,
                        left < PRODUCT_ROWS ? left : PRODUCT_ROWS);
        }
    }
}

void causal_attention_run(const struct kernels *kernels, const struct causal_attention *attention)
{
    struct causal_job job = {.attention = attention, .kernels = kernels};
    for (size_t i = 0; i < attention->n_sequences; i++) {
        const struct causal_sequence *sequence = &attention->sequences[i];
        if (sequence->n_past + sequence->n_rows > job.max_keys)
            job.max_keys = sequence->n_past + sequence->n_rows;
    }
    atomic_init(&job.next, 0);
    kernels_parallel(kernels, kernels->threads, causal_worker, &job);
}
