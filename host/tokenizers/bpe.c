/* bpe.c - the BPE model: a word is spelled with characters (or bytes), and neighbours are merged in the
 * order of the list of merges. After Hugging Face tokenizers, models/bpe, and Sennrich et al. 2016.
 * [any-thread]
 *
 * Short words that came before are taken from the caller's cache. Behind ByteLevel the words are
 * bytes (take_bytes): then each of the 256 has a token, and tokens are looked up by their bytes. */
#include "byte_level.h"
#include "errors.h"
#include "pipeline.h"
#include "tokenizer_files.h"
#include "unicode_class.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MERGES      (1 << 22)
#define MAX_AFFIX_BYTES 64

struct bpe {
    uint64_t serial; /* tells its words in a cache from those of another model */
    struct merge_table merges;
    char *unk_token; /* NULL: what has no token is left out */
    char prefix[MAX_AFFIX_BYTES + 1], suffix[MAX_AFFIX_BYTES + 1];
    bool fuse_unk, byte_fallback, ignore_merges;
    int32_t byte_ids[256];       /* taking bytes: the token of each; else of "<0x00>" and so on */
    struct trie tokens_of_bytes; /* taking bytes, with ignore_merges: the tokens by their bytes */
};

/* ---------------------------------------------------------------- loading */

void bpe_finish(struct bpe *bpe)
{
    if (bpe == NULL)
        return;
    merge_table_finish(&bpe->merges);
    trie_finish(&bpe->tokens_of_bytes);
    free(bpe->unk_token);
    free(bpe);
}

static model_status load_affix(const struct json_place *place, const char *key,
                               char ret[MAX_AFFIX_BYTES + 1], struct model_error *err)
{
    const char *affix = "";
    model_status status = json_field_string(place, key, &affix, err);
    if (status != MODEL_OK)
        return status;
    size_t bytes = strlen(affix);
    if (bytes > MAX_AFFIX_BYTES)
        return error_set(err, MODEL_CORRUPT, "%s: %s.%s has %zu bytes, at most %d are read",
                         place->what, place->path, key, bytes, MAX_AFFIX_BYTES);
    memcpy(ret, affix, bytes + 1);
    return MODEL_OK;
}

