/* bert_normalizer.c - BertNormalizer: cleaning, spaces around Han characters, stripped accents, lower
 * case, in this order, each as its setting says. After Hugging Face tokenizers, normalizers/bert.rs.
 * [any-thread]
 *
 * ASCII goes through a table, byte by byte. Any other character is taken through all four steps alone;
 * only canonical ordering looks at its neighbours, and since nonspacing marks are dropped by then, the
 * few combining characters that are left wait in `pending` until the next starter. */
#include "pipeline.h"
#include "errors.h"
#include "unicode_class.h"

#include <stdlib.h>
#include <string.h>

#define NOT_SIMPLE 0x80u

/* What one character may become: two spaces and the lower case of each part of its decomposition. */
#define MAX_RESULT_BYTES (2 + CHAR_MAX_DECOMPOSED * CHAR_MAX_LOWER * CHAR_MAX_BYTES)

static bool is_control(uint32_t c)
{
    /* For cleaning, the spaces VT, FF and NEL are controls; TAB, LF and CR are not. */
    return c == 0xFFFD || c == 0x0B || c == 0x0C || c == 0x85 || char_class(c) == CHAR_CONTROL;
}

static void fill_ascii(struct normalizer *n)
{
    memset(n->ascii, NOT_SIMPLE, sizeof n->ascii);
    for (unsigned c = 0; c < 0x80; c++) {
        unsigned char result = (unsigned char)c;
        if (n->clean_text && is_control(c))
            result = NOT_SIMPLE;
        else if (n->clean_text && char_class(c) == CHAR_SPACE)
            result = ' ';
        else if (n->lowercase && c >= 'A' && c <= 'Z')
            result = (unsigned char)(c - 'A' + 'a');
        n->ascii[c] = result;
    }
}

static model_status load(const struct json_place *place, struct normalizer *ret,
                         struct model_error *err)
{
    struct normalizer n = {.type = &bert_normalizer_type,
                           .clean_text = true,
                           .handle_chinese_chars = true,
                           .lowercase = true};
    const json_node *strip = json_member(place->node, "strip_accents");
    model_status status = json_field_bool(place, "clean_text", &n.clean_text, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "handle_chinese_chars", &n.handle_chinese_chars, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "lowercase", &n.lowercase, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "strip_accents", &n.strip_accents, err);
    if (status != MODEL_OK)
        return status;
    if (json_is_null(strip))
        n.strip_accents = n.lowercase;
    fill_ascii(&n);
    *ret = n;
    return MODEL_OK;
}

/* One character of the decomposition, in lower case if wanted, into bytes; returns their number. */
static size_t put_lower(const struct normalizer *n, uint32_t codepoint, char *bytes)
{
    uint32_t lower[CHAR_MAX_LOWER] = {codepoint};
    size_t n_lower = n->lowercase ? char_lower(codepoint, lower) : 1;
    size_t size = 0;
    for (size_t i = 0; i < n_lower; i++)
        size += char_encode(lower[i], bytes + size);
    return size;
}

static void append(struct normalized_text *ret, const char *bytes, size_t size, size_t source,
                   size_t source_bytes, bool one_for_one)
{
    if (size == 0)
        return;
    if (one_for_one && size == source_bytes)
        normalized_text_plain(ret, source);
    else
        normalized_text_block(ret, source, source_bytes);
    memcpy(ret->data + ret->size, bytes, size);
    ret->size += size;
}

