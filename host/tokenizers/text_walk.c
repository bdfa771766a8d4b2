/* text_walk.c - one text's way through the pipeline, from its bytes to tokens: added tokens are found
 * first, the stretches between them normalised, split into words and given to the model.
 *
 * The tokenizer is only read. What is needed on the way lives in the caller's struct encoding. */
#include "byte_level.h"
#include "encoding_scratch.h"
#include "errors.h"
#include "tokenizer_inside.h"
#include "unicode_class.h"
#include "utf8.h"

#include <string.h>

/* One text under way. */
struct walk {
    const struct tokenizer *tokenizer;
    struct encoding_scratch *scratch;
    struct token_list *list;
    size_t max_tokens; /* enough: more would be cut off anyway */
    bool enough;
    int32_t n_words;
    const char *source; /* the caller's text */
    size_t source_bytes;
    struct model_error *err;
};

/* Text whose words are looked for, and where the last look at its sources ended. */
struct layer {
    const struct normalized_text *text;
    size_t cursor;
};

static bool is_space(uint32_t codepoint)
{
    return codepoint == byte_level_char(' ') || char_class(codepoint) == CHAR_SPACE;
}

/* How many spaces a token's text begins and ends with, in bytes of as many characters of its source:
 * what trimming takes away. */
static void measure_spaces(struct token *token, const char *text, size_t text_bytes,
                           const char *source)
{
    size_t n = 0;
    uint32_t codepoint;
    uint32_t at = token->span.start;
    for (size_t i = 0; i < text_bytes; n++) {
        i += char_decode(text + i, &codepoint);
        if (!is_space(codepoint))
            break;
        if (at < token->span.end)
            at += (uint32_t)char_decode(source + at, &codepoint);
    }
    token->leading_bytes = at - token->span.start;
    token->one_leading_space = n == 1;
    at = token->span.end;
    for (size_t end = text_bytes; end > 0;) {
        char encoded[CHAR_MAX_BYTES];
        codepoint = char_before(text, end);
        end -= char_encode(codepoint, encoded);
        if (!is_space(codepoint))
            break;
        if (at > token->span.start)
            at -= (uint32_t)char_encode(char_before(source, at), encoded);
    }
    token->trailing_bytes = token->span.end - at;
}

static model_status put_added(struct walk *walk, const struct added_match *match,
                              struct text_span span)
{
    struct token_list *list = walk->list;
    if (list->n_tokens == list->capacity && token_list_reserve(list) != MODEL_OK)
        return MODEL_OUT_OF_MEMORY;
    list->tokens[list->n_tokens++] = (struct token){
        .id = match->token->id, .word = walk->n_words++, .span = span, .added = true};
    if (walk->tokenizer->post_processor.trims_offsets)
        measure_spaces(&list->tokens[list->n_tokens - 1], walk->source + span.start,
                       span.end - span.start, walk->source);
    return MODEL_OK;
}

/* To whole characters: tokens may be of bytes, or count them wrong when characters were left out. */
static void widen(const struct normalized_text *text, size_t *start, size_t *end)
{
    while (((unsigned char)text->data[*start] & 0xC0) == 0x80)
        --*start;
    while (*end < text->size && ((unsigned char)text->data[*end] & 0xC0) == 0x80)
        ++*end;
}

static model_status put_word(struct walk *walk, struct layer *layer, size_t from, size_t to)
{
    const struct tokenizer *t = walk->tokenizer;
    const uint32_t *cancelled = walk->scratch->model.word.cancelled;
    size_t first = walk->list->n_tokens;
    if (cancelled != NULL && __atomic_load_n(cancelled, __ATOMIC_RELAXED) != 0)
        return error_set(walk->err, (model_status)*cancelled, "the request was cancelled");
    model_status status = t->model.type->run(&t->model, layer->text->data + from, to - from,
                                             &walk->scratch->model, walk->list, walk->err);
    if (status != MODEL_OK)
        return status;
    for (size_t i = first; i < walk->list->n_tokens; i++) {
        struct token *token = &walk->list->tokens[i];
        size_t start = from + token->span.start;
        size_t end = from + token->span.end;
        if (t->model.bpe != NULL)
            widen(layer->text, &start, &end);
        token->word = walk->n_words;
        token->span = normalized_text_source(layer->text, &layer->cursor, start, end);
        if (t->post_processor.trims_offsets) {
            const char *text = vocabulary_token(&t->model.vocab, token->id);
            measure_spaces(token, text, strlen(text), walk->source);
        }
    }
    walk->n_words++;
    walk->enough = walk->list->n_tokens >= walk->max_tokens;
    return MODEL_OK;
}

