/* merge_table.h - which pairs of tokens merge, in what order, into what. Built while a tokenizer is
 * loaded; constant afterwards. [any-thread] */
#ifndef MERGE_TABLE_H
#define MERGE_TABLE_H

#include "modelhost.h"

#include <stdbool.h>

#define MERGE_NONE UINT32_MAX

struct merge {
    int32_t left, right; /* left < 0: a free slot */
    uint32_t rank;       /* the lowest merges first */
    int32_t merged;
};

/* Open addressing, at most half full; hashes are seeded, so that a file cannot choose collisions. */
struct merge_table {
    struct merge *slots; /* (mask + 1) */
    size_t mask;
    uint64_t seed;
};

/* An empty table for n merges. */
model_status merge_table_init(struct merge_table *table, size_t n_merges);
/* Of a pair that stands twice the last merge counts. No more than the table is for. */
void merge_table_put(struct merge_table *table, const struct merge *merge);
void merge_table_finish(struct merge_table *table);

static inline size_t merge_table_slot(const struct merge_table *table, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    key = (key ^ table->seed) * 0x9E3779B97F4A7C15u;
    return (size_t)((key ^ key >> 32) & table->mask);
}

/* NULL: the pair does not merge. */
static inline const struct merge *merge_table_find(const struct merge_table *table, int32_t left,
                                                   int32_t right)
{
    size_t i = merge_table_slot(table, left, right);
    while (table->slots[i].left >= 0) {
        if (table->slots[i].left == left && table->slots[i].right == right)
            return &table->slots[i];
        i = (i + 1) & table->mask;
    }
    return NULL;
}

#endif
