/* normalized_text.c - see normalized_text.h. */
#include "normalized_text.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

/* The capacity that holds `needed` items, doubling. */
static size_t grown(size_t capacity, size_t needed)
{
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    return capacity;
}

model_status normalized_text_reserve(struct normalized_text *text, size_t size_bytes)
{
    if (size_bytes > text->capacity - text->size) {
        size_t capacity = grown(text->capacity, text->size + size_bytes);
        char *data = realloc(text->data, capacity);
        if (data == NULL)
            return MODEL_OUT_OF_MEMORY;
        text->data = data;
        text->capacity = capacity;
    }
    if (text->n_runs == text->runs_capacity) {
        size_t capacity = grown(text->runs_capacity, text->n_runs + 1);
        struct text_run *runs = realloc(text->runs, capacity * sizeof *runs);
        if (runs == NULL)
            return MODEL_OUT_OF_MEMORY;
        text->runs = runs;
        text->runs_capacity = capacity;
    }
    return MODEL_OK;
}

model_status normalized_text_reserve_pending(struct normalized_text *text)
{
    if (text->n_pending < text->pending_capacity)
        return MODEL_OK;
    size_t capacity = grown(text->pending_capacity, text->n_pending + 1);
    struct pending_char *pending = realloc(text->pending, capacity * sizeof *pending);
    if (pending == NULL)
        return MODEL_OUT_OF_MEMORY;
    text->pending = pending;
    text->pending_capacity = capacity;
    return MODEL_OK;
}

void normalized_text_clear(struct normalized_text *text)
{
    text->size = 0;
    text->n_runs = 0;
    text->n_pending = 0;
}

void normalized_text_finish(struct normalized_text *text)
{
    free(text->data);
    free(text->runs);
    free(text->pending);
    *text = (struct normalized_text){0};
}

static void add_run(struct normalized_text *text, size_t source, size_t source_bytes)
{
    text->runs[text->n_runs++] =
        (struct text_run){(uint32_t)text->size, (uint32_t)source, (uint32_t)source_bytes};
}

void normalized_text_plain(struct normalized_text *text, size_t source)
{
    if (text->n_runs > 0) {
        const struct text_run *last = &text->runs[text->n_runs - 1];
        if (last->source_bytes == 0 && last->source + (text->size - last->start) == source)
            return;
    }
    add_run(text, source, 0);
}

void normalized_text_block(struct normalized_text *text, size_t source, size_t source_bytes)
{
    add_run(text, source, source_bytes);
}

static const struct text_run *run_at(const struct normalized_text *text, size_t *run,
                                     size_t position)
{
    while (*run > 0 && text->runs[*run].start > position)
        --*run;
    while (*run + 1 < text->n_runs && text->runs[*run + 1].start <= position)
        ++*run;
    return &text->runs[*run];
}

struct text_span normalized_text_source(const struct normalized_text *text, size_t *run,
                                        size_t start, size_t end)
{
    struct text_span span;
    const struct text_run *first = run_at(text, run, start);
    span.start = first->source + (first->source_bytes == 0 ? (uint32_t)start - first->start : 0);
    const struct text_run *last = run_at(text, run, end - 1);
    span.end =
        last->source + (last->source_bytes == 0 ? (uint32_t)end - last->start : last->source_bytes);
    return span;
}
