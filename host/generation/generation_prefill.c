/* generation_prefill.c - see generation_prefill.h. */
#include "generation_prefill.h"
#include "clock.h"
#include "errors.h"

#include <stdlib.h>

#define MOST_PADDED 4 /* times what is read: the ids of a call for several, padding included */

/* What one call reads. */
struct prefill {
    struct sequence *prompts[GENERATION_MAX_AT_ONCE]; /* (n): the first sequence of each */
    uint32_t n_sequences[GENERATION_MAX_AT_ONCE];     /* (n): that continue it */
    size_t n_tokens[GENERATION_MAX_AT_ONCE];          /* (n): what is left to be read */
    uint32_t n;
    size_t total, longest; /* of n_tokens */
};

/* ---- one prompt */

static bool is_started(const struct sequence *sequence)
{
    return sequence->n_ids > sequence->n_prompt || sequence->finish_reason != NULL;
}

uint32_t prefill_first(const struct sequence *sequences, uint32_t n)
{
    uint32_t first = 0;
    while (first < n && is_started(&sequences[first]))
        first++;
    return first;
}

/* How many of sequences(n) continue the first one's prompt. */
static uint32_t count_own(const struct sequence *sequences, uint32_t n)
{
    uint32_t n_own = 1;
    while (n_own < n && sequences[n_own].prompt == sequences[0].prompt)
        n_own++;
    return n_own;
}

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
    model_status status = sequence->is_begun ? MODEL_OK : fit_prompt(run, sequence, err);
    if (status != MODEL_OK || sequence->is_begun)
        return status;
    status = window_begin(run, sequence, err);
    if (status != MODEL_OK)
        return status;
    sequence->is_begun = true;
    sequence->n_reused = sequence->n_read;
    run->timing->prompt_tokens += (int64_t)window_length(sequence);
    run->timing->cached_tokens += (int64_t)sequence->n_reused;
    return MODEL_OK;
}

/* Has it begin again, by itself: what its slot holds is not known. */
static void part(const struct generation_run *run, struct sequence *sequence)
{
    window_end(run, sequence);
    run->timing->prompt_tokens -= (int64_t)window_length(sequence);
    run->timing->cached_tokens -= (int64_t)sequence->n_reused;
    sequence->is_begun = false;
    sequence->is_apart = true;
}

/* ---- those that are read together */

static void add(struct prefill *prefill, struct sequence *prompt, uint32_t n_sequences)
{
    const size_t n_tokens = window_length(prompt) - prompt->n_read;
    prefill->prompts[prefill->n] = prompt;
    prefill->n_sequences[prefill->n] = n_sequences;
    prefill->n_tokens[prefill->n++] = n_tokens;
    prefill->total += n_tokens;
    prefill->longest = n_tokens > prefill->longest ? n_tokens : prefill->longest;
}

/* Behind so few prompts the last rows are rounded as the last one of a prompt by itself. */
static uint32_t most_prompts(const struct generation_run *run)
{
    const size_t min_rows = run->instance->min_rows;
    return min_rows > 1 ? (uint32_t)min_rows - 1 : GENERATION_MAX_AT_ONCE;
}

/* Whether what is left of a prompt that has begun goes into one call with others. */
static bool has_room(const struct generation_run *run, const struct prefill *prefill,
                     const struct sequence *prompt)
{
    const size_t n = window_length(prompt) - prompt->n_read;
    const size_t longest = n > prefill->longest ? n : prefill->longest;
    const bool is_level = prefill->n == 0 || n == prefill->longest;
    return prompt->has_slot && n >= run->instance->min_rows &&
           prefill->total + n <= window_piece(run) && (is_level || run->model->takes_mask) &&
           (prefill->n + 1) * longest <= MOST_PADDED * (prefill->total + n);
}

/* How many of the first n ids of b can be had from what a has read by then. */
static size_t shared_length(const struct generation_run *run, const struct sequence *a,
                            const struct sequence *b, size_t n)
{
    const int64_t *of_a = a->ids + a->first_read, *of_b = b->ids + b->first_read;
    const size_t n_a = window_length(a);
    size_t shared = 0;
    while (shared < n && shared < n_a && of_a[shared] == of_b[shared])
        shared++;
    return shared == n_a || run->instance->rewinds != SLOT_NEVER_REWINDS ? shared : 0;
}

/* Whether a prompt would find half of what it has to read when the others have been read. */
static bool had_better_wait(const struct generation_run *run, const struct prefill *prefill,
                            const struct sequence *prompt)
{
    const size_t n = window_reusable(run, prompt);
    size_t shared = 0, kept = 0;
    for (uint32_t i = 0; i < prefill->n; i++) {
        const size_t own = shared_length(run, prefill->prompts[i], prompt, n);
        shared = own > shared ? own : shared;
    }
    (void)hosted_instance_best_slot(run->instance, prompt->ids + prompt->first_read, n, &kept);
    return shared > kept && 2 * (shared - kept) >= window_length(prompt) - kept;
}

