/* generation_steps.c - see generation_steps.h. */
#include "generation_steps.h"
#include "clock.h"
#include "dtype.h"
#include "errors.h"
#include "loaded_model.h"
#include "result.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is asked of which model */

static model_status find_output(const struct model_description *description,
                                struct generation_model *ret, struct model_error *err)
{
    static const char *const names[] = {"next_token_logits", "logits"};
    for (uint32_t i = 0; i < 2; i++) {
        const struct model_tensor_spec *spec =
            schema_find(description->outputs, description->n_outputs, names[i]);
        const uint32_t rank = i == 0 ? 2 : 3;
        if (spec == NULL || spec->dtype != MODEL_F32 || spec->rank != rank)
            continue;
        const struct model_dimension *width = &spec->shape[rank - 1];
        if (width->name != NULL || width->min < 1)
            continue;
        ret->output = names[i];
        ret->vocab_size = width->min;
        return MODEL_OK;
    }
    return error_set(err, MODEL_UNSUPPORTED,
                     "this %s cannot generate: it has neither 'next_token_logits' of [batch, "
                     "vocab_size] nor 'logits' of [batch, sequence, vocab_size], F32",
                     description->architecture != NULL ? description->architecture : "model");
}

model_status generation_model_find(const struct model_description *description,
                                   struct generation_model *ret, struct model_error *err)
{
    const struct model_tensor_spec *ids =
        schema_find(description->inputs, description->n_inputs, "input_ids");
    if (ids == NULL || ids->rank != 2 || ids->dtype != MODEL_I64)
        return error_set(
            err, MODEL_UNSUPPORTED,
            "this model cannot generate: it has no input 'input_ids' of I64 and rank 2");
    if (description->task != NULL && strcmp(description->task, "text-generation") != 0)
        return error_set(err, MODEL_UNSUPPORTED, "this %s cannot generate: its task is %s",
                         description->architecture != NULL ? description->architecture : "model",
                         description->task);
    *ret = (struct generation_model){.description = description,
                                     .max_context = ids->shape[1].max,
                                     .max_slots = description->max_slots};
    return find_output(description, ret, err);
}

/* ---- one call */

/* What came back: logits of the last position of each row. */
struct logits {
    struct modelhost_result *result;
    const float *data;
    size_t row_stride;
};

static void logits_finish(struct logits *logits)
{
    modelhost_result_destroy(logits->result);
}

/* ids(n_rows, n_columns), slots(n_rows) or NULL. */
static model_status call_plugin(const struct generation_run *run, int64_t *ids, uint32_t n_rows,
                                size_t n_columns, const uint32_t *slots, struct logits *ret,
                                struct model_error *err)
{
    const struct generation_model *model = run->model;
    const int64_t shape[] = {n_rows, (int64_t)n_columns};
    struct model_tensor input_ids = {.struct_size = sizeof input_ids};
    const struct model_tensor *inputs[] = {&input_ids};
    struct schema_binding binding;
    struct modelhost_result *result = NULL;
    tensor_init(&input_ids, "input_ids", MODEL_I64, 2, shape, ids);
    model_status status = schema_check_inputs(model->description, inputs, 1, &binding, err);
    if (status == MODEL_OK)
        status = result_create(model->description, &model->output, 1, &result, err);
    const struct plugin_call call = {.instance = run->instance,
                                     .plugin = &run->request->model->plugin.file,
                                     .inputs = inputs,
                                     .n_inputs = 1,
                                     .binding = &binding,
                                     .slots = slots,
                                     .request = run->request,
                                     .cancelled = &run->request->cancelled,
                                     .progress = &run->request->progress,
                                     .deadline_ns = run->request->deadline_ns};
    if (status == MODEL_OK)
        status = execute_call(&call, result, err);
    if (status != MODEL_OK) {
        modelhost_result_destroy(result);
        return status;
    }
    run->timing->run_ns += result->timing.run_ns;
    const struct model_tensor *tensor = &result->tensors[0];
    const size_t width = (size_t)model->vocab_size, last = tensor->rank == 3 ? n_columns - 1 : 0;
    *ret = (struct logits){.result = result,
                           .data = (const float *)tensor->data + last * width,
                           .row_stride = tensor->rank == 3 ? n_columns * width : width};
    return MODEL_OK;
}

