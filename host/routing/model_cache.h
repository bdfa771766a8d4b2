/* model_cache.h - models that stay open when nobody holds them, least recently used out first.
 *
 * Bounded by items, bytes and idle time; what somebody holds is never closed, so that the bounds are
 * exceeded while all of it is in use. Who wants what is just being opened waits for it, and shares its error.
 * It is about time and references alone: what its objects are, only its user knows. Reference-counted: the
 * host and each object hold one, so that an object which outlives the host may still say that it is idle.
 * [any-thread] */
#ifndef MODEL_CACHE_H
#define MODEL_CACHE_H

#include "digest.h"
#include "modelhost.h"

struct model_cache;

struct model_cache_limits {
    uint32_t max_items;
    uint64_t max_bytes; /* 0: none */
    int64_t idle_ns;    /* 0: none */
};

/* What is kept: something with counted references, whose drop() calls model_cache_idle(). Called with the
 * cache's lock, drop() without it. */
struct model_cache_kind {
    void (*retain)(void *object);
    void (*drop)(void *object);
    uint32_t (*references)(const void *object);
    uint64_t (*bytes)(const void *object);
};

struct model_cache_counters {
    uint64_t hits, misses;
    uint64_t shared_loads; /* of those who waited for another's load */
    uint64_t evictions;    /* also by idle time */
    uint64_t bytes;
    uint32_t items;
};

model_status model_cache_create(const struct model_cache_limits *limits,
                                const struct model_cache_kind *kind, int64_t (*now_ns)(void),
                                struct model_cache **ret, struct model_error *err);
void model_cache_retain(struct model_cache *cache);
void model_cache_drop(struct model_cache *cache); /* NULL does nothing */
/* Drops what it holds; it holds nothing from then on. Nobody may be in model_cache_get(): entries that are
 * being opened are freed, too, with what others wait for. Once; NULL does nothing. */
void model_cache_close(struct model_cache *cache);

/* A reference to the object of this key: the one that is there, or what open(context) makes, with one
 * reference, which is then the cache's. A failure of open() is not remembered. */
model_status model_cache_get(struct model_cache *cache, const char key[SHA256_HEX_BYTES],
                             model_status (*open)(void *context, void **ret,
                                                  struct model_error *err),
                             void *context, void **ret, struct model_error *err);
/* Somebody has dropped a reference, and the cache's may be the only one left: from now on it is idle. The object
 * itself may be gone by then. */
void model_cache_idle(struct model_cache *cache, const void *object);
/* Closes what has been idle for too long, or is too much; get and idle do the same. */
void model_cache_trim(struct model_cache *cache);
/* Does so now and then, four times in the idle time, until the cache is closed: for a thread of its own. */
void model_cache_watch(void *cache);

struct model_cache_counters model_cache_counters(struct model_cache *cache);

#endif
