/* cipher_primitives.h - the cryptography under encrypted archives: an authenticated cipher (XChaCha20-Poly1305-IETF),
 * a key out of a passphrase (Argon2id 1.3, one lane), keys out of a key (BLAKE2b-256 with a key), random bytes. libsodium lives behind this header; a program that is built without it (make SODIUM=no) has
 * the same functions, which are MODEL_UNSUPPORTED.
 *
 * Nothing here knows of archives; store/archive/archive_cipher.h does. No state, any thread. */
#ifndef CIPHER_PRIMITIVES_H
#define CIPHER_PRIMITIVES_H

#include "modelhost.h"
#include "secret_memory.h"

#include <stdbool.h>

#define CIPHER_KEY_BYTES   32
#define CIPHER_NONCE_BYTES 24
#define CIPHER_TAG_BYTES   16
#define CIPHER_SALT_BYTES  16

bool cipher_is_compiled_in(void);
/* Which libsodium that is, "1.0.18", or "not compiled in". */
const char *cipher_library_version(void);

/* From the system's generator. */
model_status cipher_random(void *ret_bytes, size_t size_bytes, struct model_error *err);
/* Argon2id with memory_kib (at least 8) and passes (at least 1). MODEL_OUT_OF_MEMORY. */
model_status cipher_passphrase_key(const void *passphrase, size_t size_bytes,
                                   const uint8_t salt[CIPHER_SALT_BYTES], uint32_t memory_kib,
                                   uint32_t passes, uint8_t ret_key[CIPHER_KEY_BYTES],
                                   struct model_error *err);
/* The key for one use: messages that differ give keys that say nothing of each other. */
model_status cipher_derive_key(const uint8_t key[CIPHER_KEY_BYTES], const void *message,
                               size_t size_bytes, uint8_t ret_key[CIPHER_KEY_BYTES],
                               struct model_error *err);

/* What is authenticated and, with `data`, hidden. A key and a nonce go together once. */
struct cipher_call {
    const uint8_t *key;   /* (CIPHER_KEY_BYTES) */
    const uint8_t *nonce; /* (CIPHER_NONCE_BYTES) */
    const void *associated;
    size_t associated_bytes;
};

/* size_bytes of data become size_bytes + CIPHER_TAG_BYTES; data and ret_sealed may be the same place. */
model_status cipher_seal(const struct cipher_call *call, const void *data, size_t size_bytes,
                         void *ret_sealed, struct model_error *err);
/* The way back; sealed_bytes is at least CIPHER_TAG_BYTES. MODEL_CORRUPT, without a sentence: key, nonce,
 * associated or sealed bytes are not those that were sealed; ret_data holds nothing of them then. */
model_status cipher_open(const struct cipher_call *call, const void *sealed, size_t sealed_bytes,
                         void *ret_data, struct model_error *err);

#endif
