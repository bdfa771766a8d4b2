/* model_cache.c - see model_cache.h. A list in the order of opening: a host has tens of models, not thousands.
 * Whether an object is in use is read from its references under the lock: a count of one, the cache's, can
 * only grow through the cache. */
#include "model_cache.h"
#include "clock.h"
#include "errors.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define MAX_PERIOD_NS (60 * NS_PER_S)

enum entry_state { ENTRY_OPENING, ENTRY_READY, ENTRY_FAILED };

struct entry {
    struct entry *next;
    char key[SHA256_HEX_BYTES];
    enum entry_state state;
    void *object;        /* ENTRY_READY: holds a reference */
    int64_t used_ns;     /* somebody got it, or gave it back */
    uint32_t n_waiting;  /* for it to be opened; they keep the entry */
    model_status status; /* ENTRY_FAILED */
    struct model_error error;
};

struct model_cache {
    _Atomic uint32_t references;
    struct model_cache_limits limits;
    struct model_cache_kind kind;
    int64_t (*now_ns)(void);
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t opened; /* an entry; or the cache is closed */
    bool is_closed;
    struct entry *first;
    struct model_cache_counters counters; /* without items and bytes */
};

model_status model_cache_create(const struct model_cache_limits *limits,
                                const struct model_cache_kind *kind, int64_t (*now_ns)(void),
                                struct model_cache **ret, struct model_error *err)
{
    struct model_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL || uv_mutex_init(&cache->mutex) != 0) {
        free(cache);
        return error_no_memory(err, "a model cache");
    }
    if (uv_cond_init(&cache->opened) != 0) {
        uv_mutex_destroy(&cache->mutex);
        free(cache);
        return error_no_memory(err, "a model cache");
    }
    atomic_store(&cache->references, 1);
    cache->limits = *limits;
    cache->kind = *kind;
    cache->now_ns = now_ns;
    *ret = cache;
    return MODEL_OK;
}

void model_cache_retain(struct model_cache *cache)
{
    (void)atomic_fetch_add(&cache->references, 1);
}

void model_cache_drop(struct model_cache *cache)
{
    if (cache == NULL || atomic_fetch_sub(&cache->references, 1) != 1)
        return;
    uv_cond_destroy(&cache->opened);
    uv_mutex_destroy(&cache->mutex);
    free(cache);
}

static void drop_entries(struct model_cache *cache, struct entry *entries)
{
    for (struct entry *entry = entries, *next; entry != NULL; entry = next) {
        next = entry->next;
        cache->kind.drop(entry->object);
        free(entry);
    }
}

void model_cache_close(struct model_cache *cache)
{
    if (cache == NULL)
        return;
    uv_mutex_lock(&cache->mutex);
    struct entry *entries = cache->first;
    cache->first = NULL;
    cache->is_closed = true;
    uv_cond_broadcast(&cache->opened);
    uv_mutex_unlock(&cache->mutex);
    drop_entries(cache, entries);
}

/* ---- what goes: with the mutex held */

static bool is_idle(const struct model_cache *cache, const struct entry *entry)
{
    return entry->state == ENTRY_READY && entry->n_waiting == 0 &&
           cache->kind.references(entry->object) == 1;
}

static void count_contents(const struct model_cache *cache, uint32_t *ret_items,
                           uint64_t *ret_bytes)
{
    *ret_items = 0;
    *ret_bytes = 0;
    for (const struct entry *entry = cache->first; entry != NULL; entry = entry->next)
        if (entry->state == ENTRY_READY) {
            const uint64_t bytes = cache->kind.bytes(entry->object);
            *ret_bytes = bytes > UINT64_MAX - *ret_bytes ? UINT64_MAX : *ret_bytes + bytes;
            ++*ret_items;
        }
}

/* The idle one that was not used for longest, or NULL. */
static struct entry *find_oldest(const struct model_cache *cache)
{
    struct entry *oldest = NULL;
    for (struct entry *entry = cache->first; entry != NULL; entry = entry->next)
        if (is_idle(cache, entry) && (oldest == NULL || entry->used_ns < oldest->used_ns))
            oldest = entry;
    return oldest;
}

static void unlink_entry(struct model_cache *cache, const struct entry *entry)
{
    struct entry **at = &cache->first;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
}

/* Whether the oldest has to go. */
static bool is_too_much(const struct model_cache *cache, const struct entry *oldest, int64_t now_ns)
{
    const struct model_cache_limits *limits = &cache->limits;
    uint32_t items;
    uint64_t bytes;
    count_contents(cache, &items, &bytes);
    return items > limits->max_items || (limits->max_bytes > 0 && bytes > limits->max_bytes) ||
           (limits->idle_ns > 0 && now_ns - oldest->used_ns >= limits->idle_ns);
}

/* Takes out what has to go, as a list. */
static struct entry *take_surplus(struct model_cache *cache)
{
    const int64_t now_ns = cache->now_ns();
    struct entry *surplus = NULL, *oldest;
    while ((oldest = find_oldest(cache)) != NULL && is_too_much(cache, oldest, now_ns)) {
        unlink_entry(cache, oldest);
        oldest->next = surplus;
        surplus = oldest;
        cache->counters.evictions++;
    }
    return surplus;
}