static model_status load_settings(const struct json_place *place, struct bpe *bpe,
                                  struct model_error *err)
{
    const json_node *dropout = json_member(place->node, "dropout");
    const char *unk_token = NULL;
    if (!json_is_null(dropout) && json_number_or(dropout, 1) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: model.dropout is for training: want 0 or null here", place->what);
    model_status status = json_field_string(place, "unk_token", &unk_token, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "fuse_unk", &bpe->fuse_unk, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "byte_fallback", &bpe->byte_fallback, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "ignore_merges", &bpe->ignore_merges, err);
    if (status == MODEL_OK)
        status = load_affix(place, "continuing_subword_prefix", bpe->prefix, err);
    if (status == MODEL_OK)
        status = load_affix(place, "end_of_word_suffix", bpe->suffix, err);
    if (status == MODEL_OK && unk_token != NULL) {
        bpe->unk_token = strdup(unk_token);
        if (bpe->unk_token == NULL)
            status = error_no_memory(err, "model");
    }
    return status;
}

/* "a b" or ["a", "b"], of which the first form knows no tokens with a space. */
static bool merge_parts(const json_node *item, const char *parts[2], size_t bytes[2])
{
    const char *text = json_string_or(item, NULL);
    if (text == NULL) {
        const json_node *second = json_next(json_first(item));
        parts[0] = json_string_or(json_first(item), NULL);
        parts[1] = json_string_or(second, NULL);
        if (!json_is_array(item) || parts[0] == NULL || parts[1] == NULL || json_count(item) != 2)
            return false;
        bytes[0] = strlen(parts[0]);
        bytes[1] = strlen(parts[1]);
        return true;
    }
    const char *space = strchr(text, ' ');
    if (space == NULL || strchr(space + 1, ' ') != NULL)
        return false;
    parts[0] = text;
    bytes[0] = (size_t)(space - text);
    parts[1] = space + 1;
    bytes[1] = strlen(parts[1]);
    return true;
}

static int32_t find_token(const struct vocabulary *vocab, const char *text, size_t bytes)
{
    return bytes > 0 ? trie_find(&vocab->trie, text, bytes) : -1;
}

/* How errors name a merge. The lines of merges.txt are the items, so that both have one number. */
static struct json_place name_merges(const struct json_place *place, const json_node *merges)
{
    const char *file = json_string_or(json_member(place->node, BPE_MERGES_FILE), NULL);
    if (file != NULL)
        return (struct json_place){merges, file, "line"};
    return (struct json_place){merges, place->what, "merge"};
}

static bool is_of_lines(const struct json_place *merges)
{
    return strcmp(merges->path, "line") == 0;
}

static const char *within(const struct json_place *merges)
{
    return is_of_lines(merges) ? "" : " of model.merges";
}

/* Not a merge: an empty line of merges.txt, and its first, which got into some tokenizer.json. */
static bool is_no_merge(const struct json_place *place, const json_node *item)
{
    const char *text = json_string_or(item, NULL);
    return text != NULL && (strncmp(text, "#version", strlen("#version")) == 0 ||
                            (*text == '\0' && is_of_lines(place)));
}

static model_status unknown_token(const struct json_place *place, size_t number, const char *token,
                                  size_t bytes, struct model_error *err)
{
    return error_set(err, MODEL_CORRUPT, "%s: %s %zu%s needs the token '%.*s', which %s lacks",
                     place->what, place->path, number, within(place),
                     (int)(bytes < 100 ? bytes : 100), token,
                     is_of_lines(place) ? "vocab.json" : "model.vocab");
}

/* The merge of two tokens gives the token of both texts, the second without the prefix. */
static model_status load_merge(const struct json_place *place, size_t number, uint32_t rank,
                               const json_node *item, const struct vocabulary *vocab,
                               struct bpe *bpe, struct buffer *text, struct model_error *err)
{
    const char *parts[2];
    size_t bytes[2];
    size_t prefix_bytes = strlen(bpe->prefix);
    if (!merge_parts(item, parts, bytes))
        return error_set(err, MODEL_CORRUPT, "%s: %s %zu%s is not two tokens: want \"a b\"%s",
                         place->what, place->path, number, within(place),
                         is_of_lines(place) ? "" : " or [\"a\", \"b\"]");
    struct merge merge = {.rank = rank};
    merge.left = find_token(vocab, parts[0], bytes[0]);
    if (merge.left < 0)
        return unknown_token(place, number, parts[0], bytes[0], err);
    merge.right = find_token(vocab, parts[1], bytes[1]);
    if (merge.right < 0 || bytes[1] < prefix_bytes)
        return unknown_token(place, number, parts[1], bytes[1], err);
    buffer_clear(text);
    if (buffer_append(text, parts[0], bytes[0]) != MODEL_OK ||
        buffer_append(text, parts[1] + prefix_bytes, bytes[1] - prefix_bytes) != MODEL_OK)
        return error_no_memory(err, "model");
    merge.merged = find_token(vocab, text->data, text->size);
    if (merge.merged < 0)
        return unknown_token(place, number, text->data, text->size, err);
    merge_table_put(&bpe->merges, &merge);
    return MODEL_OK;
}

static model_status load_merges(const struct json_place *place, const struct vocabulary *vocab,
                                struct bpe *bpe, struct model_error *err)
{
    const json_node *merges = json_member(place->node, "merges");
    if (!json_is_array(merges))
        return error_set(err, MODEL_CORRUPT, "%s: model.merges is %s, want an array", place->what,
                         json_kind(merges));
    size_t n = json_count(merges);
    if (n > MAX_MERGES)
        return error_set(err, MODEL_UNSUPPORTED, "%s: model.merges has %zu merges, at most %d",
                         place->what, n, MAX_MERGES);
    const struct json_place named = name_merges(place, merges);
    if (merge_table_init(&bpe->merges, n) != MODEL_OK)
        return error_no_memory(err, "model");
    struct buffer text = BUFFER_INIT(TRIE_MAX_KEY_BYTES * 2);
    model_status status = MODEL_OK;
    uint32_t rank = 0;
    size_t number = 1;
    const json_node *item = json_first(merges);
    for (; item != NULL && status == MODEL_OK; item = json_next(item), number++) {
        if (!is_no_merge(&named, item))
            status = load_merge(&named, number, rank++, item, vocab, bpe, &text, err);
    }
    buffer_finish(&text);
    return status;
}

static void find_fallbacks(struct bpe *bpe, const struct vocabulary *vocab)
{
    static const char digits[] = "0123456789ABCDEF";
    char token[] = "<0x00>";
    for (unsigned b = 0; b < 256; b++) {
        token[3] = digits[b >> 4];
        token[4] = digits[b & 15];
        bpe->byte_ids[b] = vocabulary_find(vocab, token);
    }
}

static model_status load(const struct json_place *place, struct tokenizer_model *ret,
                         struct model_error *err)
{
    static atomic_uint_fast64_t n_models;
    struct bpe *bpe = calloc(1, sizeof *bpe);
    if (bpe == NULL)
        return error_no_memory(err, "model");
    ret->bpe = bpe;
    bpe->serial = atomic_fetch_add_explicit(&n_models, 1, memory_order_relaxed);
    model_status status = load_settings(place, bpe, err);
    struct json_place vocab = {json_member(place->node, "vocab"), place->what, "model.vocab"};
    if (status == MODEL_OK)
        status = vocabulary_load(&vocab, &ret->vocab, err);
    if (status == MODEL_OK)
        status = load_merges(place, &ret->vocab, bpe, err);
    if (status != MODEL_OK)
        return status;
    if (bpe->unk_token != NULL)
        ret->unk_id = vocabulary_find(&ret->vocab, bpe->unk_token);
    find_fallbacks(bpe, &ret->vocab);
    return MODEL_OK;
}

/* ---------------------------------------------------------------- taking bytes */

/* The tokens that are characters of the alphabet, by their bytes. */
static bool index_bytes(const struct vocabulary *vocab, struct trie *ret)
{
    const struct trie_entry *duplicate = NULL;
    bool built = false;
    size_t room = 1;
    for (size_t i = 0; i < vocab->n_ids; i++)
        room += vocab->tokens[i] != NULL ? strlen(vocab->tokens[i]) : 0;
    struct trie_entry *entries = calloc(vocab->n_ids + 1, sizeof *entries);
    char *bytes = malloc(room);
    size_t n = 0;
    size_t used = 0;
    for (size_t i = 0; entries != NULL && bytes != NULL && i < vocab->n_ids; i++) {
        size_t n_bytes = 0;
        const char *token = vocab->tokens[i];
        if (token == NULL || !byte_level_bytes(token, strlen(token), bytes + used, &n_bytes) ||
            n_bytes == 0)
            continue;
        entries[n++] = (struct trie_entry){bytes + used, (uint32_t)n_bytes, (int32_t)i};
        used += n_bytes;
    }
    if (entries != NULL && bytes != NULL)
        built = trie_build(entries, n, ret, &duplicate) == MODEL_OK;
    free(entries);
    free(bytes);
    return built;
}

static bool take_bytes(struct tokenizer_model *self)
{
    struct bpe *bpe = self->bpe;
    int32_t ids[256];
    if (*bpe->prefix != '\0' || *bpe->suffix != '\0')
        return false;
    for (unsigned b = 0; b < 256; b++) {
        char text[CHAR_MAX_BYTES];
        ids[b] =
            find_token(&self->vocab, text, char_encode(byte_level_char((unsigned char)b), text));
        if (ids[b] < 0)
            return false;
    }
    if (bpe->ignore_merges && !index_bytes(&self->vocab, &bpe->tokens_of_bytes))
        return false;
    memcpy(bpe->byte_ids, ids, sizeof ids);
    self->takes_bytes = true;
    return true;
}

/* ---------------------------------------------------------------- spelling */

static model_status spell_bytes(const struct bpe *bpe, const char *word, size_t word_bytes,
                                struct merge_word *ret)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < word_bytes && status == MODEL_OK; i++)
        status = merge_word_add(ret, bpe->byte_ids[(unsigned char)word[i]], 1);
    return status;
}

