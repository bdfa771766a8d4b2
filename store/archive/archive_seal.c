/* archive_seal.c - see archive_seal.h. */
#include "archive_seal.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

model_status archive_seal_plan(const struct archive_options *options, struct archive_index *index,
                               struct archive_header *header,
                               struct archive_encryption *ret_encryption,
                               struct archive_cipher **ret_cipher, struct model_error *err)
{
    struct archive_encryption encryption = {.memory_kib = options->kdf_memory_kib,
                                            .passes = options->kdf_passes,
                                            .chunk_bytes = options->chunk_bytes};
    for (size_t i = 0; i < index->n_entries; i++)
        index->entries[i].payload_bytes = index->entries[i].stored_bytes;
    if (options->secret == NULL)
        return MODEL_OK;
    model_status status = archive_cipher_create(options->secret, &encryption, ret_cipher, err);
    if (status != MODEL_OK)
        return status;
    header->flags |= ARCHIVE_ENCRYPTED;
    header->cipher_suite = ARCHIVE_CIPHER_XCHACHA;
    header->encryption_bytes = ARCHIVE_ENCRYPTION_SIZE_BYTES;
    for (size_t i = 0; i < index->n_entries; i++) {
        struct archive_entry *entry = &index->entries[i];
        entry->is_encrypted = archive_cipher_hides(entry->path);
        if (entry->is_encrypted)
            entry->stored_bytes =
                archive_sealed_bytes(entry->payload_bytes, encryption.chunk_bytes);
    }
    *ret_encryption = encryption;
    return MODEL_OK;
}

model_status archive_seal_init(struct archive_seal *seal, const struct archive_cipher *cipher,
                               const char *path, uint64_t payload_bytes, struct archive_sink sink,
                               struct model_error *err)
{
    *seal = (struct archive_seal){.sink = sink, .is_plain = cipher == NULL};
    if (cipher == NULL)
        return MODEL_OK;
    model_status status = archive_chunks_init(cipher, path, payload_bytes, &seal->chunks, err);
    if (status != MODEL_OK)
        return status;
    seal->chunk = malloc((size_t)seal->chunks.chunk_bytes + CIPHER_TAG_BYTES);
    return seal->chunk != NULL ? MODEL_OK : error_no_memory(err, "a chunk of an archive");
}

static model_status put_chunk(struct archive_seal *seal, struct model_error *err)
{
    model_status status =
        archive_chunk_seal(&seal->chunks, seal->number, seal->chunk, seal->chunk, err);
    if (status == MODEL_OK)
        status = seal->sink.put(seal->sink.context, seal->chunk,
                                seal->fill_bytes + CIPHER_TAG_BYTES, err);
    seal->number++;
    seal->fill_bytes = 0;
    return status;
}

model_status archive_seal_put(struct archive_seal *seal, const void *data, size_t size_bytes,
                              struct model_error *err)
{
    const uint8_t *from = data;
    model_status status = MODEL_OK;
    if (seal->is_plain)
        return seal->sink.put(seal->sink.context, data, size_bytes, err);
    while (size_bytes > 0 && status == MODEL_OK) {
        if (seal->number == seal->chunks.n_chunks)
            return error_set(err, MODEL_INTERNAL, "more was encrypted than was said");
        const size_t room = archive_chunk_size(&seal->chunks, seal->number) - seal->fill_bytes;
        const size_t n = size_bytes < room ? size_bytes : room;
        memcpy(seal->chunk + seal->fill_bytes, from, n);
        seal->fill_bytes += n;
        from += n;
        size_bytes -= n;
        if (n == room)
            status = put_chunk(seal, err);
    }
    return status;
}

/* A chunk goes when it is full, so only that of nothing is left. */
model_status archive_seal_end(struct archive_seal *seal, struct model_error *err)
{
    if (!seal->is_plain && seal->chunks.payload_bytes == 0 && seal->number == 0)
        return put_chunk(seal, err);
    if (!seal->is_plain && seal->number != seal->chunks.n_chunks)
        return error_set(err, MODEL_INTERNAL, "less was encrypted than was said");
    return MODEL_OK;
}

void archive_seal_finish(struct archive_seal *seal)
{
    if (seal->chunk != NULL)
        secret_wipe(seal->chunk, seal->chunks.chunk_bytes);
    free(seal->chunk);
    archive_chunks_finish(&seal->chunks);
    *seal = (struct archive_seal){.is_plain = true};
}
