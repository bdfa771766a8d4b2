/* range_map.c - see range_map.h. On disk: "MHRANGE1", the file's size, the grain's size (little endian, 8
 * bytes each), the boot (40 bytes, filled with 0), and the bits, grain 0 lowest in the first byte. */
#include "range_map.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#define GRAIN_BYTES 16384u
#define MAGIC       "MHRANGE1"

static bool get(const unsigned char *bits, uint64_t i)
{
    return (bits[i / 8] >> (i % 8) & 1) != 0;
}

static void set(unsigned char *bits, uint64_t i, bool value)
{
    unsigned bit = 1u << (i % 8);
    bits[i / 8] = (unsigned char)(value ? bits[i / 8] | bit : bits[i / 8] & ~bit);
}

static size_t bits_bytes(const struct range_map *map)
{
    return (size_t)((map->n_grains + 7) / 8);
}

static uint64_t grain_of(uint64_t size_bytes)
{
    uint64_t grain_bytes = GRAIN_BYTES;
    while (size_bytes / grain_bytes >= RANGE_MAP_MAX_GRAINS)
        grain_bytes *= 2;
    return grain_bytes;
}

model_status range_map_init(struct range_map *map, uint64_t size_bytes, struct model_error *err)
{
    struct range_map made = {.size_bytes = size_bytes, .grain_bytes = grain_of(size_bytes)};
    made.n_grains = size_bytes / made.grain_bytes + (size_bytes % made.grain_bytes != 0);
    made.there = calloc(2, bits_bytes(&made) + 1);
    if (made.there == NULL)
        return error_no_memory(err, "the map of a file's ranges");
    made.taken = made.there + bits_bytes(&made) + 1;
    *map = made;
    return MODEL_OK;
}

void range_map_finish(struct range_map *map)
{
    free(map->there);
    *map = (struct range_map){0};
}

void range_map_clear(struct range_map *map)
{
    memset(map->there, 0, bits_bytes(map));
    memset(map->taken, 0, bits_bytes(map));
    map->n_there = map->front = 0;
}

static void move_front(struct range_map *map)
{
    while (map->front < map->n_grains && get(map->there, map->front))
        map->front++;
}

bool range_map_take(struct range_map *map, uint64_t max_bytes, uint64_t *ret_start,
                    uint64_t *ret_end)
{
    uint64_t first = map->front;
    while (first < map->n_grains && (get(map->there, first) || get(map->taken, first)))
        first++;
    if (first >= map->n_grains)
        return false;
    uint64_t most = max_bytes / map->grain_bytes, last = first;
    do
        set(map->taken, last++, true);
    while (last < map->n_grains && last - first < most && !get(map->there, last) &&
           !get(map->taken, last));
    *ret_start = first * map->grain_bytes;
    *ret_end = last < map->n_grains ? last * map->grain_bytes : map->size_bytes;
    return true;
}

void range_map_give_back(struct range_map *map, uint64_t start, uint64_t end)
{
    for (uint64_t i = start / map->grain_bytes; i < map->n_grains && i * map->grain_bytes < end;
         i++)
        set(map->taken, i, false);
}

void range_map_note(struct range_map *map, uint64_t range_start, uint64_t to, uint64_t *ret_first,
                    uint64_t *ret_last)
{
    uint64_t last = to >= map->size_bytes ? map->n_grains : to / map->grain_bytes;
    uint64_t first = last, least = (range_start + map->grain_bytes - 1) / map->grain_bytes;
    while (first > least && !get(map->there, first - 1)) {
        set(map->there, --first, true);
        map->n_there++;
    }
    move_front(map);
    *ret_first = first;
    *ret_last = last;
}

bool range_map_is_complete(const struct range_map *map)
{
    return map->n_there == map->n_grains;
}

uint64_t range_map_front_bytes(const struct range_map *map)
{
    return map->front == map->n_grains ? map->size_bytes : map->front * map->grain_bytes;
}

uint64_t range_map_there_bytes(const struct range_map *map)
{
    uint64_t there_bytes = map->n_there * map->grain_bytes;
    if (map->n_grains > 0 && get(map->there, map->n_grains - 1))
        there_bytes -= map->n_grains * map->grain_bytes - map->size_bytes;
    return there_bytes;
}

/* ---- on disk */

static void put_u64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_u64(const unsigned char *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

model_status range_map_write(const struct range_map *map, const char *boot, struct buffer *ret,
                             struct model_error *err)
{
    unsigned char header[RANGE_MAP_HEADER_BYTES] = {0};
    memcpy(header, MAGIC, 8);
    put_u64(header + 8, map->size_bytes);
    put_u64(header + 16, map->grain_bytes);
    memcpy(header + 24, boot, strnlen(boot, RANGE_MAP_BOOT_BYTES - 1));
    model_status status = buffer_append(ret, header, sizeof header);
    if (status == MODEL_OK)
        status = buffer_append(ret, map->there, bits_bytes(map));
    return status == MODEL_OK ? MODEL_OK : error_no_memory(err, "the map of a file's ranges");
}

model_status range_map_read(const void *data, size_t size_bytes, uint64_t file_bytes,
                            const char *boot, struct range_map *ret, struct model_error *err)
{
    const unsigned char *header = data;
    struct range_map map;
    if (size_bytes < RANGE_MAP_HEADER_BYTES || memcmp(header, MAGIC, 8) != 0)
        return error_set(err, MODEL_CORRUPT, "not a map of a file's ranges");
    if (get_u64(header + 8) != file_bytes || get_u64(header + 16) != grain_of(file_bytes))
        return error_set(err, MODEL_CORRUPT, "the map of another file's ranges");
    const char *found = (const char *)header + 24;
    size_t boot_bytes = strnlen(found, RANGE_MAP_BOOT_BYTES);
    if (boot_bytes > 0 && (boot_bytes != strlen(boot) || memcmp(found, boot, boot_bytes) != 0))
        return error_set(err, MODEL_NOT_FOUND, "the map of ranges is from before a restart");
    model_status status = range_map_init(&map, file_bytes, err);
    if (status != MODEL_OK)
        return status;
    if (size_bytes != RANGE_MAP_HEADER_BYTES + bits_bytes(&map)) {
        range_map_finish(&map);
        return error_set(err, MODEL_CORRUPT, "the map of a file's ranges has %zu bytes",
                         size_bytes);
    }
    memcpy(map.there, header + RANGE_MAP_HEADER_BYTES, bits_bytes(&map));
    for (uint64_t i = map.n_grains; i < bits_bytes(&map) * 8; i++)
        set(map.there, i, false);
    for (uint64_t i = 0; i < map.n_grains; i++)
        map.n_there += get(map.there, i);
    move_front(&map);
    *ret = map;
    return MODEL_OK;
}