/* Characters without a token, as one or several unknown ones. */
struct unknown {
    size_t bytes; /* waiting to be put */
};

static model_status put_unknown(const struct tokenizer_model *self, struct unknown *unknown,
                                struct merge_word *ret)
{
    if (unknown->bytes == 0)
        return MODEL_OK;
    model_status status = merge_word_add(ret, self->unk_id, unknown->bytes);
    unknown->bytes = 0;
    return status;
}

/* The bytes of the character as tokens of their own; false when one has none. */
static bool put_fallback(const struct bpe *bpe, const char *text, size_t bytes,
                         struct merge_word *ret, model_status *ret_status)
{
    for (size_t i = 0; i < bytes; i++)
        if (bpe->byte_ids[(unsigned char)text[i]] < 0)
            return false;
    for (size_t i = 0; i < bytes && *ret_status == MODEL_OK; i++)
        *ret_status = merge_word_add(ret, bpe->byte_ids[(unsigned char)text[i]], 1);
    return true;
}

/* One character, with the prefix or suffix that its place gives it. */
static model_status spell_char(const struct tokenizer_model *self, const char *word, size_t at,
                               size_t bytes, bool last, struct unknown *unknown,
                               struct merge_word *ret, struct model_error *err)
{
    const struct bpe *bpe = self->bpe;
    char text[2 * MAX_AFFIX_BYTES + CHAR_MAX_BYTES];
    size_t size = at > 0 ? strlen(bpe->prefix) : 0;
    memcpy(text, bpe->prefix, size);
    memcpy(text + size, word + at, bytes);
    size += bytes;
    if (last) {
        memcpy(text + size, bpe->suffix, strlen(bpe->suffix));
        size += strlen(bpe->suffix);
    }
    int32_t id = find_token(&self->vocab, text, size);
    model_status status = MODEL_OK;
    if (id >= 0) {
        status = put_unknown(self, unknown, ret);
        return status == MODEL_OK ? merge_word_add(ret, id, bytes) : status;
    }
    if (bpe->byte_fallback && put_fallback(bpe, text, size, ret, &status))
        return status;
    if (bpe->unk_token == NULL)
        return MODEL_OK;
    if (self->unk_id < 0)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the text has a character without a token, and the unknown token '%s' of "
                         "the tokenizer is not in its vocabulary",
                         bpe->unk_token);
    if (!bpe->fuse_unk)
        status = put_unknown(self, unknown, ret);
    unknown->bytes += bytes;
    return status;
}

