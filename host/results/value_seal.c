/* value_seal.c - see value_seal.h. */
#include "value_seal.h"

#include <string.h>

model_status value_seal_make(const char *key, const void *value, size_t size_bytes,
                             char ret_seal[SHA256_HEX_BYTES])
{
    struct digest *digest = NULL;
    const model_status status = digest_create_sha256(&digest, NULL);
    if (status != MODEL_OK)
        return status;
    digest_update(digest, key, strlen(key) + 1); /* its end parts it from the value */
    digest_update(digest, value, size_bytes);
    digest_finish_hex(digest, ret_seal);
    return MODEL_OK;
}

bool value_seal_fits(const char *key, const void *sealed, size_t size_bytes)
{
    char seal[SHA256_HEX_BYTES];
    return size_bytes >= VALUE_SEAL_BYTES &&
           value_seal_make(key, (const char *)sealed + VALUE_SEAL_BYTES,
                           size_bytes - VALUE_SEAL_BYTES, seal) == MODEL_OK &&
           memcmp(sealed, seal, VALUE_SEAL_BYTES) == 0;
}
