/* partial.h - the files of a partial download, in a folder that was claimed (partial_claim.h):
 *
 *   data    the file, as long as it will be, with holes
 *   have    a range map that is written after the data was synced: right after a power cut
 *   live    a range map that follows each piece of data: right after a kill, as long as the machine is not
 *           restarted, since what was written is in the system's memory then
 *
 * Neither is believed in the end: the whole file's digest is. One thread at a time, but for
 * partial_checkpoint(). */
#ifndef PARTIAL_H
#define PARTIAL_H

#include "range_map.h"

struct partial {
    char *dir; /* the caller's */
    int data_fd, live_fd;
};

/* Opens the files of the folder, making them when they are not there; *ret_map says what of the data is.
 * must_copy: somebody else may have the data open, so it gets another inode. */
model_status partial_open(struct partial *partial, char *dir, uint64_t size_bytes, const char *boot,
                          bool must_copy, struct range_map *ret_map, struct model_error *err);
void partial_close(struct partial *partial);
/* Notes that the grains [first, last) of the map are there. */
void partial_note(const struct partial *partial, const struct range_map *map, uint64_t first,
                  uint64_t last);
/* Makes the data last, then a map that was written before (range_map_write()). [any-thread] */
model_status partial_checkpoint(const struct partial *partial, const struct buffer *map,
                                struct model_error *err);
/* Nothing is there any more. */
void partial_restart(const struct partial *partial, const struct range_map *map);

#endif
