/* http_private.h - what the parts of the HTTP service share: http_server.c (listening, time, limits),
 * http_accept.c (new connections), http_connection.c (reading requests), http_reply.c (sending replies),
 * http_secure.c (both through TLS). Loop thread only.
 *
 * A server owns its connections, which are linked in a list; a connection owns its request until the
 * handler has it, and again from the reply on. A request whose connection died has connection NULL and
 * is freed by its reply. */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include "http_message.h"
#include "http_server.h"

#include <uv.h>

#define HTTP_READ_BYTES        65536
#define HTTP_PIECE_BYTES       131072
#define HTTP_MAX_HEADERS_BYTES 16384
#define HTTP_BYTES_PER_MS                                                                          \
    16 /* a client that is slower is dropped when there is no room, and in the end */

struct http_server {
    uv_tcp_t listener;
    uv_timer_t sweeper; /* looks for deadlines that passed */
    struct http_server_options options;
    struct http_connection *connections; /* the newest first */
    size_t n_connections;                /* until their handles are closed */
    size_t n_open;                       /* in the list: those that have a descriptor */
    uint64_t warned_ms;                  /* when it was said last that there is no room; 0: never */
    unsigned n_handles;                  /* listener and sweeper, until they are closed */
    bool is_closing;
    uint64_t end_ms;  /* is_closing: when connections that are left are closed, by uv_now() */
    bool owes_accept; /* there was no memory for a connection */
    void (*on_closed)(void *context);
    void *on_closed_context;
    uint16_t port;
    char url[128];
    char read_area[HTTP_READ_BYTES]; /* shared: what is read is consumed at once */
};

enum http_state {
    HTTP_READING_HEAD, /* also: waiting for the next request */
    HTTP_READING_BODY,
    HTTP_HANDLING, /* the handler has the request */
    HTTP_SENDING,
    HTTP_LINGERING /* all is sent; reads what the client still sends, so that no reset eats the reply */
};

struct http_connection {
    uv_tcp_t socket;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct http_server *server;
    struct http_connection *next, *previous;
    enum http_state state;
    uint64_t deadline_ms; /* by uv_now() */
    uint64_t active_ms;   /* when it was set */
    uint64_t
        paced_bytes; /* uv_now() * HTTP_BYTES_PER_MS of a client that keeps pace; see http_connection_pace() */
    struct buffer in; /* of the head being read, then what came behind the request */
    size_t scanned;
    struct http_tls *tls;    /* NULL: plain */
    struct buffer encrypted; /* being written */
    char address[48];        /* the client's; "-" if unknown */
    struct http_request *request;
    struct http_chunks chunks;
    struct http_file *file; /* being sent */
    size_t lingered_bytes;
    bool is_processing; /* in http_connection_process() */
    bool is_reading;
    bool saw_end;    /* the client sends nothing more */
    bool is_paused;  /* a spoiled reply waits for the sweeper */
    bool is_stalled; /* a spoiled reply waits for the client's end */
};

struct http_request {
    struct http_connection *connection; /* NULL: the client is gone */
    char *head_text;                    /* what `head` points into */
    char *path;                         /* decoded */
    struct http_head head;
    struct buffer body;
    struct buffer headers; /* of the reply */
    struct buffer out;     /* the reply's head, and its body when it is in memory */
    size_t out_sent;
    void (*gone)(void *context, struct http_request *request);
    void *gone_context;
    uint64_t started_ns, sent_bytes; /* sent: of the body */
    enum http_spoil spoil;
    uint64_t spoil_bytes;
    int status;
    bool keep_alive;
};

/* http_accept.c */
void http_connection_accept(struct http_server *server);

/* So many bytes came from the client. */
void http_connection_pace(struct http_connection *connection, size_t size_bytes);
/* How many connections fit a process that may have `limit` descriptors and has n_used: at most `wanted`. */
size_t http_connections_that_fit(size_t wanted, uint64_t limit, uint64_t n_used);

/* http_connection.c */
/* Bytes of requests, decrypted. */
void http_connection_receive(struct http_connection *connection, const char *data,
                             size_t size_bytes);
void http_connection_set_reading(struct http_connection *connection, bool wanted);
void http_connection_set_deadline(struct http_connection *connection, uint64_t timeout_ms);
/* Goes on with what was read: after a reply was sent. */
void http_connection_process(struct http_connection *connection);
void http_connection_close(struct http_connection *connection);
/* The reply is out: next request, or the end. */
void http_connection_replied(struct http_connection *connection);
void http_request_free(struct http_request *request);
/* Answers what cannot be a request; the connection ends with it. */
void http_connection_refuse(struct http_connection *connection, int status, const char *why);

/* http_reply.c */
/* Lets go of a file that is being sent; NULL does nothing. */
void http_file_abandon(struct http_file *file);
/* Goes on with the file of a connection that is_paused. */
void http_file_resume(struct http_connection *connection);

/* http_spoil.c: replies that go wrong on purpose. */
/* How much of a piece of size_bytes may be sent behind sent_bytes; 0: none now, the connection may be
 * closed. */
size_t http_spoil_limit(struct http_connection *connection, uint64_t sent_bytes, size_t size_bytes);
void http_spoil_piece(const struct http_request *request, uint64_t sent_bytes, char *piece,
                      size_t size_bytes);

/* http_secure.c, for connections with tls. */
/* Takes size_bytes bytes from the socket, which lie in the server's read area. */
void http_secure_receive(struct http_connection *connection, size_t size_bytes);
/* Encrypts into connection->encrypted; false when that cannot be done. */
bool http_secure_encrypt(struct http_connection *connection, const uv_buf_t *bufs, unsigned n_bufs);
/* Sends a few bytes at once, out of the order of replies. */
void http_secure_send(struct http_connection *connection, const char *data, size_t size_bytes);
/* Says that nothing more comes. */
void http_secure_end(struct http_connection *connection);

/* http_server.c */
void http_server_connection_closed(struct http_server *server);

#endif
