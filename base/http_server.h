/* http_server.h - an HTTP/1.1 service on the caller's libuv loop.
 *
 *   static void handle(void *context, struct http_request *request)
 *   {
 *       if (strcmp(http_request_path(request), "/health") == 0)
 *           http_reply_text(request, 200, "text/plain", "ok\n");
 *       else
 *           http_reply_error(request, 404, "there is nothing here");
 *   }
 *   options.handle = handle;
 *   status = http_server_create(loop, &options, &server, &err);
 *   uv_run(loop, UV_RUN_DEFAULT);
 *
 * The service reads requests (keep-alive, pipelining, bodies by length or chunked), hands each to the
 * handler when it is complete, and sends the reply, from memory or from a file in pieces. HEAD is
 * answered like GET, without the body. What breaks the protocol or a limit never reaches the handler:
 * it is refused with a status and a JSON object {"error": "..."}.
 *
 * Every function belongs to the loop's thread. A handler may reply at once, or keep the request and
 * reply later; it replies exactly once to every request. A request is valid until its reply, whatever
 * becomes of the client or the server. Handlers must not block.
 *
 * The process must ignore SIGPIPE, which libuv's writes raise when a client has left. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "log.h"

#include <stdbool.h>

struct http_server;
struct http_request;
struct http_tls_context;
struct uv_loop_s;

/* How a request ended, for an access log. */
struct http_outcome {
    int status;          /* 499: the client left before there was a reply */
    uint64_t body_bytes; /* of the reply, as far as they were sent */
    bool is_complete;
    uint64_t duration_ns;
};

struct http_server_options {
    const char *host; /* a name or a number; NULL: "127.0.0.1" */
    uint16_t port;    /* 0: any free one */
    void (*handle)(void *context, struct http_request *request);
    void *context;
    /* Called once for every request, also refused ones, when it is over; may be NULL. The request's
     * functions may be called. */
    void (*finished)(void *context, const struct http_request *request,
                     const struct http_outcome *outcome);
    struct http_tls_context *tls; /* https; NULL: http. Outlives the server */
    const struct log_sink *log; /* one MODEL_LOG_DEBUG line per request; may be NULL; outlives it */
    /* Limits; 0 means the default. */
    size_t max_head_bytes;   /* request line and headers: 32 KiB, else 431 */
    size_t max_target_bytes; /* the address: 8 KiB, else 414 */
    size_t max_body_bytes;   /* 1 MiB, else 413 */
    size_t
        max_connections; /* http_server_room(1000): then a slow or idle one is closed, or the new one
                                gets 503; a warning a minute */
    size_t max_connections_per_address; /* 0: no such limit; else as above */
    uint32_t idle_timeout_ms;           /* 60,000 between requests */
    uint32_t read_timeout_ms;  /* 20,000 for a head, as much (and 16 KiB/s) for a body; else 408 */
    uint32_t write_timeout_ms; /* 60,000 without the client taking a piece (128 KiB) */
};

/* How many connections this process has descriptors for, with a quarter of them left to whatever else it does: at
 * most `wanted`, at least 1. */
size_t http_server_room(size_t wanted);

/* Listens. A port in use: MODEL_BUSY, "cannot listen on 127.0.0.1:8080: address already in use; give
 * another port, or 0 for any free one". No such host: MODELHOST_NETWORK. No permission: MODEL_IO.
 * After a failure the loop must still be run once for its handles to close. */
model_status http_server_create(struct uv_loop_s *loop, const struct http_server_options *options,
                                struct http_server **ret, struct model_error *err);
/* "http://127.0.0.1:8080", or https; lives as long as the server. */
const char *http_server_url(const struct http_server *server);
uint16_t http_server_port(const struct http_server *server);
/* Open connections. */
size_t http_server_connections(const struct http_server *server);
/* Stops listening, ends all connections and frees the server, for which the loop must go on;
 * on_closed (may be NULL) is the last thing that happens. Once. */