static model_status spell_chars(const struct tokenizer_model *self, const char *word,
                                size_t word_bytes, struct merge_word *ret, struct model_error *err)
{
    struct unknown unknown = {0};
    model_status status = MODEL_OK;
    for (size_t at = 0; at < word_bytes && status == MODEL_OK;) {
        uint32_t codepoint;
        size_t bytes = char_decode(word + at, &codepoint);
        status = spell_char(self, word, at, bytes, at + bytes == word_bytes, &unknown, ret, err);
        at += bytes;
    }
    return status == MODEL_OK ? put_unknown(self, &unknown, ret) : status;
}

/* ---------------------------------------------------------------- running */

static model_status put(struct token_list *ret, int32_t id, size_t start, size_t end)
{
    if (ret->n_tokens == ret->capacity && token_list_reserve(ret) != MODEL_OK)
        return MODEL_OUT_OF_MEMORY;
    ret->tokens[ret->n_tokens++] =
        (struct token){.id = id, .span = {(uint32_t)start, (uint32_t)end}};
    return MODEL_OK;
}

/* Spans end with the word, though fallbacks of affixes may count more bytes than it has. */
static model_status put_symbols(const struct merge_word *word, size_t word_bytes,
                                struct token_list *ret)
{
    model_status status = MODEL_OK;
    size_t at = 0;
    for (size_t i = 0; i < word->n && status == MODEL_OK; i++) {
        size_t start = at < word_bytes ? at : word_bytes - 1;
        at += word->symbols[i].bytes;
        status = put(ret, word->symbols[i].id, start, at < word_bytes ? at : word_bytes);
    }
    return status;
}

