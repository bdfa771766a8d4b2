/* archive_encryption.c - see archive_encryption.h. What is read is bounded before anything is computed of it: the
 * parameters are not authenticated until a key was made as they say. */
#include "archive_encryption.h"
#include "archive_format.h"
#include "errors.h"

#include <string.h>

enum offset {
    AT_VERSION = 0,
    AT_SOURCE = 4,
    AT_MEMORY_KIB = 8,
    AT_PASSES = 12,
    AT_LANES = 16,
    AT_CHUNK_BYTES = 20,
    AT_SALT = 24,
    AT_NONCE = 40,
    AT_WRAPPED_KEY = ARCHIVE_ENCRYPTION_BOUND,
    AT_METADATA_TAG = 112,
};

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

static uint32_t lanes_of(enum archive_key_source source)
{
    return source == ARCHIVE_KEY_OF_PASSPHRASE ? 1 : 0;
}

void archive_encryption_write(const struct archive_encryption *encryption,
                              uint8_t ret_bytes[ARCHIVE_ENCRYPTION_SIZE_BYTES])
{
    put_u32(ret_bytes + AT_VERSION, ARCHIVE_ENCRYPTION_VERSION);
    put_u32(ret_bytes + AT_SOURCE, (uint32_t)encryption->source);
    put_u32(ret_bytes + AT_MEMORY_KIB, encryption->memory_kib);
    put_u32(ret_bytes + AT_PASSES, encryption->passes);
    put_u32(ret_bytes + AT_LANES, lanes_of(encryption->source));
    put_u32(ret_bytes + AT_CHUNK_BYTES, encryption->chunk_bytes);
    memcpy(ret_bytes + AT_SALT, encryption->salt, sizeof encryption->salt);
    memcpy(ret_bytes + AT_NONCE, encryption->nonce, sizeof encryption->nonce);
    memcpy(ret_bytes + AT_WRAPPED_KEY, encryption->wrapped_key, sizeof encryption->wrapped_key);
    memcpy(ret_bytes + AT_METADATA_TAG, encryption->metadata_tag, sizeof encryption->metadata_tag);
}

static model_status check_kind(const uint8_t *bytes, size_t size_bytes, const char *what,
                               struct model_error *err)
{
    const uint32_t version = size_bytes >= 4 ? get_u32(bytes + AT_VERSION) : 0;
    if (version != ARCHIVE_ENCRYPTION_VERSION && size_bytes >= 4)
        return error_set(err, MODEL_CORRUPT,
                         "%s: decryption: encryption parameters of version %u, this program reads "
                         "%d" ARCHIVE_NEWER_OR_DAMAGED,
                         what, version, ARCHIVE_ENCRYPTION_VERSION);
    if (size_bytes != ARCHIVE_ENCRYPTION_SIZE_BYTES)
        return error_set(err, MODEL_CORRUPT,
                         "%s: decryption: %zu bytes of encryption parameters, want %d; get the "
                         "file again",
                         what, size_bytes, ARCHIVE_ENCRYPTION_SIZE_BYTES);
    const uint32_t source = get_u32(bytes + AT_SOURCE);
    if (source != ARCHIVE_KEY_OF_PASSPHRASE && source != ARCHIVE_KEY_OF_FILE)
        return error_set(err, MODEL_CORRUPT,
                         "%s: decryption: a key of source %u, want %d (passphrase) or %d (key "
                         "file)" ARCHIVE_NEWER_OR_DAMAGED,
                         what, source, ARCHIVE_KEY_OF_PASSPHRASE, ARCHIVE_KEY_OF_FILE);
    return MODEL_OK;
}

/* What it costs to try a passphrase. */
static model_status check_cost(const struct archive_encryption *encryption, uint32_t lanes,
                               const char *what, struct model_error *err)
{
    const bool has_passphrase = encryption->source == ARCHIVE_KEY_OF_PASSPHRASE;
    if (lanes != lanes_of(encryption->source) ||
        (!has_passphrase && (encryption->memory_kib != 0 || encryption->passes != 0)) ||
        (has_passphrase &&
         (encryption->memory_kib < ARCHIVE_KDF_MIN_MEMORY_KIB || encryption->passes == 0)))
        return error_set(err, MODEL_CORRUPT,
                         "%s: decryption: Argon2id with %u KiB, %u passes and %u lanes is nothing "
                         "that this program writes; get the file again",
                         what, encryption->memory_kib, encryption->passes, lanes);
    if (encryption->memory_kib > ARCHIVE_KDF_MAX_MEMORY_KIB ||
        encryption->passes > ARCHIVE_KDF_MAX_PASSES)
        return error_set(
            err, MODEL_CORRUPT,
            "%s: decryption: a passphrase takes %u KiB of memory and %u passes to try, "
            "the limits are %u and %u, so that a stranger's file cannot exhaust this "
            "computer: it is damaged, or was not written by 'pkgmgr pack'; get the "
            "file again, or have its author encrypt it with that",
            what, encryption->memory_kib, encryption->passes, ARCHIVE_KDF_MAX_MEMORY_KIB,
            ARCHIVE_KDF_MAX_PASSES);
    return MODEL_OK;
}

model_status archive_encryption_parse(const uint8_t *bytes, size_t size_bytes, const char *what,
                                      struct archive_encryption *ret, struct model_error *err)
{
    model_status status = check_kind(bytes, size_bytes, what, err);
    if (status != MODEL_OK)
        return status;
    struct archive_encryption encryption = {
        .source = (enum archive_key_source)get_u32(bytes + AT_SOURCE),
        .memory_kib = get_u32(bytes + AT_MEMORY_KIB),
        .passes = get_u32(bytes + AT_PASSES),
        .chunk_bytes = get_u32(bytes + AT_CHUNK_BYTES),
    };
    memcpy(encryption.salt, bytes + AT_SALT, sizeof encryption.salt);
    memcpy(encryption.nonce, bytes + AT_NONCE, sizeof encryption.nonce);
    memcpy(encryption.wrapped_key, bytes + AT_WRAPPED_KEY, sizeof encryption.wrapped_key);
    memcpy(encryption.metadata_tag, bytes + AT_METADATA_TAG, sizeof encryption.metadata_tag);
    status = check_cost(&encryption, get_u32(bytes + AT_LANES), what, err);
    if (status == MODEL_OK && (encryption.chunk_bytes < ARCHIVE_MIN_CHUNK_BYTES ||
                               encryption.chunk_bytes > ARCHIVE_MAX_CHUNK_BYTES))
        status =
            error_set(err, MODEL_CORRUPT,
                      "%s: decryption: chunks of %u bytes, want %u to %u; get the file again", what,
                      encryption.chunk_bytes, ARCHIVE_MIN_CHUNK_BYTES, ARCHIVE_MAX_CHUNK_BYTES);
    if (status == MODEL_OK)
        *ret = encryption;
    return status;
}

const char *archive_key_advice(enum archive_key_source source)
{
    return source == ARCHIVE_KEY_OF_PASSPHRASE ? "passphrase; give it with --passphrase-file"
                                               : "key file; give it with --key-file";
}
