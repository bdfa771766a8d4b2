/* incremental_decoder.c - see incremental_decoder.h. */
#include "incremental_decoder.h"
#include "errors.h"
#include "tokenizer_inside.h"

#define MAX_TOKEN_TEXT_BYTES (1u << 20)

void incremental_decoder_init(struct incremental_decoder *decoder,
                              const struct tokenizer *tokenizer, bool skip_special_tokens)
{
    *decoder = (struct incremental_decoder){.tokenizer = tokenizer,
                                            .skip_special_tokens = skip_special_tokens};
    decoder->scratch.max_bytes = MAX_TOKEN_TEXT_BYTES;
}

static model_status explain(const struct buffer *text, model_status status, struct model_error *err)
{
    if (status == MODEL_INVALID_ARGUMENT)
        return error_set(err, status, "the text of the tokens is longer than the %zu bytes allowed",
                         text->max_bytes);
    return status == MODEL_OK ? MODEL_OK : error_no_memory(err, "the text of tokens");
}

model_status incremental_decoder_push(struct incremental_decoder *decoder, int64_t id,
                                      struct buffer *ret_text, struct model_error *err)
{
    const struct tokenizer *t = decoder->tokenizer;
    const char *token = vocabulary_token(&t->model.vocab, id);
    if (token == NULL || (decoder->skip_special_tokens && t->is_special[id]))
        return MODEL_OK;
    model_status status = t->decoder.type->append(&t->decoder, token, decoder->n_tokens == 0,
                                                  &decoder->scratch, ret_text);
    decoder->n_tokens++;
    return explain(ret_text, status, err);
}

model_status incremental_decoder_finish(struct incremental_decoder *decoder,
                                        struct buffer *ret_text, struct model_error *err)
{
    (void)ret_text;
    (void)err;
    buffer_finish(&decoder->scratch);
    incremental_decoder_init(decoder, decoder->tokenizer, decoder->skip_special_tokens);
    return MODEL_OK;
}
