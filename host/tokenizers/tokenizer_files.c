/* tokenizer_files.c - see tokenizer_files.h: what the classes have in common. */
#include "tokenizer_files.h"
#include "errors.h"
#include "string_map.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ADDED_TOKENS 1000

const char *tokenizer_token_text(const json_node *node)
{
    return json_string_or(node, json_string_or(json_member(node, "content"), NULL));
}

const char *tokenizer_special(const struct tokenizer_configs *configs, const char *key,
                              const char *fallback)
{
    const char *text = tokenizer_token_text(json_member(configs->tokenizer, key));
    if (text == NULL)
        text = tokenizer_token_text(json_member(configs->special, key));
    return text != NULL ? text : fallback;
}

const json_node *tokenizer_config(const struct tokenizer_configs *configs, const char *key)
{
    return json_member(configs->tokenizer, key);
}

/* One of added_tokens, unless it is there already. */
static bool add_token(json_node *added, const char *content, int64_t id, const json_node *flags)
{
    for (const json_node *t = json_first(added); t != NULL; t = json_next(t))
        if (strcmp(json_string_or(json_member(t, "content"), ""), content) == 0)
            return true;
    json_node *token = json_add_object(added, NULL);
    bool special = json_bool_or(json_member(flags, "special"), true);
    return json_add_number(token, "id", (double)id) != NULL &&
           json_add_string(token, "content", content) != NULL &&
           json_add_bool(token, "single_word",
                         json_bool_or(json_member(flags, "single_word"), false)) != NULL &&
           json_add_bool(token, "lstrip", json_bool_or(json_member(flags, "lstrip"), false)) !=
               NULL &&
           json_add_bool(token, "rstrip", json_bool_or(json_member(flags, "rstrip"), false)) !=
               NULL &&
           json_add_bool(token, "normalized",
                         json_bool_or(json_member(flags, "normalized"), !special)) != NULL &&
           json_add_bool(token, "special", special) != NULL;
}

/* The tokens of `list` that the vocabulary has, with their ids: in one walk, for a lookup walks too. */
static bool ids_of(const json_node *list, const json_node *vocab, struct string_map *ret)
{
    struct string_map wanted = {0};
    bool ok = string_map_init(&wanted, json_count(list)) == MODEL_OK;
    for (const json_node *item = json_first(list); item != NULL && ok; item = json_next(item))
        if (tokenizer_token_text(item) != NULL)
            ok = string_map_add(&wanted, tokenizer_token_text(item),
                                strlen(tokenizer_token_text(item)), 0) != MODEL_OUT_OF_MEMORY;
    for (const json_node *v = list != NULL ? json_first(vocab) : NULL; v != NULL && ok;
         v = json_next(v))
        if (string_map_find(&wanted, json_key(v), strlen(json_key(v))) >= 0)
            ok = string_map_add(ret, json_key(v), strlen(json_key(v)),
                                (uint32_t)json_number_or(v, 0)) != MODEL_OUT_OF_MEMORY;
    string_map_finish(&wanted);
    return ok;
}

/* "additional_special_tokens": ["[FOO]", ...]; those that the vocabulary lacks get the ids behind it. */
static bool add_additional(json_node *added, const json_node *list, const json_node *vocab)
{
    struct string_map ids = {0};
    bool ok = ids_of(list, vocab, &ids);
    int64_t next_id = (int64_t)json_count(vocab);
    for (const json_node *t = json_first(added); t != NULL; t = json_next(t)) {
        int64_t id = (int64_t)json_number_or(json_member(t, "id"), 0);
        next_id = id >= next_id ? id + 1 : next_id;
    }
    for (const json_node *item = json_first(list); item != NULL && ok; item = json_next(item)) {
        const char *text = tokenizer_token_text(item);
        int64_t id = text != NULL ? string_map_find(&ids, text, strlen(text)) : -1;
        size_t before = json_count(added);
        if (text != NULL)
            ok = add_token(added, text, id >= 0 ? id : next_id, item);
        next_id += id < 0 && json_count(added) > before;
    }
    string_map_finish(&ids);
    return ok;
}

static const json_node *additional_tokens(const struct tokenizer_configs *configs)
{
    const json_node *list = tokenizer_config(configs, "additional_special_tokens");
    return list != NULL ? list : json_member(configs->special, "additional_special_tokens");
}

