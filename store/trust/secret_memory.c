/* secret_memory.c - see secret_memory.h. Covered by tests/unit/test_cipher_primitives.c. */
#include "secret_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef WITH_LIBSODIUM
#include <sodium.h>

bool secret_memory_starts(void)
{
    return sodium_init() >= 0;
}

void *secret_allocate(size_t size_bytes)
{
    void *secret = secret_memory_starts() ? sodium_malloc(size_bytes) : NULL;
    if (secret != NULL)
        memset(secret, 0, size_bytes);
    return secret;
}

void secret_free(void *secret)
{
    sodium_free(secret);
}

void secret_wipe(void *data, size_t size_bytes)
{
    if (data != NULL)
        sodium_memzero(data, size_bytes);
}

bool secret_equals(const void *a, const void *b, size_t size_bytes)
{
    return sodium_memcmp(a, b, size_bytes) == 0;
}

bool random_fill(void *data, size_t size_bytes)
{
    if (!secret_memory_starts())
        return false;
    randombytes_buf(data, size_bytes);
    return true;
}

#else /* ---- without libsodium: passphrases are read before an archive is opened, which then says what is missing */

bool secret_memory_starts(void)
{
    return false;
}

void *secret_allocate(size_t size_bytes)
{
    return calloc(1, size_bytes);
}

void secret_free(void *secret)
{
    free(secret);
}

void secret_wipe(void *data, size_t size_bytes)
{
    volatile uint8_t *at = data;
    while (data != NULL && size_bytes-- > 0)
        *at++ = 0;
}

bool secret_equals(const void *a, const void *b, size_t size_bytes)
{
    return memcmp(a, b, size_bytes) == 0;
}

bool random_fill(void *data, size_t size_bytes)
{
    (void)data;
    (void)size_bytes;
    return false;
}

#endif
