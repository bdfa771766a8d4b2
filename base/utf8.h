/* utf8.h - is this text? */
#ifndef UTF8_H
#define UTF8_H

#include "modelhost.h"

/* The offset of the first byte that is not well-formed UTF-8 (Unicode 15, table 3-7), or size_bytes
 * when all of it is. [any-thread] */
size_t utf8_valid_prefix(const char *text, size_t size_bytes);

/* The bytes of the character at `text` if it is none to be seen but steers how text is shown: C0 (line ends and tabs,
 * too), DEL, C1, line and paragraph separators, marks of direction (Unicode's Bidi_Control). 0: another one.
 * [any-thread] */
size_t utf8_control_bytes(const char *text, size_t size_bytes);

/* MODEL_INVALID_ARGUMENT, naming `what`, the offset and the byte, unless the text is UTF-8. */
model_status utf8_check(const char *text, size_t size_bytes, const char *what,
                        struct model_error *err);

#endif
