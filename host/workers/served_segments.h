/* served_segments.h - the segments that a host shares with one instance in a worker, by their number.
 *
 * The main thread adds and removes them; the instance's thread waits for those that it was told of. */
#ifndef SERVED_SEGMENTS_H
#define SERVED_SEGMENTS_H

#include "worker_segment.h"

#include <stdbool.h>
#include <uv.h>

#define SERVED_MAX_SEGMENTS 64

struct served_segments {
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t added;
    bool closed;
    struct {
        struct worker_segment *segment; /* NULL: free */
        uint32_t id;
    } items[SERVED_MAX_SEGMENTS];
};

model_status served_segments_init(struct served_segments *segments, struct model_error *err);
void served_segments_finish(struct served_segments *segments);

/* Takes the segment over, also when there is no room for it. */
model_status served_segments_add(struct served_segments *segments, uint32_t id,
                                 struct worker_segment *segment, struct model_error *err);
void served_segments_remove(struct served_segments *segments, uint32_t id);
/* What the calling thread has done with segments comes before their removal. In front of telling the host, who may
 * then drop them by a message to another thread: that order leads through another process. */
void served_segments_settle(struct served_segments *segments);
/* Waits for the segment of this number; NULL: there will be none. */
struct worker_segment *served_segments_wait(struct served_segments *segments, uint32_t id);
/* Nobody waits any more. */
void served_segments_close(struct served_segments *segments);

#endif
