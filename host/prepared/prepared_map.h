/* prepared_map.h - a file of prepared weights that is in use: mapped read-only, so that all processes that map it have
 * it in memory once, checked, and guarded against truncation like the weights themselves (page_guard.h).
 *
 * Its owner is one model; blobs are given out until prepared_map_close(). */
#ifndef PREPARED_MAP_H
#define PREPARED_MAP_H

#include "file_map.h"
#include "page_guard.h"
#include "prepared_file.h"

struct prepared_map {
    struct file_map map;
    struct page_guard *guard; /* NULL: not open */
    struct prepared_index index;
};

/* Maps and checks the file behind fd, which stays the caller's, on so many threads; what is wrong with it is an error
 * (as prepared_file.h says), and nothing is open then. MODEL_UNSUPPORTED: its first blob has another key than first_key
 * (NULL: any), so it is of another library or instruction set. [create-thread] */
model_status prepared_map_open(int fd, const char *key, const char *first_key, uint32_t threads,
                               struct prepared_map *ret, struct model_error *err);
/* MODEL_IO, with the advice to run again, when the file behind it was truncated or written to since: the package is well.
 * [any-thread] */
model_status prepared_map_check(const struct prepared_map *map, struct model_error *err);
/* One that was not opened (all zero) is fine, too. */
void prepared_map_close(struct prepared_map *map);

#endif
