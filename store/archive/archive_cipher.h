/* archive_cipher.h - the keys of one encrypted archive, and contents cut into chunks that are each encrypted by
 * themselves, so that any part of an entry can be read alone.
 *
 *   passphrase or key file -> key of keys -> (unwraps) data key -> a key for each entry -> chunks
 *
 * The data key is random: another passphrase wraps it anew, and no content is written again. What is encrypted with
 * a chunk binds it to its place: format, suite, entry, number, and whether it is the last. `metadata.json` is
 * not encrypted: what signs it is verified before anything is decrypted. An open cipher is immutable, any
 * thread. */
#ifndef ARCHIVE_CIPHER_H
#define ARCHIVE_CIPHER_H

#include "archive_secret.h"

struct archive_cipher;

/* A random data key, wrapped for the secret; of *encryption, memory_kib, passes and chunk_bytes are the
 * caller's wish (0: as above), the rest is filled in but metadata_tag. */
model_status archive_cipher_create(const struct archive_secret *secret,
                                   struct archive_encryption *encryption,
                                   struct archive_cipher **ret, struct model_error *err);
/* Wraps the same data key for another secret. */
model_status archive_cipher_wrap(const struct archive_cipher *cipher,
                                 const struct archive_secret *secret,
                                 struct archive_encryption *encryption, struct model_error *err);
/* Says in *encryption that these metadata (their SHA-256) are the archive's. */
model_status archive_cipher_bind(const struct archive_cipher *cipher, const uint8_t sha256[32],
                                 struct archive_encryption *encryption, struct model_error *err);
/* MODELHOST_UNAUTHORIZED: another passphrase or key. MODEL_CORRUPT: the metadata are not those that it was written
 * with. `what` names the file. */
model_status archive_cipher_open(const struct archive_encryption *encryption,
                                 const struct archive_secret *secret, const uint8_t sha256[32],
                                 const char *what, struct archive_cipher **ret,
                                 struct model_error *err);
/* NULL does nothing. */
void archive_cipher_destroy(struct archive_cipher *cipher);
uint32_t archive_cipher_chunk_bytes(const struct archive_cipher *cipher);

/* Whether an entry of an encrypted archive is encrypted. */
bool archive_cipher_hides(const char *path);
/* How many bytes a payload becomes, which has at least one chunk; and back: false when no payload does. */
uint64_t archive_sealed_bytes(uint64_t payload_bytes, uint32_t chunk_bytes);
bool archive_payload_bytes(uint64_t sealed_bytes, uint32_t chunk_bytes, uint64_t *ret);

/* The chunks of one entry. */
struct archive_chunks {
    uint8_t key[CIPHER_KEY_BYTES];
    const char *path;
    uint64_t payload_bytes, n_chunks;
    uint32_t chunk_bytes;
};

/* The path is kept as it is. To be wiped with archive_chunks_finish(). */
model_status archive_chunks_init(const struct archive_cipher *cipher, const char *path,
                                 uint64_t payload_bytes, struct archive_chunks *ret,
                                 struct model_error *err);
void archive_chunks_finish(struct archive_chunks *chunks);
/* Bytes of one chunk, before it is encrypted. */
size_t archive_chunk_size(const struct archive_chunks *chunks, uint64_t number);
/* Encrypts chunk `number`: ret_sealed has CIPHER_TAG_BYTES more than data, and may be the same place. */
model_status archive_chunk_seal(const struct archive_chunks *chunks, uint64_t number,
                                const void *data, void *ret_sealed, struct model_error *err);
/* MODEL_CORRUPT: it is not what was written there. `what` names the file. */
model_status archive_chunk_open(const struct archive_chunks *chunks, uint64_t number,
                                const void *sealed, void *ret_data, const char *what,
                                struct model_error *err);

#endif
