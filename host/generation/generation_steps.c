/* generation_steps.c - see generation_steps.h. */
#include "generation_steps.h"
#include "clock.h"
#include "errors.h"
#include "generation_prefill.h"

static model_status check_cancelled(const struct generation_run *run, struct model_error *err)
{
    model_status status = (model_status)__atomic_load_n(&run->request->cancelled, __ATOMIC_RELAXED);
    return status == MODEL_OK
               ? MODEL_OK
               : error_set(err, status, "%s",
                           status == MODEL_DEADLINE ? "deadline passed while text was generated"
                                                    : "the request was cancelled");
}

/* ---- steps */

/* The sequences of a step, each with one token that was not read yet. */
struct step {
    int64_t ids[GENERATION_MAX_AT_ONCE];
    uint32_t slots[GENERATION_MAX_AT_ONCE];
    struct sequence *sequences[GENERATION_MAX_AT_ONCE];
    uint32_t n;
};

/* A step of one sequence by reading its window: a model without slots, or one that has just slid. */
static model_status step_alone(const struct generation_run *run, struct sequence *sequence,
                               struct model_error *err)
{
    struct logits logits = {.result = NULL};
    model_status status = window_read(run, sequence, &logits, err);
    if (status == MODEL_OK && logits.result != NULL)
        status = sequence_step(sequence, run->settings, logits.data, err);
    logits_finish(&logits);
    return status;
}

/* Makes the sequence's step, or leaves it to the one that all make together. */
static model_status prepare_step(const struct generation_run *run, struct sequence *sequence,
                                 struct step *step, struct model_error *err)
{
    if (window_is_full(run, sequence)) {
        if (!run->settings->sliding_window)
            return sequence_end(sequence, run->settings, "context", err);
        model_status status = window_slide(run, sequence, err);
        if (status != MODEL_OK)
            return status;
    }
    if (!sequence->has_slot || window_length(sequence) - sequence->n_read > 1)
        return step_alone(run, sequence, err);
    step->ids[step->n] = sequence->ids[sequence->n_ids - 1];
    step->slots[step->n] = sequence->slot;
    step->sequences[step->n++] = sequence;
    return MODEL_OK;
}

static model_status step_together(const struct generation_run *run, struct step *step,
                                  struct model_error *err)
{
    struct logits logits = {.result = NULL};
    const struct generation_input input = {step->ids, NULL, step->n, 1, step->slots};
    model_status status = generation_call(run, &input, false, &logits, err);
    for (uint32_t i = 0; i < step->n && status == MODEL_OK; i++) {
        struct sequence *sequence = step->sequences[i];
        status = hosted_instance_read(run->instance, sequence->slot, &step->ids[i], 1, err);
        sequence->n_read++;
        if (status == MODEL_OK)
            status =
                sequence_step(sequence, run->settings, logits.data + i * logits.row_stride, err);
    }
    logits_finish(&logits);
    return status;
}

/* ---- several tokens of one sequence */

/* How many tokens may be proposed. */
static size_t max_proposed(const struct generation_run *run, const struct sequence *sequence)
{
    const int64_t n_new = (int64_t)(sequence->n_ids - sequence->n_prompt);
    const int64_t n_free = run->model->max_context - (int64_t)window_length(sequence);
    const int64_t n_left = sequence->limit - n_new - 1;
    const int64_t n = n_free < n_left ? n_free : n_left;
    return n < 0 ? 0 : n < SPECULATION_MAX_TOKENS ? (size_t)n : SPECULATION_MAX_TOKENS;
}

/* Chooses tokens as long as they are those that were proposed, and one more. Proposals are read in another way than
 * token by token: where that could matter, nothing is chosen. */