void http_server_close(struct http_server *server, void (*on_closed)(void *context), void *context);
/* The same for a service that says good-bye: requests that a handler has get their reply, those that are being
 * read 503, and then each connection ends; those that are left after the patience, too. gone() is not called
 * for the reason that the server ends. Instead of http_server_close(). */
void http_server_end(struct http_server *server, uint32_t patience_ms,
                     void (*on_closed)(void *context), void *context);

/* ---- a request; strings live as long as it does */

const char *http_request_method(const struct http_request *request);
/* As sent, percent-encoded; and decoded, where an encoded slash is no longer told from a slash. */
const char *http_request_raw_path(const struct http_request *request);
const char *http_request_path(const struct http_request *request);
/* As sent, without the '?'; NULL without one. See http_query_value(). */
const char *http_request_query(const struct http_request *request);
/* The first header of that name, in any case; NULL without one. */
const char *http_request_header(const struct http_request *request, const char *name);
/* "127.0.0.1": whose connection it is, perhaps a proxy's; "-" once the client is gone. */
const char *http_request_address(const struct http_request *request);
bool http_request_is_secure(const struct http_request *request);
bool http_request_is_http_1_0(const struct http_request *request);
/* The body, terminated; "" without one. */
const char *http_request_body(const struct http_request *request, size_t *ret_size_bytes);
/* Calls gone() once if the client leaves (or the server is closed) before the reply. The request must
 * be replied to all the same. A client that only stops sending counts as one that leaves here; without
 * gone() it is answered. */
void http_request_on_gone(struct http_request *request,
                          void (*gone)(void *context, struct http_request *request), void *context);

/* ---- the reply: headers first, then one of http_reply_*(), which ends the request */

/* Adds a header. Dropped when the value has a control character in it or 16 KiB are full: values may
 * come from outside. Date, Content-Length, Content-Type and Connection are the service's. */
void http_reply_header(struct http_request *request, const char *name, const char *value);
/* Sends bytes, which are copied. content_type may be NULL. */
void http_reply(struct http_request *request, int status, const char *content_type,
                const void *data, size_t size_bytes);
void http_reply_text(struct http_request *request, int status, const char *content_type,
                     const char *text);
/* {"error": "<sentence>"} with the sentence escaped. */
void http_reply_error(struct http_request *request, int status, const char *sentence);
/* Sends a range of an open file, which is closed afterwards, in any case. Should the file shrink or
 * change meanwhile, the connection ends before the last piece, so that the client cannot take what it
 * got for the whole. */
void http_reply_file(struct http_request *request, int status, const char *content_type, int fd,
                     uint64_t offset, uint64_t size_bytes);

/* The same for content that is no part of a file. read() has all of data filled from the offset on, which may take
 * its time on another thread, and has http_reading_done() called then, at once or later; data is there until then.
 * close() comes last, once, in any case. */
struct http_reading;
struct http_source {
    void (*read)(void *context, uint64_t offset, void *data, size_t size_bytes,
                 struct http_reading *reading);
    void (*close)(void *context);
    void *context;
};
/* False when the content cannot be had: then the connection ends. */
void http_reading_done(struct http_reading *reading, bool is_good);
void http_reply_source(struct http_request *request, int status, const char *content_type,
                       const struct http_source *source, uint64_t offset, uint64_t size_bytes);

/* For servers that test their clients: what goes wrong with the body that http_reply_file() and _source() send
 * to this request, after so many bytes of it (for HTTP_SPOIL_DRIP: with so many bytes, one or more, four
 * times a second). */
enum http_spoil {
    HTTP_SPOIL_NOTHING,
    HTTP_SPOIL_FLIP,  /* a bit of the next byte is another one */
    HTTP_SPOIL_CUT,   /* the connection ends */
    HTTP_SPOIL_STALL, /* nothing more is sent until the client leaves */
    HTTP_SPOIL_DRIP
};
void http_reply_spoil(struct http_request *request, enum http_spoil spoil, uint64_t bytes);

#endif
