/* printable_text.h - text from a file as a terminal may see it. Pure. [any-thread] */
#ifndef PRINTABLE_TEXT_H
#define PRINTABLE_TEXT_H

#include <stddef.h>

#define PRINTABLE_TEXT_BYTES 256

/* The text with control characters and marks of direction (utf8_control_bytes()) and bytes that are not UTF-8 as "\x1b", and backslashes
 * doubled so that no two texts look the same; what does not fit ends in "...". Writes into ret and
 * returns it. */
const char *printable_text(const char *text, size_t size_bytes, char ret[PRINTABLE_TEXT_BYTES]);

/* The same for a terminated text; NULL is "". */
const char *printable(const char *text, char ret[PRINTABLE_TEXT_BYTES]);
/* The text itself, of any length, when there is nothing to be escaped (backslashes stay); else as printable(). */
const char *printable_line(const char *text, char ret[PRINTABLE_TEXT_BYTES]);
/* The same, of any length; to be freed, NULL without memory. */
char *printable_copy(const char *text);

#endif
