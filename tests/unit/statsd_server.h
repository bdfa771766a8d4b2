/* statsd_server.h - a UDP socket on loopback that receives what a StatsD client sends. */
#ifndef STATSD_SERVER_H
#define STATSD_SERVER_H

#include "testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <stdbool.h>
#include <unistd.h>

struct statsd_server {
    int fd;
    char address[32]; /* "127.0.0.1:PORT" */
    char port[8];
    char text[64 << 10]; /* all packets so far, each ended by a newline */
    size_t n_bytes, n_packets, longest_bytes;
};

static inline void statsd_server_open(struct statsd_server *server)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size_bytes = sizeof any;
    memset(server, 0, sizeof *server);
    server->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(server->fd >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&any, size_bytes), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&any, &size_bytes), 0);
    (void)snprintf(server->port, sizeof server->port, "%d", ntohs(any.sin_port));
    (void)snprintf(server->address, sizeof server->address, "127.0.0.1:%s", server->port);
}

/* One packet; waits for it if wait_ms is not 0 (-1: however long it takes). Whether one came. */
static inline bool statsd_server_take(struct statsd_server *server, int wait_ms)
{
    struct pollfd ready = {.fd = server->fd, .events = POLLIN};
    if (poll(&ready, 1, wait_ms) != 1)
        return false;
    const ssize_t n = recv(server->fd, server->text + server->n_bytes,
                           sizeof server->text - server->n_bytes - 2, 0);
    assert_true(n >= 0);
    server->n_bytes += (size_t)n;
    server->text[server->n_bytes++] = '\n';
    server->text[server->n_bytes] = '\0';
    server->n_packets++;
    server->longest_bytes = (size_t)n > server->longest_bytes ? (size_t)n : server->longest_bytes;
    return true;
}

/* Whether a whole line came. Packets on loopback are there when sendto() has returned. */
static inline bool statsd_server_has(struct statsd_server *server, const char *line)
{
    while (statsd_server_take(server, 0))
        continue;
    const size_t length = strlen(line);
    for (const char *at = server->text; (at = strstr(at, line)) != NULL; at++)
        if ((at == server->text || at[-1] == '\n') && at[length] == '\n')
            return true;
    return false;
}

static inline void statsd_server_forget(struct statsd_server *server)
{
    while (statsd_server_take(server, 0))
        continue;
    server->n_bytes = server->n_packets = 0;
    server->text[0] = '\0';
}

static inline void statsd_server_close(struct statsd_server *server)
{
    assert_int_equal(close(server->fd), 0);
}

#endif
