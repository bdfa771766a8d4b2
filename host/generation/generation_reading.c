/* generation_reading.c - see generation_reading.h. */
#include "generation_reading.h"
#include "clock.h"
#include "errors.h"

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

/* How much of a window a slot may have read before: what is left is read as all of it would be. */
static size_t reusable_length(const struct generation_run *run, const struct sequence *sequence)
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
        run->instance, sequence->ids + sequence->first_read, reusable_length(run, sequence),
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

/* Of n_left > 0 tokens: none that is read later has fewer than min_rows. */
static size_t piece_length(const struct generation_run *run, size_t n_left)
{
    const size_t min_rows = run->instance->min_rows;
    const size_t n = run->piece_tokens > min_rows ? run->piece_tokens : min_rows;
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
    model_status status = generation_call(run, ids, 1, n, &sequence->slot, false, ret, err);
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
    return sequence->has_slot ? read_piece(run, sequence, ret, err)
                              : generation_call(run, sequence->ids + sequence->first_read, 1,
                                                window_length(sequence), NULL, false, ret, err);
}

/* ---- prompts */

static model_status fit_prompt(const struct generation_run *run, struct sequence *sequence,
                               struct model_error *err)
{
    if (!window_is_full(run, sequence))
        return MODEL_OK;
    if (run->settings->sliding_window)
        return window_slide(run, sequence, err);
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "prompt %u has %zu tokens, the model looks back on at most %lld; shorten it, "
                     "or let its oldest part go (sliding window)",
                     sequence->prompt + 1, sequence->n_prompt, (long long)run->model->max_context);
}

static model_status begin_prompt(const struct generation_run *run, struct sequence *sequence,
                                 struct model_error *err)
{
    model_status status = fit_prompt(run, sequence, err);
    if (status == MODEL_OK)
        status = window_begin(run, sequence, err);
    if (status != MODEL_OK)
        return status;
    sequence->is_begun = true;
    run->timing->prompt_tokens += (int64_t)window_length(sequence);
    run->timing->cached_tokens += (int64_t)sequence->n_read;
    return MODEL_OK;
}

/* Has a sequence begin where the first one of its prompt has come to. */
static model_status join_prompt(const struct generation_run *run, const struct sequence *first,
                                struct sequence *sequence, struct model_error *err)
{
    const size_t n_ids = window_length(first);
    sequence->first_read = first->first_read;
    if (!first->has_slot)
        return MODEL_OK;
    model_status status = hosted_instance_take_slot(run->instance, first->ids + first->first_read,
                                                    n_ids, &sequence->slot, &sequence->n_read, err);
    sequence->has_slot = status == MODEL_OK;
    if (status == MODEL_OK && sequence->n_read != n_ids) /* another slot had it, as a part */
        status = hosted_instance_keep(run->instance, sequence->slot, first->slot, n_ids,
                                      &sequence->n_read, err);
    if (status == MODEL_OK && sequence->n_read != n_ids)
        return error_set(err, MODEL_INTERNAL,
                         "plugin: keep() of all that a slot has read kept %zu of %zu",
                         sequence->n_read, n_ids);
    return status;
}

static model_status choose_first(const struct generation_run *run, struct sequence *sequences,
                                 uint32_t n, const struct logits *logits, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint32_t i = 1; i < n && status == MODEL_OK; i++)
        status = join_prompt(run, &sequences[0], &sequences[i], err);
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++)
        status = sequence_step(&sequences[i], run->settings, logits->data, err);
    return status;
}

model_status prompt_read(const struct generation_run *run, struct sequence *sequences, uint32_t n,
                         struct model_error *err)
{
    struct logits logits = {.result = NULL};
    const int64_t start_ns = clock_now_ns();
    model_status status = sequences[0].is_begun ? MODEL_OK : begin_prompt(run, &sequences[0], err);
    if (status == MODEL_OK)
        status = window_read(run, &sequences[0], &logits, err);
    run->timing->prefill_ns += clock_now_ns() - start_ns;
    if (status == MODEL_OK && logits.result != NULL)
        status = choose_first(run, sequences, n, &logits, err);
    logits_finish(&logits);
    return status;
}
