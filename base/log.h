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
    /* Instead of write: the line with what it is about. [any-thread]; may be NULL */
    void (*record)(void *context, const struct modelhost_log_record *record);
};

/* One line of at most 1,000 bytes, without a newline: longer ones are cut at a character's boundary,
 * control characters (names from outside may have them) become spaces, bytes that are not UTF-8 question
 * marks. Dropped when the level does not pass. A level that is none (plugins say theirs) becomes the
 * nearest one. write() gets "<model>: request <id>: <line>", as far as the thread's subject says. */
void log_write(const struct log_sink *sink, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What the calling thread's lines are about. */
struct log_subject {
    const char *model;   /* must live until the subject changes; NULL: no model */
    uint64_t request_id; /* 0: no request */
};

/* Sets it and returns the one before, to be set again afterwards. */
struct log_subject log_set_subject(struct log_subject subject);
struct log_subject log_subject_now(void);

#endif
