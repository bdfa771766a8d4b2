/* http_text.h - the small grammars inside an HTTP request: percent-encoding, queries, header values,
 * ranges and entity tags. Pure functions on untrusted bytes. [any-thread] */
#ifndef HTTP_TEXT_H
#define HTTP_TEXT_H

#include "buffer.h"

#include <stdbool.h>

/* Decodes %XX in size_bytes bytes into a new terminated string (free()). MODEL_INVALID_ARGUMENT: a
 * '%' without two hexadecimal digits, or a zero byte. `plus_is_space` is for queries and forms, where
 * '+' stands for a space; in a path it is a plus. */
model_status http_percent_decode(const char *text, size_t size_bytes, bool plus_is_space,
                                 char **ret, struct model_error *err);

/* Appends text with everything but letters, digits and "-._~/" percent-encoded. */
model_status http_percent_encode(const char *text, struct buffer *ret);

/* Walks "a=1&b=2": sets the next pair's parts (still encoded; the value is "" without '=') and
 * returns where the search goes on, NULL when there is no pair left. Start with the whole text. */
struct http_pair {
    const char *name, *value;
    size_t name_bytes, value_bytes;
};
const char *http_query_next(const char *query, struct http_pair *ret);

/* The decoded value of the first pair of that name, to be freed; MODEL_NOT_FOUND without one. `query`
 * may be NULL. */
model_status http_query_value(const char *query, const char *name, char **ret,
                              struct model_error *err);

/* Whether a comma-separated value ("keep-alive, Upgrade") holds a token, in any case. */
bool http_list_has(const char *value, const char *token);

/* Whether the text may stand in a header's value: no control character except a tab. */
bool http_value_is_safe(const char *value);

/* A Range header against something of size_bytes. HTTP_RANGE_NONE: send it whole (no range, several
 * ranges, or something that is none); HTTP_RANGE_PART: first and length (1 or more, inside) are set;
 * HTTP_RANGE_UNSATISFIABLE: 416. */
enum http_range { HTTP_RANGE_NONE, HTTP_RANGE_PART, HTTP_RANGE_UNSATISFIABLE };
enum http_range http_range_parse(const char *value, uint64_t size_bytes, uint64_t *ret_first,
                                 uint64_t *ret_length_bytes);

/* Whether an If-None-Match value ("*", or a list of tags) names the tag, which is given without
 * quotes. W/ before a tag makes no difference. */
bool http_etag_listed(const char *value, const char *etag);
/* Whether an If-Range value is this very tag: quoted and not weak. A date never is. */
bool http_etag_is(const char *value, const char *etag);

#endif
