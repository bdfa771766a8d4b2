/* coreml_arena.c - see coreml_arena.h. Chunks in a list; the newest is filled first. */
#include "coreml_arena.h"
#include "size.h"

#include <stdlib.h>

#define CHUNK_BYTES ((size_t)1 << 16)
#define ALIGNMENT   ((size_t)16)

struct coreml_arena_chunk {
    struct coreml_arena_chunk *next;
    size_t used, capacity;
    _Alignas(16) unsigned char data[];
};

static struct coreml_arena_chunk *add_chunk(struct coreml_arena *arena, size_t wanted)
{
    const size_t capacity = wanted > CHUNK_BYTES ? wanted : CHUNK_BYTES;
    if (capacity > SIZE_MAX - sizeof(struct coreml_arena_chunk))
        return NULL;
    struct coreml_arena_chunk *chunk = calloc(1, sizeof *chunk + capacity);
    if (chunk == NULL)
        return NULL;
    chunk->capacity = capacity;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *coreml_arena_take(struct coreml_arena *arena, size_t n, size_t element_bytes)
{
    uint64_t wanted;
    if (!size_multiply(n, element_bytes, &wanted) || wanted > SIZE_MAX / 2)
        return NULL;
    wanted = (wanted + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct coreml_arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->capacity - chunk->used < wanted)
        chunk = add_chunk(arena, (size_t)wanted);
    if (chunk == NULL)
        return NULL;
    void *piece = chunk->data + chunk->used;
    chunk->used += (size_t)wanted;
    return piece;
}

void coreml_arena_finish(struct coreml_arena *arena)
{
    for (struct coreml_arena_chunk *chunk = arena->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    arena->chunks = NULL;
}
