/* attention.c - see attention.h.
 *
 * A thread takes a (sequence, head) pair, transposes its keys and copies its values into its own
 * piece of the workspace (both then read in order), and walks over the queries in tiles of
 * PRODUCT_ROWS: scores, exponentials, context. The division by the sum waits until the context. */
#include "attention_panels.h"

#include <stdatomic.h>
#include <string.h>

/* One thread's piece; key_columns are counted up for product(). */
struct attention_piece {
    float *scores;      /* (PRODUCT_ROWS, key_columns) */
    float *context;     /* (PRODUCT_ROWS, head_columns) */
    char *keys;         /* of attention_panels.h, with key_columns */
    char *values, *own; /* own: its space */
};

struct attention_job {
    const struct attention *attention;
    const struct kernels *kernels;
    size_t piece_bytes;
    atomic_size_t next; /* the next (sequence, head) */
};

/* Divides the memory of a thread; returns its size. */
static size_t layout(const struct kernels *kernels, size_t head_size, size_t n_keys, char *memory,
                     struct attention_piece *ret)
{
    const size_t key_columns = product_columns(n_keys), head_columns = product_columns(head_size);
    const size_t scores = filled_up(PRODUCT_ROWS * key_columns * sizeof(float), 64);
    const size_t context = filled_up(PRODUCT_ROWS * head_columns * sizeof(float), 64);
    const size_t keys = filled_up(attention_keys_bytes(kernels, head_size, key_columns), 64);
    const size_t values = filled_up(attention_values_bytes(kernels, head_size, n_keys), 64);
    const size_t total = scores + context + keys + values;
    if (memory != NULL)
        *ret = (struct attention_piece){
            .scores = (float *)(void *)memory,
            .context = (float *)(void *)(memory + scores),
            .keys = memory + scores + context,
            .values = memory + scores + context + keys,
            .own = memory + total,
        };
    return total + attention_space_bytes(kernels, head_size, n_keys);
}

size_t attention_workspace_bytes(const struct kernels *kernels, size_t head_size, size_t max_keys)
{
    return kernels->threads * layout(kernels, head_size, max_keys, NULL, NULL);
}

/* exp(scores) of the query in `row`, in place, of the first n keys; their sum. */
static float weigh_keys(const struct attention_job *job, const struct attention_sequence *sequence,
                        size_t head, size_t row, size_t n, float *scores)
{
    const struct attention *a = job->attention;
    const struct vector_kernels *vector = job->kernels->vector;
    if (a->mask == NULL)
        return vector->exp_row(scores, n, a->scale, scores);
    const float *mask = a->mask + (size_t)(sequence - a->sequences) * a->mask_strides[0] +
                        head * a->mask_strides[1] +
                        (row - sequence->first_row) * a->mask_strides[2];
    vector->scale_add(scores, a->scale, mask, n, scores);
    return vector->exp_row(scores, n, 1, scores);
}

/* The keys that the query in `row` sees. */
static size_t visible_keys(const struct attention *a, const struct attention_sequence *sequence,
                           size_t row)
{
    return a->causal ? sequence->n_keys - (sequence->first_row + sequence->n_rows - 1 - row)
                     : sequence->n_keys;
}

/* Queries [row, row + n_rows) of one head, and the keys that the last of them sees. */
static void attend_tile(const struct attention_job *job, const struct attention_piece *piece,
                        const struct attention_sequence *sequence, size_t head, size_t row,
                        size_t n_rows)
{
    const struct attention *a = job->attention;
    const size_t n_keys = visible_keys(a, sequence, row + n_rows - 1);
    size_t head_columns = product_columns(a->head_size);
    size_t key_columns = product_columns(sequence->n_keys);
    const float *query = a->query + row * a->stride + head * a->head_size;
    float sums[PRODUCT_ROWS];
    attention_multiply(job->kernels,
                       &(struct attention_product){
                           query, a->stride, n_rows, a->head_size, piece->keys, key_columns,
                           product_columns(n_keys), piece->scores, key_columns},
                       piece->own);
    for (size_t r = 0; r < n_rows; r++) {
        const size_t n = visible_keys(a, sequence, row + r);
        float *scores = piece->scores + r * key_columns;
        sums[r] = weigh_keys(job, sequence, head, row + r, n, scores);
        memset(scores + n, 0, (n_keys - n) * sizeof *scores);
    }
    attention_multiply(job->kernels,
                       &(struct attention_product){piece->scores, key_columns, n_rows, n_keys,
                                                   piece->values, head_columns, head_columns,
                                                   piece->context, head_columns},
                       piece->own);
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
    attention_put_keys(job->kernels, a->key + first_key, a->stride, sequence->n_keys, a->head_size,
                       product_columns(sequence->n_keys), 0, piece->own, piece->keys);
    attention_put_values(job->kernels, a->value + first_key, a->stride, sequence->n_keys,
                         a->head_size, 0, piece->own, piece->values);
    for (size_t row = sequence->first_row; row < end; row += PRODUCT_ROWS)
        attend_tile(job, piece, sequence, head, row,
                    end - row < PRODUCT_ROWS ? end - row : PRODUCT_ROWS);
}

/* What one thread does: pairs as long as there are any. */
static void attention_worker(void *argument, size_t index)
{
    struct attention_job *job = argument;
    const struct attention *a = job->attention;
    char *own = (char *)a->workspace + index * job->piece_bytes;
    struct attention_piece piece = {0};
    size_t pair;
    while ((pair = atomic_fetch_add(&job->next, 1)) < a->n_sequences * a->num_heads) {
        const struct attention_sequence *sequence = &a->sequences[pair / a->num_heads];
        (void)layout(job->kernels, a->head_size, sequence->n_keys, own, &piece);
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
                                .kernels = kernels,
                                .piece_bytes =
                                    layout(kernels, attention->head_size, max_keys, NULL, NULL)};
    atomic_init(&job.next, 0);
    kernels_parallel(kernels, kernels->threads, attention_worker, &job);
}
