/* split_pre_tokenizer.c - Split, Digits, Punctuation and WhitespaceSplit: texts are split where
 * something matches, and the match goes away, stands alone or joins a neighbour. After Hugging Face
 * tokenizers, pre_tokenizers/split.rs and tokenizer/normalizer.rs. [any-thread]
 *
 * The text is read as pieces: matches, and what lies between them. A word is made of one piece, or of
 * several; one or two pieces beyond the word are looked at to know that. */
#include "pipeline.h"
#include "errors.h"
#include "unicode_class.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- pieces */

struct splitting {
    const struct pre_tokenizer *step;
    const char *text;
    size_t text_bytes;
    struct word_search *search;
    struct model_error *err;
};

static size_t char_bytes(const struct splitting *s, size_t at)
{
    uint32_t codepoint;
    return at < s->text_bytes ? char_decode(s->text + at, &codepoint) : 1;
}

/* An empty match right behind the last one is none. */
static bool find_pattern(const struct splitting *s, struct text_piece *ret)
{
    struct word_search *search = s->search;
    size_t from = search->matched ? search->match_end : 0;
    bool found = false;
    while (from <= s->text_bytes) {
        search->status = pattern_find(s->step->pattern, search->memory, s->text, s->text_bytes,
                                      from, &found, &ret->start, &ret->end, s->err);
        if (search->status != MODEL_OK || !found)
            return false;
        if (ret->end > ret->start || !search->matched || ret->end != search->match_end)
            return true;
        from += char_bytes(s, from);
    }
    return false;
}

static bool find_literal(const struct splitting *s, size_t at, struct text_piece *ret)
{
    size_t bytes = strlen(s->step->literal);
    const char *found = memmem(s->text + at, s->text_bytes - at, s->step->literal, bytes);
    if (found == NULL)
        return false;
    ret->start = (size_t)(found - s->text);
    ret->end = ret->start + bytes;
    return true;
}

static bool find_character(const struct splitting *s, size_t at, struct text_piece *ret)
{
    while (at < s->text_bytes) {
        uint32_t codepoint;
        size_t bytes = char_decode(s->text + at, &codepoint);
        if (s->step->is_match(codepoint)) {
            ret->start = at;
            ret->end = at + bytes;
            return true;
        }
        at += bytes;
    }
    return false;
}

/* The pieces from search->at on, one or two at once, into search->ahead. */
static void read_pieces(const struct splitting *s)
{
    struct word_search *search = s->search;
    struct text_piece match = {s->text_bytes, s->text_bytes, true};
    bool found = s->step->pattern != NULL   ? find_pattern(s, &match)
                 : s->step->literal != NULL ? find_literal(s, search->at, &match)
                                            : find_character(s, search->at, &match);
    if (search->status != MODEL_OK)
        return;
    if (!found)
        match.start = match.end = s->text_bytes;
    if (search->at < match.start)
        search->ahead[search->n_ahead++] =
            (struct text_piece){search->at, match.start, s->step->invert};
    if (found)
        search->ahead[search->n_ahead++] =
            (struct text_piece){match.start, match.end, !s->step->invert};
    search->matched = true;
    search->match_end = match.end;
    search->at = match.end;
    if (!found || match.end == s->text_bytes)
        search->at = s->text_bytes + 1; /* nothing is behind it */
}

/* The next piece, which stays ahead; NULL: there is none. */
static const struct text_piece *peek(const struct splitting *s)
{
    if (s->search->n_ahead == 0 && s->search->at <= s->text_bytes && s->text_bytes > 0)
        read_pieces(s);
    return s->search->n_ahead > 0 ? &s->search->ahead[0] : NULL;
}

static bool take(const struct splitting *s, struct text_piece *ret)
{
    const struct text_piece *piece = peek(s);
    if (piece == NULL)
        return false;
    *ret = *piece;
    s->search->ahead[0] = s->search->ahead[1];
    s->search->n_ahead--;
    return true;
}

/* ---------------------------------------------------------------- words */

/* Whether the piece belongs to the word of the one before it. */
static bool joins(enum split_behaviour behaviour, bool last_is_match, bool is_match)
{
    switch (behaviour) {
    case SPLIT_CONTIGUOUS:
        return last_is_match == is_match;
    case SPLIT_MERGED_WITH_PREVIOUS:
        return is_match && !last_is_match;
    case SPLIT_MERGED_WITH_NEXT:
        return last_is_match && !is_match;
    default:
        return false;
    }
}

