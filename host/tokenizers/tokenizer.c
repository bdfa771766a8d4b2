/* tokenizer.c - see tokenizer.h: texts to encodings, and back.
 *
 * The tokenizer itself is never written to after loading. What encoding needs on the way lives in the
 * caller's struct encoding. */
#include "tokenizer.h"
#include "encoding_scratch.h"
#include "errors.h"
#include "incremental_decoder.h"
#include "tokenizer_inside.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_PAD_TOKENS (1 << 24)

/* ---------------------------------------------------------------- options */

static model_status plan_truncation(const struct tokenizer *t,
                                    const struct tokenizer_options *options, size_t n_special,
                                    struct truncation_plan *ret, struct model_error *err)
{
    struct truncation_plan plan = {.max_tokens = SIZE_MAX, .windows = options->windows};
    struct truncation wanted = t->truncation;
    if (options->truncation == TOKENIZER_OFF)
        wanted.max_tokens = 0;
    if (options->truncation == TOKENIZER_ON) {
        int64_t max_tokens = options->max_tokens;
        if (max_tokens == 0)
            max_tokens =
                t->truncation.max_tokens > 0 ? t->truncation.max_tokens : t->model_max_length;
        if (max_tokens <= 0 || options->stride < 0)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "truncation to %" PRId64 " tokens with a stride of %" PRId64
                             ": want a positive max_tokens (the tokenizer's files name none) and "
                             "no negative stride",
                             max_tokens, options->stride);
        wanted =
            (struct truncation){max_tokens, options->stride, options->strategy, t->truncation.left};
    }
    if (wanted.max_tokens > 0) {
        if ((uint64_t)wanted.max_tokens < n_special)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "truncation to %" PRId64
                             " tokens leaves no room: the special tokens alone are %zu",
                             wanted.max_tokens, n_special);
        plan.max_tokens = (size_t)wanted.max_tokens - n_special;
        plan.whole_tokens = (size_t)wanted.max_tokens;
        plan.stride = (size_t)wanted.stride;
        plan.strategy = wanted.strategy;
        plan.left = wanted.left;
    }
    *ret = plan;
    return MODEL_OK;
}

static model_status pad(const struct tokenizer *t, const struct tokenizer_options *options,
                        struct encoding *ret, struct model_error *err)
{
    bool as_file = options->padding == TOKENIZER_AS_FILE;
    if (options->padding == TOKENIZER_OFF || (as_file && !t->pads))
        return MODEL_OK;
    int64_t target = as_file ? t->pad_fixed_tokens : options->pad_to_tokens;
    if (target < 0 || target > MAX_PAD_TOKENS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "padding to %" PRId64 " tokens: want 0 to %d",
                         target, MAX_PAD_TOKENS);
    if (target == 0)
        target = (int64_t)ret->n_tokens; /* the longest of a batch of one */
    if (t->pad_multiple > 0 && target % t->pad_multiple != 0)
        target += t->pad_multiple - target % t->pad_multiple;
    return encoding_pad(ret, (size_t)target, &t->padding) == MODEL_OK
               ? MODEL_OK
               : error_no_memory(err, "an encoding");
}

/* ---------------------------------------------------------------- public */

static model_status encode(const struct tokenizer *t, const char *text, size_t text_bytes,
                           const char *pair, size_t pair_bytes,
                           const struct tokenizer_options *options, struct encoding *ret,
                           struct model_error *err)
{
    const struct template *template =
        pair != NULL ? &t->post_processor.pair : &t->post_processor.single;
    struct truncation_plan plan;
    model_status status = plan_truncation(
        t, options, options->add_special_tokens ? template->n_special : 0, &plan, err);
    if (status != MODEL_OK)
        return status;
    /* One more than can be kept, so that it shows whether something was cut. */
    size_t enough = SIZE_MAX;
    if (!plan.windows && !plan.left && plan.max_tokens < SIZE_MAX)
        enough = plan.whole_tokens + 1;
    struct encoding_scratch *scratch = ret->scratch;
    scratch->model.word.cancelled = options->cancelled;
    status = text_walk(t, text, text_bytes, "the text", enough, scratch, &scratch->lists[0], err);
    if (status == MODEL_OK && pair != NULL)
        status =
            text_walk(t, pair, pair_bytes, "the pair", enough, scratch, &scratch->lists[1], err);
    if (status == MODEL_OK)
        status = windows_assemble(&t->post_processor, options->add_special_tokens, &plan,
                                  scratch->lists, pair != NULL, ret, err);
    return status == MODEL_OK ? pad(t, options, ret, err) : status;
}

model_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text,
                              size_t text_bytes, const char *pair, size_t pair_bytes,
                              const struct tokenizer_options *options, struct encoding *ret,
                              struct model_error *err)
{
    if (ret->scratch == NULL) {
        ret->scratch = calloc(1, sizeof *ret->scratch);
        if (ret->scratch == NULL)
            return error_no_memory(err, "an encoding");
    }
    ret->n_tokens = ret->n_stored = ret->n_windows = 0;
    ret->truncated = false;
    model_status status = encode(tokenizer, text, text_bytes, pair, pair_bytes, options, ret, err);
    if (status != MODEL_OK)
        ret->n_tokens = ret->n_stored = ret->n_windows = 0;
    return status;
}

model_status tokenizer_decode(const struct tokenizer *tokenizer, const int64_t *ids, size_t n,
                              bool skip_special_tokens, struct buffer *ret, struct model_error *err)
{
    struct incremental_decoder decoder;
    incremental_decoder_init(&decoder, tokenizer, skip_special_tokens);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = incremental_decoder_push(&decoder, ids[i], ret, err);
    if (status == MODEL_OK)
        return incremental_decoder_finish(&decoder, ret, err);
    (void)incremental_decoder_finish(&decoder, NULL, NULL);
    return status;
}

const char *tokenizer_token(const struct tokenizer *tokenizer, int64_t id)
{
    return vocabulary_token(&tokenizer->model.vocab, id);
}

int64_t tokenizer_id(const struct tokenizer *tokenizer, const char *token)
{
    return vocabulary_id(&tokenizer->model.vocab, token);
}

int64_t tokenizer_vocab_size(const struct tokenizer *tokenizer)
{
    return (int64_t)tokenizer->model.vocab.n_ids;
}

int64_t tokenizer_mask_id(const struct tokenizer *tokenizer)
{
    return tokenizer->mask_id;
}

int64_t tokenizer_pad_id(const struct tokenizer *tokenizer)
{
    return tokenizer->pad_id;
}

int64_t tokenizer_unk_id(const struct tokenizer *tokenizer)
{
    return tokenizer->model.unk_id;
}

int64_t tokenizer_bos_id(const struct tokenizer *tokenizer)
{
    return tokenizer->bos_id;
}

int64_t tokenizer_eos_id(const struct tokenizer *tokenizer)
{
    return tokenizer->eos_id;
}

int64_t tokenizer_model_max_length(const struct tokenizer *tokenizer)
{
    return tokenizer->model_max_length;
}
