/* text_normalizers.c - the normalizers Lowercase, Strip, Replace and Prepend. After Hugging Face
 * tokenizers, normalizers/ and tokenizer/normalizer.rs, which also say what stands for what in the
 * source. [any-thread] */
#include "errors.h"
#include "pipeline.h"
#include "unicode_class.h"

#include <stdlib.h>
#include <string.h>

/* text[start, end) as it is. */
static model_status copy(const char *text, size_t start, size_t end, size_t source,
                         struct normalized_text *ret)
{
    if (start == end)
        return MODEL_OK;
    model_status status = normalized_text_reserve(ret, end - start);
    if (status != MODEL_OK)
        return status;
    normalized_text_plain(ret, source + start);
    memcpy(ret->data + ret->size, text + start, end - start);
    ret->size += end - start;
    return MODEL_OK;
}

/* Other text, in the place of source_bytes at source. */
static model_status put(const char *text, size_t bytes, size_t source, size_t source_bytes,
                        struct normalized_text *ret)
{
    if (bytes == 0)
        return MODEL_OK;
    model_status status = normalized_text_reserve(ret, bytes);
    if (status != MODEL_OK)
        return status;
    normalized_text_block(ret, source, source_bytes);
    memcpy(ret->data + ret->size, text, bytes);
    ret->size += bytes;
    return MODEL_OK;
}

/* ---------------------------------------------------------------- Lowercase */

static model_status load_nothing(const struct json_place *place, struct normalizer *ret,
                                 struct model_error *err)
{
    (void)place;
    (void)ret;
    (void)err;
    return MODEL_OK;
}

static model_status lowercase(const struct normalizer *self, const char *text, size_t text_bytes,
                              size_t source, struct normalized_text *ret, struct model_error *err)
{
    (void)self;
    (void)err;
    model_status status = MODEL_OK;
    for (size_t at = 0; at < text_bytes && status == MODEL_OK;) {
        uint32_t codepoint;
        uint32_t lower[CHAR_MAX_LOWER];
        char bytes[CHAR_MAX_LOWER * CHAR_MAX_BYTES];
        size_t size = 0;
        size_t char_bytes = char_decode(text + at, &codepoint);
        size_t n = char_lower(codepoint, lower);
        for (size_t i = 0; i < n; i++)
            size += char_encode(lower[i], bytes + size);
        status = size == char_bytes ? copy(bytes, 0, size, source + at, ret)
                                    : put(bytes, size, source + at, char_bytes, ret);
        at += char_bytes;
    }
    return status;
}

const struct normalizer_type lowercase_type = {"Lowercase", load_nothing, lowercase};

/* ---------------------------------------------------------------- Strip */

static model_status load_strip(const struct json_place *place, struct normalizer *ret,
                               struct model_error *err)
{
    ret->strip_left = ret->strip_right = true;
    model_status status = json_field_bool(place, "strip_left", &ret->strip_left, err);
    return status == MODEL_OK ? json_field_bool(place, "strip_right", &ret->strip_right, err)
                              : status;
}

static bool is_space(uint32_t codepoint)
{
    return char_class(codepoint) == CHAR_SPACE;
}

static model_status strip(const struct normalizer *self, const char *text, size_t text_bytes,
                          size_t source, struct normalized_text *ret, struct model_error *err)
{
    (void)err;
    size_t start = 0;
    size_t end = text_bytes;
    uint32_t codepoint;
    while (self->strip_left && start < end) {
        size_t bytes = char_decode(text + start, &codepoint);
        if (!is_space(codepoint))
            break;
        start += bytes;
    }
    while (self->strip_right && end > start && is_space(codepoint = char_before(text, end))) {
        char encoded[CHAR_MAX_BYTES];
        end -= char_encode(codepoint, encoded);
    }
    return copy(text, start, end, source, ret);
}

const struct normalizer_type strip_type = {"Strip", load_strip, strip};

/* ---------------------------------------------------------------- Replace */

