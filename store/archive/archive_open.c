/* archive_open.c - see archive.h: the steps of opening an archive, as a table. */
#include "archive_private.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static model_status step_header(struct archive *archive, struct model_error *err)
{
    uint8_t bytes[ARCHIVE_HEADER_BYTES];
    const size_t n_bytes =
        archive->file_bytes < sizeof bytes ? (size_t)archive->file_bytes : sizeof bytes;
    model_status status = file_read_at(archive->fd, archive->path, bytes, n_bytes, 0, err);
    return status == MODEL_OK ? archive_header_parse(bytes, n_bytes, archive->file_bytes,
                                                     archive->path, &archive->header, err)
                              : status;
}

static void hex_of(const uint8_t digest[ARCHIVE_DIGEST_BYTES], char ret_hex[SHA256_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < ARCHIVE_DIGEST_BYTES; i++) {
        ret_hex[2 * i] = digits[digest[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ret_hex[SHA256_HEX_BYTES - 1] = '\0';
}

/* Its digest first: then nothing but what was written is parsed. */
static model_status step_metadata(struct archive *archive, struct model_error *err)
{
    char found[SHA256_HEX_BYTES], want[SHA256_HEX_BYTES];
    const size_t n_bytes = (size_t)archive->header.metadata_bytes;
    archive->metadata = malloc(n_bytes);
    if (archive->metadata == NULL)
        return error_no_memory(err, "the metadata of an archive");
    model_status status = file_read_at(archive->fd, archive->path, archive->metadata, n_bytes,
                                       ARCHIVE_HEADER_BYTES, err);
    if (status == MODEL_OK)
        status = digest_bytes_sha256(archive->metadata, n_bytes, found, err);
    if (status != MODEL_OK)
        return status;
    hex_of(archive->header.metadata_sha256, want);
    if (strcmp(found, want) != 0)
        return error_set(err, MODEL_CORRUPT,
                         "%s: metadata: SHA-256 %.12s..., want %.12s...; get the file again",
                         archive->path, found, want);
    return archive_index_parse(archive->metadata, n_bytes, &archive->header, archive->path,
                               &archive->index, err);
}

static model_status read_encryption(struct archive *archive, struct model_error *err)
{
    uint8_t bytes[ARCHIVE_MAX_ENCRYPTION_BYTES];
    const size_t n_bytes = (size_t)archive->header.encryption_bytes; /* checked with the header */
    model_status status = file_read_at(archive->fd, archive->path, bytes, n_bytes,
                                       ARCHIVE_HEADER_BYTES + archive->header.metadata_bytes, err);
    return status == MODEL_OK
               ? archive_encryption_parse(bytes, n_bytes, archive->path, &archive->encryption, err)
               : status;
}

/* Encrypted entries are longer than what they hide, by a tag for each chunk. */
static model_status measure_payloads(struct archive *archive, struct model_error *err)
{
    for (size_t i = 0; i < archive->index.n_entries; i++) {
        struct archive_entry *entry = &archive->index.entries[i];
        entry->is_encrypted = archive_cipher_hides(entry->path);
        if (entry->is_encrypted &&
            !archive_payload_bytes(entry->stored_bytes, archive->encryption.chunk_bytes,
                                   &entry->payload_bytes))
            return error_set(err, MODEL_CORRUPT,
                             "%s: decryption: entry '%.200s': %llu bytes are no chunks of %u and "
                             "%d; get the file again",
                             archive->path, entry->path, (unsigned long long)entry->stored_bytes,
                             archive->encryption.chunk_bytes, CIPHER_TAG_BYTES);
    }
    return MODEL_OK;
}

/* A secret is a demand: who gives one must not be handed what anybody could have written. */
static model_status refuse_readable(const struct archive *archive, struct model_error *err)
{
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "%s is not encrypted, and a passphrase or key was given for it: if it should "
                     "be, another file was put in its place, so get it again; if not, open it "
                     "without one",
                     archive->path);
}

/* Without a secret what is encrypted stays so: reading it says what is missing. */
static model_status open_cipher(struct archive *archive, struct model_error *err)
{
    if ((archive->header.flags & ARCHIVE_ENCRYPTED) == 0)
        return archive->secret == NULL ? MODEL_OK : refuse_readable(archive, err);
    model_status status = archive_cipher_check(archive->header.cipher_suite, archive->path, err);
    if (status != MODEL_OK)
        return status;
    if (archive->header.cipher_suite == ARCHIVE_CIPHER_NONE)
        return error_set(err, MODEL_CORRUPT,
                         "%s: decryption: the archive says it is encrypted, with no cipher suite; "
                         "get the file again",
                         archive->path);
    status = read_encryption(archive, err);
    if (status == MODEL_OK)
        status = measure_payloads(archive, err);
    if (status == MODEL_OK && archive->secret != NULL)
        status = archive_cipher_open(&archive->encryption, archive->secret,
                                     archive->header.metadata_sha256, archive->path,
                                     &archive->cipher, err);
    return status;
}

/* What looks like another suite, another passphrase or no encryption may be a flipped bit: where the whole file is
 * to be compared anyway, it is compared before that is believed. */
static model_status step_decryption(struct archive *archive, struct model_error *err)
{
    struct model_error damage = MODEL_ERROR_INIT;
    model_status status = open_cipher(archive, err);
    const bool may_be_damage = status == MODEL_UNSUPPORTED || status == MODELHOST_UNAUTHORIZED ||
                               status == MODEL_INVALID_ARGUMENT;
    if (!may_be_damage || archive->level == ARCHIVE_CHECKSUM)
        return status;
    const model_status found = archive_check_file(archive, &damage);
    return found != MODEL_OK ? error_set(err, found, "%s", damage.message) : status;
}

static model_status step_decompression(struct archive *archive, struct model_error *err)
{
    return archive_index_check_sizes(&archive->index, archive->path, err);
}

static model_status step_digests(struct archive *archive, struct model_error *err)
{
    if (archive->level != ARCHIVE_PARANOID)
        return MODEL_OK; /* each content before it is used */
    model_status status = archive_check_file(archive, err);
    return status == MODEL_OK ? archive_check_canonical(archive, err) : status;
}

/* In this order: a step may believe what those before it have checked. */
static model_status (*const steps[])(struct archive *archive, struct model_error *err) = {
    step_header,     step_metadata,      archive_check_signature,
    step_decryption, step_decompression, step_digests,
};

static model_status open_file(const char *path, struct archive *archive, struct model_error *err)
{
    struct stat info;
    archive->path = realpath(path, NULL);
    if (archive->path == NULL)
        return error_set_errno(err, errno, "cannot open %s", path);
    archive->fd = open(archive->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (archive->fd < 0 || fstat(archive->fd, &info) != 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    if (!S_ISREG(info.st_mode))
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a regular file", path);
    archive->file_bytes = (uint64_t)info.st_size;
    return MODEL_OK;
}

model_status archive_open_with(const char *path, const struct archive_access *access,
                               struct archive **ret, struct model_error *err)
{
    struct archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL)
        return error_no_memory(err, "an archive");
    archive->fd = -1;
    archive->level = access->level;
    archive->secret = access->secret;
    archive->contents = access->contents;
    archive->policy = access->signature;
    archive->compares_mapped = access->signature != NULL;
    model_status status = open_file(path, archive, err);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == MODEL_OK; i++)
        status = steps[i](archive, err);
    archive->secret = NULL; /* the caller's */
    archive->policy = NULL;
    if (status == MODEL_OK)
        *ret = archive;
    else
        archive_close(archive);
    return status;
}

model_status archive_open(const char *path, enum archive_level level, struct archive **ret,
                          struct model_error *err)
{
    return archive_open_with(path, &(struct archive_access){.level = level}, ret, err);
}

void archive_close(struct archive *archive)
{
    if (archive == NULL)
        return;
    archive_cipher_destroy(archive->cipher);
    archive_index_finish(&archive->index);
    if (archive->fd >= 0)
        (void)close(archive->fd);
    free(archive->metadata);
    free(archive->signature);
    free(archive->path);
    free(archive);
}

const char *archive_path(const struct archive *archive)
{
    return archive->path;
}

const struct archive_header *archive_header(const struct archive *archive)
{
    return &archive->header;
}

enum archive_key_source archive_key_source(const struct archive *archive)
{
    return archive->encryption.source;
}

int archive_descriptor(const struct archive *archive)
{
    return archive->fd;
}

const struct archive_index *archive_index(const struct archive *archive)
{
    return &archive->index;
}

const struct archive_entry *archive_find(const struct archive *archive, const char *path)
{
    return archive_index_find(&archive->index, path);
}

bool archive_is_folder(const struct archive *archive)
{
    return archive->is_folder;
}

const char *archive_signature(const struct archive *archive)
{
    return archive->signature;
}
