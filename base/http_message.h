/* http_message.h - the bytes of an HTTP/1.1 request: its head (request line and headers) and a chunked
 * body. Strict, as RFC 9112 allows a server to be: what two readers could understand differently is
 * refused with a status, never guessed. Pure functions on untrusted bytes. [any-thread] */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "buffer.h"

#include <stdbool.h>

#define HTTP_MAX_HEADERS 100

struct http_header {
    const char *name, *value; /* terminated; names as sent, values without blanks around them */
};

struct http_head {
    const char *method; /* "GET" */
    const char *path;   /* raw, as sent; begins with '/', or is "*" */
    const char *query;  /* raw, behind the '?'; NULL without one */
    bool is_http_1_0;
    bool keep_alive;
    bool is_chunked;
    bool expects_continue;
    uint64_t body_bytes; /* by Content-Length; 0 when chunked */
    size_t n_headers;
    struct http_header headers[HTTP_MAX_HEADERS];
};

/* The size of the head at the start of the data, the empty line included; 0 while it is incomplete.
 * `*scanned` is where the search may go on when there is more data; begin with 0. */
size_t http_head_size(const char *data, size_t size_bytes, size_t *scanned);

/* Parses a complete head of size_bytes bytes, in place: the text is cut into terminated strings that
 * `ret` points into. Returns 0, or the status to refuse the request with, and then `*ret_why` says
 * what is wrong (a constant). */
int http_head_parse(char *text, size_t size_bytes, struct http_head *ret, const char **ret_why);

/* The first header of that name, in any case; NULL without one. */
const char *http_head_value(const struct http_head *head, const char *name);

/* A chunked body, taken piece by piece; begin with all zero. */
struct http_chunks {
    int state;
    uint64_t left_bytes;
    size_t line_bytes; /* of the size line or trailer so far */
    size_t n_trailer_bytes;
    bool is_done;
};

/* Takes at most size_bytes bytes of the body, appends what it carries to `body`, and sets *ret_used
 * to what was taken (all of it, unless the body ended). Returns 0, or the status to refuse with: 400
 * for a broken body, 413 for one that the buffer's maximum forbids, 503 without memory. */
int http_chunks_take(struct http_chunks *chunks, const char *data, size_t size_bytes,
                     struct buffer *body, size_t *ret_used);

#endif
