/* tokenizer.c - see tokenizer.h: a text's way through the pipeline, and back.
 *
 * The tokenizer itself is never written to after loading. What encoding needs on the way lives in the
 * caller's struct encoding. */
#include "tokenizer.h"
#include "encoding_scratch.h"
#include "errors.h"
#include "tokenizer_inside.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_PAD_TOKENS (1 << 24)

/* ---------------------------------------------------------------- text to tokens */

/* One text under way. */
struct run {
    const struct tokenizer *tokenizer;
    struct normalized_text *text;
    struct token_list *list;
    size_t max_tokens; /* enough: more would be cut off anyway */
    bool enough;
    int32_t n_words;
};

static model_status put_added(struct run *run, const struct added_match *match,
                              struct text_span span)
{
    struct token_list *list = run->list;
    if (list->n_tokens == list->capacity && token_list_reserve(list) != MODEL_OK)
        return MODEL_OUT_OF_MEMORY;
    list->tokens[list->n_tokens++] = (struct token){match->token->id, run->n_words++, span, true};
    return MODEL_OK;
}

/* The words in [start, end) of the normalised text. */
static model_status put_words(struct run *run, size_t start, size_t end, size_t *cursor)
{
    const struct tokenizer *t = run->tokenizer;
    const char *text = run->text->data + start;
    size_t at = 0;
    size_t from;
    size_t to;
    while (!run->enough && t->pre_tokenizer->next(text, end - start, &at, &from, &to)) {
        size_t first = run->list->n_tokens;
        model_status status = t->model.type->run(&t->model, text + from, to - from, run->list);
        if (status != MODEL_OK)
            return status;
        for (size_t i = first; i < run->list->n_tokens; i++) {
            struct token *token = &run->list->tokens[i];
            token->word = run->n_words;
            token->span =
                normalized_text_source(run->text, cursor, start + from + token->span.start,
                                       start + from + token->span.end);
        }
        run->n_words++;
        run->enough = run->list->n_tokens >= run->max_tokens;
    }
    return MODEL_OK;
}

/* A stretch of the text without added tokens that match it as it is: normalises it, looks for those
 * that match then. */
static model_status put_stretch(struct run *run, const char *text, size_t start, size_t end)
{
    const struct tokenizer *t = run->tokenizer;
    normalized_text_clear(run->text);
    model_status status =
        t->normalizer.type->run(&t->normalizer, text + start, end - start, start, run->text);
    struct added_search search = {0, 0};
    struct added_match match;
    size_t cursor = 0;
    size_t done = 0;
    while (status == MODEL_OK && !run->enough &&
           added_tokens_next(&t->added, &t->added.normalized, run->text->data, run->text->size,
                             &search, &match)) {
        if (done < match.start)
            status = put_words(run, done, match.start, &cursor);
        if (status == MODEL_OK && match.start < match.end)
            status = put_added(run, &match,
                               normalized_text_source(run->text, &cursor, match.start, match.end));
        done = match.end;
    }
    if (status == MODEL_OK && done < run->text->size)
        status = put_words(run, done, run->text->size, &cursor);
    return status;
}

static model_status put_all(struct run *run, const char *text, size_t text_bytes)
{
    const struct tokenizer *t = run->tokenizer;
    model_status status = MODEL_OK;
    struct added_search search = {0, 0};
    struct added_match match;
    size_t done = 0;
    while (status == MODEL_OK && !run->enough &&
           added_tokens_next(&t->added, &t->added.plain, text, text_bytes, &search, &match)) {
        if (done < match.start)
            status = put_stretch(run, text, done, match.start);
        if (status == MODEL_OK && match.start < match.end)
            status = put_added(run, &match,
                               (struct text_span){(uint32_t)match.start, (uint32_t)match.end});
        done = match.end;
    }
    if (status == MODEL_OK && done < text_bytes)
        status = put_stretch(run, text, done, text_bytes);
    return status;
}

static model_status tokenize(const struct tokenizer *t, const char *text, size_t text_bytes,
                             const char *what, size_t max_tokens, struct encoding_scratch *scratch,
                             struct token_list *ret, struct model_error *err)
{
    ret->n_tokens = 0;
    if (text_bytes > TOKENIZER_MAX_TEXT_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s has %zu bytes, at most %u are encoded",
                         what, text_bytes, TOKENIZER_MAX_TEXT_BYTES);
    model_status status = utf8_check(text, text_bytes, what, err);
    if (status != MODEL_OK)
        return status;
    struct run run = {t, &scratch->text, ret, max_tokens, false, 0};
    if (put_all(&run, text, text_bytes) != MODEL_OK)
        return error_no_memory(err, what);
    return MODEL_OK;
}

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
    status = tokenize(t, text, text_bytes, "the text", enough, scratch, &scratch->lists[0], err);
    if (status == MODEL_OK && pair != NULL)
        status =
            tokenize(t, pair, pair_bytes, "the pair", enough, scratch, &scratch->lists[1], err);
    if (status == MODEL_OK)
        status = windows_assemble(template, options->add_special_tokens, &plan, scratch->lists,
                                  pair != NULL, ret, err);
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
    struct buffer scratch = BUFFER_INIT(1 << 20);
    model_status status = MODEL_OK;
    bool first = true;
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        const char *token = vocabulary_token(&tokenizer->model.vocab, ids[i]);
        if (token == NULL || (skip_special_tokens && tokenizer->is_special[ids[i]]))
            continue;
        status = tokenizer->decoder.type->append(&tokenizer->decoder, token, first, &scratch, ret);
        first = false;
    }
    buffer_finish(&scratch);
    if (status == MODEL_INVALID_ARGUMENT)
        return error_set(err, status, "the text of %zu tokens is longer than the %zu bytes allowed",
                         n, ret->max_bytes);
    return status == MODEL_OK ? MODEL_OK : error_no_memory(err, "the text of tokens");
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
