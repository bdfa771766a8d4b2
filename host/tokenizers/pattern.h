/* pattern.h - the regular expressions that tokenizer.json gives; PCRE2 lives behind this header.
 *
 * A pattern is compiled when a tokenizer is loaded and constant afterwards: any thread may search with
 * it. What a search needs belongs to its caller (struct pattern_memory). The files are written for
 * Oniguruma (Ruby's syntax); pattern_syntax.h translates. Searches are limited: a pattern that
 * backtracks without end is an error, not a hang. */
#ifndef PATTERN_H
#define PATTERN_H

#include "json_fields.h"

struct pattern;

/* All zero at first. One search at a time. */
struct pattern_memory {
    struct pattern_inside *inside;
};
void pattern_memory_finish(struct pattern_memory *memory);

/* `place` names it in errors. MODEL_UNSUPPORTED: a construct that is not translated, by name;
 * MODEL_CORRUPT: no regular expression at all, or too large. */
model_status pattern_compile(const char *regex, const struct json_place *place,
                             struct pattern **ret, struct model_error *err);
void pattern_destroy(struct pattern *pattern);

/* The first match in well-formed UTF-8 at or after `at` (a character's start), perhaps empty; *ret_found
 * false: there is none. MODEL_INVALID_ARGUMENT: the search took more steps than are allowed. */
model_status pattern_find(const struct pattern *pattern, struct pattern_memory *memory,
                          const char *text, size_t text_bytes, size_t at, bool *ret_found,
                          size_t *ret_start, size_t *ret_end, struct model_error *err);

#endif
