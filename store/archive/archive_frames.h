/* archive_frames.h - contents cut into independent zstd frames, worked on side by side. Any thread. */
#ifndef ARCHIVE_FRAMES_H
#define ARCHIVE_FRAMES_H

#include "archive_payload.h"

/* Does work(context, i) for each i below n, on this thread and a few more, which end before it returns.
 * The error of the lowest i that failed is reported; work with higher ones may not have been done. */
model_status archive_parallel(size_t n,
                              model_status (*work)(void *context, size_t i,
                                                   struct model_error *err),
                              void *context, struct model_error *err);

/* The content of n frames from `first` on into data: all frame_bytes long but the entry's last. The
 * entry is one of an index whose sizes were checked. As archive_payload_read(). */
model_status archive_frames_decode(const struct archive_source_file *file,
                                   const struct archive_index *index,
                                   const struct archive_entry *entry, size_t first, size_t n,
                                   uint8_t *data, struct model_error *err);

/* A frame that was made. */
struct archive_frame {
    uint8_t *data; /* to be freed */
    size_t size_bytes;
};

/* Makes frames of data, one for each frame_bytes of it; ret_frames has room for archive_n_frames(). */
model_status archive_frames_encode(const uint8_t *data, size_t size_bytes, uint32_t frame_bytes,
                                   int level, struct archive_frame *ret_frames,
                                   struct model_error *err);

#endif
