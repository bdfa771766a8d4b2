/* generation_sequence.c - see generation_sequence.h. */
#include "generation_sequence.h"
#include "errors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT_BYTES (256u << 20)

model_status sequence_init(struct sequence *sequence, const struct generation_settings *settings,
                           const struct tokenizer *tokenizer, const int64_t *prompt,
                           size_t n_prompt, const char *const *stop_strings,
                           uint32_t n_stop_strings, int64_t vocab_size, struct model_error *err)
{
    sequence->limit = generation_limit(settings, n_prompt);
    sequence->n_prompt = sequence->n_ids = n_prompt;
    sequence->capacity = n_prompt + 64;
    sequence->tokenizer = tokenizer;
    sequence->text = (struct buffer)BUFFER_INIT(MAX_TEXT_BYTES);
    speculation_init(&sequence->speculation);
    stop_strings_init(&sequence->stops, stop_strings, n_stop_strings);
    if (tokenizer != NULL)
        incremental_decoder_init(&sequence->decoder, tokenizer, true);
    sequence->ids = malloc(sequence->capacity * sizeof *sequence->ids);
    if (sequence->ids == NULL)
        return error_no_memory(err, "a sequence");
    memcpy(sequence->ids, prompt, n_prompt * sizeof *prompt);
    const uint64_t stream =
        ((uint64_t)settings->first_prompt + sequence->prompt) << 32 | sequence->number;
    model_status status = sampler_init(&sequence->sampler, &settings->sampling, vocab_size,
                                       settings->seed, stream, err);
    if (status == MODEL_OK)
        sampler_add_prompt(&sequence->sampler, prompt, n_prompt);
    return status;
}

void sequence_finish(struct sequence *sequence)
{
    for (size_t i = 0; sequence->logprobs != NULL && i < sequence->n_ids - sequence->n_prompt; i++)
        free(sequence->logprobs[i].top);
    free(sequence->logprobs);
    if (sequence->tokenizer != NULL)
        (void)incremental_decoder_finish(&sequence->decoder, NULL, NULL);
    stop_strings_finish(&sequence->stops);
    buffer_finish(&sequence->text);
    sampler_finish(&sequence->sampler);
    free(sequence->ids);
    *sequence = (struct sequence){.ids = NULL};
}

/* Room for one more token, and for its logarithms if they are wanted. */
static model_status grow(struct sequence *sequence, const struct generation_settings *settings,
                         struct model_error *err)
{
    const bool full = sequence->n_ids == sequence->capacity;
    const size_t capacity = full ? 2 * sequence->capacity : sequence->capacity;
    if (full) {
        int64_t *ids = realloc(sequence->ids, capacity * sizeof *ids);
        if (ids == NULL)
            return error_no_memory(err, "a sequence");
        sequence->ids = ids;
    }
    if (settings->logprobs > 0 && (full || sequence->logprobs == NULL)) {
        struct token_logprobs *logprobs = realloc(sequence->logprobs, capacity * sizeof *logprobs);
        if (logprobs == NULL)
            return error_no_memory(err, "a sequence");
        sequence->logprobs = logprobs;
    }
    sequence->capacity = capacity;
    return MODEL_OK;
}

/* Before the token is counted as one of the sequence. */
static model_status note_logprobs(struct sequence *sequence,
                                  const struct generation_settings *settings, const float *logits,
                                  int64_t id, double *ret, struct model_error *err)
{
    *ret = NAN;
    if (settings->logprobs == 0 && settings->num_sequences == 1)
        return MODEL_OK;
    struct token_logprobs noted = {.logprob =
                                       sampler_logprob(logits, sequence->sampler.vocab_size, id)};
    sequence->cumulative_logprob += noted.logprob;
    *ret = noted.logprob;
    if (settings->logprobs == 0)
        return MODEL_OK;
    if (settings->logprobs > 1) {
        noted.top = calloc(settings->logprobs, sizeof *noted.top);
        if (noted.top == NULL)
            return error_no_memory(err, "logprobs");
        noted.n_top =
            sampler_top_logprobs(&sequence->sampler, logits, settings->logprobs, noted.top);
    }
    sequence->logprobs[sequence->n_ids - sequence->n_prompt] = noted;
    return MODEL_OK;
}

static bool is_end(const struct generation_settings *settings, int64_t id)
{
    for (uint32_t i = 0; i < settings->n_eos; i++)
        if (settings->eos_token_ids[i] == id)
            return true;
    return false;
}

