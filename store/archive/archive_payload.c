/* archive_payload.c - see archive_payload.h. A chunk is authentic or not as a whole, so a part of one is cut out of
 * it after it was decrypted somewhere else; whole ones are decrypted into their place. */
#include "archive_payload.h"
#include "archive_frames.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

/* A reading of [at, at + size_bytes) of a payload. */
struct reading {
    const struct archive_source_file *file;
    const struct archive_entry *entry;
    struct archive_chunks chunks;
    uint64_t at;
    uint8_t *data;
    size_t size_bytes;
};

static model_status read_chunk(void *context, size_t i, struct model_error *err)
{
    const struct reading *reading = context;
    const struct archive_chunks *chunks = &reading->chunks;
    const uint64_t number = reading->at / chunks->chunk_bytes + i;
    const uint64_t begin = number * chunks->chunk_bytes;
    const size_t n_bytes = archive_chunk_size(chunks, number);
    const uint64_t end = reading->at + reading->size_bytes;
    const size_t skip = begin < reading->at ? (size_t)(reading->at - begin) : 0;
    const size_t past = begin + n_bytes > end ? (size_t)(begin + n_bytes - end) : 0;
    uint8_t *sealed = malloc(n_bytes + CIPHER_TAG_BYTES);
    if (sealed == NULL)
        return error_no_memory(err, "a chunk of an archive");
    model_status status = file_read_at(
        reading->file->fd, reading->file->path, sealed, n_bytes + CIPHER_TAG_BYTES,
        reading->entry->offset + number * (chunks->chunk_bytes + (uint64_t)CIPHER_TAG_BYTES), err);
    uint8_t *place = reading->data + (begin + skip - reading->at);
    const bool is_whole = skip == 0 && past == 0;
    if (status == MODEL_OK)
        status = archive_chunk_open(chunks, number, sealed, is_whole ? place : sealed,
                                    reading->file->path, err);
    if (status == MODEL_OK && !is_whole) {
        memcpy(place, sealed + skip, n_bytes - skip - past);
        secret_wipe(sealed, n_bytes);
    }
    free(sealed);
    return status;
}

static model_status say_locked(const struct archive_source_file *file,
                               const struct archive_entry *entry, struct model_error *err)
{
    return error_set(err, MODELHOST_UNAUTHORIZED,
                     "%s: decryption: entry '%.200s' is encrypted with a %s", file->path,
                     entry->path, archive_key_advice(file->key_source));
}

static model_status start(const struct archive_source_file *file, const struct archive_entry *entry,
                          uint64_t at, void *data, size_t size_bytes, struct reading *ret,
                          struct model_error *err)
{
    *ret = (struct reading){
        .file = file, .entry = entry, .at = at, .data = data, .size_bytes = size_bytes};
    return file->cipher != NULL ? archive_chunks_init(file->cipher, entry->path,
                                                      entry->payload_bytes, &ret->chunks, err)
                                : say_locked(file, entry, err);
}

/* An empty payload has one chunk, which says that it is empty. */
static size_t n_chunks(const struct reading *reading)
{
    const uint32_t chunk_bytes = reading->chunks.chunk_bytes;
    const uint64_t last = reading->at + (reading->size_bytes > 0 ? reading->size_bytes - 1 : 0);
    return (size_t)(last / chunk_bytes - reading->at / chunk_bytes + 1);
}

model_status archive_payload_read(const struct archive_source_file *file,
                                  const struct archive_entry *entry, uint64_t at, void *data,
                                  size_t size_bytes, struct model_error *err)
{
    struct reading reading;
    if (!entry->is_encrypted)
        return file_read_at(file->fd, file->path, data, size_bytes, entry->offset + at, err);
    model_status status = start(file, entry, at, data, size_bytes, &reading, err);
    if (status != MODEL_OK)
        return status;
    const size_t n = n_chunks(&reading);
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = read_chunk(&reading, i, err);
    archive_chunks_finish(&reading.chunks);
    return status;
}

model_status archive_payload_read_parallel(const struct archive_source_file *file,
                                           const struct archive_entry *entry, uint64_t at,
                                           void *data, size_t size_bytes, struct model_error *err)
{
    struct reading reading;
    if (!entry->is_encrypted)
        return archive_payload_read(file, entry, at, data, size_bytes, err);
    model_status status = start(file, entry, at, data, size_bytes, &reading, err);
    if (status != MODEL_OK)
        return status;
    status = archive_parallel(n_chunks(&reading), read_chunk, &reading, err);
    archive_chunks_finish(&reading.chunks);
    return status;
}
