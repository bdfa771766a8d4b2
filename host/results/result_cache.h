/* result_cache.h - answers that were computed before, by the exact inputs.
 *
 * A key is a digest over the model (result_key.h), its inputs and the outputs that are wanted. Results lie in
 * this process's memory and, where there is one, in a Redis server. What comes from there is checked like
 * any input from outside. Sessions, streams and generated text are not kept. [any-thread] */
#ifndef RESULT_CACHE_H
#define RESULT_CACHE_H

#include "log.h"
#include "request.h"
#include "result_memory.h"
#include "schema.h"

struct result_cache;

struct result_cache_counts {
    uint64_t hits, shared_hits, misses, evictions, shared_failures; /* shared: by Redis */
};

/* At most max_bytes in memory. redis_url NULL or "": no server. The sink must outlive the cache. */
model_status result_cache_create(uint64_t max_bytes, const char *redis_url,
                                 const struct log_sink *log, struct result_cache **ret,
                                 struct model_error *err);
void result_cache_destroy(struct result_cache *cache); /* NULL does nothing */

/* Fills in the request's result, an empty one (result_create()), when there is one; else makes the key
 * under which result_cache_keep() keeps the computed one: "" when this request's result is not to be kept.
 * The result stays empty then. [lane-thread] */
bool result_cache_find(struct result_cache *cache, const struct modelhost_request *request,
                       const struct schema_binding *binding, struct modelhost_result *result,
                       char ret_key[RESULT_KEY_BYTES]);
/* [lane-thread] */
void result_cache_keep(struct result_cache *cache, const char *key,
                       const struct modelhost_result *result);

struct result_cache_counts result_cache_count(struct result_cache *cache);

#endif
