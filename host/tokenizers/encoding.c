/* encoding.c - see encoding.h: the arrays of an encoding and its padding. */
#include "encoding.h"
#include "encoding_scratch.h"

#include <stdlib.h>
#include <string.h>

/* Reallocates one array of the encoding. */
static bool resize(void *array, size_t n_items, size_t item_bytes)
{
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = realloc(old, n_items * item_bytes);
    if (grown == NULL)
        return false;
    memcpy(array, &grown, sizeof grown);
    return true;
}

model_status encoding_reserve(struct encoding *encoding, size_t n_tokens)
{
    if (n_tokens <= encoding->capacity)
        return MODEL_OK;
    size_t capacity = encoding->capacity > 0 ? encoding->capacity : 128;
    while (capacity < n_tokens)
        capacity *= 2;
    if (!resize(&encoding->ids, capacity, sizeof *encoding->ids) ||
        !resize(&encoding->type_ids, capacity, sizeof *encoding->type_ids) ||
        !resize(&encoding->attention_mask, capacity, sizeof *encoding->attention_mask) ||
        !resize(&encoding->spans, capacity, sizeof *encoding->spans) ||
        !resize(&encoding->words, capacity, sizeof *encoding->words) ||
        !resize(&encoding->sequences, capacity, sizeof *encoding->sequences) ||
        !resize(&encoding->special_mask, capacity, sizeof *encoding->special_mask))
        return MODEL_OUT_OF_MEMORY;
    encoding->capacity = capacity;
    return MODEL_OK;
}

model_status encoding_reserve_windows(struct encoding *encoding, size_t n_windows)
{
    if (n_windows <= encoding->windows_capacity)
        return MODEL_OK;
    size_t capacity = encoding->windows_capacity > 0 ? encoding->windows_capacity : 1;
    while (capacity < n_windows)
        capacity *= 2;
    if (!resize(&encoding->windows, capacity, sizeof *encoding->windows))
        return MODEL_OUT_OF_MEMORY;
    encoding->windows_capacity = capacity;
    return MODEL_OK;
}

static void move_tokens(struct encoding *e, size_t to, size_t from, size_t n)
{
    memmove(e->ids + to, e->ids + from, n * sizeof *e->ids);
    memmove(e->type_ids + to, e->type_ids + from, n * sizeof *e->type_ids);
    memmove(e->attention_mask + to, e->attention_mask + from, n * sizeof *e->attention_mask);
    memmove(e->spans + to, e->spans + from, n * sizeof *e->spans);
    memmove(e->words + to, e->words + from, n * sizeof *e->words);
    memmove(e->sequences + to, e->sequences + from, n * sizeof *e->sequences);
    memmove(e->special_mask + to, e->special_mask + from, n * sizeof *e->special_mask);
}

static void fill(struct encoding *e, size_t from, size_t to, const struct padding *padding)
{
    for (size_t i = from; i < to; i++) {
        e->ids[i] = padding->id;
        e->type_ids[i] = padding->type_id;
        e->attention_mask[i] = 0;
        e->spans[i] = (struct text_span){0, 0};
        e->words[i] = -1;
        e->sequences[i] = -1;
        e->special_mask[i] = 1;
    }
}

static size_t padded(const struct encoding_window *window, size_t n_tokens)
{
    return window->n_tokens > n_tokens ? window->n_tokens : n_tokens;
}

model_status encoding_pad(struct encoding *encoding, size_t n_tokens, const struct padding *padding)
{
    size_t total = 0;
    for (size_t i = 0; i < encoding->n_windows; i++)
        total += padded(&encoding->windows[i], n_tokens);
    if (total == encoding->n_stored)
        return MODEL_OK;
    model_status status = encoding_reserve(encoding, total);
    if (status != MODEL_OK)
        return status;
    size_t end = total;
    for (size_t i = encoding->n_windows; i-- > 0;) { /* backwards: each moves to the right */
        struct encoding_window *window = &encoding->windows[i];
        size_t n = padded(window, n_tokens);
        size_t first = end - n;
        size_t missing = n - window->n_tokens;
        move_tokens(encoding, padding->left ? first + missing : first, window->first,
                    window->n_tokens);
        if (padding->left)
            fill(encoding, first, first + missing, padding);
        else
            fill(encoding, end - missing, end, padding);
        *window = (struct encoding_window){first, n};
        end = first;
    }
    encoding->n_stored = total;
    encoding->n_tokens = encoding->windows[0].n_tokens;
    return MODEL_OK;
}

void encoding_finish(struct encoding *encoding)
{
    free(encoding->ids);
    free(encoding->type_ids);
    free(encoding->attention_mask);
    free(encoding->spans);
    free(encoding->words);
    free(encoding->sequences);
    free(encoding->special_mask);
    free(encoding->windows);
    if (encoding->scratch != NULL) {
        normalized_text_finish(&encoding->scratch->text);
        normalized_text_finish(&encoding->scratch->spare);
        for (size_t i = 0; i < PIPELINE_MAX_STEPS; i++)
            normalized_text_finish(&encoding->scratch->rewritten[i]);
        pattern_memory_finish(&encoding->scratch->pattern);
        merge_word_finish(&encoding->scratch->model.word);
        word_cache_finish(&encoding->scratch->model.cache);
        free(encoding->scratch->lists[0].tokens);
        free(encoding->scratch->lists[1].tokens);
        free(encoding->scratch);
    }
    *encoding = (struct encoding)ENCODING_INIT;
}
