/* unicode_normalizer.c - NFC, NFD, NFKC and NFKD. After Unicode Standard Annex 15 and the
 * unicode-normalization-alignments that the reference uses: its data is that of Unicode 9.
 * [any-thread]
 *
 * ASCII is copied. Other characters are decomposed and collected until one comes that neither moves nor
 * composes with those before it; then they are put in order, composed, and written. What is composed
 * stands for the first character that it is made of. */
#include "errors.h"
#include "pipeline.h"
#include "unicode_class.h"

#include <stdlib.h>
#include <string.h>

struct form {
    size_t (*decompose)(uint32_t codepoint, uint32_t *ret);
    bool composes;
};

struct segment {
    const struct form *form;
    const char *text;
    size_t source; /* of text */
    struct normalized_text *ret;
};

static int compare_classes(const void *a, const void *b)
{
    const struct pending_char *x = a;
    const struct pending_char *y = b;
    if (x->combining_class != y->combining_class)
        return x->combining_class < y->combining_class ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Characters between starters by their class. */
static void put_in_order(struct pending_char *chars, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t first = i;
        while (i < n && chars[i].combining_class != 0)
            i++;
        if (i - first > 1)
            qsort(&chars[first], i - first, sizeof *chars, compare_classes);
        i += i < n;
    }
}

static size_t compose(struct pending_char *chars, size_t n)
{
    size_t starter = SIZE_MAX;
    size_t kept = 0;
    unsigned last_class = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned class = chars[i].combining_class;
        uint32_t composed = 0;
        if (starter != SIZE_MAX && (last_class < class || last_class == 0))
            composed = char_compose(chars[starter].codepoint, chars[i].codepoint);
        if (composed != 0) {
            chars[starter].codepoint = composed;
            continue;
        }
        if (class == 0)
            starter = kept;
        last_class = class;
        chars[kept++] = chars[i];
    }
    return kept;
}

static void append(const struct segment *s, const struct pending_char *c)
{
    char bytes[CHAR_MAX_BYTES];
    size_t size = char_encode(c->codepoint, bytes);
    if (size == c->source_bytes && memcmp(s->text + (c->source - s->source), bytes, size) == 0)
        normalized_text_plain(s->ret, c->source);
    else
        normalized_text_block(s->ret, c->source, c->source_bytes);
    memcpy(s->ret->data + s->ret->size, bytes, size);
    s->ret->size += size;
}

static model_status flush(const struct segment *s)
{
    struct normalized_text *ret = s->ret;
    model_status status = MODEL_OK;
    put_in_order(ret->pending, ret->n_pending);
    size_t n = s->form->composes ? compose(ret->pending, ret->n_pending) : ret->n_pending;
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        status = normalized_text_reserve(ret, CHAR_MAX_BYTES);
        if (status == MODEL_OK)
            append(s, &ret->pending[i]);
    }
    ret->n_pending = 0;
    return status;
}

static model_status add(const struct segment *s, size_t at, size_t bytes, uint32_t codepoint)
{
    uint32_t parts[CHAR_MAX_COMPATIBLE];
    size_t n = s->form->decompose(codepoint, parts);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        unsigned class = char_combining_class(parts[i]);
        if (class == 0 && !(s->form->composes && char_may_follow(parts[i])))
            status = flush(s);
        if (status == MODEL_OK)
            status = normalized_text_reserve_pending(s->ret);
        if (status != MODEL_OK)
            break;
        s->ret->pending[s->ret->n_pending] =
            (struct pending_char){parts[i], class, (uint32_t)s->ret->n_pending,
                                  (uint32_t)(s->source + at), (uint32_t)bytes};
        s->ret->n_pending++;
    }
    return status;
}

static model_status copy_ascii(const struct segment *s, size_t start, size_t end)
{
    model_status status = flush(s);
    if (status == MODEL_OK)
        status = normalized_text_reserve(s->ret, end - start);
    if (status != MODEL_OK)
        return status;
    normalized_text_plain(s->ret, s->source + start);
    memcpy(s->ret->data + s->ret->size, s->text + start, end - start);
    s->ret->size += end - start;
    return MODEL_OK;
}

static model_status run(const struct form *form, const char *text, size_t text_bytes, size_t source,
                        struct normalized_text *ret)
{
    const struct segment s = {form, text, source, ret};
    model_status status = MODEL_OK;
    for (size_t at = 0; at < text_bytes && status == MODEL_OK;) {
        size_t end = at;
        while (end < text_bytes && (unsigned char)text[end] < 0x80)
            end++;
        /* The last one may compose with what follows. */
        end -= end > at && end < text_bytes;
        if (end > at) {
            status = copy_ascii(&s, at, end);
            at = end;
            continue;
        }
        uint32_t codepoint;
        size_t bytes = char_decode(text + at, &codepoint);
        status = add(&s, at, bytes, codepoint);
        at += bytes;
    }
    return status == MODEL_OK ? flush(&s) : status;
}

/* ---------------------------------------------------------------- the four forms */

static const struct form nfc = {char_decompose, true};
static const struct form nfd = {char_decompose, false};
static const struct form nfkc = {char_decompose_compatible, true};
static const struct form nfkd = {char_decompose_compatible, false};

static model_status load(const struct json_place *place, struct normalizer *ret,
                         struct model_error *err)
{
    (void)place;
    (void)ret;
    (void)err;
    return MODEL_OK;
}

static model_status run_form(const struct normalizer *self, const char *text, size_t text_bytes,
                             size_t source, struct normalized_text *ret, struct model_error *err)
{
    (void)err;
    const struct form *form = self->type == &nfc_type    ? &nfc
                              : self->type == &nfd_type  ? &nfd
                              : self->type == &nfkc_type ? &nfkc
                                                         : &nfkd;
    return run(form, text, text_bytes, source, ret);
}

const struct normalizer_type nfc_type = {"NFC", load, run_form};
const struct normalizer_type nfd_type = {"NFD", load, run_form};
const struct normalizer_type nfkc_type = {"NFKC", load, run_form};
const struct normalizer_type nfkd_type = {"NFKD", load, run_form};
