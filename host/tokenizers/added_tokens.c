/* added_tokens.c - see added_tokens.h. */
#include "added_tokens.h"
#include "errors.h"
#include "unicode_class.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ADDED       100000
#define MAX_TOKEN_BYTES 4096

/* ---------------------------------------------------------------- loading */

static model_status load_token(const struct json_place *place, struct vocabulary *vocab,
                               struct added_token *ret, const char **ret_content,
                               struct model_error *err)
{
    struct added_token token = {.normalized = true};
    const char *content = NULL;
    int64_t id = -1;
    model_status status = json_want_object(place, err);
    if (status == MODEL_OK)
        status = json_field_string(place, "content", &content, err);
    if (status == MODEL_OK)
        status = json_field_integer(place, "id", 0, VOCABULARY_MAX_IDS - 1, &id, err);
    struct {
        const char *key;
        bool *value;
    } flags[] = {{"single_word", &token.single_word},
                 {"lstrip", &token.lstrip},
                 {"rstrip", &token.rstrip},
                 {"normalized", &token.normalized},
                 {"special", &token.special}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && status == MODEL_OK; i++)
        status = json_field_bool(place, flags[i].key, flags[i].value, err);
    if (status != MODEL_OK)
        return status;
    if (content == NULL || *content == '\0' || strlen(content) > MAX_TOKEN_BYTES || id < 0)
        return error_set(err, MODEL_CORRUPT,
                         "%s: a token of added_tokens needs an id and a content of 1 to %d bytes",
                         place->what, MAX_TOKEN_BYTES);
    int32_t known = vocabulary_find(vocab, content);
    if (known >= 0 && known != id)
        return error_set(err, MODEL_CORRUPT,
                         "%s: the added token '%s' has id %" PRId64 ", but %" PRId32
                         " in the model's vocabulary",
                         place->what, content, id, known);
    token.id = (int32_t)id;
    *ret_content = content;
    *ret = token;
    return MODEL_OK;
}

/* A token that the model does not have gets the next free id; the file must say the same. */
static model_status add_to_vocabulary(const struct json_place *place, struct vocabulary *vocab,
                                      const char *content, int64_t id, struct model_error *err)
{
    const char *known = vocabulary_token(vocab, id);
    if (known != NULL && strcmp(known, content) == 0)
        return MODEL_OK;
    if (known != NULL)
        return error_set(err, MODEL_CORRUPT,
                         "%s: the added token '%s' has id %" PRId64 ", which is that of '%s'",
                         place->what, content, id, known);
    if ((size_t)id != vocab->next_id)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: the added token '%s' has id %" PRId64
                         ", but ids of added tokens must go on without a gap: want %zu",
                         place->what, content, id, vocab->next_id);
    return vocabulary_add(vocab, content) == MODEL_OK ? MODEL_OK
                                                      : error_no_memory(err, place->path);
}

/* What the matchers are built from: the text of each token as it is looked for. */
struct patterns {
    struct trie_entry *plain, *normalized; /* (n_tokens) each */
    size_t n_plain, n_normalized;
    struct normalized_text *texts; /* (n_tokens) */
};

static void finish_patterns(struct patterns *p, size_t n_tokens)
{
    for (size_t i = 0; p->texts != NULL && i < n_tokens; i++)
        normalized_text_finish(&p->texts[i]);
    free(p->texts);
    free(p->plain);
    free(p->normalized);
}

static model_status add_pattern(struct patterns *p, const struct added_token *token, size_t index,
                                const char *content, const struct normalizer_chain *normalizer,
                                struct model_error *err)
{
    size_t bytes = strlen(content);
    if (!token->normalized) {
        p->plain[p->n_plain++] = (struct trie_entry){content, (uint32_t)bytes, (int32_t)index};
        return MODEL_OK;
    }
    struct normalized_text *text = &p->texts[index];
    struct normalized_text spare = {0};
    model_status status = normalizer_chain_run(normalizer, content, bytes, 0, &spare, text, err);
    normalized_text_finish(&spare);
    if (status == MODEL_OK && text->size > 0)
        p->normalized[p->n_normalized++] =
            (struct trie_entry){text->data, (uint32_t)text->size, (int32_t)index};
    return status;
}

static int compare_keys(const void *a, const void *b)
{
    const struct trie_entry *x = a, *y = b;
    const int order = trie_compare_keys(x, y);
    return order != 0 ? order : (x->value > y->value) - (x->value < y->value);
}

/* Of equal patterns the first stays, a special one before the others. */
static size_t drop_repeats(const struct added_tokens *added, struct trie_entry *entries, size_t n)
{
    size_t kept = 0;
    if (n > 0)
        qsort(entries, n, sizeof *entries, compare_keys);
    for (size_t i = 0; i < n; i++) {
        struct trie_entry *last = kept > 0 ? &entries[kept - 1] : NULL;
        if (last == NULL || last->key_bytes != entries[i].key_bytes ||
            memcmp(last->key, entries[i].key, last->key_bytes) != 0)
            entries[kept++] = entries[i];
        else if (added->tokens[entries[i].value].special && !added->tokens[last->value].special)
            last->value = entries[i].value;
    }
    return kept;
}

static model_status build_matcher(const struct added_tokens *added, struct trie_entry *entries,
                                  size_t n, struct added_matcher *ret)
{
    const struct trie_entry *duplicate = NULL;
    n = drop_repeats(added, entries, n);
    size_t n_first = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char first = (unsigned char)entries[i].key[0];
        n_first += !ret->first[first];
        ret->first[first] = true;
        ret->only_first = first;
    }
    if (n_first != 1)
        ret->only_first = -1;
    ret->n_entries = n;
    return trie_build(entries, n, &ret->trie, &duplicate);
}