static bool can_join(const struct generation_run *run, const struct prefill *prefill,
                     const struct sequence *prompt)
{
    return !is_started(prompt) && prompt->limit > 0 && !prompt->is_apart &&
           !window_is_full(run, prompt) &&
           (prompt->is_begun || !had_better_wait(run, prefill, prompt));
}

/* The prompt of sequences[0], which has begun, and those behind it that are read with it. */
static model_status gather(const struct generation_run *run, struct sequence *sequences, uint32_t n,
                           struct prefill *ret, struct model_error *err)
{
    uint32_t n_own = count_own(sequences, n);
    const bool is_alone = sequences[0].is_apart || !has_room(run, ret, &sequences[0]);
    model_status status = MODEL_OK;
    add(ret, &sequences[0], n_own);
    for (uint32_t i = n_own; i < n && !is_alone && ret->n < most_prompts(run); i += n_own) {
        n_own = count_own(sequences + i, n - i);
        if (!can_join(run, ret, &sequences[i]))
            continue;
        status = begin_prompt(run, &sequences[i], err);
        if (status != MODEL_OK || !has_room(run, ret, &sequences[i]))
            break;
        add(ret, &sequences[i], n_own);
    }
    return status;
}

/* ---- reading them */

static void fill(const struct prefill *prefill, struct generation_input *input, uint32_t *slots)
{
    for (uint32_t i = 0; i < prefill->n; i++) {
        const struct sequence *prompt = prefill->prompts[i];
        const int64_t *ids = prompt->ids + prompt->first_read + prompt->n_read;
        for (size_t k = 0; k < prefill->n_tokens[i]; k++) {
            input->ids[i * input->n_columns + k] = ids[k];
            input->mask[i * input->n_columns + k] = 1;
        }
        slots[i] = prompt->slot;
    }
    if (prefill->total == prefill->n * prefill->longest)
        input->mask = NULL;
}

static model_status call_together(const struct generation_run *run, const struct prefill *prefill,
                                  struct logits *ret, struct model_error *err)
{
    uint32_t slots[GENERATION_MAX_AT_ONCE];
    const size_t n_elements = prefill->n * prefill->longest;
    int64_t *memory = calloc(2 * n_elements, sizeof *memory);
    if (memory == NULL)
        return error_no_memory(err, "the prompts of a call");
    struct generation_input input = {memory, memory + n_elements, prefill->n, prefill->longest,
                                     slots};
    fill(prefill, &input, slots);
    model_status status = generation_call(run, &input, false, ret, err);
    free(memory);
    return status;
}

/* A plugin that has ended, or a request that nobody wants any more, is not asked again. */
static bool is_final(model_status status)
{
    return status == MODEL_CANCELLED || status == MODEL_DEADLINE || status == MODELHOST_CRASHED;
}

/* ret->result is NULL where they are to be read by themselves. */
static model_status read_together(const struct generation_run *run, const struct prefill *prefill,
                                  struct logits *ret, struct model_error *err)
{
    model_status status = call_together(run, prefill, ret, err);
    if (status != MODEL_OK && !is_final(status)) {
        for (uint32_t i = 0; i < prefill->n; i++)
            part(run, prefill->prompts[i]);
        error_init(err);
        return MODEL_OK;
    }
    for (uint32_t i = 0; i < prefill->n && status == MODEL_OK; i++) {
        struct sequence *prompt = prefill->prompts[i];
        status = hosted_instance_read(run->instance, prompt->slot,
                                      prompt->ids + prompt->first_read + prompt->n_read,
                                      prefill->n_tokens[i], err);
        prompt->n_read += prefill->n_tokens[i];
    }
    return status;
}

/* ---- first tokens */

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
                                 uint32_t n, const float *logits, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint32_t i = 1; i < n && status == MODEL_OK; i++)
        status = join_prompt(run, &sequences[0], &sequences[i], err);
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++)
        status = sequence_step(&sequences[i], run->settings, logits, err);
    return status;
}

/* No token is wanted behind it. */
static model_status end_prompt(const struct generation_run *run, struct sequence *sequences,
                               uint32_t n, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++)
        status = sequence_end(&sequences[i], run->settings, "length", err);
    return status;
}

model_status prefill_step(const struct generation_run *run, struct sequence *sequences, uint32_t n,
                          struct model_error *err)
{
    struct logits logits = {.result = NULL};
    struct prefill prefill = {.n = 0};
    if (sequences[0].limit <= 0)
        return end_prompt(run, sequences, count_own(sequences, n), err);
    const int64_t start_ns = clock_now_ns();
    model_status status = begin_prompt(run, &sequences[0], err);
    if (status == MODEL_OK)
        status = gather(run, sequences, n, &prefill, err);
    if (status == MODEL_OK)
        status = prefill.n > 1 ? read_together(run, &prefill, &logits, err)
                               : window_read(run, &sequences[0], &logits, err);
    run->timing->prefill_ns += clock_now_ns() - start_ns;
    for (uint32_t i = 0; i < prefill.n && status == MODEL_OK && logits.result != NULL; i++)
        status = choose_first(run, prefill.prompts[i], prefill.n_sequences[i],
                              logits.data + i * logits.row_stride, err);
    logits_finish(&logits);
    return status;
}
