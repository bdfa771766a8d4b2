/* host_lookup.h - the addresses of a host's name, found on a thread of its own: a resolver may take seconds, and
 * nothing ends it.
 *
 * A lookup belongs to who began it; its thread, which may outlive it, sees to its own memory. */
#ifndef HOST_LOOKUP_H
#define HOST_LOOKUP_H

#include "modelhost.h"

#include <stdbool.h>

#define HOST_LOOKUP_MAX           4  /* addresses that are tried */
#define HOST_LOOKUP_ADDRESS_BYTES 64 /* numbers, with the scope of a link */

struct host_addresses {
    char text[HOST_LOOKUP_MAX][HOST_LOOKUP_ADDRESS_BYTES];
    uint32_t n;
};

/* Fills in up to HOST_LOOKUP_MAX; returns NULL, or why there are none: a text without an end. [any-thread] */
typedef const char *(*host_resolver)(const char *name, struct host_addresses *ret);

enum host_lookup_state { HOST_LOOKUP_PENDING, HOST_LOOKUP_DONE, HOST_LOOKUP_FAILED };

struct host_lookup;

/* Whether the name is an address already, which is given back then. */
bool host_lookup_is_address(const char *name, struct host_addresses *ret);
/* `resolve` NULL: the system's. MODEL_OUT_OF_MEMORY. */
model_status host_lookup_begin(const char *name, host_resolver resolve, struct host_lookup **ret,
                               struct model_error *err);
/* Does not wait. DONE: *ret is set; FAILED: *ret_why is. */
enum host_lookup_state host_lookup_poll(struct host_lookup *lookup, struct host_addresses *ret,
                                        const char **ret_why);
/* Does not wait for the thread. NULL does nothing. */
void host_lookup_drop(struct host_lookup *lookup);

#endif
