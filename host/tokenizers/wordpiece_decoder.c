/* wordpiece_decoder.c - tokens back to text: pieces are joined to their word, words with a space
 * between, and the spaces before punctuation that this leaves are cleaned up. After Hugging Face
 * tokenizers, decoders/wordpiece.rs: cleaning looks at one token at a time. [any-thread] */
#include "pipeline.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

/* Applied one after the other. */
static const struct {
    const char *from, *to;
} cleanups[] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};

static model_status load(const struct json_place *place, struct decoder *ret,
                         struct model_error *err)
{
    const char *prefix = "##";
    bool cleanup = true;
    model_status status = json_field_string(place, "prefix", &prefix, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "cleanup", &cleanup, err);
    if (status != MODEL_OK)
        return status;
    ret->cleanup = cleanup;
    ret->prefix = strdup(prefix);
    return ret->prefix != NULL ? MODEL_OK : error_no_memory(err, "decoder");
}

/* Replaces every `from` in text by the shorter or equally long `to`, in place. */
static size_t replace(char *text, size_t size, const char *from, const char *to)
{
    size_t from_bytes = strlen(from);
    size_t to_bytes = strlen(to);
    size_t out = 0;
    size_t in = 0;
    while (in < size) {
        if (size - in >= from_bytes && memcmp(text + in, from, from_bytes) == 0) {
            memcpy(text + out, to, to_bytes);
            out += to_bytes;
            in += from_bytes;
        } else {
            text[out++] = text[in++];
        }
    }
    return out;
}

static model_status push(const struct decoder *self, struct decoder_state *state, const char *token,
                         size_t token_bytes, bool ends, const struct decoder_next *next)
{
    struct buffer *text = &state->held;
    size_t prefix_bytes = strlen(self->prefix);
    bool first = state->n_seen++ == 0;
    bool joined =
        !first && token_bytes >= prefix_bytes && memcmp(token, self->prefix, prefix_bytes) == 0;
    size_t skip = joined ? prefix_bytes : 0;
    buffer_clear(text);
    model_status status = !first && !joined ? buffer_append(text, " ", 1) : MODEL_OK;
    if (status == MODEL_OK)
        status = buffer_append(text, token + skip, token_bytes - skip);
    if (status != MODEL_OK)
        return status;
    size_t size = text->size;
    if (self->cleanup && size > 0 && memchr(text->data, ' ', size) != NULL)
        for (size_t i = 0; i < sizeof cleanups / sizeof cleanups[0]; i++)
            size = replace(text->data, size, cleanups[i].from, cleanups[i].to);
    return decoder_emit(next, text->data, size, ends);
}

const struct decoder_type wordpiece_decoder_type = {"WordPiece", load, false, push, NULL};

static model_status push_with_space(const struct decoder *self, struct decoder_state *state,
                                    const char *token, size_t token_bytes, bool ends,
                                    const struct decoder_next *next)
{
    (void)self;
    model_status status = state->n_seen++ == 0 ? MODEL_OK : decoder_emit(next, " ", 1, false);
    return status == MODEL_OK ? decoder_emit(next, token, token_bytes, ends) : status;
}

const struct decoder_type default_decoder_type = {NULL, NULL, false, push_with_space, NULL};
