/* value_seal.h - the seal in front of a value that another process keeps for us: a SHA-256 of its key and its bytes,
 * so that a damaged value, and one that lies under a wrong key, are seen. It is no signature: who may write to the
 * server can make one. No state, any thread. */
#ifndef VALUE_SEAL_H
#define VALUE_SEAL_H

#include "digest.h"

#include <stdbool.h>

#define VALUE_SEAL_BYTES ((size_t)SHA256_HEX_BYTES - 1) /* hexadecimal digits */

/* MODEL_OUT_OF_MEMORY. */
model_status value_seal_make(const char *key, const void *value, size_t size_bytes,
                             char ret_seal[SHA256_HEX_BYTES]);
/* Whether `sealed` is a seal and the value that was kept under the key, which begins VALUE_SEAL_BYTES behind it. */
bool value_seal_fits(const char *key, const void *sealed, size_t size_bytes);

#endif
