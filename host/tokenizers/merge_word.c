/* merge_word.c - see merge_word.h. Short words look through all their symbols for the lowest rank;
 * long ones keep a heap, so that a word of n symbols takes n log n steps whatever the file says. */
#include "merge_word.h"

#include <stdlib.h>
#include <string.h>

#define SHORT_WORD 40
#define POLL_EVERY 65536 /* merges */
#define NOBODY     UINT32_MAX

model_status merge_word_add(struct merge_word *word, int32_t id, size_t bytes)
{
    if (word->n == word->capacity) {
        size_t capacity = word->capacity > 0 ? word->capacity * 2 : 64;
        struct merge_symbol *symbols = realloc(word->symbols, capacity * sizeof *symbols);
        if (symbols == NULL)
            return MODEL_OUT_OF_MEMORY;
        word->symbols = symbols;
        word->capacity = capacity;
    }
    word->symbols[word->n++] =
        (struct merge_symbol){id, (uint32_t)bytes, MERGE_NONE, -1, NOBODY, NOBODY};
    return MODEL_OK;
}

void merge_word_finish(struct merge_word *word)
{
    free(word->symbols);
    free(word->heap);
    *word = (struct merge_word){0};
}

/* The rank of the merge of a symbol and its next. */
static void rank_pair(struct merge_symbol *left, const struct merge_symbol *right,
                      const struct merge_table *table)
{
    const struct merge *merge = merge_table_find(table, left->id, right->id);
    left->rank = merge != NULL ? merge->rank : MERGE_NONE;
    left->merged = merge != NULL ? merge->merged : -1;
}

/* ---------------------------------------------------------------- short words */

static void run_short(struct merge_word *word, const struct merge_table *table)
{
    struct merge_symbol *s = word->symbols;
    size_t n = word->n;
    for (size_t i = 0; i + 1 < n; i++)
        rank_pair(&s[i], &s[i + 1], table);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (s[i].rank < s[best].rank)
                best = i;
        if (s[best].rank == MERGE_NONE)
            break;
        s[best].id = s[best].merged;
        s[best].bytes += s[best + 1].bytes;
        s[best].rank = MERGE_NONE;
        n--;
        memmove(&s[best + 1], &s[best + 2], (n - best - 1) * sizeof *s);
        if (best + 1 < n)
            rank_pair(&s[best], &s[best + 1], table);
        if (best > 0)
            rank_pair(&s[best - 1], &s[best], table);
    }
    word->n = n;
}

/* ---------------------------------------------------------------- long words */

static bool before(const struct merge_entry *a, const struct merge_entry *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static model_status heap_push(struct merge_word *word, uint32_t at)
{
    const struct merge_symbol *s = &word->symbols[at];
    if (s->rank == MERGE_NONE)
        return MODEL_OK;
    if (word->n_heap == word->heap_capacity) {
        size_t capacity = word->heap_capacity > 0 ? word->heap_capacity * 2 : 256;
        struct merge_entry *heap = realloc(word->heap, capacity * sizeof *heap);
        if (heap == NULL)
            return MODEL_OUT_OF_MEMORY;
        word->heap = heap;
        word->heap_capacity = capacity;
    }
    struct merge_entry entry = {s->rank, at, s->merged};
    size_t i = word->n_heap++;
    for (; i > 0 && before(&entry, &word->heap[(i - 1) / 2]); i = (i - 1) / 2)
        word->heap[i] = word->heap[(i - 1) / 2];
    word->heap[i] = entry;
    return MODEL_OK;
}

static struct merge_entry heap_pop(struct merge_word *word)
{
    struct merge_entry *heap = word->heap;
    struct merge_entry top = heap[0];
    struct merge_entry last = heap[--word->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < word->n_heap; i = child) {
        if (child + 1 < word->n_heap && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

static model_status rank_and_push(struct merge_word *word, uint32_t at,
                                  const struct merge_table *table)
{
    struct merge_symbol *s = &word->symbols[at];
    s->rank = MERGE_NONE;
    if (s->next == NOBODY)
        return MODEL_OK;
    rank_pair(s, &word->symbols[s->next], table);
    return heap_push(word, at);
}

static model_status merge_at(struct merge_word *word, uint32_t at, const struct merge_table *table)
{
    struct merge_symbol *s = &word->symbols[at];
    struct merge_symbol *right = &word->symbols[s->next];
    s->id = s->merged;
    s->bytes += right->bytes;
    s->next = right->next;
    right->bytes = 0;
    if (s->next != NOBODY)
        word->symbols[s->next].previous = at;
    model_status status = rank_and_push(word, at, table);
    if (status == MODEL_OK && s->previous != NOBODY)
        status = rank_and_push(word, s->previous, table);
    return status;
}

static model_status run_long(struct merge_word *word, const struct merge_table *table)
{
    model_status status = MODEL_OK;
    word->n_heap = 0;
    for (size_t i = 0; i < word->n; i++) {
        word->symbols[i].previous = i > 0 ? (uint32_t)i - 1 : NOBODY;
        word->symbols[i].next = i + 1 < word->n ? (uint32_t)i + 1 : NOBODY;
    }
    for (uint32_t i = 0; i < word->n && status == MODEL_OK; i++)
        status = rank_and_push(word, i, table);
    for (uint32_t n = 1; word->n_heap > 0 && status == MODEL_OK; n++) {
        struct merge_entry top = heap_pop(word);
        if (n % POLL_EVERY == 0 && word->cancelled != NULL)
            status = (model_status)__atomic_load_n(word->cancelled, __ATOMIC_RELAXED);
        const struct merge_symbol *s = &word->symbols[top.at];
        /* An entry of a pair that is no more is passed over. */
        if (status == MODEL_OK && s->bytes > 0 && s->rank == top.rank && s->merged == top.merged)
            status = merge_at(word, top.at, table);
    }
    size_t kept = 0;
    for (size_t i = 0; i < word->n; i++)
        if (word->symbols[i].bytes > 0)
            word->symbols[kept++] = word->symbols[i];
    word->n = kept;
    return status;
}

model_status merge_word_run(struct merge_word *word, const struct merge_table *table)
{
    if (word->n > SHORT_WORD)
        return run_long(word, table);
    run_short(word, table);
    return MODEL_OK;
}
