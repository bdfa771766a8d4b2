/* fuzz_range_map.c - the map of ranges that lies beside a partial download: the first 8 bytes are the
 * file's size, the rest is the map. What is accepted keeps its promises, and is written as it was read. */
#include "range_map.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool promise)
{
    if (!promise)
        abort();
}

static void use(struct range_map *map)
{
    uint64_t start, end, first, last, there_bytes = range_map_there_bytes(map);
    require(there_bytes <= map->size_bytes);
    require(range_map_front_bytes(map) <= there_bytes);
    require(range_map_is_complete(map) == (there_bytes == map->size_bytes));
    while (range_map_take(map, 1 << 20, &start, &end)) {
        require(start < end && end <= map->size_bytes);
        range_map_note(map, start, end, &first, &last);
        require(first <= last && last <= map->n_grains);
    }
    require(range_map_is_complete(map));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct range_map map, again;
    struct buffer text = BUFFER_INIT(RANGE_MAP_MAX_BYTES);
    uint64_t file_bytes;
    if (size_bytes < sizeof file_bytes || size_bytes > 5000)
        return 0;
    memcpy(&file_bytes, data, sizeof file_bytes);
    file_bytes %= 1ull << 33;
    if (range_map_read(data + 8, size_bytes - 8, file_bytes, "boot", &map, NULL) != MODEL_OK)
        return 0;
    require(range_map_write(&map, "", &text, NULL) == MODEL_OK);
    require(range_map_read(text.data, text.size, file_bytes, "", &again, NULL) == MODEL_OK);
    require(range_map_there_bytes(&again) == range_map_there_bytes(&map));
    use(&map);
    range_map_finish(&map);
    range_map_finish(&again);
    buffer_finish(&text);
    return 0;
}
