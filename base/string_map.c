/* string_map.c - see string_map.h. At most three quarters of the slots are taken, so that probing
 * ends; hashes are seeded with the address of the first slots and the clock, so that a file cannot
 * choose its collisions. The seed is kept in the map, which may therefore be moved. */
#include "string_map.h"
#include "clock.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_bytes(const struct string_map *map, const char *key, size_t key_bytes)
{
    uint64_t h = 0xCBF29CE484222325u ^ map->seed;
    size_t i = 0;
    for (; i + 8 <= key_bytes; i += 8) {
        uint64_t word;
        memcpy(&word, key + i, 8);
        h = (h ^ word) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    uint64_t tail = 0;
    memcpy(&tail, key + i, key_bytes - i);
    h = (h ^ tail ^ ((uint64_t)key_bytes << 56)) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32);
}

static struct string_map_slot *probe(const struct string_map *map, const char *key,
                                     size_t key_bytes, uint32_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct string_map_slot *slot = &map->slots[i];
        if (slot->key == NULL || (slot->hash == hash && slot->key_bytes == key_bytes &&
                                  memcmp(slot->key, key, key_bytes) == 0))
            return slot;
    }
}

static model_status grow(struct string_map *map, size_t capacity)
{
    struct string_map_slot *old = map->slots;
    size_t old_capacity = map->capacity;
    struct string_map_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        return MODEL_OUT_OF_MEMORY;
    if (map->seed == 0)
        map->seed = (uint64_t)(uintptr_t)slots ^ ((uint64_t)clock_now_ns() << 32) ^ 1;
    map->slots = slots;
    map->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].key != NULL)
            *probe(map, old[i].key, old[i].key_bytes, old[i].hash) = old[i];
    free(old);
    return MODEL_OK;
}

model_status string_map_init(struct string_map *map, size_t n_keys)
{
    *map = (struct string_map){0};
    size_t capacity = 16;
    while (capacity / 4 * 3 < n_keys) {
        if (capacity > SIZE_MAX / 2 / sizeof(struct string_map_slot))
            return MODEL_OUT_OF_MEMORY;
        capacity *= 2;
    }
    return grow(map, capacity);
}

model_status string_map_add(struct string_map *map, const char *key, size_t key_bytes,
                            uint32_t value)
{
    if (key_bytes > UINT32_MAX)
        return MODEL_INVALID_ARGUMENT;
    if (map->size + 1 > map->capacity / 4 * 3) {
        model_status status = grow(map, map->capacity > 0 ? map->capacity * 2 : 16);
        if (status != MODEL_OK)
            return status;
    }
    uint32_t hash = hash_bytes(map, key, key_bytes);
    struct string_map_slot *slot = probe(map, key, key_bytes, hash);
    if (slot->key != NULL)
        return MODEL_INVALID_ARGUMENT;
    *slot = (struct string_map_slot){key, (uint32_t)key_bytes, hash, value};
    map->size++;
    return MODEL_OK;
}

int64_t string_map_find(const struct string_map *map, const char *key, size_t key_bytes)
{
    if (map->size == 0)
        return -1;
    const struct string_map_slot *slot =
        probe(map, key, key_bytes, hash_bytes(map, key, key_bytes));
    return slot->key != NULL ? (int64_t)slot->value : -1;
}

const struct string_map_slot *string_map_next(const struct string_map *map,
                                              const struct string_map_slot *last)
{
    for (size_t i = last != NULL ? (size_t)(last - map->slots) + 1 : 0; i < map->capacity; i++)
        if (map->slots[i].key != NULL)
            return &map->slots[i];
    return NULL;
}

void string_map_finish(struct string_map *map)
{
    free(map->slots);
    *map = (struct string_map){0};
}
