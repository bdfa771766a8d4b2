/* pipeline.c - see pipeline.h: which kinds of parts there are, and picking one by the name that
 * tokenizer.json gives. [any-thread] */
#include "pipeline.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

/* Tables of struct normalizer_type, and so on down. */
static const void *const normalizers[] = {
    &bert_normalizer_type, &nfc_type,   &nfd_type,     &nfkc_type,   &nfkd_type,
    &lowercase_type,       &strip_type, &replace_type, &prepend_type};
static const void *const pre_tokenizers[] = {
    &bert_pre_tokenizer_type, &byte_level_type, &split_type,           &digits_type,
    &punctuation_type,        &whitespace_type, &whitespace_split_type};
static const void *const models[] = {&wordpiece_type, &bpe_type};
static const void *const post_processors[] = {&template_processing_type, &bert_processing_type,
                                              &byte_level_processing_type,
                                              &roberta_processing_type};
static const void *const decoders[] = {&wordpiece_decoder_type, &byte_level_decoder_type,
                                       &replace_decoder_type,   &byte_fallback_decoder_type,
                                       &fuse_decoder_type,      &strip_decoder_type};

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

/* ---------------------------------------------------------------- chains of steps */

/* What differs between the chains. */
struct chain_kind {
    const void *const *tables;
    size_t n_tables;
    const char *names;
    const char *list; /* the member of a "Sequence" that holds its parts */
    /* Adds what the part, of the type tables[i], comes to. */
    model_status (*add)(const struct json_place *place, size_t i, void *chain,
                        struct model_error *err);
};

static model_status too_many(const struct json_place *place, struct model_error *err)
{
    return error_set(err, MODEL_UNSUPPORTED, "%s: %s has more than %d steps", place->what,
                     place->path, PIPELINE_MAX_STEPS);
}

/* A sequence may stand in a sequence; json_parse() bounds the depth. */
static model_status load_chain(const struct json_place *place, const struct chain_kind *kind,
                               void *chain, struct model_error *err)
{
    if (strcmp(json_string_or(json_member(place->node, "type"), ""), "Sequence") != 0) {
        size_t i = 0;
        model_status status = find_type(place, kind->tables, kind->n_tables, kind->names, &i, err);
        return status == MODEL_OK ? kind->add(place, i, chain, err) : status;
    }
    const json_node *list = json_member(place->node, kind->list);
    if (!json_is_array(list))
        return error_set(err, MODEL_CORRUPT, "%s: %s.%s is %s, want an array", place->what,
                         place->path, kind->list, json_kind(list));
    model_status status = MODEL_OK;
    const json_node *item = json_first(list);
    for (; item != NULL && status == MODEL_OK; item = json_next(item)) {
        struct json_place part = {item, place->what, place->path};
        status = load_chain(&part, kind, chain, err);
    }
    return status;
}

static model_status add_normalizer(const struct json_place *place, size_t i, void *chain,
                                   struct model_error *err)
{
    struct normalizer_chain *c = chain;
    if (c->n_steps == PIPELINE_MAX_STEPS)
        return too_many(place, err);
    struct normalizer *step = &c->steps[c->n_steps++];
    step->type = normalizers[i];
    return step->type->load(place, step, err);
}

model_status normalizer_chain_load(const struct json_place *place, struct normalizer_chain *ret,
                                   struct model_error *err)
{
    static const struct chain_kind kind = {
        normalizers, COUNT(normalizers),
        "BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, Strip, Replace, Prepend, Sequence",
        "normalizers", add_normalizer};
    struct normalizer_chain chain = {0};
    if (json_is_null(place->node)) {
        *ret = chain;
        return MODEL_OK;
    }
    chain.steps = calloc(PIPELINE_MAX_STEPS, sizeof *chain.steps);
    model_status status = chain.steps != NULL ? load_chain(place, &kind, &chain, err)
                                              : error_no_memory(err, place->path);
    if (status == MODEL_OK)
        *ret = chain;
    else
        normalizer_chain_finish(&chain);
    return status;
}

void normalizer_chain_finish(struct normalizer_chain *chain)
{
    for (size_t i = 0; i < chain->n_steps; i++) {
        pattern_destroy(chain->steps[i].pattern);
        free(chain->steps[i].literal);
        free(chain->steps[i].content);
    }
    free(chain->steps);
    *chain = (struct normalizer_chain){0};
}

static void swap_texts(struct normalized_text *a, struct normalized_text *b)
{
    struct normalized_text c = *a;
    *a = *b;
    *b = c;
}

static model_status copy_all(const char *text, size_t text_bytes, size_t source,
                             struct normalized_text *ret)
{
    model_status status = normalized_text_copy(ret, text, 0, text_bytes);
    if (status == MODEL_OK && ret->n_runs > 0)
        ret->runs[0].source = (uint32_t)source;
    return status;
}

model_status normalizer_chain_run(const struct normalizer_chain *chain, const char *text,
                                  size_t text_bytes, size_t source, struct normalized_text *spare,
                                  struct normalized_text *ret, struct model_error *err)
{
    normalized_text_clear(ret);
    ret->max_bytes = spare->max_bytes = normalized_text_bound(text_bytes);
    if (chain->n_steps == 0)
        return copy_all(text, text_bytes, source, ret);
    const struct normalizer *step = chain->steps;
    model_status status = step->type->run(step, text, text_bytes, source, ret, err);
    for (size_t i = 1; i < chain->n_steps && status == MODEL_OK; i++) {
        swap_texts(ret, spare);
        normalized_text_clear(ret);
        step = &chain->steps[i];
        status = step->type->run(step, spare->data, spare->size, 0, ret, err);
        if (status == MODEL_OK)
            status = normalized_text_translate(ret, spare);
    }
    if (status == MODEL_INVALID_ARGUMENT && ret->is_full)
        return error_set(
            err, status,
            "the tokenizer's normalizer %s makes more than %zu bytes of a text of %zu: "
            "tokenizer.json is broken or hostile",
            step->type->name, ret->max_bytes, text_bytes);
    return status;
}

