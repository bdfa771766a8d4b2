/* packed_rows.c - see packed_rows.h. */
#include "kernels.h"

#include <math.h>
#include <string.h>

/* Rows that one sequence takes. */
static size_t count_rows(const int64_t *mask, size_t sequence_length)
{
    if (mask == NULL)
        return sequence_length;
    size_t n = mask[0] == 0; /* computed all the same */
    for (size_t i = 0; i < sequence_length; i++)
        n += mask[i] != 0;
    return n;
}

size_t packed_rows_largest(const int64_t *mask, size_t n, size_t sequence_length, size_t max_rows)
{
    size_t largest = 0, rows = 0;
    for (size_t i = 0; i < n; i++) {
        size_t own = count_rows(mask == NULL ? NULL : mask + i * sequence_length, sequence_length);
        rows = rows > 0 && rows + own > max_rows ? own : rows + own;
        largest = rows > largest ? rows : largest;
    }
    return largest;
}

static void append(struct packed_rows *rows, const int64_t *mask, size_t index)
{
    struct attention_sequence *sequence = &rows->sequences[rows->n_sequences++];
    bool hidden_first = mask != NULL && mask[0] == 0;
    sequence->first_row = rows->n_rows;
    for (size_t i = 0; i < rows->sequence_length; i++)
        if (i == 0 || mask == NULL || mask[i] != 0)
            rows->source[rows->n_rows++] = (int64_t)(index * rows->sequence_length + i);
    sequence->n_rows = rows->n_rows - sequence->first_row;
    sequence->first_key = sequence->first_row + hidden_first;
    sequence->n_keys = sequence->n_rows - hidden_first;
}

size_t packed_rows_fill(struct packed_rows *rows, const int64_t *mask, size_t n,
                        size_t sequence_length, size_t first, size_t max_rows)
{
    rows->n_rows = rows->n_sequences = 0;
    rows->first_sequence = first;
    rows->sequence_length = sequence_length;
    for (; first < n; first++) {
        const int64_t *own = mask == NULL ? NULL : mask + first * sequence_length;
        if (rows->n_sequences > 0 && rows->n_rows + count_rows(own, sequence_length) > max_rows)
            break;
        append(rows, own, first);
    }
    return first;
}

void packed_rows_attend(const struct kernels *kernels, const struct packed_rows *rows,
                        const float *query_key_value, size_t num_heads, size_t head_size,
                        void *workspace, float *context)
{
    size_t width = num_heads * head_size;
    struct attention attention = {.query = query_key_value,
                                  .key = query_key_value + width,
                                  .value = query_key_value + 2 * width,
                                  .stride = 3 * width,
                                  .context = context,
                                  .context_stride = width,
                                  .num_heads = num_heads,
                                  .head_size = head_size,
                                  .scale = 1.0f / sqrtf((float)head_size),
                                  .sequences = rows->sequences,
                                  .n_sequences = rows->n_sequences,
                                  .workspace = workspace};
    attention_run(kernels, &attention);
}

void packed_rows_first(const struct packed_rows *rows, const float *x, size_t width, float *y)
{
    for (size_t i = 0; i < rows->n_sequences; i++)
        memcpy(y + i * width, x + rows->sequences[i].first_row * width, width * sizeof *y);
}

/* Zeros for the positions of the packed sequences that have no row. */
static void clear_hidden(const struct packed_rows *rows, size_t width, float *y)
{
    size_t next = rows->first_sequence * rows->sequence_length;
    size_t end = next + rows->n_sequences * rows->sequence_length;
    for (size_t row = 0; row <= rows->n_rows; row++) {
        size_t position = row < rows->n_rows ? (size_t)rows->source[row] : end;
        memset(y + next * width, 0, (position - next) * width * sizeof *y);
        next = position + 1;
    }
}

static void copy_rows(const struct packed_rows *rows, size_t first, size_t n, const float *x,
                      size_t width, float *y)
{
    for (size_t i = 0; i < n; i++)
        memcpy(y + (size_t)rows->source[first + i] * width, x + i * width, width * sizeof *y);
}

void packed_rows_scatter(const struct packed_rows *rows, const float *x, size_t width, float *y)
{
    clear_hidden(rows, width, y);
    copy_rows(rows, 0, rows->n_rows, x, width, y);
}

void packed_rows_scatter_column(const struct packed_rows *rows, const float *x, size_t width,
                                size_t column, float *y)
{
    clear_hidden(rows, 1, y);
    for (size_t i = 0; i < rows->n_rows; i++)
        y[rows->source[i]] = x[i * width + column];
}

void packed_rows_linear(const struct packed_rows *rows, struct linear_runner *runner,
                        const struct linear *linear, const float *x, size_t row_capacity,
                        float *block, float *y)
{
    const size_t n = rows->n_rows, width = (size_t)linear_out_features(linear);
    if (n == rows->n_sequences * rows->sequence_length) { /* no padding: straight into y */
        linear_run(runner, linear, x, n, n, y + (size_t)rows->source[0] * width);
        return;
    }
    clear_hidden(rows, width, y);
    for (size_t first = 0; first < n; first += PACKED_BLOCK_ROWS) {
        size_t block_rows = n - first < PACKED_BLOCK_ROWS ? n - first : PACKED_BLOCK_ROWS;
        size_t capacity = row_capacity - first;
        capacity = capacity < PACKED_BLOCK_ROWS ? capacity : PACKED_BLOCK_ROWS;
        linear_run(runner, linear, x + first * (size_t)linear_in_features(linear), block_rows,
                   capacity, block);
        if (linear_runner_status(runner) != MODEL_OK)
            return;
        copy_rows(rows, first, block_rows, block, width, y);
    }
}

void packed_rows_embed(const struct packed_rows *rows, const struct embedding *embedding,
                       const int64_t *ids, bool by_position, bool add, float *y)
{
    for (size_t row = 0; row < rows->n_rows; row++, y += embedding->width) {
        size_t source = (size_t)rows->source[row], id = 0;
        if (ids != NULL)
            id = (size_t)ids[source];
        else if (by_position)
            id = source % rows->sequence_length;
        if (add)
            embedding_add(embedding, id, y);
        else
            embedding_read(embedding, id, y);
    }
}
