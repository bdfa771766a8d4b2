/* word_cache.c - see word_cache.h. */
#include "word_cache.h"

#include <stdlib.h>
#include <string.h>

#define N_ENTRIES 8192 /* a power of two; 64 bytes each */

_Static_assert(sizeof(struct word_entry) == 64, "an entry fills a cache line");

struct word_entry *word_cache_at(struct word_cache *cache, uint64_t owner, const char *word,
                                 size_t word_bytes, bool *ret_found)
{
    if (cache->entries == NULL) {
        cache->entries = aligned_alloc(sizeof *cache->entries, N_ENTRIES * sizeof *cache->entries);
        if (cache->entries == NULL)
            return NULL;
        cache->owner = ~owner;
    }
    if (cache->owner != owner) {
        memset(cache->entries, 0, N_ENTRIES * sizeof *cache->entries);
        cache->owner = owner;
    }
    uint64_t parts[WORD_CACHE_MAX_BYTES / 8] = {0};
    memcpy(parts, word, word_bytes);
    uint64_t hash = (parts[0] ^ word_bytes) * 0x9E3779B97F4A7C15u;
    if (word_bytes > 8)
        hash = (hash ^ hash >> 32 ^ parts[1] ^ parts[2] << 7) * 0x9E3779B97F4A7C15u;
    struct word_entry *entry = &cache->entries[hash >> 51];
    *ret_found = entry->text_bytes == word_bytes && memcmp(entry->text, parts, sizeof parts) == 0;
    return entry;
}

void word_entry_take(struct word_entry *entry, const char *word, size_t word_bytes)
{
    memset(entry->text, 0, sizeof entry->text);
    memcpy(entry->text, word, word_bytes);
    entry->text_bytes = (uint8_t)word_bytes;
    entry->n_tokens = 0;
}

void word_cache_finish(struct word_cache *cache)
{
    free(cache->entries);
    cache->entries = NULL;
}
