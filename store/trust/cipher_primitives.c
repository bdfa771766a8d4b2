/* cipher_primitives.c - see cipher_primitives.h. */
#include "cipher_primitives.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#ifdef WITH_LIBSODIUM
#include <sodium.h>

_Static_assert(CIPHER_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES &&
                   CIPHER_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES &&
                   CIPHER_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES &&
                   CIPHER_SALT_BYTES == crypto_pwhash_argon2id_SALTBYTES,
               "the sizes of libsodium");

static model_status start(struct model_error *err)
{
    return secret_memory_starts() ? MODEL_OK
                                  : error_set(err, MODEL_INTERNAL, "libsodium: no start");
}

bool cipher_is_compiled_in(void)
{
    return true;
}

const char *cipher_library_version(void)
{
    return sodium_version_string();
}

model_status cipher_random(void *ret_bytes, size_t size_bytes, struct model_error *err)
{
    return random_fill(ret_bytes, size_bytes) ? MODEL_OK : start(err);
}

model_status cipher_passphrase_key(const void *passphrase, size_t size_bytes,
                                   const uint8_t salt[CIPHER_SALT_BYTES], uint32_t memory_kib,
                                   uint32_t passes, uint8_t ret_key[CIPHER_KEY_BYTES],
                                   struct model_error *err)
{
    model_status status = start(err);
    if (status == MODEL_OK &&
        crypto_pwhash_argon2id(ret_key, CIPHER_KEY_BYTES, passphrase, size_bytes, salt, passes,
                               (size_t)memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
        status = error_set(err, MODEL_OUT_OF_MEMORY,
                           "a key out of a passphrase takes %u KiB of memory, which there are "
                           "not; free some, or raise the limit (ulimit -v)",
                           memory_kib);
    return status;
}

model_status cipher_derive_key(const uint8_t key[CIPHER_KEY_BYTES], const void *message,
                               size_t size_bytes, uint8_t ret_key[CIPHER_KEY_BYTES],
                               struct model_error *err)
{
    model_status status = start(err);
    if (status == MODEL_OK && crypto_generichash(ret_key, CIPHER_KEY_BYTES, message, size_bytes,
                                                 key, CIPHER_KEY_BYTES) != 0)
        status = error_set(err, MODEL_INTERNAL, "libsodium: no key was derived");
    return status;
}

model_status cipher_seal(const struct cipher_call *call, const void *data, size_t size_bytes,
                         void *ret_sealed, struct model_error *err)
{
    model_status status = start(err);
    if (status == MODEL_OK && crypto_aead_xchacha20poly1305_ietf_encrypt(
                                  ret_sealed, NULL, data, size_bytes, call->associated,
                                  call->associated_bytes, NULL, call->nonce, call->key) != 0)
        status = error_set(err, MODEL_INTERNAL, "libsodium: nothing was encrypted");
    return status;
}

model_status cipher_open(const struct cipher_call *call, const void *sealed, size_t sealed_bytes,
                         void *ret_data, struct model_error *err)
{
    model_status status = start(err);
    if (status != MODEL_OK)
        return status;
    return crypto_aead_xchacha20poly1305_ietf_decrypt(ret_data, NULL, NULL, sealed, sealed_bytes,
                                                      call->associated, call->associated_bytes,
                                                      call->nonce, call->key) == 0
               ? MODEL_OK
               : MODEL_CORRUPT;
}

#else

static model_status refuse(struct model_error *err)
{
    return error_set(err, MODEL_UNSUPPORTED,
                     "encryption is not compiled into this program; install one that was built "
                     "with libsodium");
}

bool cipher_is_compiled_in(void)
{
    return false;
}

const char *cipher_library_version(void)
{
    return "not compiled in";
}

model_status cipher_random(void *ret_bytes, size_t size_bytes, struct model_error *err)
{
    (void)ret_bytes;
    (void)size_bytes;
    return refuse(err);
}

model_status cipher_passphrase_key(const void *passphrase, size_t size_bytes,
                                   const uint8_t salt[CIPHER_SALT_BYTES], uint32_t memory_kib,
                                   uint32_t passes, uint8_t ret_key[CIPHER_KEY_BYTES],
                                   struct model_error *err)
{
    (void)passphrase;
    (void)size_bytes;
    (void)salt;
    (void)memory_kib;
    (void)passes;
    (void)ret_key;
    return refuse(err);
}

model_status cipher_derive_key(const uint8_t key[CIPHER_KEY_BYTES], const void *message,
                               size_t size_bytes, uint8_t ret_key[CIPHER_KEY_BYTES],
                               struct model_error *err)
{
    (void)key;
    (void)message;
    (void)size_bytes;
    (void)ret_key;
    return refuse(err);
}

model_status cipher_seal(const struct cipher_call *call, const void *data, size_t size_bytes,
                         void *ret_sealed, struct model_error *err)
{
    (void)call;
    (void)data;
    (void)size_bytes;
    (void)ret_sealed;
    return refuse(err);
}

model_status cipher_open(const struct cipher_call *call, const void *sealed, size_t sealed_bytes,
                         void *ret_data, struct model_error *err)
{
    (void)call;
    (void)sealed;
    (void)sealed_bytes;
    (void)ret_data;
    return refuse(err);
}

#endif
