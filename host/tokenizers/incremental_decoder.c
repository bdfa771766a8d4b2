/* incremental_decoder.c - see incremental_decoder.h. */
#include "incremental_decoder.h"
#include "errors.h"
#include "tokenizer_inside.h"

void incremental_decoder_init(struct incremental_decoder *decoder,
                              const struct tokenizer *tokenizer, bool skip_special_tokens)
{
    decoder->tokenizer = tokenizer;
    decoder->skip_special_tokens = skip_special_tokens;
    for (size_t i = 0; i < PIPELINE_MAX_STEPS; i++)
        decoder_state_init(&decoder->states[i]);
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
    return explain(ret_text, decoder_chain_push(&t->decoder, decoder->states, token, ret_text),
                   err);
}

model_status incremental_decoder_finish(struct incremental_decoder *decoder,
                                        struct buffer *ret_text, struct model_error *err)
{
    const struct tokenizer *t = decoder->tokenizer;
    model_status status = MODEL_OK;
    if (ret_text != NULL)
        status = explain(ret_text, decoder_chain_end(&t->decoder, decoder->states, ret_text), err);
    for (size_t i = 0; i < PIPELINE_MAX_STEPS; i++)
        decoder_state_finish(&decoder->states[i]);
    incremental_decoder_init(decoder, t, decoder->skip_special_tokens);
    return status;
}