static model_status put_words(struct walk *walk, size_t i_step, struct layer *layer, size_t start,
                              size_t end);

/* text[start, end) written anew, then the steps behind. */
static model_status put_rewritten(struct walk *walk, size_t i_step, struct layer *layer,
                                  size_t start, size_t end)
{
    const struct pre_tokenizer *step = &walk->tokenizer->pre_tokenizer.steps[i_step];
    struct normalized_text *text = &walk->scratch->rewritten[i_step];
    normalized_text_clear(text);
    text->max_bytes = normalized_text_bound(walk->source_bytes);
    model_status status = step->type->rewrite(step, layer->text->data, start, end, text);
    if (status == MODEL_OK)
        status = normalized_text_translate(text, layer->text);
    if (status == MODEL_INVALID_ARGUMENT && text->is_full)
        return error_set(
            walk->err, status,
            "the tokenizer's pre_tokenizer, step %zu, makes more than %zu bytes of a text "
            "of %zu: tokenizer.json is broken or hostile",
            i_step + 1, text->max_bytes, walk->source_bytes);
    struct layer rewritten = {text, 0};
    return status == MODEL_OK ? put_words(walk, i_step + 1, &rewritten, 0, text->size) : status;
}

/* The words of text[start, end), by the steps from i_step on. */
static model_status put_words(struct walk *walk, size_t i_step, struct layer *layer, size_t start,
                              size_t end)
{
    const struct pre_tokenizer_chain *chain = &walk->tokenizer->pre_tokenizer;
    if (i_step == chain->n_steps)
        return put_word(walk, layer, start, end);
    const struct pre_tokenizer *step = &chain->steps[i_step];
    if (step->type->rewrite != NULL)
        return put_rewritten(walk, i_step, layer, start, end);
    bool last = i_step + 1 == chain->n_steps;
    struct word_search search = {.memory = &walk->scratch->pattern};
    model_status status = MODEL_OK;
    size_t from;
    size_t to;
    while (status == MODEL_OK && !walk->enough &&
           step->type->next(step, layer->text->data + start, end - start, &search, &from, &to,
                            walk->err))
        status = last ? put_word(walk, layer, start + from, start + to)
                      : put_words(walk, i_step + 1, layer, start + from, start + to);
    return status == MODEL_OK ? search.status : status;
}

/* A stretch of the text without added tokens that match it as it is: normalises it, looks for those
 * that match then. */
static model_status put_stretch(struct walk *walk, const char *text, size_t start, size_t end)
{
    const struct tokenizer *t = walk->tokenizer;
    struct normalized_text *normalized = &walk->scratch->text;
    model_status status = normalizer_chain_run(&t->normalizer, text + start, end - start, start,
                                               &walk->scratch->spare, normalized, walk->err);
    struct added_search search = {0, 0};
    struct added_match match;
    struct layer layer = {normalized, 0};
    size_t done = 0;
    while (status == MODEL_OK && !walk->enough &&
           added_tokens_next(&t->added, &t->added.normalized, normalized->data, normalized->size,
                             &search, &match)) {
        if (done < match.start)
            status = put_words(walk, 0, &layer, done, match.start);
        if (status == MODEL_OK && match.start < match.end)
            status = put_added(
                walk, &match,
                normalized_text_source(normalized, &layer.cursor, match.start, match.end));
        done = match.end;
    }
    if (status == MODEL_OK && done < normalized->size)
        status = put_words(walk, 0, &layer, done, normalized->size);
    return status;
}

static model_status put_all(struct walk *walk, const char *text, size_t text_bytes)
{
    const struct tokenizer *t = walk->tokenizer;
    model_status status = MODEL_OK;
    struct added_search search = {0, 0};
    struct added_match match;
    size_t done = 0;
    while (status == MODEL_OK && !walk->enough &&
           added_tokens_next(&t->added, &t->added.plain, text, text_bytes, &search, &match)) {
        if (done < match.start)
            status = put_stretch(walk, text, done, match.start);
        if (status == MODEL_OK && match.start < match.end)
            status = put_added(walk, &match,
                               (struct text_span){(uint32_t)match.start, (uint32_t)match.end});
        done = match.end;
    }
    if (status == MODEL_OK && done < text_bytes)
        status = put_stretch(walk, text, done, text_bytes);
    return status;
}

model_status text_walk(const struct tokenizer *t, const char *text, size_t text_bytes,
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
    pattern_memory_begin(&scratch->pattern, text_bytes);
    struct walk walk = {t, scratch, ret, max_tokens, false, 0, text, text_bytes, err};
    status = put_all(&walk, text, text_bytes);
    return status == MODEL_OUT_OF_MEMORY ? error_no_memory(err, what) : status;
}
