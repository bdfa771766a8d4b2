/* generation_reading.c - see generation_reading.h. */
#include "generation_reading.h"

size_t window_length(const struct sequence *sequence)
{
    return sequence->n_ids - sequence->first_read;
}

bool window_is_full(const struct generation_run *run, const struct sequence *sequence)
{
    return (int64_t)window_length(sequence) > run->model->max_context;
}

model_status window_slide(const struct generation_run *run, struct sequence *sequence,
                          struct model_error *err)
{
    const size_t max = (size_t)run->model->max_context;
    const size_t kept = run->model->max_slots == 0 || max < 2 ? max : max / 2;
    sequence->first_read = sequence->n_ids - kept;
    sequence->n_read = 0;
    return sequence->has_slot ? hosted_instance_keep(run->instance, sequence->slot, sequence->slot,
                                                     0, &sequence->n_read, err)
                              : MODEL_OK;
}

size_t window_reusable(const struct generation_run *run, const struct sequence *sequence)
{
    const size_t n = window_length(sequence), min_rows = run->instance->min_rows;
    return n > min_rows ? n - min_rows : 0;
}

model_status window_begin(const struct generation_run *run, struct sequence *sequence,
                          struct model_error *err)
{
    if (run->model->max_slots == 0)
        return MODEL_OK;
    model_status status = hosted_instance_take_slot(
        run->instance, sequence->ids + sequence->first_read, window_reusable(run, sequence),
        &sequence->slot, &sequence->n_read, err);
    sequence->has_slot = status == MODEL_OK;
    return status;
}

void window_end(const struct generation_run *run, struct sequence *sequence)
{
    if (sequence->has_slot)
        hosted_instance_release_slot(run->instance, sequence->slot);
    sequence->has_slot = false;
}

size_t window_piece(const struct generation_run *run)
{
    const size_t min_rows = run->instance->min_rows;
    return run->piece_tokens > min_rows ? run->piece_tokens : min_rows;
}

/* Of n_left > 0 tokens: none that is read later has fewer than min_rows. */
static size_t piece_length(const struct generation_run *run, size_t n_left)
{
    const size_t min_rows = run->instance->min_rows, n = window_piece(run);
    if (n_left <= n || n_left >= n + min_rows)
        return n_left < n ? n_left : n;
    return n_left >= 2 * min_rows ? n_left - min_rows : n_left;
}

static model_status read_piece(const struct generation_run *run, struct sequence *sequence,
                               struct logits *ret, struct model_error *err)
{
    int64_t *ids = sequence->ids + sequence->first_read + sequence->n_read;
    const size_t n_left = window_length(sequence) - sequence->n_read;
    const size_t n = piece_length(run, n_left);
    const struct generation_input input = {ids, NULL, 1, n, &sequence->slot};
    model_status status = generation_call(run, &input, false, ret, err);
    if (status != MODEL_OK)
        return status;
    status = hosted_instance_read(run->instance, sequence->slot, ids, n, err);
    sequence->n_read += n;
    if (status != MODEL_OK || n < n_left)
        logits_finish(ret);
    return status;
}

model_status window_read(const struct generation_run *run, struct sequence *sequence,
                         struct logits *ret, struct model_error *err)
{
    const struct generation_input whole = {sequence->ids + sequence->first_read, NULL, 1,
                                           window_length(sequence), NULL};
    return sequence->has_slot ? read_piece(run, sequence, ret, err)
                              : generation_call(run, &whole, false, ret, err);
}