static model_status check_cancelled(const struct generation_run *run, struct model_error *err)
{
    model_status status = (model_status)__atomic_load_n(&run->request->cancelled, __ATOMIC_RELAXED);
    return status == MODEL_OK
               ? MODEL_OK
               : error_set(err, status, "%s",
                           status == MODEL_DEADLINE ? "deadline passed while text was generated"
                                                    : "the request was cancelled");
}

/* ---- reading what is behind a sequence's window */

static size_t window_length(const struct sequence *sequence)
{
    return sequence->n_ids - sequence->first_read;
}

/* Reads the sequence's window: into its slot if there are slots, from what any slot has read already,
 * which is *ret_kept tokens. */
static model_status read_window(const struct generation_run *run, struct sequence *sequence,
                                uint32_t slot, struct logits *ret, size_t *ret_kept,
                                struct model_error *err)
{
    int64_t *ids = sequence->ids + sequence->first_read;
    const size_t n_ids = window_length(sequence);
    size_t kept = 0;
    *ret_kept = 0;
    if (run->model->max_slots == 0)
        return call_plugin(run, ids, 1, n_ids, NULL, ret, err);
    const uint32_t best = hosted_instance_best_slot(run->instance, ids, n_ids - 1, &kept);
    model_status status = hosted_instance_keep(run->instance, slot, best, kept, &kept, err);
    if (status == MODEL_OK)
        status = call_plugin(run, ids + kept, 1, n_ids - kept, &slot, ret, err);
    if (status != MODEL_OK)
        return status;
    *ret_kept = kept;
    status = hosted_instance_read(run->instance, slot, ids + kept, n_ids - kept, err);
    if (status != MODEL_OK)
        logits_finish(ret);
    return status;
}

/* Forgets the oldest half, or, where the whole window is read each time, what does not fit. */
static void slide(const struct generation_run *run, struct sequence *sequence)
{
    const size_t max = (size_t)run->model->max_context;
    const size_t kept = run->model->max_slots == 0 || max < 2 ? max : max / 2;
    sequence->first_read = sequence->n_ids - kept;
}

static bool is_full(const struct generation_run *run, const struct sequence *sequence)
{
    return (int64_t)window_length(sequence) > run->model->max_context;
}

/* ---- prompts */

static model_status fit_prompt(const struct generation_run *run, struct sequence *sequence,
                               struct model_error *err)
{
    if (!is_full(run, sequence))
        return MODEL_OK;
    if (!run->settings->sliding_window)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "prompt %u has %zu tokens, the model looks back on at most %lld; shorten "
                         "it, or let its oldest part go (sliding window)",
                         sequence->prompt + 1, sequence->n_prompt,
                         (long long)run->model->max_context);
    slide(run, sequence);
    return MODEL_OK;
}

/* Reads the prompt of sequences [first, first + n) once, and chooses the first token of each. */
static model_status start_prompt(const struct generation_run *run, struct sequence *sequences,
                                 uint32_t first, uint32_t n, struct model_error *err)
{
    struct sequence *sequence = &sequences[first];
    struct logits logits = {.result = NULL};
    size_t n_cached = 0;
    const int64_t start_ns = clock_now_ns();
    model_status status = fit_prompt(run, sequence, err);
    const size_t n_ids = window_length(sequence);
    if (status == MODEL_OK)
        status = read_window(run, sequence, first, &logits, &n_cached, err);
    if (status != MODEL_OK)
        return status;
    run->timing->prompt_tokens += (int64_t)n_ids;
    run->timing->cached_tokens += (int64_t)n_cached;
    run->timing->prefill_ns += clock_now_ns() - start_ns;
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++) {
        size_t kept = 0;
        sequences[first + i].first_read = sequence->first_read;
        if (i > 0 && run->model->max_slots > 0)
            status = hosted_instance_keep(run->instance, first + i, first, n_ids, &kept, err);
        if (status == MODEL_OK && i > 0 && run->model->max_slots > 0 && kept != n_ids)
            status = error_set(err, MODEL_INTERNAL,
                               "plugin: keep() of all that a slot has read kept %zu of %zu", kept,
                               n_ids);
        if (status == MODEL_OK)
            status = sequence_step(&sequences[first + i], run->settings, logits.data, err);
    }
    logits_finish(&logits);
    return status;
}

