/* normalized_text.h - text after normalisation, with the way back: which bytes of the source each byte
 * of it stands for. Belongs to one thread; keeps its memory when cleared.
 *
 * Instead of a position for every byte there are runs. In a plain run the bytes are those of the source
 * one for one (perhaps in another case); in a block run (source_bytes > 0) all its bytes stand for the
 * same source bytes, as when one character became several or shorter. ASCII text is a single run. */
#ifndef NORMALIZED_TEXT_H
#define NORMALIZED_TEXT_H

#include "modelhost.h"

#include <stdbool.h>

struct text_run {
    uint32_t start;        /* in the normalised text */
    uint32_t source;       /* in the source */
    uint32_t source_bytes; /* 0: a plain run */
};

/* A combining character that waits for its place in canonical order. */
struct pending_char {
    uint32_t codepoint;
    unsigned combining_class;
    uint32_t order;
    uint32_t source, source_bytes;
};

struct normalized_text {
    char *data; /* (size); not terminated */
    size_t size, capacity;
    size_t max_bytes;      /* of data; 0: no bound */
    bool is_full;          /* more was wanted, and refused, since the last clear */
    struct text_run *runs; /* ordered by start */
    size_t n_runs, runs_capacity;
    struct text_run *spare_runs; /* what normalized_text_translate() writes to */
    size_t spare_capacity;
    struct pending_char *pending;
    size_t n_pending, pending_capacity;
};

/* How much a text of source_bytes may become: several times what Unicode's own forms make of one (NFKD: 11
 * times its bytes at most), so that only a file that grows texts without measure is stopped. */
size_t normalized_text_bound(size_t source_bytes);

/* Room for size_bytes more and one run more. MODEL_INVALID_ARGUMENT: more than max_bytes. */
model_status normalized_text_reserve(struct normalized_text *text, size_t size_bytes);
/* Room for one more. */
model_status normalized_text_reserve_pending(struct normalized_text *text);
void normalized_text_clear(struct normalized_text *text);
void normalized_text_finish(struct normalized_text *text);

/* A run from here on, within the room reserved; a plain run that goes on needs none. */
void normalized_text_plain(struct normalized_text *text, size_t source);
void normalized_text_block(struct normalized_text *text, size_t source, size_t source_bytes);

/* A copy of [start, end) of `from`, as a plain run; sources are positions in `from`. */
model_status normalized_text_copy(struct normalized_text *text, const char *from, size_t start,
                                  size_t end);

/* `text` was made from the bytes of `under`, so that its sources are positions there: replaces them by
 * what these stand for. */
model_status normalized_text_translate(struct normalized_text *text,
                                       const struct normalized_text *under);

struct text_span {
    uint32_t start, end; /* in bytes of the source; start == end == 0 for what has no source */
};

/* The source of [start, end), start < end. *run is where the last search ended, 0 at first: spans are
 * asked for from front to back. */
struct text_span normalized_text_source(const struct normalized_text *text, size_t *run,
                                        size_t start, size_t end);

#endif
