/* merge_word.h - byte-pair merging of one word: of all neighbours that merge, those with the lowest rank
 * do, the leftmost first, until none is left. [any-thread, one at a time per struct] */
#ifndef MERGE_WORD_H
#define MERGE_WORD_H

#include "merge_table.h"

struct merge_symbol {
    int32_t id;
    uint32_t bytes; /* of the word; 0: merged into the one before it */
    uint32_t rank;  /* of the merge with the next one, or MERGE_NONE */
    int32_t merged; /* what that gives */
    uint32_t previous, next;
};

struct merge_entry {
    uint32_t rank, at;
    int32_t merged;
};

/* A word's symbols; all zero at first, and then reused. */
struct merge_word {
    struct merge_symbol *symbols; /* (n) */
    size_t n, capacity;
    struct merge_entry *heap; /* (n_heap) */
    size_t n_heap, heap_capacity;
    const uint32_t *cancelled; /* as in struct tokenizer_options */
};

/* Appends a symbol. */
model_status merge_word_add(struct merge_word *word, int32_t id, size_t bytes);
/* Merges; what is left moves to the front. Stops with the status that is raised in *cancelled. */
model_status merge_word_run(struct merge_word *word, const struct merge_table *table);
void merge_word_finish(struct merge_word *word);

#endif
