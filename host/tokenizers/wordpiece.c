/* wordpiece.c - the WordPiece model: the longest token that starts the word, then the longest piece
 * that continues it, and so on; a word that cannot be spelled so is one unknown token. After Hugging
 * Face tokenizers, models/wordpiece, and Devlin et al. 2018. [any-thread]
 *
 * One walk down the trie finds the longest token, so a word of n bytes takes at most n times the
 * longest token's length, and max_word_chars bounds n. */
#include "pipeline.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

static model_status load(const struct json_place *place, struct tokenizer_model *ret,
                         struct model_error *err)
{
    const char *unk_token = "[UNK]";
    const char *prefix = "##";
    int64_t max_chars = 100;
    model_status status = json_field_string(place, "unk_token", &unk_token, err);
    if (status == MODEL_OK)
        status = json_field_string(place, "continuing_subword_prefix", &prefix, err);
    if (status == MODEL_OK)
        status = json_field_integer(place, "max_input_chars_per_word", 1, 1 << 20, &max_chars, err);
    if (status != MODEL_OK)
        return status;
    struct json_place vocab = {json_member(place->node, "vocab"), place->what, "model.vocab"};
    status = vocabulary_load(&vocab, &ret->vocab, err);
    if (status != MODEL_OK)
        return status;
    ret->max_word_chars = (size_t)max_chars;
    ret->prefix = strdup(prefix);
    if (ret->prefix == NULL)
        return error_no_memory(err, "model");
    ret->unk_id = vocabulary_find(&ret->vocab, unk_token);
    if (ret->unk_id < 0)
        return error_set(
            err, MODEL_CORRUPT,
            "%s: the unknown token '%s' (model.unk_token) is not in model.vocab, which "
            "has %zu tokens",
            place->what, unk_token, json_count(vocab.node));
    ret->continuing = trie_walk(&ret->vocab.trie, TRIE_ROOT, prefix, strlen(prefix));
    return MODEL_OK;
}

static size_t count_chars(const char *text, size_t text_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < text_bytes; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

static model_status put(struct token_list *ret, int32_t id, size_t start, size_t end)
{
    if (ret->n_tokens == ret->capacity) {
        model_status status = token_list_reserve(ret);
        if (status != MODEL_OK)
            return status;
    }
    ret->tokens[ret->n_tokens++] =
        (struct token){.id = id, .span = {(uint32_t)start, (uint32_t)end}};
    return MODEL_OK;
}

static model_status run(const struct tokenizer_model *self, const char *word, size_t word_bytes,
                        struct model_scratch *scratch, struct token_list *ret,
                        struct model_error *err)
{
    (void)scratch;
    (void)err;
    size_t first = ret->n_tokens;
    if (word_bytes > self->max_word_chars && count_chars(word, word_bytes) > self->max_word_chars)
        return put(ret, self->unk_id, 0, word_bytes);
    uint32_t node = TRIE_ROOT;
    size_t at = 0;
    while (at < word_bytes) {
        size_t bytes = 0;
        int32_t id = -1;
        if (node != TRIE_NONE)
            id = trie_longest(&self->vocab.trie, node, word + at, word_bytes - at, &bytes);
        if (id < 0) {
            ret->n_tokens = first;
            return put(ret, self->unk_id, 0, word_bytes);
        }
        model_status status = put(ret, id, at, at + bytes);
        if (status != MODEL_OK)
            return status;
        at += bytes;
        node = self->continuing;
    }
    return MODEL_OK;
}

const struct tokenizer_model_type wordpiece_type = {"WordPiece", load, run, NULL};
