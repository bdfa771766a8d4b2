/* file_map.h - a file mapped read-only. [any-thread] */
#ifndef FILE_MAP_H
#define FILE_MAP_H

#include "modelhost.h"

struct file_map {
    const uint8_t *data; /* NULL when the file is empty */
    size_t size_bytes;
    int fd; /* kept open to see whether the file shrank; -1 once closed */
};

/* Maps the whole of a regular file. A file that shrinks later raises SIGBUS where it is read: the
 * host guards against that (host/page_guard.h). */
model_status file_map_open(const char *path, struct file_map *ret, struct model_error *err);
/* The same for a file that is open; fd stays the caller's. `path` names it in errors. */
model_status file_map_open_fd(int fd, const char *path, struct file_map *ret,
                              struct model_error *err);
/* A part of a file that is open, from `offset` on; the file is known to have it. */
model_status file_map_open_range(int fd, const char *path, uint64_t offset, uint64_t size_bytes,
                                 struct file_map *ret, struct model_error *err);
/* Gives the pages of a range (rounded inwards) back to the system; they are read again on use. */
void file_map_discard(const struct file_map *map, const uint8_t *data, size_t size_bytes);
/* Leaves the mapping out of core files, and keeps it in memory where the limit of locked memory allows. */
void file_map_conceal(const struct file_map *map);
/* Closing twice, or a map that is all zero because it was never opened, does nothing. */
void file_map_close(struct file_map *map);

#endif
