/* signature_primitives.c - see signature_primitives.h. */
#include "signature_primitives.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#ifdef WITH_LIBSODIUM
#include <sodium.h>

_Static_assert(ED25519_SIGNATURE_BYTES == crypto_sign_ed25519_BYTES &&
                   ED25519_PUBLIC_BYTES == crypto_sign_ed25519_PUBLICKEYBYTES &&
                   ED25519_SECRET_BYTES == crypto_sign_ed25519_SECRETKEYBYTES &&
                   SCRYPT_SALT_BYTES == crypto_pwhash_scryptsalsa208sha256_SALTBYTES,
               "the library means other keys");

model_status signatures_check_compiled_in(struct model_error *err)
{
    return secret_memory_starts() ? MODEL_OK
                                  : error_set(err, MODEL_INTERNAL, "libsodium does not start");
}

bool ed25519_create(uint8_t ret_public[ED25519_PUBLIC_BYTES],
                    uint8_t ret_secret[ED25519_SECRET_BYTES])
{
    return secret_memory_starts() && crypto_sign_ed25519_keypair(ret_public, ret_secret) == 0;
}

bool ed25519_is_whole(const uint8_t secret[ED25519_SECRET_BYTES])
{
    uint8_t key[ED25519_PUBLIC_BYTES];
    uint8_t *again = secret_allocate(ED25519_SECRET_BYTES);
    const bool is_whole = again != NULL &&
                          crypto_sign_ed25519_seed_keypair(key, again, secret) == 0 &&
                          sodium_memcmp(again, secret, ED25519_SECRET_BYTES) == 0;
    secret_free(again);
    return is_whole;
}

bool ed25519_sign(const void *data, size_t size_bytes, const uint8_t secret[ED25519_SECRET_BYTES],
                  uint8_t ret_signature[ED25519_SIGNATURE_BYTES])
{
    return secret_memory_starts() &&
           crypto_sign_ed25519_detached(ret_signature, NULL, data, size_bytes, secret) == 0;
}

bool ed25519_verify(const uint8_t signature[ED25519_SIGNATURE_BYTES], const void *data,
                    size_t size_bytes, const uint8_t key[ED25519_PUBLIC_BYTES])
{
    return secret_memory_starts() &&
           crypto_sign_ed25519_verify_detached(signature, data, size_bytes, key) == 0;
}

bool blake2b(const void *data, size_t size_bytes, uint8_t *ret_digest, size_t n_digest_bytes)
{
    return secret_memory_starts() &&
           crypto_generichash(ret_digest, n_digest_bytes, data, size_bytes, NULL, 0) == 0;
}

bool scrypt_fill(const char *password, size_t password_bytes, const uint8_t salt[SCRYPT_SALT_BYTES],
                 uint64_t operations, uint64_t memory_bytes, void *ret, size_t ret_bytes)
{
    return secret_memory_starts() && memory_bytes <= SIZE_MAX &&
           crypto_pwhash_scryptsalsa208sha256(ret, ret_bytes, password, password_bytes, salt,
                                              operations, (size_t)memory_bytes) == 0;
}

void base64_write(const void *data, size_t size_bytes, char *ret_text)
{
    (void)sodium_bin2base64(ret_text, BASE64_TEXT_BYTES(size_bytes), data, size_bytes,
                            sodium_base64_VARIANT_ORIGINAL);
}

bool base64_read(const char *text, size_t text_bytes, void *ret, size_t ret_bytes)
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < text_bytes; i++)
        if ((text[i] & 0x80) != 0) /* which the library takes for the letter without that bit */
            return false;
    return text_bytes == BASE64_TEXT_BYTES(ret_bytes) - 1 &&
           sodium_base642bin(ret, ret_bytes, text, text_bytes, NULL, &n_bytes, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           n_bytes == ret_bytes;
}

#else /* ---- without libsodium */

model_status signatures_check_compiled_in(struct model_error *err)
{
    return error_set(err, MODEL_UNSUPPORTED,
                     "signatures are not compiled into this program; install one that was built "
                     "with libsodium");
}

bool ed25519_create(uint8_t ret_public[ED25519_PUBLIC_BYTES],
                    uint8_t ret_secret[ED25519_SECRET_BYTES])
{
    (void)ret_public;
    (void)ret_secret;
    return false;
}

bool ed25519_is_whole(const uint8_t secret[ED25519_SECRET_BYTES])
{
    (void)secret;
    return false;
}

bool ed25519_sign(const void *data, size_t size_bytes, const uint8_t secret[ED25519_SECRET_BYTES],
                  uint8_t ret_signature[ED25519_SIGNATURE_BYTES])
{
    (void)data;
    (void)size_bytes;
    (void)secret;
    (void)ret_signature;
    return false;
}

bool ed25519_verify(const uint8_t signature[ED25519_SIGNATURE_BYTES], const void *data,
                    size_t size_bytes, const uint8_t key[ED25519_PUBLIC_BYTES])
{
    (void)signature;
    (void)data;
    (void)size_bytes;
    (void)key;
    return false;
}

bool blake2b(const void *data, size_t size_bytes, uint8_t *ret_digest, size_t n_digest_bytes)
{
    (void)data;
    (void)size_bytes;
    (void)ret_digest;
    (void)n_digest_bytes;
    return false;
}

bool scrypt_fill(const char *password, size_t password_bytes, const uint8_t salt[SCRYPT_SALT_BYTES],
                 uint64_t operations, uint64_t memory_bytes, void *ret, size_t ret_bytes)
{
    (void)password;
    (void)password_bytes;
    (void)salt;
    (void)operations;
    (void)memory_bytes;
    (void)ret;
    (void)ret_bytes;
    return false;
}

void base64_write(const void *data, size_t size_bytes, char *ret_text)
{
    (void)data;
    (void)size_bytes;
    ret_text[0] = '\0';
}

bool base64_read(const char *text, size_t text_bytes, void *ret, size_t ret_bytes)
{
    (void)text;
    (void)text_bytes;
    (void)ret;
    (void)ret_bytes;
    return false;
}

#endif
