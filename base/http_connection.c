/* http_connection.c - reading requests from one client; see http_private.h.
 *
 * Reading goes on while a request is handled: this is how the end of a client is noticed. What it
 * sends meanwhile (pipelined requests) is kept up to the limit of a head, then reading pauses. */
#include "http_private.h"
#include "clock.h"
#include "http_text.h"
#include "http_tls.h"

#include <stdlib.h>
#include <string.h>

#define LINGER_MS        2000
#define MAX_LINGER_BYTES (4u << 20)

void http_request_free(struct http_request *request)
{
    if (request == NULL)
        return;
    buffer_finish(&request->body);
    buffer_finish(&request->headers);
    buffer_finish(&request->out);
    free(request->head_text);
    free(request->path);
    free(request);
}

void http_connection_set_deadline(struct http_connection *connection, uint64_t timeout_ms)
{
    connection->active_ms = uv_now(connection->socket.loop);
    connection->deadline_ms = connection->active_ms + timeout_ms;
    connection->paced_bytes = connection->active_ms * HTTP_BYTES_PER_MS;
}

/* ---- the end of a connection */

/* Tells of a request that is over. */
static void tell_finished(const struct http_connection *connection, bool is_complete)
{
    const struct http_server_options *options = &connection->server->options;
    const struct http_request *request = connection->request;
    /* of a piece, what the system has not taken yet was not sent */
    uint64_t waiting_bytes =
        uv_stream_get_write_queue_size((const uv_stream_t *)&connection->socket);
    struct http_outcome outcome = {
        .status = request->status,
        .body_bytes = request->sent_bytes > waiting_bytes ? request->sent_bytes - waiting_bytes : 0,
        .is_complete = is_complete};
    if (options->finished == NULL)
        return;
    if (connection->state == HTTP_HANDLING)
        outcome.status = 499;
    outcome.duration_ns = (uint64_t)clock_now_ns() - request->started_ns;
    options->finished(options->context, request, &outcome);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_connection *connection = handle->data;
    struct http_server *server = connection->server;
    buffer_finish(&connection->in);
    buffer_finish(&connection->encrypted);
    http_tls_destroy(connection->tls);
    free(connection);
    http_server_connection_closed(server);
}

void http_connection_close(struct http_connection *connection)
{
    if (uv_is_closing((uv_handle_t *)&connection->socket))
        return;
    struct http_server *server = connection->server;
    server->n_open--;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    http_file_abandon(connection->file);
    connection->file = NULL;
    struct http_request *request = connection->request;
    if (request != NULL &&
        (connection->state == HTTP_HANDLING || connection->state == HTTP_SENDING))
        tell_finished(connection, false);
    connection->request = NULL;
    uv_close((uv_handle_t *)&connection->socket, on_closed);
    if (request != NULL && connection->state == HTTP_HANDLING) {
        request->connection = NULL;
        if (request->gone != NULL)
            request->gone(request->gone_context, request);
    } else {
        http_request_free(request);
    }
}

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    struct http_connection *connection = shutdown->data;
    if (status != 0 || connection->saw_end)
        http_connection_close(connection);
}

static void linger(struct http_connection *connection)
{
    connection->state = HTTP_LINGERING;
    buffer_finish(&connection->in);
    http_connection_set_deadline(connection, LINGER_MS);
    connection->shutdown.data = connection;
    if (connection->tls != NULL)
        http_secure_end(connection);
    if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->socket, on_shutdown) != 0)
        http_connection_close(connection);
}

/* ---- requests */

static struct http_request *new_request(struct http_connection *connection)
{
    struct http_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->connection = connection;
    request->headers.max_bytes = HTTP_MAX_HEADERS_BYTES;
    request->out.max_bytes = SIZE_MAX / 2;
    request->body.max_bytes = connection->server->options.max_body_bytes;
    request->started_ns = (uint64_t)clock_now_ns();
    request->head.method = "-";
    request->head.path = "-";
    return request;
}

/* Answers what cannot be a request; the connection ends with it. */
void http_connection_refuse(struct http_connection *connection, int status, const char *why)
{
    struct http_request *request = connection->request;
    if (request == NULL)
        request = connection->request = new_request(connection);
    if (request == NULL) {
        http_connection_close(connection);
        return;
    }
    request->keep_alive = false;
    connection->state = HTTP_HANDLING;
    http_reply_error(request, status, why);
}

