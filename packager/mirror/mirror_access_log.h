/* mirror_access_log.h - one line for each request of a mirror: the common log format, or JSON. Tokens are
 * never in it, only their names; nor are queries, where people put such things. Loop thread only. */
#ifndef MIRROR_ACCESS_LOG_H
#define MIRROR_ACCESS_LOG_H

#include "buffer.h"

#include <stdbool.h>

struct http_outcome;
struct http_request;

/* What a line is made of; all text may come from outside. */
struct mirror_access {
    const char *address, *name; /* the token's; NULL: none */
    const char *method, *path;  /* raw, without the query */
    bool is_http_1_0, is_complete;
    const char *user_agent; /* NULL: none */
    int status;
    uint64_t body_bytes, duration_ns;
    int64_t now_s; /* since 1970 */
};

/* A line with its newline, appended. What is not printable ASCII in it is \xHH. */
model_status mirror_access_line(const struct mirror_access *access, bool is_json,
                                struct buffer *ret);

struct mirror_access_log;

/* path "-" is stdout; a file is appended to. MODEL_IO, MODEL_NOT_FOUND: it cannot be opened. */
model_status mirror_access_log_open(const char *path, bool is_json, struct mirror_access_log **ret,
                                    struct model_error *err);
void mirror_access_log_close(struct mirror_access_log *log);
/* A request that is over; name: the token's, NULL without one. A disk that is full loses lines, not
 * requests. */
void mirror_access_log_write(struct mirror_access_log *log, const struct http_request *request,
                             const char *name, const struct http_outcome *outcome);

#endif