static model_status put_new(const struct tokenizer_model *self, const char *word, size_t word_bytes,
                            struct merge_word *symbols, struct token_list *ret,
                            struct model_error *err)
{
    const struct bpe *bpe = self->bpe;
    if (bpe->ignore_merges) {
        int32_t id = self->takes_bytes ? trie_find(&bpe->tokens_of_bytes, word, word_bytes)
                                       : find_token(&self->vocab, word, word_bytes);
        if (id >= 0)
            return put(ret, id, 0, word_bytes);
    }
    symbols->n = 0;
    model_status status = self->takes_bytes ? spell_bytes(bpe, word, word_bytes, symbols)
                                            : spell_chars(self, word, word_bytes, symbols, err);
    if (status == MODEL_OK)
        status = merge_word_run(symbols, &bpe->merges);
    return status == MODEL_OK ? put_symbols(symbols, word_bytes, ret) : status;
}

static model_status put_entry(const struct word_entry *entry, struct token_list *ret)
{
    size_t start = 0;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < entry->n_tokens && status == MODEL_OK; i++) {
        status = put(ret, entry->ids[i], start, entry->ends[i]);
        start = entry->ends[i];
    }
    return status;
}

static void remember(struct word_entry *entry, const char *word, size_t word_bytes,
                     const struct token *tokens, size_t n_tokens)
{
    /* Only what put_entry() gives back as it was. */
    size_t end = 0;
    for (size_t i = 0; i < n_tokens; end = tokens[i++].span.end)
        if (i == WORD_CACHE_MAX_TOKENS || tokens[i].span.start != end)
            return;
    word_entry_take(entry, word, word_bytes);
    entry->n_tokens = (uint8_t)n_tokens;
    for (size_t i = 0; i < n_tokens; i++) {
        entry->ids[i] = tokens[i].id;
        entry->ends[i] = (uint8_t)tokens[i].span.end;
    }
}

static model_status run(const struct tokenizer_model *self, const char *word, size_t word_bytes,
                        struct model_scratch *scratch, struct token_list *ret,
                        struct model_error *err)
{
    if (word_bytes == 0)
        return MODEL_OK;
    if (word_bytes > WORD_CACHE_MAX_BYTES)
        return put_new(self, word, word_bytes, &scratch->word, ret, err);
    bool found = false;
    struct word_entry *entry =
        word_cache_at(&scratch->cache, self->bpe->serial, word, word_bytes, &found);
    if (entry == NULL)
        return MODEL_OUT_OF_MEMORY;
    if (found)
        return put_entry(entry, ret);
    size_t first = ret->n_tokens;
    model_status status = put_new(self, word, word_bytes, &scratch->word, ret, err);
    if (status == MODEL_OK && ret->n_tokens > first)
        remember(entry, word, word_bytes, &ret->tokens[first], ret->n_tokens - first);
    return status;
}

const struct tokenizer_model_type bpe_type = {"BPE", load, run, take_bytes};
