/* tokenizer_json.c - a tokenizer from the tree of its tokenizer.json. Everything in it is checked:
 * what is broken is MODEL_CORRUPT, what is well-formed but of a kind that is not built yet is
 * MODEL_UNSUPPORTED, each by name. [any-thread] */
#include "errors.h"
#include "tokenizer_inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKENS (1 << 24)

/* The member `key` of the whole file. */
static struct json_place section(const json_node *tree, const char *what, const char *key)
{
    return (struct json_place){json_member(tree, key), what, key};
}

/* The index of the string `key` among the words, NULL-terminated; absent: 0. */
static model_status load_word(const struct json_place *place, const char *key,
                              const char *const *words, size_t *ret, struct model_error *err)
{
    const char *word = words[0];
    model_status status = json_field_string(place, key, &word, err);
    if (status != MODEL_OK)
        return status;
    for (size_t i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0) {
            *ret = i;
            return MODEL_OK;
        }
    return error_set(err, MODEL_CORRUPT, "%s: %s.%s is '%s', want '%s' or '%s'%s", place->what,
                     place->path, key, word, words[0], words[1],
                     words[2] != NULL ? " or another known word" : "");
}

static const char *const directions[] = {"Right", "Left", NULL};
static const char *const strategies[] = {
    [TRUNCATE_LONGEST_FIRST] = "LongestFirst",
    [TRUNCATE_ONLY_FIRST] = "OnlyFirst",
    [TRUNCATE_ONLY_SECOND] = "OnlySecond",
    NULL,
};

static model_status load_truncation(const struct json_place *place, struct truncation *ret,
                                    struct model_error *err)
{
    if (json_is_null(place->node))
        return MODEL_OK;
    struct truncation t = {.max_tokens = 512};
    size_t direction = 0;
    size_t strategy = 0;
    model_status status = json_want_object(place, err);
    if (status == MODEL_OK)
        status = json_field_integer(place, "max_length", 1, MAX_TOKENS, &t.max_tokens, err);
    if (status == MODEL_OK)
        status = json_field_integer(place, "stride", 0, MAX_TOKENS, &t.stride, err);
    if (status == MODEL_OK)
        status = load_word(place, "direction", directions, &direction, err);
    if (status == MODEL_OK)
        status = load_word(place, "strategy", strategies, &strategy, err);
    if (status != MODEL_OK)
        return status;
    t.left = direction == 1;
    t.strategy = (enum truncation_strategy)strategy;
    *ret = t;
    return MODEL_OK;
}

/* "strategy": "BatchLongest" or {"Fixed": 128} */
static model_status load_pad_strategy(const struct json_place *place, int64_t *ret_fixed,
                                      struct model_error *err)
{
    const json_node *strategy = json_member(place->node, "strategy");
    if (strcmp(json_string_or(strategy, ""), "BatchLongest") == 0) {
        *ret_fixed = 0;
        return MODEL_OK;
    }
    if (json_integer(json_member(strategy, "Fixed"), 0, MAX_TOKENS, ret_fixed))
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT,
                     "%s: padding.strategy is neither \"BatchLongest\" nor {\"Fixed\": n} with n "
                     "from 0 to %d",
                     place->what, MAX_TOKENS);
}

static model_status load_padding(const struct json_place *place, struct tokenizer *t,
                                 struct model_error *err)
{
    if (json_is_null(place->node))
        return MODEL_OK;
    size_t direction = 0;
    model_status status = json_want_object(place, err);
    if (status == MODEL_OK)
        status = load_pad_strategy(place, &t->pad_fixed_tokens, err);
    if (status == MODEL_OK)
        status =
            json_field_integer(place, "pad_to_multiple_of", 0, MAX_TOKENS, &t->pad_multiple, err);
    if (status == MODEL_OK)
        status = json_field_integer(place, "pad_id", 0, INT32_MAX, &t->padding.id, err);
    if (status == MODEL_OK)
        status = json_field_integer(place, "pad_type_id", 0, INT32_MAX, &t->padding.type_id, err);
    if (status == MODEL_OK)
        status = load_word(place, "direction", directions, &direction, err);
    if (status != MODEL_OK)
        return status;
    t->padding.left = direction == 1;
    t->pads = true;
    return MODEL_OK;
}

static model_status check_template(const struct template *template, const struct vocabulary *vocab,
                                   const char *what, struct model_error *err)
{
    for (size_t i = 0; i < template->n_pieces; i++) {
        const struct template_piece *piece = &template->pieces[i];
        if (piece->kind == PIECE_SPECIAL && vocabulary_token(vocab, piece->id) == NULL)
            return error_set(err, MODEL_CORRUPT,
                             "%s: post_processor adds a special token of id %" PRId32
                             ", which no token has",
                             what, piece->id);
    }
    return MODEL_OK;
}