static void hand_over(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct model_error err = {.struct_size = sizeof err};
    struct http_request *request = connection->request;
    connection->state = HTTP_HANDLING;
    connection->deadline_ms = UINT64_MAX; /* the handler's business */
    model_status status = http_percent_decode(request->head.path, strlen(request->head.path), false,
                                              &request->path, &err);
    if (status == MODEL_OUT_OF_MEMORY)
        http_connection_refuse(connection, 503, "out of memory");
    else if (status != MODEL_OK)
        http_connection_refuse(connection, 400, err.message);
    else
        server->options.handle(server->options.context, request);
}

static void send_continue(struct http_connection *connection)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t buf = uv_buf_init(text, sizeof text - 1);
    if (connection->tls != NULL) {
        http_secure_send(connection, text, sizeof text - 1);
        return;
    }
    /* 25 bytes into an empty socket buffer; should they not fit, clients send the body anyway. */
    (void)uv_try_write((uv_stream_t *)&connection->socket, &buf, 1);
}

/* The length of the address in a head that may be incomplete. */
static size_t target_bytes(const struct buffer *in)
{
    const char *line_end = memchr(in->data, '\n', in->size);
    size_t line_bytes = line_end != NULL ? (size_t)(line_end - in->data) : in->size;
    const char *target = memchr(in->data, ' ', line_bytes);
    if (target == NULL)
        return 0;
    size_t rest_bytes = line_bytes - (size_t)(++target - in->data);
    const char *target_end = memchr(target, ' ', rest_bytes);
    return target_end != NULL ? (size_t)(target_end - target) : rest_bytes;
}

static void begin_body(struct http_connection *connection)
{
    struct http_request *request = connection->request;
    const struct http_server_options *options = &connection->server->options;
    connection->state = HTTP_READING_BODY;
    connection->chunks = (struct http_chunks){0};
    if (request->head.body_bytes > options->max_body_bytes) {
        http_connection_refuse(connection, 413, "the body is larger than this server takes");
        return;
    }
    uint64_t size_bytes =
        request->head.is_chunked ? options->max_body_bytes : request->head.body_bytes;
    http_connection_set_deadline(connection,
                                 options->read_timeout_ms + size_bytes / HTTP_BYTES_PER_MS);
    if (request->head.expects_continue && connection->in.size == 0 &&
        (request->head.is_chunked || request->head.body_bytes > 0))
        send_continue(connection);
}

static void drop_front(struct buffer *in, size_t size_bytes)
{
    memmove(in->data, in->data + size_bytes, in->size - size_bytes);
    in->size -= size_bytes;
}

/* Whether there was a whole head. */
static bool take_head(struct http_connection *connection)
{
    struct buffer *in = &connection->in;
    const struct http_server_options *options = &connection->server->options;
    size_t blank = 0;
    while (connection->scanned == 0 && blank + 1 < in->size &&
           memcmp(in->data + blank, "\r\n", 2) == 0)
        blank += 2; /* empty lines before a request are to be ignored */
    if (blank > 0)
        drop_front(in, blank);
    if (in->size == 0)
        return false;
    size_t size_bytes = http_head_size(in->data, in->size, &connection->scanned);
    if (target_bytes(in) > options->max_target_bytes) {
        http_connection_refuse(connection, 414, "the address is longer than this server takes");
        return false;
    }
    if (size_bytes > options->max_head_bytes ||
        (size_bytes == 0 && in->size >= options->max_head_bytes)) {
        http_connection_refuse(connection, 431, "the headers are larger than this server takes");
        return false;
    }
    if (size_bytes == 0)
        return false;
    struct http_request *request = connection->request = new_request(connection);
    char *text = request != NULL ? malloc(size_bytes) : NULL;
    if (text == NULL) {
        http_connection_refuse(connection, 503, "out of memory");
        return false;
    }
    memcpy(text, in->data, size_bytes);
    request->head_text = text;
    drop_front(in, size_bytes);
    connection->scanned = 0;
    const char *why = NULL;
    int status = http_head_parse(text, size_bytes, &request->head, &why);
    request->keep_alive = request->head.keep_alive;
    if (status != 0)
        http_connection_refuse(connection, status, why);
    else
        begin_body(connection);
    return status == 0;
}

