/* archive_rekey.c - see archive_rekey.h. The parameters have the same size as before, so that nothing moves. */
#include "archive_rekey.h"
#include "archive_private.h"
#include "errors.h"
#include "files.h"
#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A part of the file that becomes other bytes. */
struct patch {
    uint64_t offset;
    const uint8_t *bytes;
    size_t size_bytes;
};

static void apply(const struct patch *patch, uint64_t at, uint8_t *block, size_t n_bytes)
{
    for (size_t i = 0; i < patch->size_bytes; i++)
        if (patch->offset + i >= at && patch->offset + i < at + n_bytes)
            block[patch->offset + i - at] = patch->bytes[i];
}

/* The whole file with both patches; the second one, of zeros, is the place of its digest. */
static model_status copy(const struct archive *archive, const struct patch patches[2], int fd,
                         const char *path, struct digest *digest, struct model_error *err)
{
    model_status status = MODEL_OK;
    uint8_t *block = malloc(ARCHIVE_BLOCK_BYTES);
    if (block == NULL)
        return error_no_memory(err, "a block");
    for (uint64_t at = 0; at < archive->file_bytes && status == MODEL_OK;) {
        const uint64_t left = archive->file_bytes - at;
        const size_t n = left < ARCHIVE_BLOCK_BYTES ? (size_t)left : ARCHIVE_BLOCK_BYTES;
        status = file_read_at(archive->fd, archive->path, block, n, at, err);
        for (int i = 0; i < 2; i++)
            apply(&patches[i], at, block, n);
        if (status == MODEL_OK) {
            digest_update(digest, block, n);
            status = file_write_all(fd, path, block, n, err);
        }
        at += n;
    }
    free(block);
    return status;
}

static model_status write_file(const struct archive *archive, const uint8_t *parameters, int fd,
                               const char *path, struct model_error *err)
{
    static const uint8_t zeros[ARCHIVE_DIGEST_BYTES];
    const struct patch patches[2] = {{ARCHIVE_HEADER_BYTES + archive->header.metadata_bytes,
                                      parameters, ARCHIVE_ENCRYPTION_SIZE_BYTES},
                                     {ARCHIVE_DIGEST_OFFSET, zeros, sizeof zeros}};
    char hex[SHA256_HEX_BYTES];
    uint8_t sha256[ARCHIVE_DIGEST_BYTES];
    struct digest *digest = NULL;
    struct stat info;
    model_status status = digest_create_sha256(&digest, err);
    if (status != MODEL_OK)
        return status;
    status = copy(archive, patches, fd, path, digest, err);
    if (status != MODEL_OK) {
        digest_destroy(digest);
        return status;
    }
    digest_finish_hex(digest, hex);
    for (int i = 0; i < ARCHIVE_DIGEST_BYTES; i++)
        sha256[i] = (uint8_t)strtoul((const char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
    if (fstat(archive->fd, &info) != 0 || fchmod(fd, info.st_mode & 0777) != 0 ||
        pwrite(fd, sha256, sizeof sha256, ARCHIVE_DIGEST_OFFSET) != (ssize_t)sizeof sha256 ||
        fsync(fd) != 0)
        return error_set_errno(err, errno, "cannot write %s", path);
    return MODEL_OK;
}

static model_status replace(const struct archive *archive, const uint8_t *parameters,
                            struct model_error *err)
{
    struct scratch scratch = SCRATCH_NONE;
    scratch_sweep(archive->path);
    model_status status = scratch_file(archive->path, &scratch, err);
    if (status == MODEL_OK)
        status = write_file(archive, parameters, scratch.fd, archive->path, err);
    if (status == MODEL_OK)
        status = scratch_publish(&scratch, archive->path, err);
    scratch_discard(&scratch);
    return status;
}

model_status archive_rekey(const struct archive *archive, const struct archive_secret *secret,
                           struct model_error *err)
{
    struct archive_encryption encryption = {.chunk_bytes = 0};
    uint8_t parameters[ARCHIVE_ENCRYPTION_SIZE_BYTES];
    if ((archive->header.flags & ARCHIVE_ENCRYPTED) == 0)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%s is not encrypted; 'pkgmgr pack --encrypt' makes one that is",
                         archive->path);
    if (archive->cipher == NULL)
        return error_set(err, MODELHOST_UNAUTHORIZED, "%s: decryption: it is encrypted with a %s",
                         archive->path, archive_key_advice(archive->encryption.source));
    model_status status = archive_check_file(archive, err); /* else the damage would be sealed */
    if (status == MODEL_OK)
        status = archive_cipher_wrap(archive->cipher, secret, &encryption, err);
    if (status == MODEL_OK)
        status =
            archive_cipher_bind(archive->cipher, archive->header.metadata_sha256, &encryption, err);
    if (status != MODEL_OK)
        return status;
    archive_encryption_write(&encryption, parameters);
    return replace(archive, parameters, err);
}
