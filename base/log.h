/* log.h - where a library says things. The library never prints: it hands lines to the sink that its
 * user gave (none: nothing is said). */
#ifndef LOG_H
#define LOG_H

#include "modelhost.h"

struct log_sink {
    int32_t level; /* enum model_log_level: the most talkative level that passes */
    void (*write)(void *context, int32_t level,
                  const char *message); /* [any-thread]; may be NULL */
    void *context;
};

/* One line of at most 1,000 bytes, without a newline: longer ones are cut at a character's boundary,
 * control characters (names from outside may have them) become spaces. Dropped when the level does
 * not pass. A level that is none (plugins say theirs) becomes the nearest one. */
void log_write(const struct log_sink *sink, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
