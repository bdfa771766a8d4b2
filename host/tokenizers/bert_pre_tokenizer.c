/* bert_pre_tokenizer.c - BertPreTokenizer: words end at white space, and every punctuation character
 * is a word of its own. After Hugging Face tokenizers, pre_tokenizers/bert.rs. [any-thread] */
#include "pipeline.h"
#include "unicode_class.h"

/* Of a byte: what it is when it is ASCII, and that it is not. */
enum { ASCII_PLAIN = 0, ASCII_SPACE, ASCII_PUNCTUATION, NOT_ASCII };

#define S ASCII_SPACE
#define P ASCII_PUNCTUATION
#define N NOT_ASCII
static const unsigned char byte_class[256] = {
    /* 0x00 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, S, S, S, S, S, 0, 0,
    /* 0x10 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* 0x20 */ S, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
    /* 0x30 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, P, P, P, P, P, P,
    /* 0x40 */ P, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* 0x50 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, P, P, P, P, P,
    /* 0x60 */ P, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* 0x70 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, P, P, P, P, 0,
    /* 0x80 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 0x90 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 0xA0 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 0xB0 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 0xC0 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 0xD0 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 0xE0 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
    /* 0xF0 */ N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N};
#undef S
#undef P
#undef N

/* The class of the character at p and its bytes. */
static unsigned class_at(const char *p, size_t *ret_bytes)
{
    unsigned class = byte_class[(unsigned char)*p];
    *ret_bytes = 1;
    if (class != NOT_ASCII)
        return class;
    uint32_t codepoint;
    *ret_bytes = char_decode(p, &codepoint);
    switch (char_class(codepoint)) {
    case CHAR_SPACE:
        return ASCII_SPACE;
    case CHAR_PUNCTUATION:
        return ASCII_PUNCTUATION;
    default:
        return ASCII_PLAIN;
    }
}

static bool next(const struct pre_tokenizer *self, const char *text, size_t text_bytes,
                 struct word_search *search, size_t *ret_start, size_t *ret_end,
                 struct model_error *err)
{
    (void)self;
    (void)err;
    size_t bytes = 0;
    unsigned class = ASCII_SPACE;
    size_t i = search->at;
    while (i < text_bytes && (class = class_at(text + i, &bytes)) == ASCII_SPACE)
        i += bytes;
    if (i >= text_bytes) {
        search->at = i;
        return false;
    }
    *ret_start = i;
    i += bytes;
    if (class == ASCII_PLAIN)
        while (i < text_bytes && class_at(text + i, &bytes) == ASCII_PLAIN)
            i += bytes;
    *ret_end = i;
    search->at = i;
    return true;
}

static model_status load(const struct json_place *place, struct pre_tokenizer_chain *ret,
                         struct model_error *err)
{
    struct pre_tokenizer *step = pre_tokenizer_chain_add(ret, place, err);
    if (step == NULL)
        return MODEL_UNSUPPORTED;
    step->type = &bert_pre_tokenizer_type;
    return MODEL_OK;
}

const struct pre_tokenizer_type bert_pre_tokenizer_type = {"BertPreTokenizer", load, next, NULL};