static model_status start_all(const struct generation_run *run, struct sequence *sequences,
                              uint32_t n, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint32_t first = 0, next; first < n && status == MODEL_OK; first = next) {
        next = first + 1;
        while (next < n && sequences[next].prompt == sequences[first].prompt)
            next++;
        if (sequences[first].limit > 0) {
            status = start_prompt(run, sequences, first, next - first, err);
            continue;
        }
        for (uint32_t i = first; i < next && status == MODEL_OK; i++)
            status = sequence_end(&sequences[i], run->settings, "length", err);
    }
    return status;
}

/* ---- steps */

/* A step of one sequence by reading its window: a model without slots, or one that has just slid. */
static model_status step_alone(const struct generation_run *run, struct sequence *sequence,
                               uint32_t slot, struct model_error *err)
{
    struct logits logits = {.result = NULL};
    size_t n_cached = 0; /* of a window, not of a prompt: not counted */
    model_status status = read_window(run, sequence, slot, &logits, &n_cached, err);
    if (status != MODEL_OK)
        return status;
    status = sequence_step(sequence, run->settings, logits.data, err);
    logits_finish(&logits);
    return status;
}

/* Whether the sequence takes part in the step that all make together; those that do not have made theirs
 * or have ended. */
static model_status prepare_step(const struct generation_run *run, struct sequence *sequence,
                                 uint32_t slot, bool *ret_together, struct model_error *err)
{
    *ret_together = false;
    if (sequence->finish_reason != NULL)
        return MODEL_OK;
    const bool full = is_full(run, sequence);
    if (full && !run->settings->sliding_window)
        return sequence_end(sequence, run->settings, "context", err);
    if (full)
        slide(run, sequence);
    if (full || run->model->max_slots == 0)
        return step_alone(run, sequence, slot, err);
    *ret_together = true;
    return MODEL_OK;
}

/* One step of all that run. The last token of each is the one that was not read yet. */
static model_status step_all(const struct generation_run *run, struct sequence *sequences,
                             uint32_t n, int64_t *ids, uint32_t *slots, bool *ret_running,
                             struct model_error *err)
{
    uint32_t n_together = 0;
    model_status status = check_cancelled(run, err);
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++) {
        bool together = false;
        status = prepare_step(run, &sequences[i], i, &together, err);
        *ret_running = *ret_running || sequences[i].finish_reason == NULL;
        if (together) {
            ids[n_together] = sequences[i].ids[sequences[i].n_ids - 1];
            slots[n_together++] = i;
        }
    }
    if (n_together == 0 || status != MODEL_OK)
        return status;
    struct logits logits = {.result = NULL};
    status = call_plugin(run, ids, n_together, 1, slots, &logits, err);
    for (uint32_t i = 0; i < n_together && status == MODEL_OK; i++) {
        status = hosted_instance_read(run->instance, slots[i], &ids[i], 1, err);
        if (status == MODEL_OK)
            status = sequence_step(&sequences[slots[i]], run->settings,
                                   logits.data + i * logits.row_stride, err);
    }
    logits_finish(&logits);
    return status;
}

model_status generation_run(const struct generation_run *run, struct sequence *sequences,
                            uint32_t n, struct model_error *err)
{
    int64_t *ids = calloc(n, sizeof *ids);
    uint32_t *slots = calloc(n, sizeof *slots);
    model_status status =
        ids != NULL && slots != NULL ? MODEL_OK : error_no_memory(err, "a batch of tokens");
    if (status == MODEL_OK)
        status = start_all(run, sequences, n, err);
    const int64_t start_ns = clock_now_ns();
    for (bool running = true; running && status == MODEL_OK;) {
        running = false;
        status = step_all(run, sequences, n, ids, slots, &running, err);
    }
    run->timing->decode_ns += clock_now_ns() - start_ns;
    free(ids);
    free(slots);
    return status;
}
