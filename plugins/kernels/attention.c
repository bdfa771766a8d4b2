/* attention.c - see attention.h.
 *
 * A thread takes a (sequence, head) pair, transposes its keys and copies its values into its own
 * piece of the workspace (both then read in order), and walks over the queries in tiles of
 * PRODUCT_ROWS: scores, exponentials, context. The division by the sum waits until the context. */
#include "kernels_internal.h"

#include <stdatomic.h>
#include <string.h>

/* One thread's piece; *_columns are counts rounded up for product(). */
struct attention_piece {
    float *keys;    /* (head_size, key_columns): transposed */
    float *values;  /* (n_keys, head_columns) */
    float *scores;  /* (PRODUCT_ROWS, key_columns) */
    float *context; /* (PRODUCT_ROWS, head_columns) */
};

struct attention_job {
    const struct attention *attention;
    const struct vector_kernels *vector;
    size_t piece_floats;
    atomic_size_t next; /* the next (sequence, head) */
};

static size_t piece_floats(size_t head_size, size_t max_keys)
{
    size_t head_columns = product_columns(head_size), key_columns = product_columns(max_keys);
    return head_size * key_columns + key_columns * head_columns + PRODUCT_ROWS * key_columns +
           PRODUCT_ROWS * head_columns;
}

size_t attention_workspace_bytes(const struct kernels *kernels, size_t head_size, size_t max_keys)
{
    return kernels->threads * piece_floats(head_size, max_keys) * sizeof(float);
}

/* (n, head_size) -> (head_size, columns), in blocks so that both sides stay in the first cache. */
static void transpose_keys(const float *key, size_t stride, size_t n, size_t head_size,
                           size_t columns, float *ret)
{
    for (size_t block = 0; block < columns; block += PRODUCT_COLUMNS) {
        size_t used = block < n ? n - block : 0;
        used = used < PRODUCT_COLUMNS ? used : PRODUCT_COLUMNS;
        for (size_t d = 0; d < head_size; d++) {
            float *row = ret + d * columns + block;
            for (size_t i = 0; i < used; i++)
                row[i] = key[(block + i) * stride + d];
            for (size_t i = used; i < PRODUCT_COLUMNS; i++)
                row[i] = 0.0f;
        }
    }
}

static void copy_values(const float *value, size_t stride, size_t n, size_t head_size,
                        size_t columns, float *ret)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(ret + i * columns, value + i * stride, head_size * sizeof *ret);
        memset(ret + i * columns + head_size, 0, (columns - head_size) * sizeof *ret);
    }
}

/* Queries [row, row + n_rows) of one head. */
static void attend_tile(const struct attention_job *job, const struct attention_piece *piece,
                        const struct attention_sequence *sequence, size_t head, size_t row,
                        size_t n_rows)
{
    const struct attention *a = job->attention;
    size_t head_columns = product_columns(a->head_size);
    size_t key_columns = product_columns(sequence->n_keys);
    const float *query = a->query + row * a->stride + head * a->head_size;
    float sums[PRODUCT_ROWS];
    job->vector->product(query, a->stride, n_rows, piece->keys, key_columns, a->head_size,
                         piece->scores, key_columns, key_columns);
    for (size_t r = 0; r < n_rows; r++) {
        float *scores = piece->scores + r * key_columns;
        sums[r] = job->vector->exp_row(scores, sequence->n_keys, a->scale, scores);
    }
    job->vector->product(piece->scores, key_columns, n_rows, piece->values, head_columns,
                         sequence->n_keys, piece->context, head_columns, head_columns);
    for (size_t r = 0; r < n_rows; r++) {
        float *context = a->context + (row + r) * a->context_stride + head * a->head_size;
        for (size_t d = 0; d < a->head_size; d++)
            context[d] = piece->context[r * head_columns + d] / sums[r];
    }
}

static void attend(const struct attention_job *job, const struct attention_piece *piece,
                   const struct attention_sequence *sequence, size_t head)
{
    const struct attention *a = job->attention;
    size_t first_key = sequence->first_key * a->stride + head * a->head_size;
    size_t end = sequence->first_row + sequence->n_rows;
    if (sequence->n_keys == 0) {
        for (size_t row = sequence->first_row; row < end; row++)
            memset(a->context + row * a->context_stride + head * a->head_size, 0,
                   a->head_size * sizeof(float));
        return;
    }
    transpose_keys(a->key + first_key, a->stride, sequence->n_keys, a->head_size,
                   product_columns(sequence->n_keys), piece->keys);
    copy_values(a->value + first_key, a->stride, sequence->n_keys, a->head_size,
                product_columns(a->head_size), piece->values);
    for (size_t row = sequence->first_row; row < end; row += PRODUCT_ROWS)
        attend_tile(job, piece, sequence, head, row,
                    end - row < PRODUCT_ROWS ? end - row : PRODUCT_ROWS);
}

/* What one thread does: pairs as long as there are any. */
static void attention_worker(void *argument, size_t index)
{
    struct attention_job *job = argument;
    const struct attention *a = job->attention;
    float *own = (float *)a->workspace + index * job->piece_floats;
    size_t pair;
    while ((pair = atomic_fetch_add(&job->next, 1)) < a->n_sequences * a->num_heads) {
        const struct attention_sequence *sequence = &a->sequences[pair / a->num_heads];
        size_t key_columns = product_columns(sequence->n_keys);
        struct attention_piece piece = {.keys = own};
        piece.values = piece.keys + a->head_size * key_columns;
        piece.scores = piece.values + key_columns * product_columns(a->head_size);
        piece.context = piece.scores + PRODUCT_ROWS * key_columns;
        attend(job, &piece, sequence, pair % a->num_heads);
    }
}

void attention_run(const struct kernels *kernels, const struct attention *attention)
{
    size_t max_keys = 0;
    for (size_t i = 0; i < attention->n_sequences; i++)
        if (attention->sequences[i].n_keys > max_keys)
            max_keys = attention->sequences[i].n_keys;
    struct attention_job job = {.attention = attention,
                                .vector = kernels->vector,
                                .piece_floats = piece_floats(attention->head_size, max_keys)};
    atomic_init(&job.next, 0);
    kernels_parallel(kernels, kernels->threads, attention_worker, &job);
}
