/* packed_blobs.c - see packed_blobs.h. */
#include "packed_blobs.h"
#include "buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define ALIGNMENT       64

struct packed_blob {
    struct packed_blob *next;
    char *key;
    size_t size_bytes;
    const void *data;
    void *memory;        /* NULL: the data are the file's */
    size_t mapped_bytes; /* of memory that is a mapping of its own; 0: it is from the heap */
};

/* Large blocks ask for huge pages: a step of a decoder reads every packed weight once, and with small
 * pages half of its time goes into finding them. */
static void use_huge_pages(void *memory, size_t size_bytes)
{
#ifdef MADV_HUGEPAGE
    (void)madvise(memory, size_bytes / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)size_bytes;
#endif
}

void *packed_blobs_allocate(size_t size_bytes)
{
    const size_t alignment = size_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : ALIGNMENT;
    if (size_bytes > SIZE_MAX - alignment)
        return NULL;
    size_t padded = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, padded > 0 ? padded : ALIGNMENT) != 0)
        return NULL;
    if (alignment == HUGE_PAGE_BYTES)
        use_huge_pages(memory, padded);
    return memory;
}

/* Zeros, since what a plugin leaves between its numbers goes into a file: no memory that held something else before. Large
 * blobs are mappings of their own for that, which the system has cleared. */
static bool take_memory(struct packed_blob *blob)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t wanted = (blob->size_bytes + page - 1) / page * page;
    if (blob->size_bytes < HUGE_PAGE_BYTES) {
        blob->memory = packed_blobs_allocate(blob->size_bytes);
        if (blob->memory != NULL)
            memset(blob->memory, 0, blob->size_bytes);
        return blob->memory != NULL;
    }
    if (wanted < blob->size_bytes || wanted > SIZE_MAX - HUGE_PAGE_BYTES)
        return false;
    uint8_t *start = mmap(NULL, wanted + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return false;
    const size_t before = (HUGE_PAGE_BYTES - (uintptr_t)start % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    if (before > 0)
        (void)munmap(start, before);
    (void)munmap(start + before + wanted, HUGE_PAGE_BYTES - before);
    blob->memory = start + before;
    blob->mapped_bytes = wanted;
    use_huge_pages(blob->memory, blob->size_bytes);
    return true;
}

static void destroy(struct packed_blob *blob)
{
    if (blob == NULL)
        return;
    if (blob->mapped_bytes > 0)
        (void)munmap(blob->memory, blob->mapped_bytes);
    else
        free(blob->memory);
    free(blob->key);
    free(blob);
}

static void find_prepared(struct packed_blobs *blobs, const char *first_key)
{
    void (*const find)(void *context, const char *first_key) = blobs->find;
    blobs->find = NULL;
    if (find != NULL)
        find(blobs->find_context, first_key);
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
    find_prepared(blobs, key);
    const struct prepared_blob *kept = prepared_index_find(&blobs->prepared.index, key, size_bytes);
    struct packed_blob *blob = calloc(1, sizeof *blob);
    if (blob == NULL)
        return MODEL_OUT_OF_MEMORY;
    blob->key = text_format("%s", key);
    blob->size_bytes = size_bytes;
    const bool has_data = kept != NULL || take_memory(blob);
    blob->data = kept != NULL ? kept->data : blob->memory;
    model_status status = blob->key != NULL && has_data ? MODEL_OK : MODEL_OUT_OF_MEMORY;
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
