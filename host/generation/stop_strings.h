/* stop_strings.h - text that must not be shown past a stop string.
 *
 * Pieces of text go in as they are generated; what comes out is all that can no longer become part of a
 * stop string. Once one is complete, nothing more comes out: the text ends before the first byte of the
 * earliest one. Belongs to one thread. */
#ifndef STOP_STRINGS_H
#define STOP_STRINGS_H

#include "buffer.h"

#include <stdbool.h>

struct stop_strings {
    const char *const *strings; /* (n_strings), not empty; the caller's */
    uint32_t n_strings;
    struct buffer held; /* the end of the text, which may be the start of a stop string */
    bool stopped;
};

void stop_strings_init(struct stop_strings *stops, const char *const *strings, uint32_t n_strings);
void stop_strings_finish(struct stop_strings *stops);

/* Takes a piece and appends what may be shown. *ret_stopped: a stop string is complete. */
model_status stop_strings_push(struct stop_strings *stops, const char *text, size_t text_bytes,
                               struct buffer *ret_text, bool *ret_stopped);
/* The end of the text: appends what was held back. */
model_status stop_strings_end(struct stop_strings *stops, struct buffer *ret_text);

#endif
