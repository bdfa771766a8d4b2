/* worker_segment.h - a piece of memory that a host shares with a worker.
 *
 * The host makes it, with a size that is sealed: the other process can write into it, but not cut it short
 * under the host's feet. It lives as long as somebody holds a reference: the instance that uses it, and
 * each result whose tensors lie in it. [any-thread] */
#ifndef WORKER_SEGMENT_H
#define WORKER_SEGMENT_H

#include "modelhost.h"

#include <stdatomic.h>

struct worker_segment {
    _Atomic uint32_t references;
    void *data;
    uint64_t size_bytes;
};

/* A new one of at least size_bytes, cleared, with one reference; *ret_fd, to be sent and closed. */
model_status worker_segment_create(uint64_t size_bytes, struct worker_segment **ret, int *ret_fd,
                                   struct model_error *err);
void worker_segment_retain(struct worker_segment *segment);
/* As a result's release function wants it; NULL does nothing. */
void worker_segment_drop(void *segment);

/* The other side: maps what a descriptor is, if it is size_bytes long; takes the descriptor over. */
model_status worker_segment_map(int fd, uint64_t size_bytes, struct worker_segment **ret,
                                struct model_error *err);

#endif
