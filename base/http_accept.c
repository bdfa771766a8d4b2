/* http_accept.c - new connections, and how many there may be; see http_private.h. Loop thread only. */
#include "http_private.h"
#include "http_tls.h"

#include <stdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TLS_RECORD_BYTES 16384
#define UNSENT_BYTES     16384 /* that the system may hold of a connection, beside what is on its way */

/* Whether a connection without a request was closed to make room: the one that did nothing for the
 * longest time; with an address, one of its connections. */
static bool close_idle(struct http_server *server, const struct http_connection *newest,
                       const char *address)
{
    struct http_connection *oldest = NULL;
    for (struct http_connection *c = server->connections; c != NULL; c = c->next)
        if (c != newest && (c->state == HTTP_LINGERING || c->state == HTTP_READING_HEAD) &&
            !c->is_processing && (oldest == NULL || c->active_ms <= oldest->active_ms) &&
            (address == NULL || strcmp(address, c->address) == 0))
            oldest = c;
    if (oldest != NULL)
        http_connection_close(oldest);
    return oldest != NULL;
}

static bool has_too_many(const struct http_server *server, const char *address)
{
    size_t max = server->options.max_connections_per_address, n = 0;
    if (max == 0)
        return false;
    for (const struct http_connection *c = server->connections; c != NULL; c = c->next)
        n += strcmp(c->address, address) == 0 ? 1 : 0;
    return n > max;
}

static void learn_address(struct http_connection *connection)
{
    struct sockaddr_storage address;
    int length = (int)sizeof address;
    char *text = connection->address;
    size_t size_bytes = sizeof connection->address;
    int code = uv_tcp_getpeername(&connection->socket, (struct sockaddr *)&address, &length);
    if (code == 0 && address.ss_family == AF_INET6)
        code = uv_ip6_name((struct sockaddr_in6 *)&address, text, size_bytes);
    else if (code == 0)
        code = uv_ip4_name((struct sockaddr_in *)&address, text, size_bytes);
    if (code != 0)
        (void)snprintf(text, size_bytes, "-");
}

/* What cannot be answered yet, for want of a handshake, is closed without a word. */
static void refuse(struct http_connection *connection, const char *why)
{
    if (connection->tls != NULL)
        http_connection_close(connection);
    else
        http_connection_refuse(connection, 503, why);
}

static void keep_limits(struct http_server *server, struct http_connection *connection)
{
    if (has_too_many(server, connection->address) &&
        !close_idle(server, connection, connection->address))
        refuse(connection, "too many connections from one address; try again");
    else if (server->n_connections > server->options.max_connections &&
             !close_idle(server, connection, NULL))
        refuse(connection, "too many connections; try again");
}

/* A client that is slow, or gone, leaves little waiting here: the system would take megabytes, which
 * count as sent. What is on its way already is not limited. */
static void keep_little_waiting(struct http_connection *connection)
{
#ifdef TCP_NOTSENT_LOWAT
    int fd = -1, bytes = UNSENT_BYTES;
    if (uv_fileno((uv_handle_t *)&connection->socket, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
#else
    (void)connection;
#endif
}

void http_connection_accept(struct http_server *server)
{
    struct http_connection *connection = calloc(1, sizeof *connection);
    server->owes_accept = connection == NULL;
    if (connection == NULL)
        return; /* the sweeper tries again: libuv announces no other before this one is taken */
    (void)uv_tcp_init(server->listener.loop, &connection->socket); /* makes no socket yet */
    connection->server = server;
    connection->socket.data = connection->write.data = connection;
    connection->in.max_bytes =
        server->options.max_head_bytes + HTTP_READ_BYTES + 2 * TLS_RECORD_BYTES;
    connection->encrypted.max_bytes = SIZE_MAX / 2;
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    server->connections = connection;
    server->n_connections++;
    http_connection_set_deadline(connection, server->options.read_timeout_ms);
    int code = uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->socket);
    if (code == 0 && server->options.tls != NULL)
        code = (connection->tls = http_tls_create(server->options.tls)) != NULL ? 0 : UV_ENOMEM;
    if (code != 0) {
        http_connection_close(connection);
        return;
    }
    (void)uv_tcp_nodelay(&connection->socket, 1);
    keep_little_waiting(connection);
    learn_address(connection);
    keep_limits(server, connection);
    http_connection_set_reading(connection, true);
}
