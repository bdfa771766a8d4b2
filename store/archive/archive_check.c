/* archive_check.c - see archive.h: the whole file's digest, and the canonical form. */
#include "archive_private.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

static bool is_digest(const uint8_t digest[ARCHIVE_DIGEST_BYTES], const char *hex)
{
    for (int i = 0; i < ARCHIVE_DIGEST_BYTES; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        if (strtoul(pair, NULL, 16) != digest[i])
            return false;
    }
    return true;
}

model_status archive_check_file(const struct archive *archive, struct model_error *err)
{
    char hex[SHA256_HEX_BYTES];
    struct digest *digest = NULL;
    uint8_t *block = malloc(ARCHIVE_BLOCK_BYTES);
    model_status status =
        block != NULL ? digest_create_sha256(&digest, err) : error_no_memory(err, "a block");
    for (uint64_t at = 0; at < archive->file_bytes && status == MODEL_OK;) {
        const uint64_t left = archive->file_bytes - at;
        const size_t n = left < ARCHIVE_BLOCK_BYTES ? (size_t)left : ARCHIVE_BLOCK_BYTES;
        status = file_read_at(archive->fd, archive->path, block, n, at, err);
        if (status == MODEL_OK && at == 0) /* the digest is not of itself */
            memset(block + ARCHIVE_DIGEST_OFFSET, 0, ARCHIVE_DIGEST_BYTES);
        if (status == MODEL_OK)
            digest_update(digest, block, n);
        at += n;
    }
    free(block);
    if (status != MODEL_OK) {
        digest_destroy(digest);
        return status;
    }
    digest_finish_hex(digest, hex);
    if (is_digest(archive->header.file_sha256, hex))
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT,
                     "%s: digests: the file's SHA-256 is not the one in its header: a bit was "
                     "changed somewhere; get the file again",
                     archive->path);
}

static model_status check_gap(const struct archive *archive, uint64_t begin, uint64_t end,
                              struct model_error *err)
{
    uint8_t gap[ARCHIVE_ALIGNMENT];
    model_status status = file_read_at(archive->fd, archive->path, gap, end - begin, begin, err);
    for (size_t i = 0; i < end - begin && status == MODEL_OK; i++)
        if (gap[i] != 0)
            status = error_set(
                err, MODEL_CORRUPT,
                "%s: digests: byte %llu between entries is %u, want 0; get the file again",
                archive->path, (unsigned long long)(begin + i), gap[i]);
    return status;
}

model_status archive_check_canonical(const struct archive *archive, struct model_error *err)
{
    const struct archive_header *header = &archive->header;
    uint64_t end = archive_signature_offset(header) + header->signature_bytes;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < archive->index.n_entries && status == MODEL_OK; i++) {
        const struct archive_entry *entry = &archive->index.entries[i];
        status = check_gap(archive, end, entry->offset, err);
        end = entry->offset + entry->stored_bytes;
    }
    if (status != MODEL_OK)
        return status;
    char *text = archive_index_print(&archive->index);
    if (text == NULL)
        return error_no_memory(err, "the metadata of an archive");
    if (strlen(text) != header->metadata_bytes ||
        memcmp(text, archive->metadata, (size_t)header->metadata_bytes) != 0)
        status =
            error_set(err, MODEL_CORRUPT,
                      "%s: digests: the metadata are not written as 'pkgmgr pack' writes them; "
                      "have its author pack it anew",
                      archive->path);
    free(text);
    return status;
}
