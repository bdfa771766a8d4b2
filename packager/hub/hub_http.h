/* hub_http.h - HTTP exchanges: a GET of one URL and its answer, no redirects, no repetitions, one at a
 * time or many at once. What to follow, to repeat and to believe is decided above (hub_attempt.h); this
 * is the seam where tests put a hub of their own. libcurl lives behind hub_http_create(). */
#ifndef HUB_HTTP_H
#define HUB_HTTP_H

#include "buffer.h"
#include "log.h"

#include <stdbool.h>

/* The headers that anyone above looks at. */
enum hub_header {
    HUB_LOCATION,
    HUB_LINK,
    HUB_ETAG,
    HUB_LINKED_ETAG,
    HUB_ERROR_CODE,
    HUB_ERROR_MESSAGE,
    HUB_RATE_LIMIT,
    HUB_RETRY_AFTER,
    HUB_CONTENT_RANGE,
    HUB_CONTENT_ENCODING,
    HUB_DATE,
    HUB_N_HEADERS
};

#define HUB_MAX_HEADER_BYTES     8192u        /* of one of these headers */
#define HUB_MAX_HEADERS_BYTES    (256u << 10) /* of all headers of an answer */
#define HUB_MAX_ERROR_BODY_BYTES (64u << 10)  /* kept of what comes with an error */

#define HUB_MIN_RATE 1000 /* bytes per second of a body */

/* Where the body of a 200 goes, piece by piece, and of a 206 when a range was asked for. The response
 * has its status and headers by then. */
struct hub_sink {
    model_status (*write)(void *context, const void *data, size_t size_bytes,
                          struct model_error *err);
    void *context;
};

struct hub_exchange {
    const char *url;
    const char *token; /* shown to this URL's host; NULL: none */
    struct hub_sink sink;
    uint64_t range_start, range_end; /* asks for the bytes [start, end) only; both 0: for all */
    const char *if_range;            /* the ETag that the range must be of; NULL: any */
    int64_t stall_timeout_ms; /* broken off when no answer, or under HUB_MIN_RATE, for so long */
    int64_t timeout_ms;       /* broken off when not complete after so long; 0: no such limit */
    bool (*cancelled)(void *context); /* asked every second or more often; may be NULL */
    void *cancel_context;
};

/* An answer; hub_response_finish() frees what it holds. */
struct hub_response {
    long status;
    char *headers[HUB_N_HEADERS]; /* NULL where absent; the last one where repeated */
    struct buffer error_body;     /* of an answer without a sink; cut, not refused, when too long */
    size_t header_bytes;          /* of all headers so far */
    bool in_headers;              /* they have not ended yet */
};

void hub_response_init(struct hub_response *response);
void hub_response_finish(struct hub_response *response);
/* The header of a name in any case, or HUB_N_HEADERS. */
enum hub_header hub_header_find(const char *name, size_t name_bytes);

/* Takes one line of headers as it came, with its line end: a line "HTTP/..." begins the answer anew.
 * MODELHOST_NETWORK when it breaks the limits; url is for the sentence. */
model_status hub_response_take_line(struct hub_response *response, const char *line,
                                    size_t line_bytes, const char *url, struct model_error *err);

/* How an exchange may fail, for whoever decides about trying again. */
enum hub_failure {
    HUB_FAILED_FOR_GOOD, /* the sink refused, cancelled, no memory, an answer that breaks the rules */
    HUB_FAILED_TO_CONNECT,
    HUB_BROKE_OFF /* stalled, closed in the middle */
};

/* One of many exchanges at once. It must stay where it is from begin() until wait() returns it. */
struct hub_call {
    struct hub_exchange exchange;
    struct hub_response response;
    /* what exchange() would return, when it has ended */
    model_status status;
    enum hub_failure failure;
    struct model_error err;
    /* the transport's own */
    void *handle;          /* what works on it; NULL: nothing does */
    struct hub_call *next; /* in the list of those that have ended */
};

struct hub_transport {
    /* MODEL_OK: *response holds a complete answer, whatever its status. Otherwise *ret_failure is set,
     * and the status is the sink's own, MODEL_CANCELLED, or MODELHOST_NETWORK. */
    model_status (*exchange)(void *context, const struct hub_exchange *exchange,
                             struct hub_response *response, enum hub_failure *ret_failure,
                             struct model_error *err);
    /* Starts one; how it ends, also when it cannot start, is told by wait(). */
    void (*begin)(void *context, struct hub_call *call);
    /* Ends one that wait() has not returned: it will not be returned any more. */
    void (*abandon)(void *context, struct hub_call *call);
    /* Moves bytes, calling sinks, until a call has ended, which is returned, or until the time is over
     * or wake() was called: NULL. begin() and abandon() must not be called by a sink. */
    struct hub_call *(*wait)(void *context, int64_t timeout_ms);
    void (*wake)(void *context); /* [any-thread] makes wait() return; may be NULL */
    void *context;
};

struct hub_http;

struct hub_http_options {
    const char *ca_file;        /* certificates to trust instead of the system's; NULL: those */
    uint64_t limit_bytes_per_s; /* for all exchanges together; 0: none */
    /* Nanoseconds that never go back, by which exchanges stall and are limited; NULL: the system's. */
    int64_t (*now_ns)(void *context);
    void *clock_context;
    struct log_sink
        log; /* MODEL_LOG_DEBUG: a line for each exchange, without token and signatures */
};

/* Connections that are kept between exchanges. Proxies come from the environment as libcurl reads it
 * (http_proxy, https_proxy, all_proxy, no_proxy). One thread at a time. options NULL: the defaults. */
model_status hub_http_create(const struct hub_http_options *options, struct hub_http **ret,
                             struct model_error *err);
void hub_http_destroy(struct hub_http *http);
struct hub_transport hub_http_transport(struct hub_http *http);
/* Which libcurl that is: "7.88.1". */
const char *hub_http_version(void);

#endif
