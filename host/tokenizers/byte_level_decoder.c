/* byte_level_decoder.c - ByteLevel as a decoder: characters that stand for bytes become bytes, and all
 * tokens one text. A token with another character stands for its own bytes. Bytes that are not UTF-8
 * become U+FFFD, one for each longest start of a character, as Unicode recommends (3.9) and Rust's
 * from_utf8_lossy() does. After Hugging Face tokenizers, pre_tokenizers/byte_level.rs. [any-thread] */
#include "byte_level.h"
#include "pipeline.h"
#include "utf8.h"

#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

/* How many bytes at p begin a character, and whether it may be whole with more: p[0] starts no whole
 * one among the n bytes. */
static size_t broken_bytes(const unsigned char *p, size_t n, bool *ret_open)
{
    unsigned char first = p[0];
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    size_t whole = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    *ret_open = false;
    if (first < 0xC2 || first > 0xF4)
        return 1;
    size_t i = 1;
    for (; i < n && i < whole; i++, low = 0x80, high = 0xBF)
        if (p[i] < low || p[i] > high)
            return i;
    *ret_open = i == n;
    return i;
}

/* What of state->held is decided, to the next step; what is left moves to the front. */
static model_status flush(struct decoder_state *state, bool ends, const struct decoder_next *next)
{
    struct buffer *held = &state->held;
    model_status status = MODEL_OK;
    size_t at = 0;
    while (at < held->size && status == MODEL_OK) {
        size_t good = utf8_valid_prefix(held->data + at, held->size - at);
        if (good > 0)
            status = decoder_emit(next, held->data + at, good, false);
        at += good;
        if (at == held->size || status != MODEL_OK)
            break;
        bool open;
        size_t bad = broken_bytes((const unsigned char *)held->data + at, held->size - at, &open);
        if (open && !ends)
            break;
        status = decoder_emit(next, REPLACEMENT, strlen(REPLACEMENT), false);
        at += bad;
    }
    if (status != MODEL_OK)
        return status;
    size_t left = held->size - at;
    if (left > 0)
        memmove(held->data, held->data + at, left);
    held->size = left;
    return MODEL_OK;
}

static model_status push(const struct decoder *self, struct decoder_state *state, const char *token,
                         size_t token_bytes, bool ends, const struct decoder_next *next)
{
    (void)self;
    (void)ends;
    struct buffer *held = &state->held;
    size_t bytes = 0;
    model_status status = buffer_reserve(held, token_bytes);
    if (status != MODEL_OK)
        return status;
    if (token_bytes > 0 && !byte_level_bytes(token, token_bytes, held->data + held->size, &bytes)) {
        memcpy(held->data + held->size, token, token_bytes);
        bytes = token_bytes;
    }
    held->size += bytes;
    return flush(state, false, next);
}

static model_status finish(const struct decoder *self, struct decoder_state *state,
                           const struct decoder_next *next)
{
    (void)self;
    model_status status = flush(state, true, next);
    return status == MODEL_OK ? decoder_emit(next, "", 0, true) : status;
}

static model_status load(const struct json_place *place, struct decoder *ret,
                         struct model_error *err)
{
    (void)place;
    (void)ret;
    (void)err;
    return MODEL_OK; /* its settings are those of the pre-tokenizer */
}

const struct decoder_type byte_level_decoder_type = {"ByteLevel", load, false, push, finish};
