/* archive_sign.c - see archive_sign.h. The file's digest stands before what it is of: everything is gone through twice,
 * once for the digest and once to be written. */
#include "archive_sign.h"
#include "archive_private.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

#define MANIFEST_PATH "metadata.json"

struct signing {
    const struct archive *from;
    const char *signature;
    struct archive_header header;
    struct archive_index index; /* a copy with other offsets; its texts and frames are of `from` */
    char *metadata;             /* (header.metadata_bytes) */
    char *manifest;             /* the content of metadata.json */
    uint8_t *block;
    struct digest *digest; /* in the first round; or */
    struct file_out *out;
    uint64_t n_bytes; /* that went by */
};

static model_status put(struct signing *signing, const void *data, size_t size_bytes,
                        struct model_error *err)
{
    signing->n_bytes += size_bytes;
    if (signing->out != NULL)
        return file_out_write(signing->out, data, size_bytes, err);
    digest_update(signing->digest, data, size_bytes);
    return MODEL_OK;
}

static model_status put_part(struct signing *signing, uint64_t offset, uint64_t size_bytes,
                             struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint64_t at = 0; at < size_bytes && status == MODEL_OK;) {
        const uint64_t left = size_bytes - at;
        const size_t n = left < ARCHIVE_BLOCK_BYTES ? (size_t)left : ARCHIVE_BLOCK_BYTES;
        status = file_read_at(signing->from->fd, signing->from->path, signing->block, n,
                              offset + at, err);
        if (status == MODEL_OK)
            status = put(signing, signing->block, n, err);
        at += n;
    }
    return status;
}

static model_status put_entry(struct signing *signing, size_t i, struct model_error *err)
{
    static const uint8_t zeros[ARCHIVE_ALIGNMENT];
    const struct archive_entry *from = &signing->from->index.entries[i];
    const struct archive_entry *entry = &signing->index.entries[i];
    model_status status = put(signing, zeros, (size_t)(entry->offset - signing->n_bytes), err);
    if (status != MODEL_OK)
        return status;
    return strcmp(entry->path, MANIFEST_PATH) == 0
               ? put(signing, signing->manifest, (size_t)entry->size_bytes, err)
               : put_part(signing, from->offset, from->stored_bytes, err);
}

static model_status put_all(struct signing *signing, struct model_error *err)
{
    uint8_t bytes[ARCHIVE_HEADER_BYTES];
    const struct archive_header *header = &signing->header, *from = &signing->from->header;
    signing->n_bytes = 0;
    archive_header_write(header, bytes);
    model_status status = put(signing, bytes, sizeof bytes, err);
    if (status == MODEL_OK)
        status = put(signing, signing->metadata, (size_t)header->metadata_bytes, err);
    if (status == MODEL_OK)
        status = put_part(signing, ARCHIVE_HEADER_BYTES + from->metadata_bytes,
                          from->encryption_bytes, err);
    if (status == MODEL_OK)
        status = put(signing, signing->signature, (size_t)header->signature_bytes, err);
    for (size_t i = 0; i < signing->index.n_entries && status == MODEL_OK; i++)
        status = put_entry(signing, i, err);
    return status;
}

static model_status write_out(void *context, struct file_out *out, struct model_error *err)
{
    struct signing *signing = context;
    signing->out = out;
    return put_all(signing, err);
}

/* metadata.json is stored as it is, so that it can be read before anything is unpacked. */
static model_status store_manifest(struct signing *signing, struct model_error *err)
{
    struct archive_entry *entry =
        (struct archive_entry *)(uintptr_t)archive_index_find(&signing->index, MANIFEST_PATH);
    struct buffer text = BUFFER_INIT(ARCHIVE_MAX_METADATA_BYTES);
    if (entry == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%s has no " MANIFEST_PATH
                         " to sign: unpack it, sign the folder, and pack it "
                         "again",
                         signing->from->path);
    model_status status =
        archive_read(signing->from, entry, ARCHIVE_MAX_METADATA_BYTES, &text, err);
    signing->manifest = status == MODEL_OK ? buffer_take(&text) : NULL;
    buffer_finish(&text);
    if (status == MODEL_OK && signing->manifest == NULL)
        return error_no_memory(err, MANIFEST_PATH);
    entry->method = ARCHIVE_STORED;
    entry->frames = NULL;
    entry->n_frames = 0;
    entry->stored_bytes = entry->payload_bytes = entry->size_bytes;
    return status;
}

static model_status plan(struct signing *signing, struct model_error *err)
{
    char hex[SHA256_HEX_BYTES];
    const size_t n = signing->from->index.n_entries, n_signature = strlen(signing->signature);
    signing->index = signing->from->index;
    signing->header = signing->from->header;
    signing->index.entries = malloc(n * sizeof *signing->index.entries);
    signing->block = malloc(ARCHIVE_BLOCK_BYTES);
    if (signing->index.entries == NULL || signing->block == NULL)
        return error_no_memory(err, "an archive");
    memcpy(signing->index.entries, signing->from->index.entries,
           n * sizeof *signing->index.entries);
    model_status status = store_manifest(signing, err);
    if (status != MODEL_OK)
        return status;
    signing->header.flags |= ARCHIVE_SIGNED;
    signing->header.signature_bytes = n_signature;
    status = archive_index_place(&signing->index, &signing->header, &signing->metadata, err);
    if (status == MODEL_OK)
        status = digest_bytes_sha256(signing->metadata, (size_t)signing->header.metadata_bytes, hex,
                                     err);
    if (status == MODEL_OK)
        archive_digest_of_hex(hex, signing->header.metadata_sha256);
    if (status == MODEL_OK && (signing->header.flags & ARCHIVE_ENCRYPTED) != 0 &&
        memcmp(signing->header.metadata_sha256, signing->from->header.metadata_sha256,
               ARCHIVE_DIGEST_BYTES) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s is encrypted and has no room for a signature: unpack it, sign the "
                         "folder, and pack it again with --encrypt",
                         signing->from->path);
    return status;
}

static model_status write_signed(struct signing *signing, struct model_error *err)
{
    char hex[SHA256_HEX_BYTES];
    memset(signing->header.file_sha256, 0, ARCHIVE_DIGEST_BYTES);
    model_status status = digest_create_sha256(&signing->digest, err);
    if (status != MODEL_OK)
        return status;
    status = put_all(signing, err);
    if (status != MODEL_OK) {
        digest_destroy(signing->digest);
        return status;
    }
    digest_finish_hex(signing->digest, hex);
    archive_digest_of_hex(hex, signing->header.file_sha256);
    return file_write_made(signing->from->path, write_out, signing, err);
}

model_status archive_sign(const char *path, const char *signature, struct model_error *err)
{
    struct archive *archive = NULL;
    struct signing signing = {.signature = signature};
    model_status status = archive_open(path, ARCHIVE_CHECKSUM, &archive, err);
    if (status != MODEL_OK)
        return status;
    signing.from = archive;
    status = plan(&signing, err);
    if (status == MODEL_OK)
        status = write_signed(&signing, err);
    free(signing.metadata);
    free(signing.manifest);
    free(signing.block);
    free(signing.index.entries);
    archive_close(archive);
    return status;
}