static model_status load_replace(const struct json_place *place, struct normalizer *ret,
                                 struct model_error *err)
{
    const json_node *pattern = json_member(place->node, "pattern");
    const char *literal = json_string_or(json_member(pattern, "String"), NULL);
    const char *regex = json_string_or(json_member(pattern, "Regex"), NULL);
    const char *content = NULL;
    model_status status = json_field_string(place, "content", &content, err);
    if (status != MODEL_OK)
        return status;
    if (content == NULL || (regex == NULL && (literal == NULL || *literal == '\0')))
        return error_set(err, MODEL_CORRUPT,
                         "%s: %s of type Replace wants a pattern {\"String\": ..} or {\"Regex\": "
                         "..} and a content",
                         place->what, place->path);
    ret->content = strdup(content);
    if (ret->content == NULL)
        return error_no_memory(err, place->path);
    if (regex != NULL)
        return pattern_compile(regex, place, &ret->pattern, err);
    ret->literal = strdup(literal);
    return ret->literal != NULL ? MODEL_OK : error_no_memory(err, place->path);
}

struct match {
    bool found;
    size_t start, end;
};

static model_status find(const struct normalizer *self, struct pattern_memory *memory,
                         const char *text, size_t text_bytes, size_t from, struct match *ret,
                         struct model_error *err)
{
    if (self->pattern != NULL)
        return pattern_find(self->pattern, memory, text, text_bytes, from, &ret->found, &ret->start,
                            &ret->end, err);
    const char *found =
        memmem(text + from, text_bytes - from, self->literal, strlen(self->literal));
    ret->found = found != NULL;
    if (ret->found) {
        ret->start = (size_t)(found - text);
        ret->end = ret->start + strlen(self->literal);
    }
    return MODEL_OK;
}

/* The new text stands for the last character of the old one, or for the one before an empty match. */
static model_status put_content(const struct normalizer *self, const char *text, size_t end,
                                size_t source, struct normalized_text *ret)
{
    size_t start = end;
    while (start > 0 && ((unsigned char)text[--start] & 0xC0) == 0x80)
        continue;
    return put(self->content, strlen(self->content), source + start, end > start ? end - start : 1,
               ret);
}

static model_status replace(const struct normalizer *self, const char *text, size_t text_bytes,
                            size_t source, struct normalized_text *ret, struct model_error *err)
{
    struct pattern_memory memory = {0};
    struct match match = {false, 0, 0};
    model_status status = MODEL_OK;
    size_t done = 0;
    for (size_t from = 0; from <= text_bytes && text_bytes > 0;) {
        status = find(self, &memory, text, text_bytes, from, &match, err);
        if (status != MODEL_OK || !match.found)
            break;
        uint32_t codepoint;
        bool empty = match.start == match.end;
        from = match.end;
        if (empty)
            from += match.end < text_bytes ? char_decode(text + match.end, &codepoint) : 1;
        if (empty && done == match.end && done > 0)
            continue; /* none right behind the last one */
        status = copy(text, done, match.start, source, ret);
        if (status == MODEL_OK)
            status = put_content(self, text, match.end, source, ret);
        if (status != MODEL_OK)
            break;
        done = match.end;
    }
    pattern_memory_finish(&memory);
    return status == MODEL_OK ? copy(text, done, text_bytes, source, ret) : status;
}

const struct normalizer_type replace_type = {"Replace", load_replace, replace};

/* ---------------------------------------------------------------- Prepend */

static model_status load_prepend(const struct json_place *place, struct normalizer *ret,
                                 struct model_error *err)
{
    const char *content = NULL;
    model_status status = json_field_string(place, "prepend", &content, err);
    if (status != MODEL_OK)
        return status;
    if (content == NULL)
        return error_set(err, MODEL_CORRUPT, "%s: %s of type Prepend wants a text 'prepend'",
                         place->what, place->path);
    ret->content = strdup(content);
    return ret->content != NULL ? MODEL_OK : error_no_memory(err, place->path);
}

/* The new text and the first character both stand for that character. */
static model_status prepend(const struct normalizer *self, const char *text, size_t text_bytes,
                            size_t source, struct normalized_text *ret, struct model_error *err)
{
    (void)err;
    if (text_bytes == 0)
        return MODEL_OK;
    uint32_t codepoint;
    size_t bytes = char_decode(text, &codepoint);
    model_status status = put(self->content, strlen(self->content), source, bytes, ret);
    if (status == MODEL_OK)
        status = put(text, bytes, source, bytes, ret);
    return status == MODEL_OK ? copy(text, bytes, text_bytes, source, ret) : status;
}

const struct normalizer_type prepend_type = {"Prepend", load_prepend, prepend};