struct pre_tokenizer *pre_tokenizer_chain_add(struct pre_tokenizer_chain *chain,
                                              const struct json_place *place,
                                              struct model_error *err)
{
    if (chain->n_steps < PIPELINE_MAX_STEPS)
        return &chain->steps[chain->n_steps++];
    (void)too_many(place, err);
    return NULL;
}

static model_status add_pre_tokenizer(const struct json_place *place, size_t i, void *chain,
                                      struct model_error *err)
{
    const struct pre_tokenizer_type *type = pre_tokenizers[i];
    return type->load(place, chain, err);
}

model_status pre_tokenizer_chain_load(const struct json_place *place,
                                      struct pre_tokenizer_chain *ret, struct model_error *err)
{
    static const struct chain_kind kind = {
        pre_tokenizers, COUNT(pre_tokenizers),
        "BertPreTokenizer, ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, Sequence",
        "pretokenizers", add_pre_tokenizer};
    struct pre_tokenizer_chain chain = {0};
    if (json_is_null(place->node)) {
        *ret = chain;
        return MODEL_OK;
    }
    chain.steps = calloc(PIPELINE_MAX_STEPS, sizeof *chain.steps);
    model_status status = chain.steps != NULL ? load_chain(place, &kind, &chain, err)
                                              : error_no_memory(err, place->path);
    if (status == MODEL_OK)
        *ret = chain;
    else
        pre_tokenizer_chain_finish(&chain);
    return status;
}

void pre_tokenizer_chain_finish(struct pre_tokenizer_chain *chain)
{
    for (size_t i = 0; i < chain->n_steps; i++) {
        pattern_destroy(chain->steps[i].pattern);
        free(chain->steps[i].literal);
    }
    free(chain->steps);
    *chain = (struct pre_tokenizer_chain){0};
}

static model_status add_decoder(const struct json_place *place, size_t i, void *chain,
                                struct model_error *err)
{
    struct decoder_chain *c = chain;
    if (c->n_steps == PIPELINE_MAX_STEPS)
        return too_many(place, err);
    struct decoder *step = &c->steps[c->n_steps++];
    step->type = decoders[i];
    return step->type->load(place, step, err);
}

model_status decoder_chain_load(const struct json_place *place, struct decoder_chain *ret,
                                struct model_error *err)
{
    static const struct chain_kind kind = {
        decoders, COUNT(decoders),
        "WordPiece, ByteLevel, Replace, ByteFallback, Fuse, Strip, Sequence", "decoders",
        add_decoder};
    struct decoder_chain chain = {0};
    chain.steps = calloc(PIPELINE_MAX_STEPS, sizeof *chain.steps);
    model_status status = MODEL_OK;
    if (chain.steps == NULL)
        status = error_no_memory(err, place->path);
    else if (json_is_null(place->node))
        chain.steps[chain.n_steps++].type = &default_decoder_type;
    else
        status = load_chain(place, &kind, &chain, err);
    if (status == MODEL_OK)
        *ret = chain;
    else
        decoder_chain_finish(&chain);
    return status;
}

void decoder_chain_finish(struct decoder_chain *chain)
{
    for (size_t i = 0; i < chain->n_steps; i++) {
        free(chain->steps[i].prefix);
        free(chain->steps[i].content);
        free(chain->steps[i].with);
    }
    free(chain->steps);
    *chain = (struct decoder_chain){0};
}

/* ---------------------------------------------------------------- single parts */

model_status tokenizer_model_load(const struct json_place *place, struct tokenizer_model *ret,
                                  struct model_error *err)
{
    size_t i = 0;
    model_status status = MODEL_OK;
    /* Files of early versions do not name the type; these members say it. */
    bool named = json_member(place->node, "type") != NULL;
    if (!named && json_member(place->node, "merges") != NULL)
        i = 1;
    else if (named || json_member(place->node, "max_input_chars_per_word") == NULL)
        status = find_type(place, models, COUNT(models), "WordPiece, BPE", &i, err);
    if (status != MODEL_OK)
        return status;
    struct tokenizer_model model = {.type = models[i], .unk_id = -1};
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
    bpe_finish(model->bpe);
    *model = (struct tokenizer_model){0};
}

static model_status add_post_processor(const struct json_place *place, size_t i, void *processor,
                                       struct model_error *err)
{
    const struct post_processor_type *type = post_processors[i];
    return type->load(place, processor, err);
}

model_status post_processor_load(const struct json_place *place, struct post_processor *ret,
                                 struct model_error *err)
{
    static const struct chain_kind kind = {
        post_processors, COUNT(post_processors),
        "TemplateProcessing, BertProcessing, ByteLevel, RobertaProcessing, Sequence", "processors",
        add_post_processor};
    struct post_processor processor = {0};
    model_status status = MODEL_OK;
    if (!json_is_null(place->node))
        status = load_chain(place, &kind, &processor, err);
    if (status == MODEL_OK && !processor.has_template)
        status = default_processing_type.load(place, &processor, err);
    if (status != MODEL_OK)
        post_processor_finish(&processor);
    else
        *ret = processor;
    return status;
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
