/* string_map.h - from strings to 32-bit numbers, by open addressing; built once, then read by any
 * thread. Keys are not copied: they must outlive the map. Bytes may be anything, 0 included; a key is never
 * NULL. */
#ifndef STRING_MAP_H
#define STRING_MAP_H

#include "modelhost.h"

struct string_map_slot {
    const char *key; /* NULL: free */
    uint32_t key_bytes;
    uint32_t hash;
    uint32_t value;
};

struct string_map {
    struct string_map_slot *slots; /* (capacity), a power of two */
    size_t capacity;
    size_t size;
    uint64_t seed; /* of the hashes; 0 until the first slots are there */
};

/* An empty map (all zero) with room for n_keys without growing. */
model_status string_map_init(struct string_map *map, size_t n_keys);
/* MODEL_INVALID_ARGUMENT when the key is there already (the old value stays). */
model_status string_map_add(struct string_map *map, const char *key, size_t key_bytes,
                            uint32_t value);
/* The value of a key, or -1. */
int64_t string_map_find(const struct string_map *map, const char *key, size_t key_bytes);
/* The entry behind `last`, in no order; NULL begins, NULL is returned at the end. */
const struct string_map_slot *string_map_next(const struct string_map *map,
                                              const struct string_map_slot *last);
void string_map_finish(struct string_map *map);

#endif
