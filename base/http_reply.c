/* http_reply.c - sending replies; see http_private.h.
 *
 * A reply from memory is one write, mostly done at once. A file goes out in pieces: while one is
 * written none is read, so a connection holds one piece at most. A piece that the page cache has is read
 * on the spot (that cannot block), another one by libuv's file threads; what is no file always there. */
#include "http_private.h"
#include "clock.h"
#include "http_text.h"
#include "json_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct http_file {
    uv_fs_t read;
    struct http_connection *connection; /* NULL: abandoned while libuv reads */
    int fd;                             /* -1: a source */
    struct http_source source;
    size_t piece_bytes; /* wanted of the source */
    bool is_busy;       /* libuv has `read` and `piece` */
    uint64_t offset, left_bytes, sent_bytes;
    struct stat before; /* when the reply began */
    char piece[HTTP_PIECE_BYTES];
};

static void file_free(struct http_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    else
        file->source.close(file->source.context);
    free(file);
}

void http_file_abandon(struct http_file *file)
{
    if (file == NULL)
        return;
    file->connection = NULL;
    if (!file->is_busy)
        file_free(file);
}

/* ---- the head of a reply */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";
}

/* By hand: strftime() follows the application's locale. */
static model_status append_date(struct buffer *out)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = time(NULL);
    struct tm t;
    if (gmtime_r(&now, &t) == NULL)
        return MODEL_OK;
    return buffer_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
                         days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900,
                         t.tm_hour, t.tm_min, t.tm_sec);
}

static model_status append_head(struct http_request *request, const char *content_type,
                                uint64_t size_bytes)
{
    struct buffer *out = &request->out;
    model_status status =
        buffer_printf(out, "HTTP/1.1 %d %s\r\n", request->status, reason_of(request->status));
    if (status == MODEL_OK)
        status = append_date(out);
    if (status == MODEL_OK && content_type != NULL && http_value_is_safe(content_type))
        status = buffer_printf(out, "Content-Type: %s\r\n", content_type);
    if (status == MODEL_OK && request->status != 304 && request->status != 204)
        status = buffer_printf(out, "Content-Length: %llu\r\n", (unsigned long long)size_bytes);
    if (status == MODEL_OK && request->headers.size > 0)
        status = buffer_append(out, request->headers.data, request->headers.size);
    if (status == MODEL_OK && !request->keep_alive)
        status = buffer_append_text(out, "Connection: close\r\n");
    else if (status == MODEL_OK && request->head.is_http_1_0)
        status = buffer_append_text(out, "Connection: keep-alive\r\n");
    return status == MODEL_OK ? buffer_append_text(out, "\r\n") : status;
}

/* ---- writing */

static void send_piece(struct http_connection *connection);

static void on_written(uv_write_t *write, int status)
{
    struct http_connection *connection = write->data;
    /* A write that was done when the connection was closed arrives here with success, too. */
    if (uv_is_closing((uv_handle_t *)&connection->socket))
        return;
    if (status != 0) {
        http_connection_close(connection);
        return;
    }
    buffer_clear(&connection->request->out);
    connection->request->out_sent = 0;
    if (connection->file != NULL && connection->file->left_bytes > 0) {
        send_piece(connection);
        return;
    }
    http_file_abandon(connection->file);
    connection->file = NULL;
    http_connection_replied(connection);
}

/* Writes what `out` still has, and a piece. */
static void write_out(struct http_connection *connection, char *piece, size_t piece_bytes)
{
    struct http_request *request = connection->request;
    connection->deadline_ms =
        uv_now(connection->socket.loop) + connection->server->options.write_timeout_ms;
    uv_buf_t bufs[2];
    unsigned n = 0;
    if (request->out.size > request->out_sent)
        bufs[n++] = (uv_buf_t){.base = request->out.data + request->out_sent,
                               .len = request->out.size - request->out_sent};
    if (piece_bytes > 0)
        bufs[n++] = (uv_buf_t){.base = piece, .len = piece_bytes};
    if (connection->tls != NULL) {
        if (!http_secure_encrypt(connection, bufs, n)) {
            http_connection_close(connection);
            return;
        }
        bufs[0] = (uv_buf_t){.base = connection->encrypted.data, .len = connection->encrypted.size};
        n = 1;
    }
    if (uv_write(&connection->write, (uv_stream_t *)&connection->socket, bufs, n, on_written) != 0)
        http_connection_close(connection);
}