static model_status load_all(const struct json_place *place,
                             const struct normalizer_chain *normalizer, struct vocabulary *vocab,
                             struct added_tokens *ret, struct patterns *p, struct model_error *err)
{
    const json_node *item = json_first(place->node);
    for (; item != NULL; item = json_next(item)) {
        struct json_place token = {item, place->what, "added_tokens[]"};
        const char *content = NULL;
        size_t index = ret->n_tokens;
        model_status status = load_token(&token, vocab, &ret->tokens[index], &content, err);
        if (status == MODEL_OK)
            status = add_to_vocabulary(place, vocab, content, ret->tokens[index].id, err);
        if (status != MODEL_OK)
            return status;
        if ((size_t)ret->tokens[index].id >= vocab->next_id)
            vocab->next_id = (size_t)ret->tokens[index].id + 1;
        ret->n_tokens++;
        status = add_pattern(p, &ret->tokens[index], index, content, normalizer, err);
        if (status != MODEL_OK)
            return status == MODEL_OUT_OF_MEMORY ? error_no_memory(err, place->path) : status;
    }
    if (build_matcher(ret, p->plain, p->n_plain, &ret->plain) != MODEL_OK ||
        build_matcher(ret, p->normalized, p->n_normalized, &ret->normalized) != MODEL_OK)
        return error_no_memory(err, place->path);
    return MODEL_OK;
}

model_status added_tokens_load(const struct json_place *place,
                               const struct normalizer_chain *normalizer, struct vocabulary *vocab,
                               struct added_tokens *ret, struct model_error *err)
{
    if (!json_is_null(place->node) && !json_is_array(place->node))
        return error_set(err, MODEL_CORRUPT, "%s: added_tokens is %s, want an array", place->what,
                         json_kind(place->node));
    size_t n = json_count(place->node);
    if (n > MAX_ADDED)
        return error_set(err, MODEL_UNSUPPORTED, "%s: added_tokens has %zu tokens, at most %d",
                         place->what, n, MAX_ADDED);
    struct patterns p = {0};
    p.plain = calloc(n + 1, sizeof *p.plain);
    p.normalized = calloc(n + 1, sizeof *p.normalized);
    p.texts = calloc(n + 1, sizeof *p.texts);
    ret->tokens = calloc(n + 1, sizeof *ret->tokens);
    model_status status =
        p.plain == NULL || p.normalized == NULL || p.texts == NULL || ret->tokens == NULL
            ? error_no_memory(err, place->path)
            : load_all(place, normalizer, vocab, ret, &p, err);
    finish_patterns(&p, n);
    return status;
}

void added_tokens_finish(struct added_tokens *added)
{
    trie_finish(&added->plain.trie);
    trie_finish(&added->normalized.trie);
    free(added->tokens);
    *added = (struct added_tokens){0};
}

/* ---------------------------------------------------------------- searching */

static bool is_space(uint32_t codepoint)
{
    return char_class(codepoint) == CHAR_SPACE;
}

static bool stands_alone(const char *text, size_t text_bytes, size_t start, size_t end)
{
    uint32_t next = ' ';
    if (start > 0 && char_is_word(char_before(text, start)))
        return false;
    if (end < text_bytes)
        (void)char_decode(text + end, &next);
    return !char_is_word(next);
}

static size_t skip_spaces_back(const char *text, size_t start, size_t limit)
{
    while (start > limit) {
        size_t i = start - 1;
        while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80)
            i--;
        uint32_t codepoint;
        (void)char_decode(text + i, &codepoint);
        if (!is_space(codepoint))
            break;
        start = i;
    }
    return start;
}

static size_t skip_spaces(const char *text, size_t text_bytes, size_t at)
{
    while (at < text_bytes) {
        uint32_t codepoint;
        size_t bytes = char_decode(text + at, &codepoint);
        if (!is_space(codepoint))
            break;
        at += bytes;
    }
    return at;
}

/* The next byte from `at` on with which an entry starts; text_bytes when there is none. */
static size_t next_candidate(const struct added_matcher *matcher, const char *text,
                             size_t text_bytes, size_t at)
{
    if (matcher->only_first >= 0) {
        const char *found = memchr(text + at, matcher->only_first, text_bytes - at);
        return found != NULL ? (size_t)(found - text) : text_bytes;
    }
    while (at < text_bytes && !matcher->first[(unsigned char)text[at]])
        at++;
    return at;
}

bool added_tokens_next(const struct added_tokens *added, const struct added_matcher *matcher,
                       const char *text, size_t text_bytes, struct added_search *search,
                       struct added_match *ret)
{
    if (matcher->n_entries == 0 || text_bytes == 0)
        return false;
    size_t at = search->at;
    while ((at = next_candidate(matcher, text, text_bytes, at)) < text_bytes) {
        size_t bytes = 0;
        int32_t index = trie_longest(&matcher->trie, TRIE_ROOT, text + at, text_bytes - at, &bytes);
        if (index < 0) {
            at++;
            continue;
        }
        const struct added_token *token = &added->tokens[index];
        struct added_match match = {at, at + bytes, token};
        at += bytes;
        if (token->single_word && !stands_alone(text, text_bytes, match.start, match.end))
            continue;
        if (token->lstrip) {
            size_t start = skip_spaces_back(text, match.start, 0);
            match.start = start > search->taken ? start : search->taken;
        }
        if (token->rstrip)
            match.end = skip_spaces(text, text_bytes, match.end);
        if (match.end < match.start)
            match.end = match.start;
        search->at = at;
        search->taken = match.end;
        *ret = match;
        return true;
    }
    search->at = text_bytes;
    return false;
}