/* The highest id and one. */
static int64_t next_id(const json_node *added, const json_node *vocab)
{
    int64_t next = (int64_t)json_count(vocab);
    for (const json_node *t = json_first(added); t != NULL; t = json_next(t)) {
        int64_t id = (int64_t)json_number_or(json_member(t, "id"), 0);
        next = id >= next ? id + 1 : next;
    }
    return next;
}

static bool is_special(const struct tokenizer_configs *configs, const char *text,
                       const struct special_name *names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++) {
        const char *special = tokenizer_special(configs, names[i].key, names[i].fallback);
        if (special != NULL && strcmp(special, text) == 0)
            return true;
    }
    return false;
}

/* added_tokens.json, in the order of the ids, as far as they go on behind the vocabulary's. */
static bool add_listed(json_node *added, const struct tokenizer_configs *configs,
                       const json_node *vocab, const struct special_name *names, size_t n_names)
{
    bool ok = true;
    bool again = true;
    json_node *flags = json_new_object();
    json_node *plain = json_add_bool(flags, "special", false);
    while (ok && again && plain != NULL) {
        int64_t wanted = next_id(added, vocab);
        again = false;
        const json_node *item = json_first(configs->added_tokens);
        for (; item != NULL && ok; item = json_next(item)) {
            const char *text = json_key(item);
            if (json_number_or(item, -1) != (double)wanted || json_member(vocab, text) != NULL)
                continue;
            size_t before = json_count(added);
            ok = add_token(added, text, wanted,
                           is_special(configs, text, names, n_names) ? NULL : flags);
            again = json_count(added) > before;
            break;
        }
    }
    json_free(flags);
    return ok && plain != NULL;
}

static bool add_named(json_node *added, const struct tokenizer_configs *configs,
                      const json_node *vocab, const struct special_name *name, bool appends)
{
    const char *text = tokenizer_special(configs, name->key, name->fallback);
    if (text == NULL)
        return true;
    const json_node *id = json_member(vocab, text);
    if (id == NULL && (!appends || tokenizer_special(configs, name->key, NULL) == NULL))
        return true;
    json_node *flags = json_new_object();
    bool ok = json_add_bool(flags, "lstrip", name->lstrip) != NULL &&
              add_token(added, text,
                        id != NULL ? (int64_t)json_number_or(id, 0) : next_id(added, vocab), flags);
    json_free(flags);
    return ok;
}

bool tokenizer_add_tokens(json_node *tree, const struct tokenizer_configs *configs,
                          const json_node *vocab, const struct special_name *names, size_t n_names,
                          bool appends)
{
    json_node *added = json_add_array(tree, "added_tokens");
    bool ok = added != NULL;
    const json_node *item = json_first(tokenizer_config(configs, "added_tokens_decoder"));
    for (; item != NULL && ok; item = json_next(item))
        if (json_key(item) != NULL && tokenizer_token_text(item) != NULL)
            ok = add_token(added, tokenizer_token_text(item), strtol(json_key(item), NULL, 10),
                           item);
    ok = ok && add_listed(added, configs, vocab, names, n_names);
    for (size_t i = 0; i < n_names && ok; i++)
        ok = add_named(added, configs, vocab, &names[i], appends);
    return ok && add_additional(added, additional_tokens(configs), vocab);
}

model_status tokenizer_check_added(const struct tokenizer_configs *configs, const char *path,
                                   struct model_error *err)
{
    size_t n_added = json_count(tokenizer_config(configs, "added_tokens_decoder")) +
                     json_count(additional_tokens(configs)) + json_count(configs->added_tokens);
    if (n_added <= MAX_ADDED_TOKENS)
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED,
                     "%s: tokenizer_config.json adds %zu tokens, at most %d are read without a "
                     "tokenizer.json",
                     path, n_added, MAX_ADDED_TOKENS);
}

model_status tokenizer_add_pair(json_node *processor, const char *key, const char *text,
                                const json_node *vocab, const char *path, const char *of,
                                struct model_error *err)
{
    const json_node *id = json_member(vocab, text);
    if (id == NULL)
        return error_set(err, MODEL_CORRUPT,
                         "%s: the special token '%s' is not among its %zu tokens; is this the "
                         "vocabulary of a %s model?",
                         path, text, json_count(vocab), of);
    json_node *pair = json_add_array(processor, key);
    return json_add_string(pair, NULL, text) != NULL && json_add_copy(pair, NULL, id) != NULL
               ? MODEL_OK
               : error_no_memory(err, path);
}