static model_status verify(const struct generation_run *run, struct sequence *sequence,
                           const int64_t *proposed, size_t n_proposed, const struct logits *logits,
                           struct model_error *err)
{
    size_t n_judged = 0, n_accepted = 0;
    bool is_certain = true, goes_on = true;
    model_status status = MODEL_OK;
    for (size_t i = 0; goes_on && status == MODEL_OK; i++) {
        const float *row = logits->data + i * logits->position_stride;
        is_certain = speculation_is_certain(row, run->model->vocab_size);
        if (!is_certain)
            break;
        status = sequence_step(sequence, run->settings, row, err);
        if (i == n_proposed)
            break;
        const bool is_right =
            status == MODEL_OK && sequence->ids[sequence->n_ids - 1] == proposed[i];
        n_judged++;
        n_accepted += is_right;
        goes_on = is_right && sequence->finish_reason == NULL;
    }
    speculation_learn(&sequence->speculation, n_judged, n_accepted, !is_certain);
    return status;
}

/* Reads the last token and those that are proposed behind it, and takes the slot back to what is right. */
static model_status step_ahead(const struct generation_run *run, struct sequence *sequence,
                               int64_t *ids, size_t n_proposed, struct model_error *err)
{
    struct logits logits = {.result = NULL};
    const size_t n_before = sequence->n_read;
    const struct generation_input input = {ids, NULL, 1, 1 + n_proposed, &sequence->slot};
    model_status status = generation_call(run, &input, true, &logits, err);
    if (status == MODEL_OK)
        status = hosted_instance_read(run->instance, sequence->slot, ids, 1 + n_proposed, err);
    sequence->n_read = n_before + 1 + n_proposed;
    if (status == MODEL_OK)
        status = verify(run, sequence, ids + 1, n_proposed, &logits, err);
    logits_finish(&logits);
    if (status == MODEL_OK && sequence->n_read >= window_length(sequence))
        status = hosted_instance_keep(run->instance, sequence->slot, sequence->slot,
                                      window_length(sequence) - 1, &sequence->n_read, err);
    return status;
}

/* The step of the only sequence that runs. */
static model_status step_one(const struct generation_run *run, struct step *step,
                             struct model_error *err)
{
    struct sequence *sequence = step->sequences[0];
    int64_t ids[1 + SPECULATION_MAX_TOKENS] = {step->ids[0]};
    size_t n = 0;
    if (run->speculates && hosted_instance_can_rewind(run->instance, sequence->slot))
        n = speculation_propose(&sequence->speculation, sequence->ids + sequence->first_read,
                                window_length(sequence), max_proposed(run, sequence), ids + 1);
    return n > 0 ? step_ahead(run, sequence, ids, n, err) : step_together(run, step, err);
}

/* One step of all that run. */
static model_status step_all(const struct generation_run *run, struct sequence *sequences,
                             uint32_t n, struct model_error *err)
{
    struct step step;
    const int64_t start_ns = clock_now_ns();
    model_status status = MODEL_OK;
    step.n = 0;
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++)
        if (sequences[i].finish_reason == NULL)
            status = prepare_step(run, &sequences[i], &step, err);
    if (status == MODEL_OK && step.n == 1)
        status = step_one(run, &step, err);
    else if (status == MODEL_OK && step.n > 1)
        status = step_together(run, &step, err);
    run->timing->decode_ns += clock_now_ns() - start_ns;
    return status;
}

model_status generation_step(const struct generation_run *run, struct sequence *sequences,
                             uint32_t n, bool *ret_running, bool *ret_has_more,
                             struct model_error *err)
{
    const uint32_t first = prefill_first(sequences, n);
    model_status status = check_cancelled(run, err);
    if (status == MODEL_OK)
        status = first < n ? prefill_step(run, sequences + first, n - first, err)
                           : step_all(run, sequences, n, err);
    if (status != MODEL_OK)
        return status;
    *ret_running = false;
    for (uint32_t i = 0; i < n; i++) {
        *ret_running = *ret_running || sequences[i].finish_reason == NULL;
        if (sequences[i].finish_reason != NULL)
            window_end(run, &sequences[i]);
    }
    *ret_has_more = prefill_first(sequences, n) < n;
    return MODEL_OK;
}
