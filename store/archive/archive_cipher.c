/* archive_cipher.c - see archive_cipher.h. Every key is used for one thing, which a label says: 16 bytes before what
 * is derived from or authenticated. A data key belongs to one archive, an entry's key to one path in it, so
 * nonces count up from 0. */
#include "archive_cipher.h"
#include "archive_format.h"
#include "errors.h"

#include <string.h>

#define LABEL_BYTES    16
#define MAX_PATH_BYTES 1024 /* path_is_safe() has no longer ones */

struct archive_cipher {
    uint8_t data_key[CIPHER_KEY_BYTES];
    uint32_t chunk_bytes;
};

static const char label_file[LABEL_BYTES] = "mhp key file";
static const char label_wrap[LABEL_BYTES] = "mhp data key";
static const char label_metadata[LABEL_BYTES] = "mhp metadata";
static const char label_entry[LABEL_BYTES] = "mhp entry";
static const char label_chunk[LABEL_BYTES] = "mhp chunk";

static const uint8_t nonce_zero[CIPHER_NONCE_BYTES];

static void put_number(uint8_t *bytes, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

/* ---- the data key */

static model_status key_of_keys(const struct archive_encryption *encryption,
                                const struct archive_secret *secret,
                                uint8_t ret_key[CIPHER_KEY_BYTES], struct model_error *err)
{
    uint8_t message[LABEL_BYTES + CIPHER_SALT_BYTES];
    if (encryption->source == ARCHIVE_KEY_OF_PASSPHRASE)
        return cipher_passphrase_key(secret->bytes, secret->size_bytes, encryption->salt,
                                     encryption->memory_kib, encryption->passes, ret_key, err);
    memcpy(message, label_file, LABEL_BYTES);
    memcpy(message + LABEL_BYTES, encryption->salt, CIPHER_SALT_BYTES);
    return cipher_derive_key(secret->bytes, message, sizeof message, ret_key, err);
}

/* What the wrapped key vouches for: format, suite, and how it was wrapped. */
#define BOUND_BYTES (LABEL_BYTES + 8 + ARCHIVE_ENCRYPTION_BOUND)

static void write_bound(const struct archive_encryption *encryption, uint8_t bound[BOUND_BYTES])
{
    uint8_t bytes[ARCHIVE_ENCRYPTION_SIZE_BYTES];
    archive_encryption_write(encryption, bytes);
    memcpy(bound, label_wrap, LABEL_BYTES);
    put_number(bound + LABEL_BYTES, ARCHIVE_FORMAT_VERSION, 4);
    put_number(bound + LABEL_BYTES + 4, ARCHIVE_CIPHER_XCHACHA, 4);
    memcpy(bound + LABEL_BYTES + 8, bytes, ARCHIVE_ENCRYPTION_BOUND);
}

model_status archive_cipher_wrap(const struct archive_cipher *cipher,
                                 const struct archive_secret *secret,
                                 struct archive_encryption *encryption, struct model_error *err)
{
    uint8_t key[CIPHER_KEY_BYTES], bound[BOUND_BYTES];
    struct archive_encryption new = *encryption;
    const bool has_passphrase = secret->source == ARCHIVE_KEY_OF_PASSPHRASE;
    new.source = secret->source;
    new.memory_kib = !has_passphrase      ? 0
                     : new.memory_kib > 0 ? new.memory_kib
                                          : ARCHIVE_KDF_MEMORY_KIB;
    new.passes = !has_passphrase ? 0 : new.passes > 0 ? new.passes : ARCHIVE_KDF_PASSES;
    new.chunk_bytes = cipher->chunk_bytes;
    model_status status = cipher_random(new.salt, sizeof new.salt, err);
    if (status == MODEL_OK)
        status = cipher_random(new.nonce, sizeof new.nonce, err);
    if (status == MODEL_OK)
        status = key_of_keys(&new, secret, key, err);
    if (status == MODEL_OK) {
        write_bound(&new, bound);
        status = cipher_seal(&(struct cipher_call){key, new.nonce, bound, sizeof bound},
                             cipher->data_key, CIPHER_KEY_BYTES, new.wrapped_key, err);
    }
    secret_wipe(key, sizeof key);
    if (status == MODEL_OK)
        *encryption = new;
    return status;
}

model_status archive_cipher_create(const struct archive_secret *secret,
                                   struct archive_encryption *encryption,
                                   struct archive_cipher **ret, struct model_error *err)
{
    struct archive_cipher *cipher = secret_allocate(sizeof *cipher);
    if (cipher == NULL)
        return error_no_memory(err, "the keys of an archive");
    cipher->chunk_bytes =
        encryption->chunk_bytes > 0 ? encryption->chunk_bytes : ARCHIVE_CHUNK_BYTES;
    model_status status = cipher_random(cipher->data_key, sizeof cipher->data_key, err);
    if (status == MODEL_OK)
        status = archive_cipher_wrap(cipher, secret, encryption, err);
    if (status == MODEL_OK)
        *ret = cipher;
    else
        archive_cipher_destroy(cipher);
    return status;
}

static const char *key_name(const struct archive_encryption *encryption)
{
    return encryption->source == ARCHIVE_KEY_OF_PASSPHRASE ? "passphrase" : "key";
}

/* A tag of nothing but the metadata's digest; its key has no other use. */
static model_status metadata_key(const struct archive_cipher *cipher,
                                 uint8_t ret_key[CIPHER_KEY_BYTES], struct model_error *err)
{
    return cipher_derive_key(cipher->data_key, label_metadata, LABEL_BYTES, ret_key, err);
}

model_status archive_cipher_bind(const struct archive_cipher *cipher, const uint8_t sha256[32],
                                 struct archive_encryption *encryption, struct model_error *err)
{
    uint8_t key[CIPHER_KEY_BYTES];
    model_status status = metadata_key(cipher, key, err);
    if (status == MODEL_OK)
        status = cipher_seal(&(struct cipher_call){key, nonce_zero, sha256, 32}, "", 0,
                             encryption->metadata_tag, err);
    secret_wipe(key, sizeof key);
    return status;
}

static model_status check_metadata(const struct archive_cipher *cipher, const uint8_t sha256[32],
                                   const struct archive_encryption *encryption, const char *what,
                                   struct model_error *err)
{
    uint8_t key[CIPHER_KEY_BYTES], nothing[1];
    model_status status = metadata_key(cipher, key, err);
    if (status != MODEL_OK)
        return status;
    status = cipher_open(&(struct cipher_call){key, nonce_zero, sha256, 32},
                         encryption->metadata_tag, CIPHER_TAG_BYTES, nothing, err);
    secret_wipe(key, sizeof key);
    return status == MODEL_CORRUPT
               ? error_set(err, MODEL_CORRUPT,
                           "%s: decryption: the %s is right, but the metadata are not those that "
                           "it was encrypted with: they were damaged or changed; get the file "
                           "again, from where nobody else could write to it",
                           what, key_name(encryption))
               : status;
}

static model_status say_wrong(const struct archive_encryption *encryption, const char *what,
                              struct model_error *err)
{
    return error_set(err, MODELHOST_UNAUTHORIZED,
                     "%s: decryption: the %s is not the one that it was encrypted with (or its "
                     "encryption parameters are damaged); try another, or get the file again",
                     what, key_name(encryption));
}

static model_status check_source(const struct archive_encryption *encryption,
                                 const struct archive_secret *secret, const char *what,
                                 struct model_error *err)
{
    if (secret->source == encryption->source)
        return MODEL_OK;
    return error_set(err, MODELHOST_UNAUTHORIZED,
                     "%s: decryption: a %s was given, but it is encrypted with a %s", what,
                     secret->source == ARCHIVE_KEY_OF_PASSPHRASE ? "passphrase" : "key file",
                     archive_key_advice(encryption->source));
}

model_status archive_cipher_open(const struct archive_encryption *encryption,
                                 const struct archive_secret *secret, const uint8_t sha256[32],
                                 const char *what, struct archive_cipher **ret,
                                 struct model_error *err)
{
    uint8_t key[CIPHER_KEY_BYTES], bound[BOUND_BYTES];
    model_status status = check_source(encryption, secret, what, err);
    if (status != MODEL_OK)
        return status;
    struct archive_cipher *cipher = secret_allocate(sizeof *cipher);
    if (cipher == NULL)
        return error_no_memory(err, "the keys of an archive");
    cipher->chunk_bytes = encryption->chunk_bytes;
    status = key_of_keys(encryption, secret, key, err);
    if (status == MODEL_OK) {
        write_bound(encryption, bound);
        status = cipher_open(&(struct cipher_call){key, encryption->nonce, bound, sizeof bound},
                             encryption->wrapped_key, sizeof encryption->wrapped_key,
                             cipher->data_key, err);
        secret_wipe(key, sizeof key);
        if (status == MODEL_CORRUPT)
            status = say_wrong(encryption, what, err);
    }
    if (status == MODEL_OK)
        status = check_metadata(cipher, sha256, encryption, what, err);
    if (status == MODEL_OK)
        *ret = cipher;
    else
        archive_cipher_destroy(cipher);
    return status;
}

void archive_cipher_destroy(struct archive_cipher *cipher)
{
    secret_free(cipher);
}

uint32_t archive_cipher_chunk_bytes(const struct archive_cipher *cipher)
{
    return cipher->chunk_bytes;
}

/* ---- entries and their chunks */

bool archive_cipher_hides(const char *path)
{
    return strcmp(path, "metadata.json") != 0;
}

static uint64_t n_chunks_of(uint64_t payload_bytes, uint32_t chunk_bytes)
{
    return payload_bytes > 0 ? (payload_bytes - 1) / chunk_bytes + 1 : 1;
}

uint64_t archive_sealed_bytes(uint64_t payload_bytes, uint32_t chunk_bytes)
{
    return payload_bytes + n_chunks_of(payload_bytes, chunk_bytes) * CIPHER_TAG_BYTES;
}

bool archive_payload_bytes(uint64_t sealed_bytes, uint32_t chunk_bytes, uint64_t *ret)
{
    const uint64_t n_chunks = n_chunks_of(sealed_bytes, chunk_bytes + CIPHER_TAG_BYTES);
    if (sealed_bytes < n_chunks * CIPHER_TAG_BYTES)
        return false;
    const uint64_t payload_bytes = sealed_bytes - n_chunks * CIPHER_TAG_BYTES;
    if (archive_sealed_bytes(payload_bytes, chunk_bytes) != sealed_bytes)
        return false;
    *ret = payload_bytes;
    return true;
}

model_status archive_chunks_init(const struct archive_cipher *cipher, const char *path,
                                 uint64_t payload_bytes, struct archive_chunks *ret,
                                 struct model_error *err)
{
    uint8_t message[LABEL_BYTES + MAX_PATH_BYTES];
    const size_t n_path = strlen(path);
    if (n_path > MAX_PATH_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "a path of %zu bytes, want at most %d",
                         n_path, MAX_PATH_BYTES);
    memcpy(message, label_entry, LABEL_BYTES);
    memcpy(message + LABEL_BYTES, path, n_path);
    struct archive_chunks chunks = {
        .path = path,
        .payload_bytes = payload_bytes,
        .n_chunks = n_chunks_of(payload_bytes, cipher->chunk_bytes),
        .chunk_bytes = cipher->chunk_bytes,
    };
    model_status status =
        cipher_derive_key(cipher->data_key, message, LABEL_BYTES + n_path, chunks.key, err);
    if (status == MODEL_OK)
        *ret = chunks;
    secret_wipe(chunks.key, sizeof chunks.key);
    return status;
}

void archive_chunks_finish(struct archive_chunks *chunks)
{
    secret_wipe(chunks->key, sizeof chunks->key);
}

size_t archive_chunk_size(const struct archive_chunks *chunks, uint64_t number)
{
    const uint64_t left = chunks->payload_bytes - number * chunks->chunk_bytes;
    return left < chunks->chunk_bytes ? (size_t)left : chunks->chunk_bytes;
}

/* Nonce and associated data of a chunk. */
struct place {
    uint8_t nonce[CIPHER_NONCE_BYTES];
    uint8_t bytes[LABEL_BYTES + 20 + MAX_PATH_BYTES];
    struct cipher_call call;
};

static void write_place(const struct archive_chunks *chunks, uint64_t number, struct place *place)
{
    const size_t n_path = strlen(chunks->path);
    uint8_t *at = place->bytes;
    memset(place->nonce, 0, sizeof place->nonce);
    put_number(place->nonce, number, 8);
    memcpy(at, label_chunk, LABEL_BYTES);
    put_number(at + LABEL_BYTES, ARCHIVE_FORMAT_VERSION, 4);
    put_number(at + LABEL_BYTES + 4, ARCHIVE_CIPHER_XCHACHA, 4);
    put_number(at + LABEL_BYTES + 8, number, 8);
    put_number(at + LABEL_BYTES + 16, number + 1 == chunks->n_chunks, 4);
    memcpy(at + LABEL_BYTES + 20, chunks->path, n_path);
    place->call =
        (struct cipher_call){chunks->key, place->nonce, place->bytes, LABEL_BYTES + 20 + n_path};
}

model_status archive_chunk_seal(const struct archive_chunks *chunks, uint64_t number,
                                const void *data, void *ret_sealed, struct model_error *err)
{
    struct place place;
    write_place(chunks, number, &place);
    return cipher_seal(&place.call, data, archive_chunk_size(chunks, number), ret_sealed, err);
}

model_status archive_chunk_open(const struct archive_chunks *chunks, uint64_t number,
                                const void *sealed, void *ret_data, const char *what,
                                struct model_error *err)
{
    struct place place;
    write_place(chunks, number, &place);
    model_status status = cipher_open(
        &place.call, sealed, archive_chunk_size(chunks, number) + CIPHER_TAG_BYTES, ret_data, err);
    return status == MODEL_CORRUPT
               ? error_set(err, MODEL_CORRUPT,
                           "%s: decryption: entry '%.200s': chunk %llu of %llu is not what was "
                           "written there; get the file again",
                           what, chunks->path, (unsigned long long)(number + 1),
                           (unsigned long long)chunks->n_chunks)
               : status;
}
