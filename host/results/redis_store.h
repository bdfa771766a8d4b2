/* redis_store.h - results as bytes by their keys, in a Redis server that several hosts share; the one place
 * that knows hiredis.
 *
 * One connection, made when it is needed; the server's name is looked up in the background (host_lookup.h), and
 * until its address is known nothing is found. Who comes while another asks finds nothing, and does not wait. A
 * server that is slow or gone costs one timeout, however it spreads its answer; then nobody asks it for a
 * while (retry_gate.h). What is too large for that time, above 4 MiB, is not kept. A value is
 * given back only as it was kept under its key (value_seal.h). Nothing here fails a request: what is not found is computed. [any-thread] */
#ifndef REDIS_STORE_H
#define REDIS_STORE_H

#include "buffer.h"
#include "host_lookup.h"
#include "log.h"

#include <stdbool.h>

struct redis_store_options {
    const char *url;
    uint32_t timeout_ms;     /* of connecting, and of a whole question; 0: 50 */
    uint32_t keep_s;         /* how long the server keeps a result; 0: a day */
    int64_t (*now_ns)(void); /* NULL: the monotonic clock */
    host_resolver resolve;   /* NULL: the system's */
};

struct redis_store;

/* Does not connect. MODEL_INVALID_ARGUMENT for an address that is none. */
model_status redis_store_create(const struct redis_store_options *options,
                                const struct log_sink *log, struct redis_store **ret,
                                struct model_error *err);
void redis_store_destroy(struct redis_store *store); /* NULL does nothing */

/* Appends the value; false when there is none, or no answer. */
bool redis_store_find(struct redis_store *store, const char *key, struct buffer *ret);
void redis_store_keep(struct redis_store *store, const char *key, const void *value,
                      size_t size_bytes);
/* Questions that were not answered; for metrics. */
uint64_t redis_store_failures(struct redis_store *store);

#endif
