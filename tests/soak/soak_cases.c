/* soak_cases.c - see soak_model.h: asking a case, and putting an answer into one number. */
#include "soak_model.h"

#include <stdio.h>
#include <string.h>

#define TOP_K          3
#define MAX_NEW_TOKENS 12

/* FNV-1a. */
static uint64_t add_bytes(uint64_t sum, const void *data, size_t n)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ bytes[i]) * 0x100000001B3u;
    return sum;
}

uint64_t soak_digest(const struct modelhost_result *result)
{
    const char *json = modelhost_result_json(result);
    uint64_t sum = add_bytes(0xCBF29CE484222325u, json, strlen(json));
    for (uint32_t i = 0; i < modelhost_result_count(result); i++) {
        const struct model_tensor *tensor = modelhost_result_at(result, i);
        sum = add_bytes(sum, tensor->name, strlen(tensor->name));
        sum = add_bytes(sum, tensor->shape, tensor->rank * sizeof tensor->shape[0]);
        sum = add_bytes(sum, tensor->data, (size_t)tensor->size_bytes);
    }
    return sum;
}

struct stream {
    char *text;
    size_t size_bytes, used;
};

static void on_token(void *context, const struct modelhost_token *token)
{
    struct stream *stream = context;
    if (token->text == NULL || token->text_bytes >= stream->size_bytes - stream->used)
        return;
    memcpy(stream->text + stream->used, token->text, token->text_bytes);
    stream->used += token->text_bytes;
    stream->text[stream->used] = '\0';
}

static model_status generate(struct modelhost_model *model, const struct soak_case *asked,
                             struct stream *stream, struct modelhost_result **ret_result,
                             struct model_error *err)
{
    const struct modelhost_prompt prompt = {
        .struct_size = sizeof prompt, .text = asked->text, .text_bytes = strlen(asked->text)};
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    generation.do_sample = 0;
    generation.max_new_tokens = MAX_NEW_TOKENS;
    if (stream->text != NULL) {
        generation.on_token = on_token;
        generation.context = stream;
    }
    return modelhost_generate(model, &prompt, 1, &generation, NULL, ret_result, err);
}

model_status soak_ask(struct modelhost_model *model, const struct soak_case *asked, char *streamed,
                      size_t streamed_bytes, struct modelhost_result **ret_result,
                      struct model_error *err)
{
    struct stream stream = {streamed, streamed_bytes, 0};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.top_k = TOP_K;
    if (streamed != NULL)
        streamed[0] = '\0';
    if (asked->form == SOAK_GENERATION)
        return generate(model, asked, &stream, ret_result, err);
    if (asked->form == SOAK_TENSORS)
        return modelhost_run(model, asked->pointers, asked->n_inputs, &options, ret_result, err);
    const struct modelhost_text text = {
        .struct_size = sizeof text, .text = asked->text, .text_bytes = strlen(asked->text)};
    return modelhost_run_text(model, &text, 1, &options, ret_result, err);
}
