/* archive_format.c - see archive_format.h. All numbers are little-endian; docs/package-format.md has the
 * same table of offsets. */
#include "archive_format.h"
#include "cipher_primitives.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

/* As PNG's: a first byte that is no text, and line ends that a careless transfer would change. */
static const uint8_t magic[8] = {0x89, 'M', 'H', 'P', '\r', '\n', 0x1A, '\n'};

#define KNOWN_FLAGS (ARCHIVE_SIGNED | ARCHIVE_ENCRYPTED)

enum offset {
    AT_VERSION = 8,
    AT_HEADER_BYTES = 12,
    AT_FLAGS = 16,
    AT_CIPHER_SUITE = 20,
    AT_FILE_BYTES = 24,
    AT_METADATA_BYTES = 32,
    AT_ENCRYPTION_BYTES = 40,
    AT_SIGNATURE_BYTES = 48,
    AT_METADATA_SHA256 = 56,
    AT_FILE_SHA256 = ARCHIVE_DIGEST_OFFSET,
    AT_RESERVED = 120,
};

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static void put_u64(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

static uint64_t get_u64(const uint8_t *bytes)
{
    return get_u32(bytes) | (uint64_t)get_u32(bytes + 4) << 32;
}

void archive_header_write(const struct archive_header *header,
                          uint8_t ret_bytes[ARCHIVE_HEADER_BYTES])
{
    memset(ret_bytes, 0, ARCHIVE_HEADER_BYTES);
    memcpy(ret_bytes, magic, sizeof magic);
    put_u32(ret_bytes + AT_VERSION, ARCHIVE_FORMAT_VERSION);
    put_u32(ret_bytes + AT_HEADER_BYTES, ARCHIVE_HEADER_BYTES);
    put_u32(ret_bytes + AT_FLAGS, header->flags);
    put_u32(ret_bytes + AT_CIPHER_SUITE, header->cipher_suite);
    put_u64(ret_bytes + AT_FILE_BYTES, header->file_bytes);
    put_u64(ret_bytes + AT_METADATA_BYTES, header->metadata_bytes);
    put_u64(ret_bytes + AT_ENCRYPTION_BYTES, header->encryption_bytes);
    put_u64(ret_bytes + AT_SIGNATURE_BYTES, header->signature_bytes);
    memcpy(ret_bytes + AT_METADATA_SHA256, header->metadata_sha256, ARCHIVE_DIGEST_BYTES);
    memcpy(ret_bytes + AT_FILE_SHA256, header->file_sha256, ARCHIVE_DIGEST_BYTES);
}

bool archive_has_magic(const uint8_t *bytes, size_t size_bytes)
{
    return size_bytes >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

/* What stands before the sizes. */
static model_status check_kind(const uint8_t *bytes, size_t size_bytes, const char *what,
                               struct model_error *err)
{
    if (size_bytes < ARCHIVE_HEADER_BYTES)
        return error_set(err, MODEL_CORRUPT, "%s: header: %zu bytes, want %d", what, size_bytes,
                         ARCHIVE_HEADER_BYTES);
    const uint32_t version = get_u32(bytes + AT_VERSION);
    if (version != ARCHIVE_FORMAT_VERSION)
        return error_set(
            err, MODEL_CORRUPT,
            "%s: header: format version %u, this program reads %d" ARCHIVE_NEWER_OR_DAMAGED, what,
            version, ARCHIVE_FORMAT_VERSION);
    if (get_u32(bytes + AT_HEADER_BYTES) != ARCHIVE_HEADER_BYTES)
        return error_set(err, MODEL_CORRUPT, "%s: header: says it has %u bytes, want %d", what,
                         get_u32(bytes + AT_HEADER_BYTES), ARCHIVE_HEADER_BYTES);
    if (get_u64(bytes + AT_RESERVED) != 0)
        return error_set(err, MODEL_CORRUPT, "%s: header: the reserved bytes are not zero", what);
    return MODEL_OK;
}

static model_status check_size(const char *name, uint64_t size_bytes, uint64_t min, uint64_t max,
                               const char *what, struct model_error *err)
{
    if (size_bytes >= min && size_bytes <= max)
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT, "%s: header: %llu bytes of %s, want %llu to %llu", what,
                     (unsigned long long)size_bytes, name, (unsigned long long)min,
                     (unsigned long long)max);
}

static model_status check_sizes(const struct archive_header *header, uint64_t file_bytes,
                                const char *what, struct model_error *err)
{
    model_status status =
        check_size("metadata", header->metadata_bytes, 1, ARCHIVE_MAX_METADATA_BYTES, what, err);
    if (status == MODEL_OK)
        status = check_size("encryption parameters", header->encryption_bytes, 0,
                            ARCHIVE_MAX_ENCRYPTION_BYTES, what, err);
    if (status == MODEL_OK)
        status = check_size("signature", header->signature_bytes, 0, ARCHIVE_MAX_SIGNATURE_BYTES,
                            what, err);
    if (status != MODEL_OK)
        return status;
    if (header->file_bytes != file_bytes)
        return error_set(err, MODEL_CORRUPT,
                         "%s: header: the file has %llu bytes and should have %llu", what,
                         (unsigned long long)file_bytes, (unsigned long long)header->file_bytes);
    if (archive_entries_offset(header) > file_bytes)
        return error_set(err, MODEL_CORRUPT, "%s: header: the file ends before its entries begin",
                         what);
    return MODEL_OK;
}

static model_status check_flags(const struct archive_header *header, const char *what,
                                struct model_error *err)
{
    if ((header->flags & ~(uint32_t)KNOWN_FLAGS) != 0)
        return error_set(err, MODEL_CORRUPT,
                         "%s: header: flags %#x are not known" ARCHIVE_NEWER_OR_DAMAGED, what,
                         header->flags & ~(uint32_t)KNOWN_FLAGS);
    if (((header->flags & ARCHIVE_SIGNED) != 0) != (header->signature_bytes > 0))
        return error_set(err, MODEL_CORRUPT,
                         "%s: header: %llu bytes of signature in an archive that is %s", what,
                         (unsigned long long)header->signature_bytes,
                         (header->flags & ARCHIVE_SIGNED) != 0 ? "signed" : "not signed");
    if ((header->flags & ARCHIVE_ENCRYPTED) == 0 && header->encryption_bytes > 0)
        return error_set(err, MODEL_CORRUPT,
                         "%s: header: encryption parameters in an archive that is not encrypted",
                         what);
    if ((header->flags & ARCHIVE_ENCRYPTED) == 0 && header->cipher_suite != ARCHIVE_CIPHER_NONE)
        return error_set(err, MODEL_CORRUPT,
                         "%s: header: cipher suite %u in an archive that is not encrypted", what,
                         header->cipher_suite);
    return MODEL_OK;
}

static struct archive_header read_header(const uint8_t *bytes)
{
    struct archive_header header = {
        .flags = get_u32(bytes + AT_FLAGS),
        .cipher_suite = get_u32(bytes + AT_CIPHER_SUITE),
        .file_bytes = get_u64(bytes + AT_FILE_BYTES),
        .metadata_bytes = get_u64(bytes + AT_METADATA_BYTES),
        .encryption_bytes = get_u64(bytes + AT_ENCRYPTION_BYTES),
        .signature_bytes = get_u64(bytes + AT_SIGNATURE_BYTES),
    };
    memcpy(header.metadata_sha256, bytes + AT_METADATA_SHA256, ARCHIVE_DIGEST_BYTES);
    memcpy(header.file_sha256, bytes + AT_FILE_SHA256, ARCHIVE_DIGEST_BYTES);
    return header;
}

model_status archive_header_parse(const uint8_t *bytes, size_t size_bytes, uint64_t file_bytes,
                                  const char *what, struct archive_header *ret,
                                  struct model_error *err)
{
    struct archive_header header;
    if (!archive_has_magic(bytes, size_bytes))
        return error_set(err, MODEL_CORRUPT,
                         "%s is no package archive: it does not begin with the bytes of one; "
                         "'pkgmgr pack' makes them",
                         what);
    model_status status = check_kind(bytes, size_bytes, what, err);
    if (status == MODEL_OK) {
        header = read_header(bytes);
        status = check_sizes(&header, file_bytes, what, err);
    }
    if (status == MODEL_OK)
        status = check_flags(&header, what, err);
    if (status == MODEL_OK)
        *ret = header;
    else if (status == MODEL_CORRUPT)
        error_advise(err, "get the file again");
    return status;
}

void archive_digest_of_hex(const char *hex, uint8_t ret_digest[ARCHIVE_DIGEST_BYTES])
{
    for (int i = 0; i < ARCHIVE_DIGEST_BYTES; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        ret_digest[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

uint64_t archive_signature_offset(const struct archive_header *header)
{
    return ARCHIVE_HEADER_BYTES + header->metadata_bytes + header->encryption_bytes;
}

uint64_t archive_entries_offset(const struct archive_header *header)
{
    return archive_align(archive_signature_offset(header) + header->signature_bytes);
}

/* ---- cipher suites */

enum suite_state { SUITE_COMPILED_IN, SUITE_OF_LIBSODIUM, SUITE_NOT_COMPILED_IN, SUITE_DEPRECATED };

static const struct {
    uint32_t id;
    const char *name;
    enum suite_state state;
} suites[] = {
    {ARCHIVE_CIPHER_NONE, "none", SUITE_COMPILED_IN},
    {ARCHIVE_CIPHER_XCHACHA, "XChaCha20-Poly1305 with Argon2id", SUITE_OF_LIBSODIUM},
    {2, "AES-256-CBC with HMAC-SHA-1", SUITE_DEPRECATED},
    {3, "AES-256-GCM with Argon2id", SUITE_NOT_COMPILED_IN},
};

model_status archive_cipher_check(uint32_t cipher_suite, const char *what, struct model_error *err)
{
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (suites[i].id != cipher_suite)
            continue;
        if (suites[i].state == SUITE_DEPRECATED)
            return error_set(
                err, MODEL_UNSUPPORTED,
                "%s: decryption: cipher suite %u (%s) is deprecated and not opened any "
                "more; have its author encrypt it again with suite %d",
                what, cipher_suite, suites[i].name, ARCHIVE_CIPHER_XCHACHA);
        if (suites[i].state == SUITE_NOT_COMPILED_IN ||
            (suites[i].state == SUITE_OF_LIBSODIUM && !cipher_is_compiled_in()))
            return error_set(err, MODEL_UNSUPPORTED,
                             "%s: decryption: cipher suite %u (%s) is not compiled into this "
                             "program; install one that was built with it",
                             what, cipher_suite, suites[i].name);
        return MODEL_OK;
    }
    return error_set(err, MODEL_CORRUPT,
                     "%s: decryption: cipher suite %u is not known" ARCHIVE_NEWER_OR_DAMAGED, what,
                     cipher_suite);
}
