/* decoder_rows.c - see decoder_rows.h. */
#include "kernels_internal.h"

#include <string.h>

static bool is_visible(const struct decoder_rows *rows, size_t item, size_t column)
{
    return rows->mask == NULL || rows->mask[item * rows->sequence_length + column] != 0;
}

static size_t count_visible(const struct decoder_rows *rows, size_t item)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->sequence_length; i++)
        n += is_visible(rows, item, i);
    return n;
}

static size_t held(const struct decoder_rows *rows, size_t item)
{
    return rows->slots == NULL ? 0 : rows->past->slots[rows->slots[item]].n_tokens;
}

/* The position of column 0, unless position_ids say another. */
static size_t first_position(const struct decoder_rows *rows, size_t item)
{
    return rows->slots == NULL ? 0 : past_next_position(rows->past, rows->slots[item]);
}

static model_status check_item(const struct decoder_rows *rows, size_t item, size_t n,
                               struct model_error *err)
{
    const size_t max = rows->past->max_tokens, before = held(rows, item);
    size_t last = rows->sequence_length - 1;
    if (n == 0)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "attention_mask[%zu] hides all positions, want at least one that is "
                            "visible",
                            item);
    if (before + n > max)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "the slot holds %zu of %zu positions (%s), %zu more do not fit: rewind "
                            "or clear it, or read less",
                            before, max, rows->limit, n);
    while (!is_visible(rows, item, last))
        last--;
    const size_t first = first_position(rows, item);
    if (rows->position_ids == NULL && first + last >= max)
        return kernels_fail(
            err, MODEL_INVALID_ARGUMENT,
            "item %zu: column %zu after %zu positions would be position %zu, want 0 "
            "to %zu (%s %zu): give position_ids that leave the padding out",
            item, last, first, first + last, max - 1, rows->limit, max);
    return MODEL_OK;
}

model_status decoder_rows_begin(struct decoder_rows *rows, struct model_error *err)
{
    size_t total = 0, longest = 0;
    rows->next_item = rows->next_column = rows->n_before = 0;
    rows->max_keys = 0;
    for (size_t item = 0; item < rows->batch; item++) {
        const size_t n = count_visible(rows, item), before = held(rows, item);
        model_status status = check_item(rows, item, n, err);
        if (status == MODEL_OK && rows->slots != NULL)
            status = past_reserve(rows->past, rows->slots[item], before + n, err);
        if (status != MODEL_OK)
            return status;
        total += n;
        longest = n > longest ? n : longest;
        rows->max_keys = before + n > rows->max_keys ? before + n : rows->max_keys;
    }
    rows->max_rows = total < DECODER_GROUP_ROWS ? total : DECODER_GROUP_ROWS;
    if (rows->slots == NULL && longest > rows->max_rows)
        rows->max_rows = longest;
    rows->max_sequences =
        rows->batch < DECODER_GROUP_SEQUENCES ? rows->batch : DECODER_GROUP_SEQUENCES;
    rows->page_positions = PAST_PAGE;
    if (rows->slots == NULL && product_columns(longest) < PAST_PAGE)
        rows->page_positions = product_columns(longest);
    return MODEL_OK;
}

static size_t page_bytes(const struct decoder_rows *rows)
{
    const struct past_key_values *past = rows->past;
    return past_layer_bytes(past->kernels, past->num_heads, past->head_size, rows->page_positions);
}

void decoder_rows_layout(struct decoder_rows *rows, struct scratch *scratch)
{
    size_t n_pages = rows->max_rows / rows->page_positions + rows->max_sequences;
    n_pages = rows->slots == NULL ? n_pages : 0;
    rows->source = scratch_take(scratch, rows->max_rows, sizeof *rows->source);
    rows->positions = scratch_take(scratch, rows->max_rows, sizeof *rows->positions);
    rows->sequences = scratch_take(scratch, rows->max_sequences, sizeof *rows->sequences);
    rows->last_rows = scratch_take(scratch, rows->max_sequences, sizeof *rows->last_rows);
    rows->page_list = scratch_take(scratch, n_pages, sizeof *rows->page_list);
    rows->pages = scratch_take(scratch, n_pages, page_bytes(rows));
}

/* The next n visible positions of the next item. */
static void append(struct decoder_rows *rows, size_t n, bool ends, char *const *pages)
{
    const size_t item = rows->next_item, before = held(rows, item);
    const size_t first = first_position(rows, item);
    size_t token = before + rows->n_before; /* in the slot */
    rows->sequences[rows->n_sequences++] =
        (struct causal_sequence){rows->n_rows, n, before + rows->n_before, pages};
    rows->n_before += n;
    for (; n > 0; rows->next_column++) {
        const size_t source = item * rows->sequence_length + rows->next_column;
        if (!is_visible(rows, item, rows->next_column))
            continue;
        rows->source[rows->n_rows] = (int64_t)source;
        const int64_t position = rows->position_ids != NULL ? rows->position_ids[source]
                                                            : (int64_t)(first + rows->next_column);
        if (rows->slots != NULL)
            *past_position(rows->past, rows->slots[item], token++) = (int32_t)position;
        rows->positions[rows->n_rows++] = position;
        n--;
    }
    if (!ends)
        return;
    rows->last_rows[rows->n_ended++] = rows->n_rows - 1;
    rows->next_item++;
    rows->next_column = rows->n_before = 0;
}

