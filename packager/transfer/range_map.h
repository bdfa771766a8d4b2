/* range_map.h - which bytes of a file are there: one bit for each grain of it, and which grains somebody
 * is fetching. The bits have a form on disk, which is read as hostile. Pure. One thread at a time. */
#ifndef RANGE_MAP_H
#define RANGE_MAP_H

#include "buffer.h"

#include <stdbool.h>

#define RANGE_MAP_MAX_GRAINS   (1u << 20) /* larger files have larger grains */
#define RANGE_MAP_HEADER_BYTES 64u
#define RANGE_MAP_MAX_BYTES    (RANGE_MAP_HEADER_BYTES + RANGE_MAP_MAX_GRAINS / 8)
#define RANGE_MAP_BOOT_BYTES   40u /* of the header, the name of a boot, "" for none */

struct range_map {
    uint64_t size_bytes; /* of the file */
    uint64_t grain_bytes;
    uint64_t n_grains, n_there;
    uint64_t front;       /* the grains before it are all there */
    unsigned char *there; /* (n_grains / 8, rounded up) */
    unsigned char *taken;
};

/* Nothing is there. A file of 0 bytes has no grain. */
model_status range_map_init(struct range_map *map, uint64_t size_bytes, struct model_error *err);
void range_map_finish(struct range_map *map);
/* Nothing is there again, and nothing taken. */
void range_map_clear(struct range_map *map);

/* The bytes [start, end) of the first grains that are neither there nor taken, at most max_bytes (but a
 * grain), now taken; false: there are none. */
bool range_map_take(struct range_map *map, uint64_t max_bytes, uint64_t *ret_start,
                    uint64_t *ret_end);
/* Gives back what was taken and has not come: all grains that touch [start, end). */
void range_map_give_back(struct range_map *map, uint64_t start, uint64_t end);
/* The bytes [from, to) of a range that was begun at its first byte are on disk. Grains that are now
 * complete are there; *ret_first and *ret_last (not included) say which of them are new. */
void range_map_note(struct range_map *map, uint64_t range_start, uint64_t to, uint64_t *ret_first,
                    uint64_t *ret_last);
bool range_map_is_complete(const struct range_map *map);
/* The bytes from the file's start that are there without a gap, and all that are there. */
uint64_t range_map_front_bytes(const struct range_map *map);
uint64_t range_map_there_bytes(const struct range_map *map);

/* ---- on disk */

/* The whole form; boot names the boot during which the bits may be believed at once, "" when they may be
 * always. */
model_status range_map_write(const struct range_map *map, const char *boot, struct buffer *ret,
                             struct model_error *err);
/* Reads one for a file of this size. MODEL_CORRUPT when it is not one of ours, or of another file;
 * MODEL_NOT_FOUND when its boot is neither "" nor `boot`. */
model_status range_map_read(const void *data, size_t size_bytes, uint64_t file_bytes,
                            const char *boot, struct range_map *ret, struct model_error *err);

#endif
