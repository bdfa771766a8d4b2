/* pipeline.c - see pipeline.h: which kinds of parts there are, and picking one by the name that
 * tokenizer.json gives. [any-thread] */
#include "pipeline.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

/* Tables of struct normalizer_type, and so on down. */
static const void *const normalizers[] = {&bert_normalizer_type};
static const void *const pre_tokenizers[] = {&bert_pre_tokenizer_type};
static const void *const models[] = {&wordpiece_type};
static const void *const post_processors[] = {&template_processing_type, &bert_processing_type};
static const void *const decoders[] = {&wordpiece_decoder_type};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The index of the part's "type" among the tables, whatever their kind: each starts with its name.
 * `names` says them for the error. */
static model_status find_type(const struct json_place *place, const void *const *tables,
                              size_t n_tables, const char *names, size_t *ret,
                              struct model_error *err)
{
    model_status status = json_want_object(place, err);
    if (status != MODEL_OK)
        return status;
    const json_node *node = json_member(place->node, "type");
    const char *type = json_string_or(node, NULL);
    if (type == NULL)
        return error_set(err, MODEL_CORRUPT, "%s: %s.type is %s, want a string", place->what,
                         place->path, json_kind(node));
    for (size_t i = 0; i < n_tables; i++) {
        const char *name = *(const char *const *)tables[i];
        if (strcmp(name, type) == 0) {
            *ret = i;
            return MODEL_OK;
        }
    }
    return error_set(err, MODEL_UNSUPPORTED, "%s: %s type '%s' is not supported yet; supported: %s",
                     place->what, place->path, type, names);
}

model_status normalizer_load(const struct json_place *place, struct normalizer *ret,
                             struct model_error *err)
{
    if (json_is_null(place->node)) { /* the one that changes nothing */
        struct normalizer none = {.type = &bert_normalizer_type};
        for (unsigned c = 0; c < 256; c++)
            none.ascii[c] = (unsigned char)(c < 0x80 ? c : 0x80);
        *ret = none;
        return MODEL_OK;
    }
    size_t i = 0;
    model_status status =
        find_type(place, normalizers, COUNT(normalizers), "BertNormalizer", &i, err);
    const struct normalizer_type *type = normalizers[i];
    return status == MODEL_OK ? type->load(place, ret, err) : status;
}

model_status pre_tokenizer_load(const struct json_place *place,
                                const struct pre_tokenizer_type **ret, struct model_error *err)
{
    size_t i = 0;
    model_status status =
        find_type(place, pre_tokenizers, COUNT(pre_tokenizers), "BertPreTokenizer", &i, err);
    if (status == MODEL_OK)
        *ret = pre_tokenizers[i];
    return status;
}

model_status tokenizer_model_load(const struct json_place *place, struct tokenizer_model *ret,
                                  struct model_error *err)
{
    size_t i = 0;
    model_status status = MODEL_OK;
    /* Files of early versions do not name the type; this setting only WordPiece has. */
    if (json_member(place->node, "type") != NULL ||
        json_member(place->node, "max_input_chars_per_word") == NULL)
        status = find_type(place, models, COUNT(models), "WordPiece", &i, err);
    if (status != MODEL_OK)
        return status;
    struct tokenizer_model model = {.type = models[i]};
    status = model.type->load(place, &model, err);
    if (status != MODEL_OK)
        tokenizer_model_finish(&model);
    else
        *ret = model;
    return status;
}

void tokenizer_model_finish(struct tokenizer_model *model)
{
    vocabulary_finish(&model->vocab);
    free(model->prefix);
    *model = (struct tokenizer_model){0};
}

model_status post_processor_load(const struct json_place *place, struct post_processor *ret,
                                 struct model_error *err)
{
    size_t i = 0;
    const struct post_processor_type *type = &default_processing_type;
    struct post_processor processor = {0};
    model_status status = MODEL_OK;
    if (!json_is_null(place->node)) {
        status = find_type(place, post_processors, COUNT(post_processors),
                           "TemplateProcessing, BertProcessing", &i, err);
        type = post_processors[i];
    }
    if (status == MODEL_OK)
        status = type->load(place, &processor, err);
    if (status != MODEL_OK)
        post_processor_finish(&processor);
    else
        *ret = processor;
    return status;
}

model_status decoder_load(const struct json_place *place, struct decoder *ret,
                          struct model_error *err)
{
    struct decoder decoder = {.type = &default_decoder_type};
    if (!json_is_null(place->node)) {
        size_t i = 0;
        model_status status = find_type(place, decoders, COUNT(decoders), "WordPiece", &i, err);
        if (status != MODEL_OK)
            return status;
        decoder.type = decoders[i];
        status = decoder.type->load(place, &decoder, err);
        if (status != MODEL_OK)
            return status;
    }
    *ret = decoder;
    return MODEL_OK;
}

void decoder_finish(struct decoder *decoder)
{
    free(decoder->prefix);
    *decoder = (struct decoder){0};
}

model_status token_list_reserve(struct token_list *list)
{
    size_t capacity = list->capacity > 0 ? list->capacity * 2 : 256;
    struct token *tokens = realloc(list->tokens, capacity * sizeof *tokens);
    if (tokens == NULL)
        return MODEL_OUT_OF_MEMORY;
    list->tokens = tokens;
    list->capacity = capacity;
    return MODEL_OK;
}
