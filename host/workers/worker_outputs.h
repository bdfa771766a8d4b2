/* worker_outputs.h - the segments into which a worker writes the outputs of one instance.
 *
 * A result keeps the segment that its tensors lie in, so the next call takes another one; a segment that no
 * result holds any more is used again. Belongs to its instance; one thread at a time. */
#ifndef WORKER_OUTPUTS_H
#define WORKER_OUTPUTS_H

#include "worker_slot.h"

#define WORKER_OUTPUT_SEGMENTS  16
#define WORKER_MAX_OUTPUT_BYTES (1ull << 38) /* of a segment */

/* Where the worker is told of segments. */
struct worker_address {
    struct worker_slot *slot;
    uint64_t generation;
    struct worker_link *link;
    uint32_t n_segments; /* ids given so far */
};

struct worker_outputs {
    struct {
        struct worker_segment *segment; /* NULL: none */
        uint32_t id;
        bool in_call; /* the call that runs writes into it */
    } items[WORKER_OUTPUT_SEGMENTS];
};

/* A new segment that the worker knows as *ret_id; sizes become powers of two. MODEL_OUT_OF_MEMORY as
 * worker_slot_share(). */
model_status worker_address_share(struct worker_address *address, uint64_t size_bytes,
                                  struct worker_segment **ret, uint32_t *ret_id,
                                  struct model_error *err);

/* A segment of at least min_bytes for the call that runs, used or new. Where there is no room for a new one the
 * worker gives up those that the call does not need. */
model_status worker_outputs_take(struct worker_outputs *outputs, struct worker_address *address,
                                 uint64_t min_bytes, struct worker_segment **ret, uint32_t *ret_id,
                                 struct model_error *err);
/* One that was taken for the call that runs; NULL: there is none of that number. */
struct worker_segment *worker_outputs_find(const struct worker_outputs *outputs, uint32_t id);
/* But for the segment of this number, which other calls write into; 0: none is. */
void worker_outputs_end_call(struct worker_outputs *outputs, uint32_t but_id);
/* Gives all back; the worker has ended, or its instance has. */
void worker_outputs_finish(struct worker_outputs *outputs);

#endif
