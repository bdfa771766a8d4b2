/* line_tail.c - see line_tail.h. Line i lies in place i modulo LINE_TAIL_LINES; the place of the line under
 * way was the oldest one's, so one line less is kept while it is empty. */
#include "line_tail.h"

#include <string.h>

static size_t place_of(size_t line)
{
    return line % LINE_TAIL_LINES;
}

static void append_part(struct line_tail *tail, const char *data, size_t size_bytes)
{
    const size_t place = place_of(tail->n_ended);
    const size_t room = LINE_TAIL_BYTES - 1 - tail->sizes[place];
    if (size_bytes > room)
        size_bytes = room;
    char *to = tail->lines[place] + tail->sizes[place];
    for (size_t i = 0; i < size_bytes; i++)
        to[i] = data[i] != '\0' ? data[i] : ' ';
    tail->sizes[place] += size_bytes;
    tail->lines[place][tail->sizes[place]] = '\0';
}

static void end_line(struct line_tail *tail)
{
    if (tail->sizes[place_of(tail->n_ended)] == 0)
        return;
    tail->n_ended++;
    tail->sizes[place_of(tail->n_ended)] = 0;
}

void line_tail_append(struct line_tail *tail, const char *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        const char *end = memchr(data, '\n', size_bytes);
        const size_t part = end != NULL ? (size_t)(end - data) : size_bytes;
        append_part(tail, data, part);
        if (end != NULL)
            end_line(tail);
        const size_t read = part + (end != NULL);
        data += read;
        size_bytes -= read;
    }
}

size_t line_tail_lines(struct line_tail *tail, const char *ret[LINE_TAIL_LINES])
{
    const size_t n_all = tail->n_ended + (tail->sizes[place_of(tail->n_ended)] > 0);
    /* The place under way holds nothing of the oldest line, even when it is empty. */
    const size_t n_kept = LINE_TAIL_LINES - (n_all == tail->n_ended);
    const size_t n = n_all < n_kept ? n_all : n_kept;
    for (size_t i = 0; i < n; i++)
        ret[i] = tail->lines[place_of(n_all - n + i)];
    return n;
}
