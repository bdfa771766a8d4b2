/* text_decoders.c - the decoders Replace, ByteFallback, Fuse and Strip, of which tokenizers with
 * <0x0A> tokens make their sequence. After Hugging Face tokenizers, decoders/. [any-thread] */
#include "errors.h"
#include "pipeline.h"
#include "unicode_class.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"
#define MAX_STRIP   1000000

static model_status load_nothing(const struct json_place *place, struct decoder *ret,
                                 struct model_error *err)
{
    (void)place;
    (void)ret;
    (void)err;
    return MODEL_OK;
}

static model_status keep(const struct json_place *place, const char *text, char **ret,
                         struct model_error *err)
{
    *ret = strdup(text);
    return *ret != NULL ? MODEL_OK : error_no_memory(err, place->path);
}

/* ---------------------------------------------------------------- Replace */

static model_status load_replace(const struct json_place *place, struct decoder *ret,
                                 struct model_error *err)
{
    const json_node *pattern = json_member(place->node, "pattern");
    const char *text = json_string_or(json_member(pattern, "String"), NULL);
    const char *with = NULL;
    if (json_member(pattern, "Regex") != NULL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: %s of type Replace has a Regex, which is not supported in a decoder; "
                         "supported: String",
                         place->what, place->path);
    model_status status = json_field_string(place, "content", &with, err);
    if (status != MODEL_OK)
        return status;
    if (text == NULL || *text == '\0' || with == NULL)
        return error_set(err, MODEL_CORRUPT,
                         "%s: %s of type Replace wants a pattern {\"String\": ..} and a content",
                         place->what, place->path);
    status = keep(place, text, &ret->content, err);
    return status == MODEL_OK ? keep(place, with, &ret->with, err) : status;
}

static model_status push_replaced(const struct decoder *self, struct decoder_state *state,
                                  const char *token, size_t token_bytes, bool ends,
                                  const struct decoder_next *next)
{
    (void)state;
    size_t bytes = strlen(self->content);
    size_t at = 0;
    model_status status = MODEL_OK;
    const char *found;
    while (status == MODEL_OK &&
           (found = memmem(token + at, token_bytes - at, self->content, bytes)) != NULL) {
        size_t start = (size_t)(found - token);
        status = decoder_emit(next, token + at, start - at, false);
        if (status == MODEL_OK)
            status = decoder_emit(next, self->with, strlen(self->with), false);
        at = start + bytes;
    }
    return status == MODEL_OK ? decoder_emit(next, token + at, token_bytes - at, ends) : status;
}

const struct decoder_type replace_decoder_type = {"Replace", load_replace, false, push_replaced,
                                                  NULL};

/* ---------------------------------------------------------------- ByteFallback */

