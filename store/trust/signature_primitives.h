/* signature_primitives.h - what signatures are made of: Ed25519, BLAKE2b, scrypt, base64. libsodium lives behind
 * this header, that of encryption and that of memory for secrets. No state, any thread. */
#ifndef SIGNATURE_PRIMITIVES_H
#define SIGNATURE_PRIMITIVES_H

#include "modelhost.h"
#include "secret_memory.h"

#include <stdbool.h>

#define ED25519_SIGNATURE_BYTES 64
#define ED25519_PUBLIC_BYTES    32
#define ED25519_SECRET_BYTES    64 /* the seed, and the public key behind it */
#define BLAKE2B_256_BYTES       32
#define BLAKE2B_512_BYTES       64
#define SCRYPT_SALT_BYTES       32

/* MODEL_UNSUPPORTED in a program that was built without libsodium: then none of what follows does anything. */
model_status signatures_check_compiled_in(struct model_error *err);

/* Without memory: false, as of all here. */
bool ed25519_create(uint8_t ret_public[ED25519_PUBLIC_BYTES],
                    uint8_t ret_secret[ED25519_SECRET_BYTES]);
/* Whether a secret key's second half is the public key of its first. */
bool ed25519_is_whole(const uint8_t secret[ED25519_SECRET_BYTES]);
bool ed25519_sign(const void *data, size_t size_bytes, const uint8_t secret[ED25519_SECRET_BYTES],
                  uint8_t ret_signature[ED25519_SIGNATURE_BYTES]);
bool ed25519_verify(const uint8_t signature[ED25519_SIGNATURE_BYTES], const void *data,
                    size_t size_bytes, const uint8_t key[ED25519_PUBLIC_BYTES]);

/* n_digest_bytes: BLAKE2B_256_BYTES or BLAKE2B_512_BYTES. */
bool blake2b(const void *data, size_t size_bytes, uint8_t *ret_digest, size_t n_digest_bytes);
/* Takes memory_bytes for a time that grows with operations. */
bool scrypt_fill(const char *password, size_t password_bytes, const uint8_t salt[SCRYPT_SALT_BYTES],
                 uint64_t operations, uint64_t memory_bytes, void *ret, size_t ret_bytes);

/* With '=' at its end; terminated. */
#define BASE64_TEXT_BYTES(n_) (((n_) + 2) / 3 * 4 + 1)
void base64_write(const void *data, size_t size_bytes, char *ret_text);
/* Exactly so many bytes, written in the one way there is. */
bool base64_read(const char *text, size_t text_bytes, void *ret, size_t ret_bytes);

#endif
