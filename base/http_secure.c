/* http_secure.c - a connection through TLS: between the socket's bytes and http_tls.h; see
 * http_private.h. libuv sends in the order of its writes, so what is encrypted first goes first. */
#include "http_private.h"
#include "http_tls.h"

#include <stdlib.h>
#include <string.h>

/* What the handshake says, and other small things. */
struct note {
    uv_write_t write;
    struct buffer data;
};

static void on_note_written(uv_write_t *write, int status)
{
    struct note *note = write->data;
    (void)status; /* the reply behind it fails, too */
    buffer_finish(&note->data);
    free(note);
}

static void send_notes(struct http_connection *connection)
{
    struct note *note = calloc(1, sizeof *note);
    bool is_taken = false;
    if (note != NULL) {
        note->data.max_bytes = SIZE_MAX / 2;
        note->write.data = note;
        is_taken = http_tls_take(connection->tls, &note->data);
    }
    uv_buf_t buf = {.base = NULL};
    if (is_taken && note->data.size > 0) {
        buf = (uv_buf_t){.base = note->data.data, .len = note->data.size};
        if (uv_write(&note->write, (uv_stream_t *)&connection->socket, &buf, 1, on_note_written) ==
            0)
            return;
    }
    if (note != NULL)
        buffer_finish(&note->data);
    free(note);
    if (!is_taken || buf.base != NULL)
        http_connection_close(connection);
}

static bool is_over(const struct http_connection *connection)
{
    return uv_is_closing((const uv_handle_t *)&connection->socket) ||
           connection->state == HTTP_LINGERING;
}

/* Decrypted into the place where the encrypted bytes were: those are in the TLS by then. */
void http_secure_receive(struct http_connection *connection, size_t size_bytes)
{
    char *area = connection->server->read_area;
    size_t n = 0;
    bool is_good = http_tls_feed(connection->tls, area, size_bytes);
    while (is_good && !is_over(connection)) {
        is_good = http_tls_read(connection->tls, area, HTTP_READ_BYTES, &n);
        if (n == 0)
            break;
        http_connection_receive(connection, area, n);
    }
    if (is_over(connection))
        return;
    send_notes(connection);
    if (!is_good && !is_over(connection))
        http_connection_close(connection);
}

bool http_secure_encrypt(struct http_connection *connection, const uv_buf_t *bufs, unsigned n_bufs)
{
    buffer_clear(&connection->encrypted);
    for (unsigned i = 0; i < n_bufs; i++)
        if (!http_tls_write(connection->tls, bufs[i].base, bufs[i].len))
            return false;
    return http_tls_take(connection->tls, &connection->encrypted);
}

void http_secure_send(struct http_connection *connection, const char *data, size_t size_bytes)
{
    if (http_tls_write(connection->tls, data, size_bytes))
        send_notes(connection);
    else
        http_connection_close(connection);
}

void http_secure_end(struct http_connection *connection)
{
    http_tls_end(connection->tls);
    send_notes(connection);
}
