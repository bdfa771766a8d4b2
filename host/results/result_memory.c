/* result_memory.c - see result_memory.h. A tree finds entries by key (POSIX tsearch), a list orders them by
 * use. */
#include "result_memory.h"
#include "errors.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct kept_result {
    char key[RESULT_KEY_BYTES]; /* first: what the tree compares */
    struct kept_result *newer, *older;
    size_t size_bytes;
    unsigned char value[];
};

struct result_memory {
    uv_mutex_t mutex; /* guards what follows */
    void *tree;
    struct kept_result *newest, *oldest;
    uint64_t used_bytes, max_bytes;
};

static int by_key(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void unlink_entry(struct result_memory *memory, struct kept_result *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &memory->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &memory->oldest) = entry->newer;
}

static void link_newest(struct result_memory *memory, struct kept_result *entry)
{
    entry->newer = NULL;
    entry->older = memory->newest;
    *(memory->newest != NULL ? &memory->newest->newer : &memory->oldest) = entry;
    memory->newest = entry;
}

static void remove_entry(struct result_memory *memory, struct kept_result *entry)
{
    (void)tdelete(entry->key, &memory->tree, by_key);
    unlink_entry(memory, entry);
    memory->used_bytes -= sizeof *entry + entry->size_bytes;
    free(entry);
}

static struct kept_result *find(struct result_memory *memory, const char *key)
{
    struct kept_result *const *node = tfind(key, &memory->tree, by_key);
    return node != NULL ? *node : NULL;
}

model_status result_memory_create(uint64_t max_bytes, struct result_memory **ret,
                                  struct model_error *err)
{
    struct result_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL || uv_mutex_init(&memory->mutex) != 0) {
        free(memory);
        return error_no_memory(err, "a result cache");
    }
    memory->max_bytes = max_bytes;
    *ret = memory;
    return MODEL_OK;
}

void result_memory_destroy(struct result_memory *memory)
{
    if (memory == NULL)
        return;
    while (memory->oldest != NULL)
        remove_entry(memory, memory->oldest);
    uv_mutex_destroy(&memory->mutex);
    free(memory);
}

bool result_memory_find(struct result_memory *memory, const char *key, struct buffer *ret)
{
    uv_mutex_lock(&memory->mutex);
    struct kept_result *entry = find(memory, key);
    bool found = entry != NULL && buffer_append(ret, entry->value, entry->size_bytes) == MODEL_OK;
    if (found) {
        unlink_entry(memory, entry);
        link_newest(memory, entry);
    }
    uv_mutex_unlock(&memory->mutex);
    return found;
}

static struct kept_result *make_entry(const char *key, const void *value, size_t size_bytes)
{
    struct kept_result *entry = malloc(sizeof *entry + size_bytes);
    if (entry == NULL)
        return NULL;
    memset(entry, 0, sizeof *entry);
    memcpy(entry->key, key, strnlen(key, RESULT_KEY_BYTES - 1));
    memcpy(entry->value, value, size_bytes);
    entry->size_bytes = size_bytes;
    return entry;
}

uint32_t result_memory_keep(struct result_memory *memory, const char *key, const void *value,
                            size_t size_bytes)
{
    uint32_t n_gone = 0;
    if (size_bytes > memory->max_bytes ||
        sizeof(struct kept_result) > memory->max_bytes - size_bytes)
        return 0;
    struct kept_result *entry = make_entry(key, value, size_bytes);
    if (entry == NULL)
        return 0;
    uv_mutex_lock(&memory->mutex);
    struct kept_result *old = find(memory, key);
    if (old != NULL)
        remove_entry(memory, old);
    for (; memory->max_bytes - memory->used_bytes < sizeof *entry + size_bytes; n_gone++)
        remove_entry(memory, memory->oldest);
    if (tsearch(entry, &memory->tree, by_key) != NULL) {
        link_newest(memory, entry);
        memory->used_bytes += sizeof *entry + size_bytes;
    } else {
        free(entry);
    }
    uv_mutex_unlock(&memory->mutex);
    return n_gone;
}
