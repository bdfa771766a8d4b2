/* coreml_arena.h - memory for the views of one model: many small pieces, given back at once. One owner. */
#ifndef COREML_ARENA_H
#define COREML_ARENA_H

#include <stddef.h>

struct coreml_arena {
    struct coreml_arena_chunk *chunks;
};

/* n zeroed elements, aligned for all; never NULL for n = 0. NULL: no memory, or the product overflows. */
void *coreml_arena_take(struct coreml_arena *arena, size_t n, size_t element_bytes);
void coreml_arena_finish(struct coreml_arena *arena);

#endif
