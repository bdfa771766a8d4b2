/* archive_zstd.h - single zstd frames in memory: libzstd lives behind this header. A frame is made and read
 * by itself, states its content's size and carries a checksum. No state, any thread. */
#ifndef ARCHIVE_ZSTD_H
#define ARCHIVE_ZSTD_H

#include "modelhost.h"

#define ARCHIVE_ZSTD_MAX_LEVEL 19

/* How large a frame of so many bytes may become. */
size_t archive_zstd_bound(size_t size_bytes);
/* Compresses data into frame (frame_capacity bytes) at a level from 1 to ARCHIVE_ZSTD_MAX_LEVEL. */
model_status archive_zstd_compress(const void *data, size_t size_bytes, int level, void *frame,
                                   size_t frame_capacity, size_t *ret_frame_bytes,
                                   struct model_error *err);
/* Decompresses one whole frame into exactly size_bytes. The frame's own word on its size is compared
 * before memory is touched. MODEL_CORRUPT: it is not one frame, says another size, or is damaged; the
 * sentence says so of "a zstd frame", whose place the caller puts before it. */
model_status archive_zstd_decompress(const void *frame, size_t frame_bytes, void *data,
                                     size_t size_bytes, struct model_error *err);

/* Which zstd that is: "1.5.4". */
const char *archive_zstd_version(void);

#endif