/* Takes text in as far as no stop string begins in it; a whole one ends the sequence. A NUL would end the
 * text for whoever reads it as a string, and JSON has none either (json_add_text()): it becomes U+FFFD. */
static model_status take_text(struct sequence *sequence, const struct buffer *piece)
{
    bool stopped = false;
    model_status status = MODEL_OK;
    for (size_t at = 0; at < piece->size && status == MODEL_OK;) {
        const char *from = piece->data + at, *zero = memchr(from, '\0', piece->size - at);
        const size_t n = zero != NULL ? (size_t)(zero - from) : piece->size - at;
        status = stop_strings_push(&sequence->stops, from, n, &sequence->text, &stopped);
        if (status == MODEL_OK && zero != NULL)
            status =
                stop_strings_push(&sequence->stops, "\xEF\xBF\xBD", 3, &sequence->text, &stopped);
        at += zero != NULL ? n + 1 : n;
    }
    if (stopped)
        sequence->finish_reason = "stop";
    return status;
}

/* The text of a new token (-1: none, the end), and at the end what was held back. */
static model_status take_token_text(struct sequence *sequence, int64_t id, struct model_error *err)
{
    if (sequence->tokenizer == NULL)
        return MODEL_OK;
    struct buffer piece = BUFFER_INIT(MAX_TEXT_BYTES);
    model_status status =
        id >= 0 ? incremental_decoder_push(&sequence->decoder, id, &piece, err) : MODEL_OK;
    if (status == MODEL_OK)
        status = take_text(sequence, &piece);
    buffer_clear(&piece);
    if (status == MODEL_OK && sequence->finish_reason != NULL && !sequence->stops.stopped) {
        status = incremental_decoder_finish(&sequence->decoder, &piece, err);
        if (status == MODEL_OK)
            status = take_text(sequence, &piece);
        if (status == MODEL_OK)
            status = stop_strings_end(&sequence->stops, &sequence->text);
    }
    buffer_finish(&piece);
    if (status != MODEL_OK && (err == NULL || err->message[0] == '\0'))
        return error_set(err, status, "the generated text does not fit into %u bytes",
                         MAX_TEXT_BYTES);
    return status;
}

static void tell(const struct sequence *sequence, const struct generation_settings *settings,
                 int64_t id, size_t shown_bytes, double logprob)
{
    if (settings->on_token == NULL)
        return;
    const bool has_text = sequence->tokenizer != NULL;
    const struct modelhost_token token = {
        .struct_size = sizeof token,
        .prompt = sequence->prompt,
        .sequence = sequence->number,
        .token_id = id,
        .text = !has_text                           ? NULL
                : sequence->text.size > shown_bytes ? sequence->text.data + shown_bytes
                                                    : "",
        .text_bytes = has_text ? sequence->text.size - shown_bytes : 0,
        .logprob = logprob,
        .finish_reason = sequence->finish_reason};
    settings->on_token(settings->context, &token);
}

model_status sequence_step(struct sequence *sequence, const struct generation_settings *settings,
                           const float *logits, struct model_error *err)
{
    int64_t id = 0;
    double logprob = NAN;
    const size_t shown_bytes = sequence->text.size;
    model_status status = grow(sequence, settings, err);
    if (status == MODEL_OK)
        status = sampler_next(&sequence->sampler, logits, &id, err);
    if (status == MODEL_OK)
        status = note_logprobs(sequence, settings, logits, id, &logprob, err);
    if (status != MODEL_OK)
        return status;
    sequence->ids[sequence->n_ids++] = id;
    const bool end = is_end(settings, id);
    if (end)
        sequence->finish_reason = "stop";
    else if ((int64_t)(sequence->n_ids - sequence->n_prompt) >= sequence->limit)
        sequence->finish_reason = "length";
    status = take_token_text(sequence, end ? -1 : id, err);
    if (status == MODEL_OK)
        tell(sequence, settings, id, shown_bytes, logprob);
    return status;
}

model_status sequence_end(struct sequence *sequence, const struct generation_settings *settings,
                          const char *reason, struct model_error *err)
{
    const size_t shown_bytes = sequence->text.size;
    sequence->finish_reason = reason;
    model_status status = take_token_text(sequence, -1, err);
    if (status == MODEL_OK)
        tell(sequence, settings, -1, shown_bytes, NAN);
    return status;
}
