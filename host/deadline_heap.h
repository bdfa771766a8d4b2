/* deadline_heap.h - requests ordered by deadline, so that the loop needs one timer. Guarded by the
 * scheduler's mutex. */
#ifndef DEADLINE_HEAP_H
#define DEADLINE_HEAP_H

#include "request.h"

struct deadline_heap {
    struct modelhost_request **items; /* (n_items), a binary heap, the earliest first */
    size_t n_items;
    size_t capacity;
};

/* MODEL_OUT_OF_MEMORY leaves it as it was. */
model_status deadline_heap_add(struct deadline_heap *heap, struct modelhost_request *request);
/* Does nothing when the request is not in it. */
void deadline_heap_remove(struct deadline_heap *heap, struct modelhost_request *request);
/* The earliest, or NULL. */
struct modelhost_request *deadline_heap_first(const struct deadline_heap *heap);
void deadline_heap_finish(struct deadline_heap *heap);

#endif
