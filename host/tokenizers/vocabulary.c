/* vocabulary.c - see vocabulary.h. */
#include "vocabulary.h"
#include "errors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Checks every member; how much there will be to keep. */
static model_status measure(const struct json_place *place, size_t *ret_text_bytes, size_t *ret_ids,
                            struct model_error *err)
{
    size_t text_bytes = 0;
    int64_t highest = -1;
    for (const json_node *m = json_first(place->node); m != NULL; m = json_next(m)) {
        int64_t id;
        if (!json_integer(m, 0, VOCABULARY_MAX_IDS - 1, &id))
            return error_set(err, MODEL_CORRUPT,
                             "%s: %s['%s'] is not an id: want a whole number from 0 to %d",
                             place->what, place->path, json_key(m), VOCABULARY_MAX_IDS - 1);
        highest = id > highest ? id : highest;
        text_bytes += strlen(json_key(m)) + 1;
    }
    *ret_text_bytes = text_bytes;
    *ret_ids = (size_t)(highest + 1);
    return MODEL_OK;
}

static model_status fill(const struct json_place *place, struct vocabulary *vocab,
                         struct trie_entry *entries, size_t *ret_n_entries, struct model_error *err)
{
    char *text = vocab->texts;
    size_t n = 0;
    for (const json_node *m = json_first(place->node); m != NULL; m = json_next(m)) {
        int64_t id = 0;
        (void)json_integer(m, 0, VOCABULARY_MAX_IDS - 1, &id);
        size_t bytes = strlen(json_key(m));
        memcpy(text, json_key(m), bytes + 1);
        if (vocab->tokens[id] != NULL)
            return error_set(err, MODEL_CORRUPT, "%s: %s gives id %" PRId64 " to '%s' and to '%s'",
                             place->what, place->path, id, vocab->tokens[id], text);
        vocab->tokens[id] = text;
        if (bytes > 0)
            entries[n++] = (struct trie_entry){text, (uint32_t)bytes, (int32_t)id};
        text += bytes + 1;
    }
    *ret_n_entries = n;
    return MODEL_OK;
}

static model_status build_trie(const struct json_place *place, struct trie_entry *entries, size_t n,
                               struct trie *ret, struct model_error *err)
{
    const struct trie_entry *duplicate = NULL;
    model_status status = trie_build(entries, n, ret, &duplicate);
    if (status == MODEL_OUT_OF_MEMORY)
        return error_no_memory(err, place->path);
    if (status == MODEL_INVALID_ARGUMENT)
        return error_set(err, MODEL_CORRUPT, "%s: the token '%s' stands twice in %s", place->what,
                         duplicate->key, place->path);
    if (status == MODEL_UNSUPPORTED)
        return error_set(err, status, "%s: %s is too large: its tokens have more than %u bytes",
                         place->what, place->path, TRIE_MAX_KEY_BYTES);
    return status;
}

model_status vocabulary_load(const struct json_place *place, struct vocabulary *ret,
                             struct model_error *err)
{
    struct vocabulary vocab = {0};
    struct trie_entry *entries = NULL;
    size_t text_bytes = 0;
    size_t n_entries = 0;
    model_status status = json_want_object(place, err);
    if (status == MODEL_OK)
        status = measure(place, &text_bytes, &vocab.n_ids, err);
    vocab.next_id = json_count(place->node);
    if (status != MODEL_OK)
        return status;
    vocab.tokens = calloc(vocab.n_ids + 1, sizeof *vocab.tokens);
    vocab.texts = malloc(text_bytes + 1);
    entries = malloc((json_count(place->node) + 1) * sizeof *entries);
    if (vocab.tokens == NULL || vocab.texts == NULL || entries == NULL) {
        status = error_no_memory(err, place->path);
        goto fail;
    }
    status = fill(place, &vocab, entries, &n_entries, err);
    if (status == MODEL_OK)
        status = build_trie(place, entries, n_entries, &vocab.trie, err);
    if (status != MODEL_OK)
        goto fail;
    free(entries);
    *ret = vocab;
    return MODEL_OK;
fail:
    free(entries);
    vocabulary_finish(&vocab);
    return status;
}

model_status vocabulary_add(struct vocabulary *vocab, const char *token)
{
    size_t id = vocab->next_id;
    if (id >= VOCABULARY_MAX_IDS || vocabulary_token(vocab, (int64_t)id) != NULL)
        return MODEL_INVALID_ARGUMENT;
    if (id >= vocab->n_ids) {
        size_t n_ids = id + 1;
        const char **tokens = realloc(vocab->tokens, n_ids * sizeof *tokens);
        if (tokens == NULL)
            return MODEL_OUT_OF_MEMORY;
        for (size_t i = vocab->n_ids; i < n_ids; i++)
            tokens[i] = NULL;
        vocab->tokens = tokens;
        vocab->n_ids = n_ids;
    }
    struct vocabulary_added *added = realloc(vocab->added, (vocab->n_added + 1) * sizeof *added);
    if (added == NULL)
        return MODEL_OUT_OF_MEMORY;
    vocab->added = added;
    char *copy = strdup(token);
    if (copy == NULL)
        return MODEL_OUT_OF_MEMORY;
    vocab->added[vocab->n_added++] = (struct vocabulary_added){copy, (int32_t)id};
    vocab->tokens[id] = copy;
    vocab->next_id = id + 1;
    return MODEL_OK;
}

int32_t vocabulary_find(const struct vocabulary *vocab, const char *token)
{
    size_t bytes = strlen(token);
    return bytes > 0 ? trie_find(&vocab->trie, token, bytes) : -1;
}

int32_t vocabulary_id(const struct vocabulary *vocab, const char *token)
{
    int32_t id = vocabulary_find(vocab, token);
    for (size_t i = 0; i < vocab->n_added && id < 0; i++)
        if (strcmp(vocab->added[i].text, token) == 0)
            id = vocab->added[i].id;
    return id;
}

const char *vocabulary_token(const struct vocabulary *vocab, int64_t id)
{
    return id >= 0 && (size_t)id < vocab->n_ids ? vocab->tokens[id] : NULL;
}

void vocabulary_finish(struct vocabulary *vocab)
{
    for (size_t i = 0; i < vocab->n_added; i++)
        free(vocab->added[i].text);
    free(vocab->added);
    free(vocab->texts);
    free(vocab->tokens);
    trie_finish(&vocab->trie);
    *vocab = (struct vocabulary){0};
}