static bool file_changed(const struct http_file *file)
{
    struct stat now;
    if (file->fd < 0)
        return false;
    return fstat(file->fd, &now) != 0 || now.st_size != file->before.st_size ||
#ifdef __APPLE__
           now.st_mtimespec.tv_sec != file->before.st_mtimespec.tv_sec ||
           now.st_mtimespec.tv_nsec != file->before.st_mtimespec.tv_nsec;
#else
           now.st_mtim.tv_sec != file->before.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != file->before.st_mtim.tv_nsec;
#endif
}

/* A piece of n bytes was read: 0 or less means that the file is shorter than it was, or broken. */
static void take_piece(struct http_connection *connection, ssize_t n)
{
    struct http_file *file = connection->file;
    if (n <= 0 || ((uint64_t)n == file->left_bytes && file_changed(file))) {
        log_write(connection->server->options.log, MODEL_LOG_WARN,
                  "%s: the file %s while it was sent; the connection was ended",
                  connection->request->head.path,
                  file->fd >= 0 ? "changed" : "could not be read on");
        http_connection_close(connection);
        return;
    }
    http_spoil_piece(connection->request, file->sent_bytes, file->piece, (size_t)n);
    file->offset += (uint64_t)n;
    file->left_bytes -= (uint64_t)n;
    file->sent_bytes += (uint64_t)n;
    connection->request->sent_bytes = file->sent_bytes;
    write_out(connection, file->piece, (size_t)n);
}

static void on_piece_read(uv_fs_t *read)
{
    struct http_file *file = read->data;
    ssize_t n = read->result;
    uv_fs_req_cleanup(read);
    file->is_busy = false;
    if (file->connection == NULL)
        file_free(file);
    else
        take_piece(file->connection, n);
}

/* ---- from a source */

/* A file under another name: what its user may know. */
void http_reading_done(struct http_reading *reading, bool is_good)
{
    struct http_file *file = (struct http_file *)reading;
    file->is_busy = false;
    if (file->connection == NULL)
        file_free(file);
    else
        take_piece(file->connection, is_good ? (ssize_t)file->piece_bytes : 0);
}

/* ---- from a file */

/* What the page cache has; -1 when the disk would have to be asked. */
static ssize_t read_cached(const struct http_file *file, size_t size_bytes)
{
#ifdef RWF_NOWAIT
    struct iovec vector = {(void *)(uintptr_t)file->piece, size_bytes};
    return preadv2(file->fd, &vector, 1, (off_t)file->offset, RWF_NOWAIT);
#else
    (void)file;
    (void)size_bytes;
    return -1;
#endif
}

static void start_reading_file(struct http_connection *connection, size_t size_bytes)
{
    struct http_file *file = connection->file;
    uv_buf_t buf = uv_buf_init(file->piece, (unsigned)size_bytes);
    file->read.data = file;
    file->is_busy = uv_fs_read(connection->socket.loop, &file->read, file->fd, &buf, 1,
                               (int64_t)file->offset, on_piece_read) == 0;
    if (!file->is_busy)
        http_connection_close(connection);
}

static void send_piece(struct http_connection *connection)
{
    struct http_file *file = connection->file;
    size_t size_bytes =
        file->left_bytes < HTTP_PIECE_BYTES ? (size_t)file->left_bytes : (size_t)HTTP_PIECE_BYTES;
    size_bytes = http_spoil_limit(connection, file->sent_bytes, size_bytes);
    if (size_bytes == 0)
        return;
    ssize_t n = file->fd >= 0 ? read_cached(file, size_bytes) : -1;
    if (n > 0) {
        take_piece(connection, n);
        return;
    }
    /* The disk's slowness is not the client's. */
    connection->deadline_ms = UINT64_MAX;
    file->is_busy = true;
    if (file->fd >= 0) {
        start_reading_file(connection, size_bytes);
    } else { /* it may be done, and gone, when this returns */
        file->piece_bytes = size_bytes;
        file->source.read(file->source.context, file->offset, file->piece, size_bytes,
                          (struct http_reading *)file);
    }
}

void http_file_resume(struct http_connection *connection)
{
    send_piece(connection);
    connection->is_paused = false;
}

/* Small replies mostly fit into the socket's buffer: done without a turn of the loop. */
static void send_memory(struct http_connection *connection)
{
    struct http_request *request = connection->request;
    uv_buf_t buf = {.base = request->out.data, .len = request->out.size};
    if (connection->tls != NULL) {
        write_out(connection, NULL, 0);
        return;
    }
    int n = uv_try_write((uv_stream_t *)&connection->socket, &buf, 1);
    if (n < 0 && n != UV_EAGAIN) {
        http_connection_close(connection);
        return;
    }
    request->out_sent = n > 0 ? (size_t)n : 0;
    if (request->out_sent == request->out.size)
        http_connection_replied(connection);
    else
        write_out(connection, NULL, 0);
}

