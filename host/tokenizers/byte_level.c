/* byte_level.c - ByteLevel as a pre-tokenizer, in up to three steps: a space before the text, words by
 * GPT-2's pattern, and each byte as the character that stands for it. After Hugging Face tokenizers,
 * pre_tokenizers/byte_level.rs. [any-thread]
 *
 * A model that knows bytes needs no characters: tokenizer_json.c takes the last step away then.
 * GPT-2's pattern is read by hand where all is ASCII, by PCRE2 elsewhere; tests compare the two. */
#include "byte_level.h"
#include "errors.h"
#include "pipeline.h"
#include "unicode_class.h"

/* ---------------------------------------------------------------- the alphabet */

static bool is_visible(unsigned byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

uint32_t byte_level_char(unsigned char byte)
{
    if (is_visible(byte))
        return byte;
    if (byte <= ' ')
        return 0x100u + byte;                               /* 0 to 32 come first, */
    return byte <= 0xA0 ? 0x121u + (byte - 0x7Fu) : 0x143u; /* then 127 to 160, and 173 */
}

int byte_level_byte(uint32_t codepoint)
{
    if (codepoint < 0x100)
        return is_visible(codepoint) ? (int)codepoint : -1;
    if (codepoint <= 0x120)
        return (int)(codepoint - 0x100);
    if (codepoint <= 0x142)
        return (int)(codepoint - 0x121 + 0x7F);
    return codepoint == 0x143 ? 0xAD : -1;
}

bool byte_level_bytes(const char *token, size_t token_bytes, char *ret, size_t *ret_bytes)
{
    size_t n = 0;
    for (size_t at = 0; at < token_bytes;) {
        uint32_t codepoint;
        at += char_decode(token + at, &codepoint);
        int byte = byte_level_byte(codepoint);
        if (byte < 0)
            return false;
        ret[n++] = (char)byte;
    }
    *ret_bytes = n;
    return true;
}

/* ---------------------------------------------------------------- GPT-2's pattern */

const char byte_level_regex[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
                                "\\s+(?!\\S)|\\s+";

enum { O = 0, L, N, S, X }; /* other, letter, number, space, not ASCII */

static const unsigned char kinds[256] = {
    /* 0x00 */ O, O, O, O, O, O, O, O, O, S, S, S, S, S, O, O,
    /* 0x10 */ O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    /* 0x20 */ S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    /* 0x30 */ N, N, N, N, N, N, N, N, N, N, O, O, O, O, O, O,
    /* 0x40 */ O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    /* 0x50 */ L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
    /* 0x60 */ O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    /* 0x70 */ L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
    /* 0x80 */ X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    /* 0x90 */ X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    /* 0xA0 */ X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    /* 0xB0 */ X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    /* 0xC0 */ X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    /* 0xD0 */ X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    /* 0xE0 */ X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    /* 0xF0 */ X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X};

/* How many bytes of "'s", "'ll" and so on stand at p; 0: none. */
static size_t contraction(const char *p, size_t bytes)
{
    if (bytes < 2)
        return 0;
    switch (p[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
        return 2;
    case 'l':
        return bytes > 2 && p[2] == 'l' ? 3 : 0;
    case 'r':
    case 'v':
        return bytes > 2 && p[2] == 'e' ? 3 : 0;
    default:
        return 0;
    }
}

/* \s+(?!\S)|\s+ : a run of spaces leaves its last one to the word behind it. */
static size_t space_run(const unsigned char *text, size_t text_bytes, size_t at)
{
    size_t end = at;
    while (end < text_bytes && kinds[text[end]] == S)
        end++;
    if (end == text_bytes)
        return end;
    if (kinds[text[end]] == X)
        return 0;
    return end - at > 1 ? end - 1 : end;
}

size_t byte_level_ascii_word(const char *text, size_t text_bytes, size_t at)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = at;
    if (p[i] == '\'') {
        size_t bytes = contraction(text + i, text_bytes - i);
        if (bytes > 0)
            return i + bytes;
    }
    if (p[i] == ' ' && i + 1 < text_bytes)
        i++;
    unsigned kind = kinds[p[i]];
    if (kind == X)
        return 0;
    if (kind == S)
        return space_run(p, text_bytes, at);
    do
        i++;
    while (i < text_bytes && kinds[p[i]] == kind);
    return i < text_bytes && kinds[p[i]] == X ? 0 : i;
}

static bool next(const struct pre_tokenizer *self, const char *text, size_t text_bytes,
                 struct word_search *search, size_t *ret_start, size_t *ret_end,
                 struct model_error *err)
{
    if (search->at >= text_bytes)
        return false;
    *ret_start = search->at;
    *ret_end = byte_level_ascii_word(text, text_bytes, search->at);
    if (*ret_end == 0) {
        bool found = false;
        search->status = pattern_find(self->pattern, search->memory, text, text_bytes, search->at,
                                      &found, ret_start, ret_end, err);
        if (search->status != MODEL_OK || !found)
            return false;
    }
    search->at = *ret_end;
    return true;
}

static const struct pre_tokenizer_type gpt2_words_type = {NULL, NULL, next, NULL};

/* ---------------------------------------------------------------- steps that rewrite */

/* The space stands for the first character, as that does itself. */
static model_status put_space(const struct pre_tokenizer *self, const char *text, size_t start,
                              size_t end, struct normalized_text *ret)
{
    (void)self;
    if (start == end || text[start] == ' ')
        return normalized_text_copy(ret, text, start, end);
    uint32_t codepoint;
    size_t bytes = char_decode(text + start, &codepoint);
    model_status status = normalized_text_reserve(ret, bytes + 1);
    if (status != MODEL_OK)
        return status;
    normalized_text_block(ret, start, bytes);
    ret->data[ret->size++] = ' ';
    for (size_t i = 0; i < bytes; i++)
        ret->data[ret->size++] = text[start + i];
    return normalized_text_copy(ret, text, start + bytes, end);
}

static const struct pre_tokenizer_type prefix_space_type = {NULL, NULL, NULL, put_space};

/* Every byte stands for its whole character. */
static model_status put_chars(const struct pre_tokenizer *self, const char *text, size_t start,
                              size_t end, struct normalized_text *ret)
{
    (void)self;
    for (size_t at = start; at < end;) {
        uint32_t codepoint;
        size_t bytes = char_decode(text + at, &codepoint);
        model_status status = normalized_text_reserve(ret, bytes * CHAR_MAX_BYTES);
        if (status != MODEL_OK)
            return status;
        normalized_text_block(ret, at, bytes);
        for (size_t i = 0; i < bytes; i++)
            ret->size +=
                char_encode(byte_level_char((unsigned char)text[at + i]), ret->data + ret->size);
        at += bytes;
    }
    return MODEL_OK;
}

const struct pre_tokenizer_type byte_chars_type = {NULL, NULL, NULL, put_chars};

/* ---------------------------------------------------------------- loading */

static model_status load(const struct json_place *place, struct pre_tokenizer_chain *ret,
                         struct model_error *err)
{
    bool add_prefix_space = true;
    bool use_regex = true;
    model_status status = json_field_bool(place, "add_prefix_space", &add_prefix_space, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "use_regex", &use_regex, err);
    const struct {
        const struct pre_tokenizer_type *type;
        bool wanted;
    } steps[] = {{&prefix_space_type, add_prefix_space},
                 {&gpt2_words_type, use_regex},
                 {&byte_chars_type, true}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == MODEL_OK; i++) {
        if (!steps[i].wanted)
            continue;
        struct pre_tokenizer *step = pre_tokenizer_chain_add(ret, place, err);
        if (step == NULL)
            return MODEL_UNSUPPORTED;
        step->type = steps[i].type;
        if (step->type == &gpt2_words_type)
            status = pattern_compile(byte_level_regex, place, &step->pattern, err);
    }
    return status;
}

const struct pre_tokenizer_type byte_level_type = {"ByteLevel", load, NULL, NULL};