/* Unlocks, and closes without the lock. */
static void trim_and_unlock(struct model_cache *cache)
{
    struct entry *surplus = take_surplus(cache);
    uv_mutex_unlock(&cache->mutex);
    drop_entries(cache, surplus);
}

/* ---- getting */

static struct entry *find(const struct model_cache *cache, const char *key)
{
    struct entry *entry = cache->first;
    while (entry != NULL && strcmp(entry->key, key) != 0)
        entry = entry->next;
    return entry;
}

static void *take(struct model_cache *cache, struct entry *entry)
{
    cache->kind.retain(entry->object);
    entry->used_ns = cache->now_ns();
    return entry->object;
}

/* Waits until another's load has ended. A failed entry is out of the list; the last one frees it. */
static model_status share(struct model_cache *cache, struct entry *entry, void **ret,
                          struct model_error *err)
{
    cache->counters.shared_loads++;
    entry->n_waiting++;
    while (entry->state == ENTRY_OPENING)
        uv_cond_wait(&cache->opened, &cache->mutex);
    entry->n_waiting--;
    if (entry->state == ENTRY_READY) {
        *ret = take(cache, entry);
        return MODEL_OK;
    }
    const model_status status = error_set(err, entry->status, "%s", entry->error.message);
    if (entry->n_waiting == 0)
        free(entry);
    return status;
}

static struct entry *append(struct model_cache *cache, const char *key)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, sizeof entry->key);
    entry->error.struct_size = sizeof entry->error;
    struct entry **at = &cache->first;
    while (*at != NULL)
        at = &(*at)->next;
    *at = entry;
    return entry;
}

/* The end of a load, told to those who wait. */
static void settle(struct model_cache *cache, struct entry *entry, model_status status,
                   void *object, void **ret)
{
    if (status == MODEL_OK) {
        entry->state = ENTRY_READY;
        entry->object = object;
        *ret = take(cache, entry);
    } else {
        unlink_entry(cache, entry);
        entry->state = ENTRY_FAILED;
        entry->status = status;
    }
    uv_cond_broadcast(&cache->opened);
    if (status != MODEL_OK && entry->n_waiting == 0)
        free(entry);
}

model_status model_cache_get(struct model_cache *cache, const char key[SHA256_HEX_BYTES],
                             model_status (*open)(void *context, void **ret,
                                                  struct model_error *err),
                             void *context, void **ret, struct model_error *err)
{
    model_status status = MODEL_OK;
    void *object = NULL;
    uv_mutex_lock(&cache->mutex);
    struct entry *entry = find(cache, key);
    if (entry != NULL && entry->state == ENTRY_READY) {
        cache->counters.hits++;
        *ret = take(cache, entry);
    } else if (entry != NULL) {
        status = share(cache, entry, ret, err);
    } else if ((entry = append(cache, key)) == NULL) {
        status = error_no_memory(err, "a model cache");
    } else {
        cache->counters.misses++;
        uv_mutex_unlock(&cache->mutex);
        status = open(context, &object, &entry->error);
        if (status != MODEL_OK)
            (void)error_set(err, status, "%s", entry->error.message);
        uv_mutex_lock(&cache->mutex);
        settle(cache, entry, status, object, ret);
    }
    trim_and_unlock(cache);
    return status;
}

void model_cache_idle(struct model_cache *cache, const void *object)
{
    uv_mutex_lock(&cache->mutex);
    for (struct entry *entry = cache->first; entry != NULL; entry = entry->next)
        if (entry->object == object)
            entry->used_ns = cache->now_ns();
    trim_and_unlock(cache);
}

void model_cache_trim(struct model_cache *cache)
{
    uv_mutex_lock(&cache->mutex);
    trim_and_unlock(cache);
}

void model_cache_watch(void *argument)
{
    struct model_cache *cache = argument;
    const int64_t quarter_ns = cache->limits.idle_ns / 4;
    const int64_t period_ns = quarter_ns < NS_PER_MS       ? NS_PER_MS
                              : quarter_ns > MAX_PERIOD_NS ? MAX_PERIOD_NS
                                                           : quarter_ns;
    uv_mutex_lock(&cache->mutex);
    while (!cache->is_closed) {
        trim_and_unlock(cache);
        uv_mutex_lock(&cache->mutex);
        if (!cache->is_closed)
            (void)uv_cond_timedwait(&cache->opened, &cache->mutex, (uint64_t)period_ns);
    }
    uv_mutex_unlock(&cache->mutex);
}

struct model_cache_counters model_cache_counters(struct model_cache *cache)
{
    uv_mutex_lock(&cache->mutex);
    struct model_cache_counters counters = cache->counters;
    count_contents(cache, &counters.items, &counters.bytes);
    uv_mutex_unlock(&cache->mutex);
    return counters;
}
