/* word_cache.h - words that were spelled lately, with their tokens: most words of a text come again.
 * Belongs to one caller; of a fixed size: a word that falls on another one's place takes it. */
#ifndef WORD_CACHE_H
#define WORD_CACHE_H

#include "modelhost.h"

#include <stdbool.h>

#define WORD_CACHE_MAX_BYTES  24
#define WORD_CACHE_MAX_TOKENS 7

struct word_entry {
    char text[WORD_CACHE_MAX_BYTES]; /* filled up with zeros */
    uint8_t text_bytes;              /* 0: empty */
    uint8_t n_tokens;
    uint8_t ends[WORD_CACHE_MAX_TOKENS]; /* of each token, in bytes of the word */
    int32_t ids[WORD_CACHE_MAX_TOKENS];
};

struct word_cache {
    struct word_entry *entries; /* NULL until it is used */
    uint64_t owner;             /* whose words these are */
};

/* The place of a word of 1 to WORD_CACHE_MAX_BYTES bytes, with the word or with another one; it is the
 * caller's to fill in. Emptied when the owner is another one. NULL without memory. */
struct word_entry *word_cache_at(struct word_cache *cache, uint64_t owner, const char *word,
                                 size_t word_bytes, bool *ret_found);
/* Makes the place the word's, without tokens. */
void word_entry_take(struct word_entry *entry, const char *word, size_t word_bytes);
void word_cache_finish(struct word_cache *cache);

#endif