/* "<0x0A>": its byte, else -1. As the reference reads it, "<0x+A>" is one, too. */
static int fallback_byte(const char *token, size_t bytes)
{
    if (bytes != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>')
        return -1;
    int value = 0;
    for (size_t i = 3; i < 5; i++) {
        char c = token[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0 && !(i == 3 && c == '+'))
            return -1;
        value = value * 16 + (digit < 0 ? 0 : digit);
    }
    return value;
}

/* The bytes in a row: one text, or a U+FFFD for each of them. */
static model_status flush_bytes(struct decoder_state *state, const struct decoder_next *next)
{
    size_t n = state->held.size;
    model_status status = MODEL_OK;
    if (n == 0)
        return MODEL_OK;
    if (utf8_valid_prefix(state->held.data, n) == n)
        status = decoder_emit(next, state->held.data, n, true);
    else
        for (size_t i = 0; i < n && status == MODEL_OK; i++)
            status = decoder_emit(next, REPLACEMENT, strlen(REPLACEMENT), true);
    buffer_clear(&state->held);
    return status;
}

static model_status push_fallback(const struct decoder *self, struct decoder_state *state,
                                  const char *token, size_t token_bytes, bool ends,
                                  const struct decoder_next *next)
{
    (void)self;
    int byte = fallback_byte(token, token_bytes);
    if (byte >= 0) {
        char c = (char)byte;
        return buffer_append(&state->held, &c, 1);
    }
    model_status status = flush_bytes(state, next);
    return status == MODEL_OK ? decoder_emit(next, token, token_bytes, ends) : status;
}

static model_status finish_fallback(const struct decoder *self, struct decoder_state *state,
                                    const struct decoder_next *next)
{
    (void)self;
    return flush_bytes(state, next);
}

const struct decoder_type byte_fallback_decoder_type = {"ByteFallback", load_nothing, false,
                                                        push_fallback, finish_fallback};

/* ---------------------------------------------------------------- Fuse */

static model_status push_fused(const struct decoder *self, struct decoder_state *state,
                               const char *token, size_t token_bytes, bool ends,
                               const struct decoder_next *next)
{
    (void)self;
    (void)state;
    (void)ends;
    return token_bytes > 0 ? decoder_emit(next, token, token_bytes, false) : MODEL_OK;
}

static model_status finish_fused(const struct decoder *self, struct decoder_state *state,
                                 const struct decoder_next *next)
{
    (void)self;
    (void)state;
    return decoder_emit(next, "", 0, true);
}

const struct decoder_type fuse_decoder_type = {"Fuse", load_nothing, true, push_fused,
                                               finish_fused};

/* ---------------------------------------------------------------- Strip */

static model_status load_strip(const struct json_place *place, struct decoder *ret,
                               struct model_error *err)
{
    const char *content = " ";
    uint32_t codepoint;
    model_status status = json_field_string(place, "content", &content, err);
    if (status == MODEL_OK)
        status = json_field_integer(place, "start", 0, MAX_STRIP, &ret->start, err);
    if (status == MODEL_OK)
        status = json_field_integer(place, "stop", 0, MAX_STRIP, &ret->stop, err);
    if (status != MODEL_OK)
        return status;
    if (*content == '\0' || char_decode(content, &codepoint) != strlen(content))
        return error_set(err, MODEL_CORRUPT, "%s: %s.content is '%.20s', want one character",
                         place->what, place->path, content);
    return keep(place, content, &ret->content, err);
}

/* state->n_seen: how many were stripped at the start, or START_IS_OVER; state->held: what
 * may have to be stripped at the end, at most `stop` characters. */
#define START_IS_OVER SIZE_MAX

static model_status strip_char(const struct decoder *self, struct decoder_state *state,
                               const char *text, size_t bytes, const struct decoder_next *next)
{
    bool matches = strlen(self->content) == bytes && memcmp(text, self->content, bytes) == 0;
    if (state->n_seen < (size_t)self->start && matches) {
        state->n_seen++;
        return MODEL_OK;
    }
    state->n_seen = START_IS_OVER;
    model_status status = MODEL_OK;
    struct buffer *held = &state->held;
    if (!matches) {
        if (held->size > 0)
            status = decoder_emit(next, held->data, held->size, false);
        buffer_clear(held);
        return status == MODEL_OK ? decoder_emit(next, text, bytes, false) : status;
    }
    if (held->size / bytes < (size_t)self->stop)
        return buffer_append(held, text, bytes);
    return decoder_emit(next, text, bytes, false); /* one more of the same in front of those held */
}

static model_status push_stripped(const struct decoder *self, struct decoder_state *state,
                                  const char *token, size_t token_bytes, bool ends,
                                  const struct decoder_next *next)
{
    model_status status = MODEL_OK;
    size_t at = 0;
    while (at < token_bytes && status == MODEL_OK &&
           (self->stop > 0 || state->n_seen != START_IS_OVER)) {
        uint32_t codepoint;
        size_t bytes = char_decode(token + at, &codepoint);
        status = strip_char(self, state, token + at, bytes, next);
        at += bytes;
    }
    if (status == MODEL_OK && at < token_bytes)
        status = decoder_emit(next, token + at, token_bytes - at, false);
    if (status != MODEL_OK || !ends)
        return status;
    buffer_clear(&state->held);
    state->n_seen = 0;
    return decoder_emit(next, "", 0, true);
}

const struct decoder_type strip_decoder_type = {"Strip", load_strip, true, push_stripped, NULL};