/* Bytes need not become characters where the model knows them. */
static void leave_bytes(struct tokenizer *t)
{
    struct pre_tokenizer_chain *chain = &t->pre_tokenizer;
    if (chain->n_steps > 0 && chain->steps[chain->n_steps - 1].type == &byte_chars_type &&
        t->model.type->take_bytes != NULL && t->model.type->take_bytes(&t->model))
        chain->n_steps--;
}

static model_status load_parts(const json_node *tree, const char *what, struct tokenizer *t,
                               struct model_error *err)
{
    struct json_place place = section(tree, what, "normalizer");
    model_status status = normalizer_chain_load(&place, &t->normalizer, err);
    place = section(tree, what, "pre_tokenizer");
    if (status == MODEL_OK)
        status = pre_tokenizer_chain_load(&place, &t->pre_tokenizer, err);
    if (status == MODEL_OK)
        leave_bytes(t);
    place = section(tree, what, "post_processor");
    if (status == MODEL_OK)
        status = post_processor_load(&place, &t->post_processor, err);
    place = section(tree, what, "decoder");
    if (status == MODEL_OK)
        status = decoder_chain_load(&place, &t->decoder, err);
    place = section(tree, what, "added_tokens");
    if (status == MODEL_OK)
        status = added_tokens_load(&place, &t->normalizer, &t->model.vocab, &t->added, err);
    if (status == MODEL_OK)
        status = check_template(&t->post_processor.single, &t->model.vocab, what, err);
    if (status == MODEL_OK)
        status = check_template(&t->post_processor.pair, &t->model.vocab, what, err);
    place = section(tree, what, "truncation");
    if (status == MODEL_OK)
        status = load_truncation(&place, &t->truncation, err);
    place = section(tree, what, "padding");
    if (status == MODEL_OK)
        status = load_padding(&place, t, err);
    return status;
}

static model_status mark_special(struct tokenizer *t, struct model_error *err)
{
    t->is_special = calloc(t->model.vocab.n_ids + 1, sizeof *t->is_special);
    if (t->is_special == NULL)
        return error_no_memory(err, "a tokenizer");
    for (size_t i = 0; i < t->added.n_tokens; i++)
        if (t->added.tokens[i].special)
            t->is_special[t->added.tokens[i].id] = true;
    return MODEL_OK;
}

model_status tokenizer_from_tree(const json_node *tree, const char *what, struct tokenizer **ret,
                                 struct model_error *err)
{
    struct json_place root = {tree, what, "the file"};
    model_status status = json_want_object(&root, err);
    if (status != MODEL_OK)
        return status;
    const char *version = json_string_or(json_member(tree, "version"), "1.0");
    if (strcmp(version, "1.0") != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: version '%s' is not supported; supported: 1.0", what, version);
    struct tokenizer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_no_memory(err, "a tokenizer");
    /* The model comes first: its type says best what the file is for. */
    struct json_place model = section(tree, what, "model");
    status = tokenizer_model_load(&model, &t->model, err);
    if (status == MODEL_OK)
        status = load_parts(tree, what, t, err);
    if (status == MODEL_OK)
        status = mark_special(t, err);
    if (status != MODEL_OK)
        goto fail;
    t->mask_id = vocabulary_id(&t->model.vocab, "[MASK]");
    t->pad_id = vocabulary_id(&t->model.vocab, "[PAD]");
    t->bos_id = t->eos_id = -1;
    *ret = t;
    return MODEL_OK;
fail:
    tokenizer_destroy(t);
    return status;
}

model_status tokenizer_from_json(const char *text, size_t size_bytes, const char *what,
                                 struct tokenizer **ret, struct model_error *err)
{
    json_node *tree = NULL;
    model_status status = json_parse(text, size_bytes, what, &tree, err);
    if (status == MODEL_OK)
        status = tokenizer_from_tree(tree, what, ret, err);
    json_free(tree);
    return status;
}

void tokenizer_destroy(struct tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    normalizer_chain_finish(&tokenizer->normalizer);
    pre_tokenizer_chain_finish(&tokenizer->pre_tokenizer);
    tokenizer_model_finish(&tokenizer->model);
    added_tokens_finish(&tokenizer->added);
    post_processor_finish(&tokenizer->post_processor);
    decoder_chain_finish(&tokenizer->decoder);
    free(tokenizer->is_special);
    free(tokenizer);
}
