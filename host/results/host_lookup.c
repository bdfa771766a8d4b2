/* host_lookup.c - see host_lookup.h. Two hold a lookup, its owner and its thread; the last frees it. */
#include "host_lookup.h"
#include "errors.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_NAME_BYTES 256

struct host_lookup {
    _Atomic int references;
    _Atomic int state; /* enum host_lookup_state; set last */
    host_resolver resolve;
    const char *why;
    struct host_addresses addresses;
    char name[MAX_NAME_BYTES];
};

static const char *ask_system(const char *name, struct host_addresses *ret)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    const int code = getaddrinfo(name, NULL, &hints, &list);
    if (code != 0)
        return gai_strerror(code);
    for (const struct addrinfo *at = list; at != NULL && ret->n < HOST_LOOKUP_MAX; at = at->ai_next)
        if (getnameinfo(at->ai_addr, at->ai_addrlen, ret->text[ret->n], sizeof ret->text[0], NULL,
                        0, NI_NUMERICHOST) == 0)
            ret->n++;
    freeaddrinfo(list);
    return ret->n > 0 ? NULL : "it has no address";
}

bool host_lookup_is_address(const char *name, struct host_addresses *ret)
{
    struct in6_addr bytes; /* room for either */
    if (strlen(name) >= sizeof ret->text[0] ||
        (inet_pton(AF_INET, name, &bytes) != 1 && inet_pton(AF_INET6, name, &bytes) != 1))
        return false;
    (void)snprintf(ret->text[0], sizeof ret->text[0], "%s", name);
    ret->n = 1;
    return true;
}

static void *lookup_main(void *argument)
{
    struct host_lookup *lookup = argument;
    lookup->why = lookup->resolve(lookup->name, &lookup->addresses);
    atomic_store(&lookup->state, lookup->why == NULL ? HOST_LOOKUP_DONE : HOST_LOOKUP_FAILED);
    host_lookup_drop(lookup);
    return NULL;
}

/* Signals are the application's: no thread of ours takes one. */
static int start_thread(struct host_lookup *lookup)
{
    sigset_t all, before;
    pthread_t thread;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&thread, NULL, lookup_main, lookup);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        (void)pthread_detach(thread);
    return code;
}

model_status host_lookup_begin(const char *name, host_resolver resolve, struct host_lookup **ret,
                               struct model_error *err)
{
    struct host_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL || strlen(name) >= sizeof lookup->name) {
        free(lookup);
        return error_no_memory(err, "the lookup of a host");
    }
    (void)snprintf(lookup->name, sizeof lookup->name, "%s", name);
    lookup->resolve = resolve != NULL ? resolve : ask_system;
    atomic_store(&lookup->state, HOST_LOOKUP_PENDING);
    atomic_store(&lookup->references, 2);
    const int code = start_thread(lookup);
    if (code != 0) {
        free(lookup);
        return error_set(err, MODEL_OUT_OF_MEMORY, "cannot start a thread: %s", strerror(code));
    }
    *ret = lookup;
    return MODEL_OK;
}

enum host_lookup_state host_lookup_poll(struct host_lookup *lookup, struct host_addresses *ret,
                                        const char **ret_why)
{
    const enum host_lookup_state state = (enum host_lookup_state)atomic_load(&lookup->state);
    if (state == HOST_LOOKUP_DONE)
        *ret = lookup->addresses;
    if (state == HOST_LOOKUP_FAILED)
        *ret_why = lookup->why;
    return state;
}

void host_lookup_drop(struct host_lookup *lookup)
{
    if (lookup != NULL && atomic_fetch_sub(&lookup->references, 1) == 1)
        free(lookup);
}