/* Pages for n positions behind the first n_used of page_list. */
static char *const *take_pages(struct decoder_rows *rows, size_t n, size_t *n_used)
{
    char **own = rows->page_list + *n_used;
    for (size_t i = 0; i < n; i += rows->page_positions, ++*n_used)
        rows->page_list[*n_used] = rows->pages + *n_used * page_bytes(rows);
    return own;
}

/* How many of an item's rows go into the room of a group, whose other rows are many: what is left for the next one is not
 * so few that compact weights round it in another way (compact_rows.h). */
static size_t cut(size_t left, size_t room)
{
    const size_t few = PRODUCT_ROWS + 1;
    if (left <= room)
        return left;
    return left - room >= few ? room : left > few ? left - few : 0;
}

bool decoder_rows_next(struct decoder_rows *rows)
{
    size_t n_pages = 0;
    rows->n_rows = rows->n_sequences = rows->n_ended = 0;
    rows->first_ended = rows->next_item;
    while (rows->next_item < rows->batch && rows->n_sequences < rows->max_sequences &&
           rows->n_rows < rows->max_rows) {
        const size_t left = count_visible(rows, rows->next_item) - rows->n_before;
        const size_t room = rows->max_rows - rows->n_rows;
        const bool has_slot = rows->slots != NULL;
        const size_t n = has_slot ? cut(left, room) : left <= room ? left : 0;
        if (n == 0)
            break;
        append(rows, n, n == left,
               has_slot ? rows->past->slots[rows->slots[rows->next_item]].pages
                        : take_pages(rows, n, &n_pages));
    }
    return rows->n_rows > 0;
}

void decoder_rows_commit(const struct decoder_rows *rows)
{
    for (size_t item = 0; item < rows->batch && rows->slots != NULL; item++)
        rows->past->slots[rows->slots[item]].n_tokens += count_visible(rows, item);
}

/* The last visible column whose token is not padding; else the first visible one, of which
 * decoder_rows_begin() has made sure. */
static size_t last_column(const struct decoder_rows *rows, size_t item, const int64_t *ids,
                          int64_t pad_token_id)
{
    size_t first = 0;
    for (size_t column = rows->sequence_length; column-- > 0;) {
        if (!is_visible(rows, item, column))
            continue;
        if (pad_token_id == DECODER_NO_PAD || ids[column] != pad_token_id)
            return column;
        first = column;
    }
    return first;
}

model_status decoder_rows_last_tokens(const struct decoder_rows *rows, const int64_t *input_ids,
                                      int64_t pad_token_id, int64_t *ret, struct model_error *err)
{
    const size_t sequence = rows->sequence_length;
    if (pad_token_id == DECODER_NO_PAD && rows->mask == NULL && rows->batch > 1)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "a batch of %zu needs an attention_mask, or 'pad_token_id' in "
                            "config.json, by which the last token of each text is found; give one "
                            "of them, or one text at a time",
                            rows->batch);
    for (size_t item = 0; item < rows->batch; item++)
        ret[item] = (int64_t)(item * sequence +
                              last_column(rows, item, input_ids + item * sequence, pad_token_id));
    return MODEL_OK;
}

void decoder_rows_clear(const struct decoder_rows *rows, size_t width, float *y)
{
    for (size_t i = 0; i < rows->batch * rows->sequence_length && rows->mask != NULL; i++)
        if (rows->mask[i] == 0)
            memset(y + i * width, 0, width * sizeof *y);
}

static void copy_rows(const struct decoder_rows *rows, size_t first, size_t n, const float *x,
                      size_t width, float *y)
{
    for (size_t i = 0; i < n; i++)
        memcpy(y + (size_t)rows->source[first + i] * width, x + i * width, width * sizeof *y);
}

void decoder_rows_scatter(const struct decoder_rows *rows, const float *x, size_t width, float *y)
{
    copy_rows(rows, 0, rows->n_rows, x, width, y);
}

void decoder_rows_linear(const struct decoder_rows *rows, struct linear_runner *runner,
                         const struct linear *linear, const float *x, float *block, float *y)
{
    const size_t n = rows->n_rows, width = (size_t)linear_out_features(linear);
    const size_t first_source = (size_t)rows->source[0];
    if ((size_t)rows->source[n - 1] - first_source == n - 1) { /* no hole: straight into y */
        linear_run(runner, linear, x, n, n, y + first_source * width);
        return;
    }
    for (size_t first = 0; first < n; first += PACKED_BLOCK_ROWS) {
        size_t n_rows = n - first < PACKED_BLOCK_ROWS ? n - first : PACKED_BLOCK_ROWS;
        linear_run(runner, linear, x + first * (size_t)linear_in_features(linear), n_rows, n_rows,
                   block);
        if (linear_runner_status(runner) != MODEL_OK)
            return;
        copy_rows(rows, first, n_rows, block, width, y);
    }
}
