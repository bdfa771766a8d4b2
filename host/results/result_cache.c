/* result_cache.c - see result_cache.h. */
#include "result_cache.h"
#include "errors.h"
#include "loaded_model.h"
#include "redis_store.h"
#include "result_codec.h"
#include "result_key.h"

#include <stdatomic.h>
#include <stdlib.h>

#define MAX_RESULT_BYTES (16u << 20) /* larger ones are not kept */

struct result_cache {
    struct result_memory *memory;
    struct redis_store *shared; /* NULL: none */
    const struct log_sink *log;
    _Atomic uint64_t hits, shared_hits, misses, evictions;
};

model_status result_cache_create(uint64_t max_bytes, const char *redis_url,
                                 const struct log_sink *log, struct result_cache **ret,
                                 struct model_error *err)
{
    struct result_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return error_no_memory(err, "a result cache");
    cache->log = log;
    model_status status = result_memory_create(max_bytes, &cache->memory, err);
    if (status == MODEL_OK && redis_url != NULL && redis_url[0] != '\0') {
        const struct redis_store_options options = {.url = redis_url};
        status = redis_store_create(&options, log, &cache->shared, err);
    }
    if (status != MODEL_OK)
        result_cache_destroy(cache);
    else
        *ret = cache;
    return status;
}

void result_cache_destroy(struct result_cache *cache)
{
    if (cache == NULL)
        return;
    result_memory_destroy(cache->memory);
    redis_store_destroy(cache->shared);
    free(cache);
}

/* The bytes under a key, from here or from the server, which are kept here then. */
static bool find_bytes(struct result_cache *cache, const char *key, struct buffer *bytes)
{
    if (result_memory_find(cache->memory, key, bytes)) {
        (void)atomic_fetch_add(&cache->hits, 1);
        return true;
    }
    if (cache->shared == NULL || !redis_store_find(cache->shared, key, bytes))
        return false;
    (void)atomic_fetch_add(&cache->shared_hits, 1);
    (void)atomic_fetch_add(&cache->evictions,
                           result_memory_keep(cache->memory, key, bytes->data, bytes->size));
    return true;
}

bool result_cache_find(struct result_cache *cache, const struct modelhost_request *request,
                       const struct schema_binding *binding, struct modelhost_result *result,
                       char ret_key[RESULT_KEY_BYTES])
{
    struct buffer bytes = BUFFER_INIT(MAX_RESULT_BYTES);
    struct model_error err = MODEL_ERROR_INIT;
    ret_key[0] = '\0';
    if (request->session != NULL || request->on_tensors != NULL ||
        request->model->result_key[0] == '\0' ||
        result_key_of_call(request->model->result_key, request->inputs, request->n_inputs, result,
                           ret_key, &err) != MODEL_OK)
        return false;
    bool found = find_bytes(cache, ret_key, &bytes);
    if (found && result_decode(bytes.data, bytes.size, binding, result, &err) != MODEL_OK) {
        log_write(cache->log, MODEL_LOG_WARN, "%s; it is computed anew", err.message);
        result_empty(result);
        found = false;
    }
    if (!found)
        (void)atomic_fetch_add(&cache->misses, 1);
    buffer_finish(&bytes);
    return found;
}

void result_cache_keep(struct result_cache *cache, const char *key,
                       const struct modelhost_result *result)
{
    struct buffer bytes = BUFFER_INIT(MAX_RESULT_BYTES);
    if (key[0] != '\0' && result_encode(result, &bytes) == MODEL_OK) {
        (void)atomic_fetch_add(&cache->evictions,
                               result_memory_keep(cache->memory, key, bytes.data, bytes.size));
        if (cache->shared != NULL)
            redis_store_keep(cache->shared, key, bytes.data, bytes.size);
    }
    buffer_finish(&bytes);
}

struct result_cache_counts result_cache_count(struct result_cache *cache)
{
    return (struct result_cache_counts){atomic_load(&cache->hits), atomic_load(&cache->shared_hits),
                                        atomic_load(&cache->misses), atomic_load(&cache->evictions),
                                        cache->shared != NULL ? redis_store_failures(cache->shared)
                                                              : 0};
}
