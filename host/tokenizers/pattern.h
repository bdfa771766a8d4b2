/* pattern.h - the regular expressions that tokenizer.json gives; PCRE2 lives behind this header.
 *
 * A pattern is compiled when a tokenizer is loaded and constant afterwards: any thread may search with
 * it. What a search needs belongs to its caller (struct pattern_memory). The files are written for
 * Oniguruma (Ruby's syntax); pattern_syntax.h translates. Searches are limited, each in its
 * steps and those of a text together in time: a pattern that backtracks without end is an error, not a
 * hang. */
#ifndef PATTERN_H
#define PATTERN_H

#include "json_fields.h"

struct pattern;

/* Time as searches see it; tests bring their own. */
struct pattern_clock {
    int64_t (*tick)(void);    /* cheap and coarse: whether time may have passed */
    int64_t (*used_ns)(void); /* processor time of the calling thread */
};

/* All zero at first. One search at a time. */
struct pattern_memory {
    struct pattern_inside *inside;
    const struct pattern_clock *clock; /* NULL: the machine's */
    size_t text_bytes;                 /* of the text under way */
    bool is_under_way;                 /* the text's first search has begun, at start_ns */
    int64_t start_ns, tick;
};
/* The searches from here on are in a text of text_bytes, or in pieces of it: together they may take
 * seconds, and some more for every MB. Without this a text begins with the first search. */
void pattern_memory_begin(struct pattern_memory *memory, size_t text_bytes);
void pattern_memory_finish(struct pattern_memory *memory);

/* `place` names it in errors. MODEL_UNSUPPORTED: a construct that is not translated, by name;
 * MODEL_CORRUPT: no regular expression at all, or too large. */
model_status pattern_compile(const char *regex, const struct json_place *place,
                             struct pattern **ret, struct model_error *err);
void pattern_destroy(struct pattern *pattern);

/* The first match in well-formed UTF-8 at or after `at` (a character's start), perhaps empty; *ret_found
 * false: there is none. MODEL_INVALID_ARGUMENT: the search took more steps than are allowed, or
 * the searches in the text more time. */
model_status pattern_find(const struct pattern *pattern, struct pattern_memory *memory,
                          const char *text, size_t text_bytes, size_t at, bool *ret_found,
                          size_t *ret_start, size_t *ret_end, struct model_error *err);

#endif
