/* merge_table.c - see merge_table.h. */
#include "merge_table.h"
#include "clock.h"

#include <stdlib.h>

model_status merge_table_init(struct merge_table *table, size_t n_merges)
{
    size_t capacity = 16;
    while (capacity / 2 < n_merges) {
        if (capacity > SIZE_MAX / 2 / sizeof *table->slots)
            return MODEL_OUT_OF_MEMORY;
        capacity *= 2;
    }
    struct merge *slots = malloc(capacity * sizeof *slots);
    if (slots == NULL)
        return MODEL_OUT_OF_MEMORY;
    for (size_t i = 0; i < capacity; i++)
        slots[i] = (struct merge){-1, -1, MERGE_NONE, -1};
    table->slots = slots;
    table->mask = capacity - 1;
    table->seed = (uint64_t)(uintptr_t)slots ^ ((uint64_t)clock_now_ns() << 32) ^ 1;
    return MODEL_OK;
}

void merge_table_put(struct merge_table *table, const struct merge *merge)
{
    size_t i = merge_table_slot(table, merge->left, merge->right);
    while (table->slots[i].left >= 0 &&
           !(table->slots[i].left == merge->left && table->slots[i].right == merge->right))
        i = (i + 1) & table->mask;
    table->slots[i] = *merge;
}

void merge_table_finish(struct merge_table *table)
{
    free(table->slots);
    *table = (struct merge_table){0};
}