/* ---- replies */

static void log_reply(const struct http_request *request, uint64_t size_bytes)
{
    const struct log_sink *log = request->connection->server->options.log;
    if (log == NULL || log->level < MODEL_LOG_DEBUG)
        return;
    double ms = (double)((uint64_t)clock_now_ns() - request->started_ns) / (double)NS_PER_MS;
    const char *query = request->head.query;
    log_write(log, MODEL_LOG_DEBUG, "%s %.600s%s%.200s %d %llu bytes %.1f ms", request->head.method,
              request->head.path, query != NULL ? "?" : "", query != NULL ? query : "",
              request->status, (unsigned long long)size_bytes, ms);
}

/* The reply's head is in `out`; NULL, and the request is gone, when the client is, or memory. */
static struct http_connection *begin(struct http_request *request, int status,
                                     const char *content_type, uint64_t size_bytes)
{
    struct http_connection *connection = request->connection;
    if (connection == NULL) {
        http_request_free(request);
        return NULL;
    }
    request->status = status;
    request->keep_alive = request->keep_alive && !connection->server->is_closing;
    connection->state = HTTP_SENDING;
    if (append_head(request, content_type, size_bytes) != MODEL_OK) {
        http_connection_close(connection);
        return NULL;
    }
    log_reply(request, size_bytes);
    return connection;
}

static bool is_head(const struct http_request *request)
{
    return strcmp(request->head.method, "HEAD") == 0;
}

void http_reply_header(struct http_request *request, const char *name, const char *value)
{
    if (http_value_is_safe(value) &&
        strlen(name) + strlen(value) + 4 <= HTTP_MAX_HEADERS_BYTES - request->headers.size)
        (void)buffer_printf(&request->headers, "%s: %s\r\n", name, value);
}

void http_reply(struct http_request *request, int status, const char *content_type,
                const void *data, size_t size_bytes)
{
    bool has_body = !is_head(request) && status != 304 && status != 204;
    struct http_connection *connection = begin(request, status, content_type, size_bytes);
    if (connection == NULL)
        return;
    if (has_body && buffer_append(&request->out, data, size_bytes) != MODEL_OK) {
        http_connection_close(connection);
        return;
    }
    request->sent_bytes = has_body ? size_bytes : 0;
    send_memory(connection);
}

void http_reply_text(struct http_request *request, int status, const char *content_type,
                     const char *text)
{
    http_reply(request, status, content_type, text, strlen(text));
}

void http_reply_error(struct http_request *request, int status, const char *sentence)
{
    json_node *root = json_new_object();
    json_add_string(root, "error", sentence);
    char *text = json_print(root, false);
    json_free(root);
    http_reply_text(request, status, "application/json; charset=utf-8",
                    text != NULL ? text : "{\"error\":\"out of memory\"}");
    free(text);
}

/* What `what` has to give back is given back in any case. */
static void send_pieces(struct http_request *request, int status, const char *content_type,
                        const struct http_source *what, int fd, uint64_t offset,
                        uint64_t size_bytes)
{
    bool has_body = !is_head(request) && size_bytes > 0 && status != 304 && status != 204;
    struct http_connection *connection = begin(request, status, content_type, size_bytes);
    struct http_file *file = connection != NULL && has_body ? malloc(sizeof *file) : NULL;
    if (file == NULL) {
        if (fd >= 0)
            (void)close(fd);
        else
            what->close(what->context);
        if (connection == NULL)
            return;
        if (has_body)
            http_connection_close(connection);
        else
            send_memory(connection);
        return;
    }
    file->connection = connection;
    file->fd = fd;
    file->source = fd >= 0 ? (struct http_source){.read = NULL} : *what;
    file->is_busy = false;
    file->offset = offset;
    file->left_bytes = size_bytes;
    file->sent_bytes = 0;
    connection->file = file;
    if (fd >= 0 && fstat(fd, &file->before) != 0)
        http_connection_close(connection);
    else
        send_piece(connection);
}

void http_reply_file(struct http_request *request, int status, const char *content_type, int fd,
                     uint64_t offset, uint64_t size_bytes)
{
    send_pieces(request, status, content_type, NULL, fd, offset, size_bytes);
}

void http_reply_source(struct http_request *request, int status, const char *content_type,
                       const struct http_source *source, uint64_t offset, uint64_t size_bytes)
{
    send_pieces(request, status, content_type, source, -1, offset, size_bytes);
}
