/* line_tail.h - the last lines of a stream that comes in pieces: what a child process wrote before it died.
 *
 *   struct line_tail tail = {0};
 *   line_tail_append(&tail, data, size_bytes);          as it comes
 *   n = line_tail_lines(&tail, lines);                  the newest LINE_TAIL_LINES of them, oldest first
 *
 * Memory is bounded whatever comes: a line keeps its first LINE_TAIL_BYTES - 1 bytes, empty lines are not
 * kept. Bytes stay as they came, but for NUL, which becomes a blank. Not locked: one thread at a time. */
#ifndef LINE_TAIL_H
#define LINE_TAIL_H

#include <stddef.h>

#define LINE_TAIL_LINES 5
#define LINE_TAIL_BYTES 240

struct line_tail {
    char lines[LINE_TAIL_LINES][LINE_TAIL_BYTES]; /* a ring */
    size_t sizes[LINE_TAIL_LINES];
    size_t n_ended; /* lines that have ended since the beginning; the next one is under way */
};

void line_tail_append(struct line_tail *tail, const char *data, size_t size_bytes);

/* Fills ret with the last lines, the one under way among them when it is not empty, and returns how many
 * they are. They live in the tail until the next append. */
size_t line_tail_lines(struct line_tail *tail, const char *ret[LINE_TAIL_LINES]);

#endif
