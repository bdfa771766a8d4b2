/* statsd_address.c - see statsd_address.h. The lookup's thread is detached and shares nothing but the
 * lookup, whose last reference frees it: a host that ends does not wait for a name server. */
#include "statsd_address.h"
#include "errors.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ALLOWED "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

struct statsd_lookup {
    _Atomic int references; /* who started it, and the thread */
    struct statsd_address address;
    statsd_find *find;
    struct statsd_target target; /* the thread's, until has_ended */
    bool has_found;
    _Atomic bool has_ended;
};

static bool is_port(const char *text)
{
    const size_t length = strlen(text);
    if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
        return false;
    const long port = strtol(text, NULL, 10);
    return port > 0 && port < 65536;
}

static bool is_host(const char *host, size_t length, bool is_bracketed)
{
    return length > 0 && length < sizeof((struct statsd_address *)0)->host &&
           strspn(host, is_bracketed ? ALLOWED ":%" : ALLOWED) >= length;
}

model_status statsd_address_parse(const char *text, struct statsd_address *ret,
                                  struct model_error *err)
{
    const bool is_bracketed = text[0] == '[';
    const char *host = text + is_bracketed;
    const char *end = is_bracketed ? strchr(host, ']') : strchr(text, ':');
    const char *port = end == NULL ? "" : end + is_bracketed;
    if (*port != ':')
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "StatsD address '%.300s': no port, want HOST:PORT such as localhost:8125",
                         text);
    port++;
    if (!is_port(port))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "StatsD address '%.300s': the port is '%.100s', want 1 to 65535%s", text,
                         port, strchr(port, ':') != NULL ? "; an IPv6 address stands in []" : "");
    const size_t host_bytes = (size_t)(end - host);
    if (!is_host(host, host_bytes, is_bracketed))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "StatsD address '%.300s': no host, want HOST:PORT such as localhost:8125",
                         text);
    memset(ret, 0, sizeof *ret);
    memcpy(ret->host, host, host_bytes);
    memcpy(ret->port, port, strlen(port));
    return MODEL_OK;
}

bool statsd_address_find(const struct statsd_address *address, bool is_numeric,
                         struct statsd_target *ret)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_DGRAM,
                                    .ai_flags = AI_NUMERICSERV | (is_numeric ? AI_NUMERICHOST : 0)};
    struct addrinfo *list = NULL;
    if (getaddrinfo(address->host, address->port, &wanted, &list) != 0)
        return false;
    const bool fits = list != NULL && list->ai_addrlen <= sizeof ret->address;
    if (fits) {
        memcpy(&ret->address, list->ai_addr, list->ai_addrlen);
        ret->size_bytes = list->ai_addrlen;
    }
    freeaddrinfo(list);
    return fits;
}

void statsd_lookup_drop(struct statsd_lookup *lookup)
{
    if (lookup != NULL && atomic_fetch_sub(&lookup->references, 1) == 1)
        free(lookup);
}

static void *lookup_main(void *argument)
{
    struct statsd_lookup *lookup = argument;
    lookup->has_found = lookup->find(&lookup->address, false, &lookup->target);
    atomic_store(&lookup->has_ended, true);
    statsd_lookup_drop(lookup);
    return NULL;
}

struct statsd_lookup *statsd_lookup_start(const struct statsd_address *address, statsd_find *find)
{
    struct statsd_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    lookup->address = *address;
    lookup->find = find;
    atomic_store(&lookup->references, 2);
    pthread_t thread;
    if (pthread_create(&thread, NULL, lookup_main, lookup) != 0) {
        free(lookup);
        return NULL;
    }
    (void)pthread_detach(thread);
    return lookup;
}

bool statsd_lookup_ended(struct statsd_lookup *lookup, bool *ret_found, struct statsd_target *ret)
{
    if (!atomic_load(&lookup->has_ended))
        return false;
    *ret_found = lookup->has_found;
    if (lookup->has_found)
        *ret = lookup->target;
    return true;
}