static int compare_pending(const void *a, const void *b)
{
    const struct pending_char *x = a;
    const struct pending_char *y = b;
    if (x->combining_class != y->combining_class)
        return x->combining_class < y->combining_class ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static model_status flush_pending(const struct normalizer *n, size_t room,
                                  struct normalized_text *ret)
{
    if (ret->n_pending > 1)
        qsort(ret->pending, ret->n_pending, sizeof *ret->pending, compare_pending);
    for (size_t i = 0; i < ret->n_pending; i++) {
        const struct pending_char *p = &ret->pending[i];
        char bytes[CHAR_MAX_LOWER * CHAR_MAX_BYTES];
        size_t size = put_lower(n, p->codepoint, bytes);
        model_status status = normalized_text_reserve(ret, size + room);
        if (status != MODEL_OK)
            return status;
        append(ret, bytes, size, p->source, p->source_bytes, false);
    }
    ret->n_pending = 0;
    return MODEL_OK;
}

struct source_char {
    uint32_t codepoint;
    size_t source, source_bytes;
    size_t room; /* for all that follows; stays reserved */
};

static model_status add_pending(struct normalized_text *ret, uint32_t codepoint, unsigned class,
                                const struct source_char *c)
{
    model_status status = normalized_text_reserve_pending(ret);
    if (status != MODEL_OK)
        return status;
    ret->pending[ret->n_pending] = (struct pending_char){
        codepoint, class, (uint32_t)ret->n_pending, (uint32_t)c->source, (uint32_t)c->source_bytes};
    ret->n_pending++;
    return MODEL_OK;
}

/* Decomposes, drops the marks, and puts what starts a cluster into bytes. */
static model_status strip_char(const struct normalizer *n, const struct source_char *c, char *bytes,
                               size_t *size, struct normalized_text *ret)
{
    uint32_t parts[CHAR_MAX_DECOMPOSED];
    size_t n_parts = char_decompose(c->codepoint, parts);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n_parts && status == MODEL_OK; i++) {
        bool mark = char_class(parts[i]) == CHAR_MARK;
        unsigned class = char_combining_class(parts[i]);
        if (class == 0)
            status = flush_pending(n, c->room, ret);
        if (mark || status != MODEL_OK)
            continue;
        if (class != 0)
            status = add_pending(ret, parts[i], class, c);
        else
            *size += put_lower(n, parts[i], bytes + *size);
    }
    return status;
}

static model_status put_char(const struct normalizer *n, const struct source_char *c,
                             struct normalized_text *ret)
{
    char bytes[MAX_RESULT_BYTES];
    size_t size = 0;
    uint32_t codepoint = c->codepoint;
    if (n->clean_text && is_control(codepoint))
        return MODEL_OK;
    if (n->clean_text && char_class(codepoint) == CHAR_SPACE)
        codepoint = ' ';
    bool han = n->handle_chinese_chars && char_is_han(codepoint);
    model_status status = MODEL_OK;
    if (han)
        bytes[size++] = ' ';
    if (!n->strip_accents || codepoint < 0x80) {
        status = flush_pending(n, c->room, ret);
        size += put_lower(n, codepoint, bytes + size);
    } else {
        status = strip_char(n, c, bytes, &size, ret);
    }
    if (han)
        bytes[size++] = ' ';
    if (status == MODEL_OK)
        status = normalized_text_reserve(ret, size + c->room);
    if (status == MODEL_OK)
        append(ret, bytes, size, c->source, c->source_bytes, !han);
    return status;
}

/* Copies ASCII from text[at] on, within the room reserved; returns the first byte not copied. */
static size_t copy_ascii(const struct normalizer *n, const char *text, size_t text_bytes, size_t at,
                         size_t source, struct normalized_text *ret)
{
    normalized_text_plain(ret, source + at);
    char *out = ret->data + ret->size;
    size_t from = at;
    while (at < text_bytes) {
        unsigned char result = n->ascii[(unsigned char)text[at]];
        if (result >= NOT_SIMPLE)
            break;
        out[at - from] = (char)result;
        at++;
    }
    ret->size += at - from;
    return at;
}

static model_status run(const struct normalizer *n, const char *text, size_t text_bytes,
                        size_t source, struct normalized_text *ret, struct model_error *err)
{
    (void)err;
    model_status status = normalized_text_reserve(ret, text_bytes);
    size_t at = 0;
    while (at < text_bytes && status == MODEL_OK) {
        size_t left = text_bytes - at;
        if (n->ascii[(unsigned char)text[at]] < NOT_SIMPLE) {
            status = flush_pending(n, left, ret);
            if (status == MODEL_OK)
                status = normalized_text_reserve(ret, left);
            if (status == MODEL_OK)
                at = copy_ascii(n, text, text_bytes, at, source, ret);
            continue;
        }
        struct source_char c = {.source = source + at};
        c.source_bytes = char_decode(text + at, &c.codepoint);
        c.room = left - c.source_bytes;
        status = put_char(n, &c, ret);
        at += c.source_bytes;
    }
    return status == MODEL_OK ? flush_pending(n, 0, ret) : status;
}

const struct normalizer_type bert_normalizer_type = {"BertNormalizer", load, run};
