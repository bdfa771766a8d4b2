/* normalized_text.c - see normalized_text.h. */
#include "normalized_text.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY    256
#define MAX_GROWTH        32
#define ALWAYS_LEFT_BYTES ((size_t)1 << 20)

/* The capacity that holds `needed` items, doubling. */
static size_t grown(size_t capacity, size_t needed)
{
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    return capacity;
}

size_t normalized_text_bound(size_t source_bytes)
{
    return source_bytes < (SIZE_MAX - ALWAYS_LEFT_BYTES) / MAX_GROWTH
               ? source_bytes * MAX_GROWTH + ALWAYS_LEFT_BYTES
               : SIZE_MAX;
}

model_status normalized_text_reserve(struct normalized_text *text, size_t size_bytes)
{
    if (text->max_bytes > 0 &&
        (text->size > text->max_bytes || size_bytes > text->max_bytes - text->size)) {
        text->is_full = true;
        return MODEL_INVALID_ARGUMENT;
    }
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
    text->is_full = false;
}

void normalized_text_finish(struct normalized_text *text)
{
    free(text->data);
    free(text->runs);
    free(text->spare_runs);
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

model_status normalized_text_copy(struct normalized_text *text, const char *from, size_t start,
                                  size_t end)
{
    if (start == end)
        return MODEL_OK;
    model_status status = normalized_text_reserve(text, end - start);
    if (status != MODEL_OK)
        return status;
    normalized_text_plain(text, start);
    memcpy(text->data + text->size, from + start, end - start);
    text->size += end - start;
    return MODEL_OK;
}

/* ---------------------------------------------------------------- translation */

static model_status put_spare(struct normalized_text *text, size_t *n, struct text_run run)
{
    if (*n > 0 && run.source_bytes == 0) {
        const struct text_run *last = &text->spare_runs[*n - 1];
        if (last->source_bytes == 0 && last->source + (run.start - last->start) == run.source)
            return MODEL_OK;
    }
    if (*n == text->spare_capacity) {
        size_t capacity = grown(text->spare_capacity, *n + 1);
        struct text_run *runs = realloc(text->spare_runs, capacity * sizeof *runs);
        if (runs == NULL)
            return MODEL_OUT_OF_MEMORY;
        text->spare_runs = runs;
        text->spare_capacity = capacity;
    }
    text->spare_runs[(*n)++] = run;
    return MODEL_OK;
}

/* The bytes [run->start, end) stand one for one for those of `under` from run->source on. */
static model_status translate_plain(struct normalized_text *text, size_t *n, struct text_run run,
                                    size_t end, const struct normalized_text *under, size_t *cursor)
{
    model_status status = MODEL_OK;
    size_t at = run.start;
    while (at < end && status == MODEL_OK) {
        size_t position = run.source + (at - run.start);
        const struct text_run *below = run_at(under, cursor, position);
        size_t below_end =
            *cursor + 1 < under->n_runs ? under->runs[*cursor + 1].start : under->size;
        struct text_run part = {(uint32_t)at, below->source, below->source_bytes};
        if (below->source_bytes == 0)
            part.source += (uint32_t)position - below->start;
        status = put_spare(text, n, part);
        at += below_end > position ? below_end - position : end - at;
    }
    return status;
}

model_status normalized_text_translate(struct normalized_text *text,
                                       const struct normalized_text *under)
{
    model_status status = MODEL_OK;
    size_t cursor = 0;
    size_t n = 0;
    if (under->n_runs == 0)
        return MODEL_OK;
    for (size_t i = 0; i < text->n_runs && status == MODEL_OK; i++) {
        struct text_run run = text->runs[i];
        size_t end = i + 1 < text->n_runs ? text->runs[i + 1].start : text->size;
        if (run.source_bytes == 0) {
            status = translate_plain(text, &n, run, end, under, &cursor);
        } else {
            struct text_span span = normalized_text_source(under, &cursor, run.source,
                                                           (size_t)run.source + run.source_bytes);
            run.source = span.start;
            run.source_bytes = span.end > span.start ? span.end - span.start : 1;
            status = put_spare(text, &n, run);
        }
    }
    if (status != MODEL_OK)
        return status;
    struct text_run *old = text->runs;
    size_t old_capacity = text->runs_capacity;
    text->runs = text->spare_runs;
    text->runs_capacity = text->spare_capacity;
    text->n_runs = n;
    text->spare_runs = old;
    text->spare_capacity = old_capacity;
    return MODEL_OK;
}