static bool next(const struct pre_tokenizer *self, const char *text, size_t text_bytes,
                 struct word_search *search, size_t *ret_start, size_t *ret_end,
                 struct model_error *err)
{
    const struct splitting s = {self, text, text_bytes, search, err};
    struct text_piece word;
    while (take(&s, &word)) {
        if (word.is_match && self->behaviour == SPLIT_REMOVED)
            continue;
        bool last_is_match = word.is_match;
        const struct text_piece *piece;
        while ((piece = peek(&s)) != NULL &&
               joins(self->behaviour, last_is_match, piece->is_match)) {
            struct text_piece joined;
            (void)take(&s, &joined);
            word.end = joined.end;
            last_is_match = joined.is_match;
        }
        if (search->status != MODEL_OK)
            return false;
        if (word.end > word.start) {
            *ret_start = word.start;
            *ret_end = word.end;
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- loading */

static model_status load_behaviour(const struct json_place *place, enum split_behaviour *ret,
                                   struct model_error *err)
{
    static const char *const names[] = {[SPLIT_REMOVED] = "Removed",
                                        [SPLIT_ISOLATED] = "Isolated",
                                        [SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                        [SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
                                        [SPLIT_CONTIGUOUS] = "Contiguous"};
    const char *name = names[*ret];
    model_status status = json_field_string(place, "behavior", &name, err);
    if (status != MODEL_OK)
        return status;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) {
            *ret = (enum split_behaviour)i;
            return MODEL_OK;
        }
    return error_set(err, MODEL_CORRUPT,
                     "%s: %s.behavior is '%s', want Removed, Isolated, MergedWithPrevious, "
                     "MergedWithNext or Contiguous",
                     place->what, place->path, name);
}

static model_status add(const struct json_place *place, const struct pre_tokenizer_type *type,
                        struct pre_tokenizer_chain *chain, struct pre_tokenizer **ret,
                        struct model_error *err)
{
    *ret = pre_tokenizer_chain_add(chain, place, err);
    if (*ret == NULL)
        return MODEL_UNSUPPORTED;
    (*ret)->type = type;
    return MODEL_OK;
}

/* "pattern": {"String": " "} or {"Regex": "\\s+"} */
static model_status load_pattern(const struct json_place *place, struct pre_tokenizer *ret,
                                 struct model_error *err)
{
    const json_node *pattern = json_member(place->node, "pattern");
    const char *literal = json_string_or(json_member(pattern, "String"), NULL);
    const char *regex = json_string_or(json_member(pattern, "Regex"), NULL);
    if (regex != NULL)
        return pattern_compile(regex, place, &ret->pattern, err);
    if (literal == NULL || *literal == '\0')
        return error_set(err, MODEL_CORRUPT,
                         "%s: %s.pattern is neither {\"String\": ..} nor {\"Regex\": ..}",
                         place->what, place->path);
    ret->literal = strdup(literal);
    return ret->literal != NULL ? MODEL_OK : error_no_memory(err, place->path);
}

static model_status load_split(const struct json_place *place, struct pre_tokenizer_chain *chain,
                               struct model_error *err)
{
    struct pre_tokenizer *step = NULL;
    model_status status = add(place, &split_type, chain, &step, err);
    if (status == MODEL_OK)
        status = load_behaviour(place, &step->behaviour, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "invert", &step->invert, err);
    return status == MODEL_OK ? load_pattern(place, step, err) : status;
}

const struct pre_tokenizer_type split_type = {"Split", load_split, next, NULL};

static model_status load_digits(const struct json_place *place, struct pre_tokenizer_chain *chain,
                                struct model_error *err)
{
    struct pre_tokenizer *step = NULL;
    bool individual = false;
    model_status status = add(place, &digits_type, chain, &step, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "individual_digits", &individual, err);
    if (status != MODEL_OK)
        return status;
    step->is_match = char_is_numeric;
    step->behaviour = individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return MODEL_OK;
}

const struct pre_tokenizer_type digits_type = {"Digits", load_digits, next, NULL};

static bool is_punctuation(uint32_t codepoint)
{
    return char_class(codepoint) == CHAR_PUNCTUATION;
}

static model_status load_punctuation(const struct json_place *place,
                                     struct pre_tokenizer_chain *chain, struct model_error *err)
{
    struct pre_tokenizer *step = NULL;
    model_status status = add(place, &punctuation_type, chain, &step, err);
    if (status != MODEL_OK)
        return status;
    step->is_match = is_punctuation;
    step->behaviour = SPLIT_ISOLATED;
    return load_behaviour(place, &step->behaviour, err);
}

const struct pre_tokenizer_type punctuation_type = {"Punctuation", load_punctuation, next, NULL};

static bool is_space(uint32_t codepoint)
{
    return char_class(codepoint) == CHAR_SPACE;
}

static model_status load_whitespace_split(const struct json_place *place,
                                          struct pre_tokenizer_chain *chain,
                                          struct model_error *err)
{
    struct pre_tokenizer *step = NULL;
    model_status status = add(place, &whitespace_split_type, chain, &step, err);
    if (status == MODEL_OK)
        step->is_match = is_space;
    return status; /* the behaviour is SPLIT_REMOVED */
}

const struct pre_tokenizer_type whitespace_split_type = {"WhitespaceSplit", load_whitespace_split,
                                                         next, NULL};

/* ---------------------------------------------------------------- Whitespace: \w+|[^\w\s]+ */

enum word_kind { KIND_SPACE, KIND_WORD, KIND_OTHER };

static enum word_kind kind_at(const char *text, size_t *ret_bytes)
{
    uint32_t codepoint;
    *ret_bytes = char_decode(text, &codepoint);
    if (char_is_word(codepoint))
        return KIND_WORD;
    return is_space(codepoint) ? KIND_SPACE : KIND_OTHER;
}

static bool next_run(const struct pre_tokenizer *self, const char *text, size_t text_bytes,
                     struct word_search *search, size_t *ret_start, size_t *ret_end,
                     struct model_error *err)
{
    (void)self;
    (void)err;
    size_t at = search->at;
    size_t bytes = 0;
    enum word_kind kind = KIND_SPACE;
    while (at < text_bytes && (kind = kind_at(text + at, &bytes)) == KIND_SPACE)
        at += bytes;
    *ret_start = at;
    while (at < text_bytes && kind_at(text + at, &bytes) == kind)
        at += bytes;
    *ret_end = search->at = at;
    return at > *ret_start;
}

static model_status load_whitespace(const struct json_place *place,
                                    struct pre_tokenizer_chain *chain, struct model_error *err)
{
    struct pre_tokenizer *step = NULL;
    return add(place, &whitespace_type, chain, &step, err);
}

const struct pre_tokenizer_type whitespace_type = {"Whitespace", load_whitespace, next_run, NULL};
