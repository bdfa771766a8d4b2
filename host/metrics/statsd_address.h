/* statsd_address.h - "host:port", where StatsD lines go, and looking the host up. */
#ifndef STATSD_ADDRESS_H
#define STATSD_ADDRESS_H

#include "modelhost.h"

#include <stdbool.h>
#include <sys/socket.h>

struct statsd_address {
    char host[256]; /* a name, or a numeric address without brackets */
    char port[6];
};

/* "localhost:8125", "10.0.0.7:8125", "[::1]:8125". MODEL_INVALID_ARGUMENT says what is wrong.
 * [any-thread] */
model_status statsd_address_parse(const char *text, struct statsd_address *ret,
                                  struct model_error *err);

struct statsd_target {
    struct sockaddr_storage address;
    socklen_t size_bytes;
};

/* The first address of a host. is_numeric: no name is looked up, and nothing waits. */
bool statsd_address_find(const struct statsd_address *address, bool is_numeric,
                         struct statsd_target *ret);

/* A lookup on a thread of its own, which nobody waits for: a name server may take its time. */
struct statsd_lookup;
typedef bool statsd_find(const struct statsd_address *address, bool is_numeric,
                         struct statsd_target *ret);

/* NULL without memory or threads. `find`: statsd_address_find(). */
struct statsd_lookup *statsd_lookup_start(const struct statsd_address *address, statsd_find *find);
/* Whether it has ended; *ret_found: and found something, which is in *ret then. */
bool statsd_lookup_ended(struct statsd_lookup *lookup, bool *ret_found, struct statsd_target *ret);
/* Also before it has ended: it frees itself then. NULL does nothing. */
void statsd_lookup_drop(struct statsd_lookup *lookup);

#endif