static void take_body(struct http_connection *connection)
{
    struct http_request *request = connection->request;
    struct buffer *in = &connection->in;
    size_t used = 0;
    int status = 0;
    bool is_done;
    if (request->head.is_chunked) {
        status = http_chunks_take(&connection->chunks, in->data, in->size, &request->body, &used);
        is_done = connection->chunks.is_done;
    } else {
        uint64_t left_bytes = request->head.body_bytes - request->body.size;
        used = left_bytes < in->size ? (size_t)left_bytes : in->size;
        if (used > 0 && buffer_append(&request->body, in->data, used) != MODEL_OK)
            status = 503;
        is_done = request->body.size == request->head.body_bytes;
    }
    if (status != 0) {
        http_connection_refuse(connection, status,
                               status == 413   ? "the body is larger than this server takes"
                               : status == 503 ? "out of memory"
                                               : "the chunked body is broken");
        return;
    }
    if (used > 0)
        drop_front(in, used);
    if (is_done)
        hand_over(connection);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct http_connection *connection = handle->data;
    (void)suggested;
    *buf = uv_buf_init(connection->server->read_area, HTTP_READ_BYTES);
}

void http_connection_set_reading(struct http_connection *connection, bool wanted)
{
    if (wanted == connection->is_reading || connection->saw_end ||
        uv_is_closing((uv_handle_t *)&connection->socket))
        return;
    connection->is_reading = wanted;
    if (!wanted)
        (void)uv_read_stop((uv_stream_t *)&connection->socket);
    else if (uv_read_start((uv_stream_t *)&connection->socket, on_alloc, on_read) != 0)
        http_connection_close(connection);
}

/* Replies may come while the handler runs, and then the next request is taken here, not deeper in the
 * stack. The connection lives until its close callback, which the loop calls. */
void http_connection_process(struct http_connection *connection)
{
    if (connection->is_processing)
        return;
    connection->is_processing = true;
    bool goes_on = true;
    while (goes_on && !uv_is_closing((uv_handle_t *)&connection->socket)) {
        if (connection->state == HTTP_READING_HEAD) {
            goes_on = connection->in.size > 0 && take_head(connection);
        } else if (connection->state == HTTP_READING_BODY) {
            take_body(connection);
            goes_on = connection->state != HTTP_READING_BODY;
        } else {
            goes_on = false;
        }
    }
    connection->is_processing = false;
    if (connection->state == HTTP_READING_HEAD && connection->saw_end)
        http_connection_close(connection);
    http_connection_set_reading(connection,
                                connection->in.size < connection->server->options.max_head_bytes);
}

void http_connection_replied(struct http_connection *connection)
{
    struct http_request *request = connection->request;
    const struct http_server *server = connection->server;
    bool keep_alive = request->keep_alive && !server->is_closing;
    tell_finished(connection, true);
    connection->request = NULL;
    http_request_free(request);
    if (!keep_alive) {
        linger(connection);
        return;
    }
    connection->state = HTTP_READING_HEAD;
    connection->scanned = 0;
    if (connection->in.size == 0)
        buffer_finish(&connection->in); /* idle connections hold no memory */
    http_connection_set_deadline(connection, connection->in.size > 0
                                                 ? connection->server->options.read_timeout_ms
                                                 : connection->server->options.idle_timeout_ms);
    http_connection_process(connection);
}

void http_connection_receive(struct http_connection *connection, const char *data,
                             size_t size_bytes)
{
    const struct http_server_options *options = &connection->server->options;
    if (connection->state == HTTP_READING_HEAD && connection->in.size == 0)
        http_connection_set_deadline(connection, options->read_timeout_ms);
    http_connection_pace(connection, size_bytes);
    if (buffer_append(&connection->in, data, size_bytes) != MODEL_OK)
        http_connection_close(connection);
    else if (connection->state != HTTP_HANDLING && connection->state != HTTP_SENDING)
        http_connection_process(connection);
    else
        http_connection_set_reading(connection, connection->in.size < options->max_head_bytes);
}

/* The client sends nothing more: it has left, or has said all and waits for the reply. TCP shows both
 * alike, so whole requests are answered, unless a handler asked to be told of clients that leave. */
static void on_end(struct http_connection *connection)
{
    connection->saw_end = true;
    connection->is_reading = false;
    bool is_answered = (connection->state == HTTP_SENDING && !connection->is_stalled) ||
                       (connection->state == HTTP_HANDLING && connection->request->gone == NULL);
    if (!is_answered)
        http_connection_close(connection);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_connection *connection = stream->data;
    if (n == UV_EOF)
        on_end(connection);
    else if (n < 0)
        http_connection_close(connection);
    if (n <= 0)
        return;
    if (connection->state == HTTP_LINGERING) {
        connection->lingered_bytes += (size_t)n;
        if (connection->lingered_bytes > MAX_LINGER_BYTES)
            http_connection_close(connection);
        return;
    }
    if (connection->tls != NULL)
        http_secure_receive(connection, (size_t)n);
    else
        http_connection_receive(connection, buf->base, (size_t)n);
}
