/* added_tokens.h - the tokens that are found in the text itself, before the model sees it: "[MASK]".
 * Constant once loaded. [any-thread]
 *
 * Those that are not `normalized` are looked for in the text as it came; then, in the normalised text
 * between them, those that are (by their own normalised form). In each search the leftmost match wins,
 * of several there the longest. After Hugging Face tokenizers, added_vocabulary.rs. */
#ifndef ADDED_TOKENS_H
#define ADDED_TOKENS_H

#include "pipeline.h"

struct added_token {
    int32_t id;
    bool single_word; /* only where no word character stands beside it */
    bool lstrip;      /* takes the white space on its left with it */
    bool rstrip;
    bool normalized;
    bool special; /* left out by decoding without special tokens */
};

struct added_matcher {
    struct trie trie; /* text -> index into added_tokens.tokens */
    size_t n_entries;
    bool first[256]; /* whether an entry starts with this byte */
    int only_first;  /* the byte with which all start, or -1 */
};

struct added_tokens {
    struct added_token *tokens; /* (n_tokens) */
    size_t n_tokens;
    struct added_matcher plain, normalized;
};

/* From tokenizer.json's array. Adds what the vocabulary does not have; an id that disagrees with it is
 * MODEL_CORRUPT. On failure the owner calls added_tokens_finish(). */
model_status added_tokens_load(const struct json_place *place,
                               const struct normalizer_chain *normalizer, struct vocabulary *vocab,
                               struct added_tokens *ret, struct model_error *err);
void added_tokens_finish(struct added_tokens *added);

struct added_match {
    size_t start, end; /* with the white space that it takes */
    const struct added_token *token;
};

struct added_search {
    size_t at;    /* where the search goes on */
    size_t taken; /* the end of the last match */
};

/* The next match in text, from search->at on; false: there is none. */
bool added_tokens_next(const struct added_tokens *added, const struct added_matcher *matcher,
                       const char *text, size_t text_bytes, struct added_search *search,
                       struct added_match *ret);

#endif
