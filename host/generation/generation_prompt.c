/* generation_prompt.c - see generation_prompt.h. */
#include "generation_prompt.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#define MAX_IDS        (1u << 24)
#define MAX_TEXT_BYTES (64u << 20)

static model_status copy_ids(struct prompt *prompt, const int64_t *ids, size_t n_ids,
                             struct model_error *err)
{
    free(prompt->ids);
    prompt->ids = malloc((n_ids + 1) * sizeof *prompt->ids);
    if (prompt->ids == NULL)
        return error_no_memory(err, "a prompt");
    if (n_ids > 0)
        memcpy(prompt->ids, ids, n_ids * sizeof *ids);
    prompt->n_ids = n_ids;
    return MODEL_OK;
}

static model_status copy_text(struct prompt *prompt, const char *text, size_t text_bytes,
                              struct model_error *err)
{
    prompt->text = malloc(text_bytes + 1);
    if (prompt->text == NULL)
        return error_no_memory(err, "a prompt");
    memcpy(prompt->text, text, text_bytes);
    prompt->text[text_bytes] = '\0';
    prompt->text_bytes = text_bytes;
    return MODEL_OK;
}

model_status prompt_take(struct prompt *prompt, const struct modelhost_prompt *given,
                         bool has_tokenizer, struct model_error *err)
{
    if (!MODEL_HAS(struct modelhost_prompt, given, n_token_ids) ||
        (given->text == NULL && given->token_ids == NULL))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "neither text nor token_ids, or no struct_size");
    if (given->text == NULL && given->n_token_ids > MAX_IDS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%zu token ids, at most %u",
                         given->n_token_ids, MAX_IDS);
    if (given->text == NULL)
        return copy_ids(prompt, given->token_ids, given->n_token_ids, err);
    if (!has_tokenizer)
        return error_set(err, MODEL_NOT_FOUND,
                         "the package has no tokenizer: give token ids instead of text");
    if (given->text_bytes > MAX_TEXT_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "a text of %zu bytes, at most %u",
                         given->text_bytes, MAX_TEXT_BYTES);
    return copy_text(prompt, given->text, given->text_bytes, err);
}

void prompt_finish(struct prompt *prompt)
{
    free(prompt->text);
    free(prompt->ids);
    *prompt = (struct prompt){0};
}

static model_status tokenize(struct prompt *prompt, const struct tokenizer *tokenizer,
                             const uint32_t *cancelled, struct model_error *err)
{
    const struct tokenizer_options options = {.add_special_tokens = true,
                                              .truncation = TOKENIZER_OFF,
                                              .padding = TOKENIZER_OFF,
                                              .cancelled = cancelled};
    struct encoding encoding = {0};
    model_status status = tokenizer_encode(tokenizer, prompt->text, prompt->text_bytes, NULL, 0,
                                           &options, &encoding, err);
    if (status == MODEL_OK && encoding.n_tokens > 0) {
        prompt->ids = malloc(encoding.n_tokens * sizeof *prompt->ids);
        if (prompt->ids == NULL)
            status = error_no_memory(err, "a prompt");
        for (size_t i = 0; i < encoding.n_tokens && status == MODEL_OK; i++)
            prompt->ids[i] = encoding.ids[i];
        prompt->n_ids = status == MODEL_OK ? encoding.n_tokens : 0;
    }
    encoding_finish(&encoding);
    return status;
}

model_status prompt_encode(struct prompt *prompt, const struct tokenizer *tokenizer,
                           int64_t bos_token_id, const uint32_t *cancelled, struct model_error *err)
{
    model_status status =
        prompt->text != NULL ? tokenize(prompt, tokenizer, cancelled, err) : MODEL_OK;
    if (status != MODEL_OK || prompt->n_ids > 0)
        return status;
    if (bos_token_id < 0 && tokenizer != NULL)
        bos_token_id = tokenizer_bos_id(tokenizer);
    if (bos_token_id < 0)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "no tokens, and the model names no bos_token_id to begin with");
    return copy_ids(prompt, &bos_token_id, 1, err);
}
