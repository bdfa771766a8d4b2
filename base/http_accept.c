/* http_accept.c - new connections, how many there may be, and who goes when there is no room; see http_private.h.
 * Loop thread only.
 *
 * When there is no room a slow client goes before an idle one: it keeps a connection busy for the whole of its
 * deadline with a byte now and then, while who is idle may be a good client's next request. */
#include "http_private.h"
#include "http_tls.h"

#include <fcntl.h>
#include <stdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define TLS_RECORD_BYTES 16384
#define UNSENT_BYTES     16384 /* that the system may hold of a connection, beside what is on its way */
#define SLOW_MS          250 /* behind: a client that may be dropped for another one */
#define PACE_AHEAD_MS    250 /* what a fast client may stop for before it falls behind */
#define MAX_REFUSED      16  /* who are told, beyond the maximum */
#define WARN_AGAIN_MS    60000
#define MIN_SPARE        32   /* descriptors for whatever else the process does */
#define MAX_LOOKED_AT    8192 /* descriptors are counted up to here */

/* ---- who makes room */

void http_connection_pace(struct http_connection *connection, size_t size_bytes)
{
    const uint64_t now_ms = uv_now(connection->socket.loop);
    const uint64_t most_bytes = (now_ms + PACE_AHEAD_MS) * HTTP_BYTES_PER_MS;
    connection->paced_bytes += size_bytes;
    if (connection->paced_bytes > most_bytes)
        connection->paced_bytes = most_bytes;
}

/* How far a client is behind who sends a request, or takes a reply, at HTTP_BYTES_PER_MS; 0: it is not. */
static uint64_t lag_ms(const struct http_connection *connection)
{
    const uint64_t now_ms = uv_now(connection->socket.loop);
    uint64_t due_ms = now_ms;
    if (connection->state == HTTP_READING_BODY ||
        (connection->state == HTTP_READING_HEAD && connection->in.size > 0))
        due_ms = connection->paced_bytes / HTTP_BYTES_PER_MS;
    else if (connection->state == HTTP_SENDING && connection->deadline_ms != UINT64_MAX)
        due_ms = connection->deadline_ms - connection->server->options.write_timeout_ms +
                 (HTTP_PIECE_BYTES + connection->request->out.size) / HTTP_BYTES_PER_MS;
    return due_ms < now_ms ? now_ms - due_ms : 0;
}

static bool is_idle(const struct http_connection *connection)
{
    return connection->state == HTTP_LINGERING ||
           (connection->state == HTTP_READING_HEAD && connection->in.size == 0);
}

/* Whether a connection was closed to make room: the client that is furthest behind, or else the one without a
 * request that did nothing for the longest time; with an address, one of its connections. */
static bool make_room(struct http_server *server, const struct http_connection *newest,
                      const char *address)
{
    struct http_connection *slowest = NULL, *oldest = NULL;
    uint64_t most_ms = SLOW_MS;
    for (struct http_connection *c = server->connections; c != NULL; c = c->next) {
        if (c == newest || c->is_processing ||
            (address != NULL && strcmp(address, c->address) != 0))
            continue;
        const uint64_t behind_ms = lag_ms(c);
        if (behind_ms > most_ms) {
            most_ms = behind_ms;
            slowest = c;
        }
        if (is_idle(c) && (oldest == NULL || c->active_ms <= oldest->active_ms))
            oldest = c;
    }
    struct http_connection *leaving = slowest != NULL ? slowest : oldest;
    if (leaving != NULL)
        http_connection_close(leaving);
    return leaving != NULL;
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

/* ---- how many there may be */

size_t http_connections_that_fit(size_t wanted, uint64_t limit, uint64_t n_used)
{
    const uint64_t n_free = limit > n_used ? limit - n_used : 0;
    const uint64_t n_others = n_free / 4 > MIN_SPARE ? n_free / 4 : MIN_SPARE;
    const uint64_t n = n_free > n_others ? n_free - n_others : 1;
    return wanted < n ? wanted : (size_t)n;
}

size_t http_server_room(size_t wanted)
{
    struct rlimit limit;
    uint64_t n_used = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return wanted;
    for (int fd = 0; fd < MAX_LOOKED_AT && (rlim_t)fd < limit.rlim_cur; fd++)
        n_used += fcntl(fd, F_GETFD) >= 0;
    return http_connections_that_fit(wanted, limit.rlim_cur, n_used);
}

/* Not of each connection: once, and again after a while. */
static void warn(struct http_server *server, const char *address)
{
    const uint64_t now_ms = uv_now(server->sweeper.loop);
    const struct http_server_options *options = &server->options;
    if (server->warned_ms != 0 && now_ms - server->warned_ms < WARN_AGAIN_MS)
        return;
    server->warned_ms = now_ms > 0 ? now_ms : 1;
    if (address != NULL)
        log_write(
            options->log, MODEL_LOG_WARN,
            "%s has %zu connections, as many as one address may have here: slow and idle ones "
            "are closed, or new ones refused",
            address, options->max_connections_per_address);
    else
        log_write(
            options->log, MODEL_LOG_WARN,
            "%zu connections are open, as many as there may be here (a low limit of "
            "descriptors, ulimit -n, makes them fewer): slow and idle ones are closed, or new "
            "ones refused",
            options->max_connections);
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
    const size_t max = server->options.max_connections;
    const char *why = NULL;
    while (why == NULL && has_too_many(server, connection->address)) {
        warn(server, connection->address);
        if (!make_room(server, connection, connection->address))
            why = "too many connections from one address; try again";
    }
    while (why == NULL && server->n_open > max) {
        warn(server, NULL);
        if (!make_room(server, connection, NULL))
            why = "too many connections; try again";
    }
    if (why != NULL && server->n_open > max + MAX_REFUSED)
        http_connection_close(connection); /* who is refused has a descriptor, too */
    else if (why != NULL)
        refuse(connection, why);
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
    server->n_open++;
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
