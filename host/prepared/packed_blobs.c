/* packed_blobs.c - see packed_blobs.h. */
#include "packed_blobs.h"
#include "buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define ALIGNMENT       64

struct packed_blob {
    struct packed_blob *next;
    char *key;
    size_t size_bytes;
    const void *data;
    void *memory; /* NULL: the data are the file's */
};

/* Large blocks ask for huge pages: a step of a decoder reads every packed weight once, and with small
 * pages half of its time goes into finding them. */
void *packed_blobs_allocate(size_t size_bytes)
{
    const size_t alignment = size_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : ALIGNMENT;
    if (size_bytes > SIZE_MAX - alignment)
        return NULL;
    size_t padded = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, padded > 0 ? padded : ALIGNMENT) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (alignment == HUGE_PAGE_BYTES)
        (void)madvise(memory, padded / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE);
#endif
    return memory;
}

static void destroy(struct packed_blob *blob)
{
    if (blob == NULL)
        return;
    free(blob->memory);
    free(blob->key);
    free(blob);
}

model_status packed_blobs_get(struct packed_blobs *blobs, const char *key, size_t size_bytes,
                              model_status (*fill)(void *argument, void *destination),
                              void *argument, const void **ret_data)
{
    for (const struct packed_blob *b = blobs->first; b != NULL; b = b->next)
        if (b->size_bytes == size_bytes && strcmp(b->key, key) == 0) {
            *ret_data = b->data;
            return MODEL_OK;
        }
    const struct prepared_blob *kept = prepared_index_find(&blobs->prepared.index, key, size_bytes);
    struct packed_blob *blob = calloc(1, sizeof *blob);
    if (blob == NULL)
        return MODEL_OUT_OF_MEMORY;
    blob->key = text_format("%s", key);
    blob->size_bytes = size_bytes;
    if (kept == NULL)
        blob->memory = packed_blobs_allocate(size_bytes);
    blob->data = kept != NULL ? kept->data : blob->memory;
    model_status status = blob->key != NULL && blob->data != NULL ? MODEL_OK : MODEL_OUT_OF_MEMORY;
    if (status == MODEL_OK && kept == NULL)
        status = fill(argument, blob->memory);
    if (status != MODEL_OK) {
        destroy(blob);
        return status;
    }
    *(blobs->last != NULL ? &blobs->last->next : &blobs->first) = blob;
    blobs->last = blob;
    blobs->n_blobs++;
    blobs->n_made += kept == NULL;
    blobs->size_bytes += size_bytes;
    *ret_data = blob->data;
    return MODEL_OK;
}

struct prepared_blob *packed_blobs_list(const struct packed_blobs *blobs)
{
    struct prepared_blob *list = calloc(blobs->n_blobs + 1, sizeof *list);
    size_t n = 0;
    for (const struct packed_blob *b = blobs->first; b != NULL && list != NULL; b = b->next)
        list[n++] = (struct prepared_blob){b->key, b->data, b->size_bytes, 0};
    return list;
}

void packed_blobs_finish(struct packed_blobs *blobs)
{
    for (struct packed_blob *blob = blobs->first, *next = NULL; blob != NULL; blob = next) {
        next = blob->next;
        destroy(blob);
    }
    prepared_map_close(&blobs->prepared);
    *blobs = (struct packed_blobs){.prepared.map.fd = -1};
}
