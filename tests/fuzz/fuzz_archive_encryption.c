/* fuzz_archive_encryption.c - encryption parameters made of any bytes are refused with a sentence, or are within
 * what a reader spends and are written again to the same bytes; and the sizes of payloads go there and back. */
#include "archive_cipher.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct archive_encryption encryption;
    struct model_error err = MODEL_ERROR_INIT;
    uint8_t again[ARCHIVE_ENCRYPTION_SIZE_BYTES];
    uint64_t payload_bytes = 0, sealed_bytes = 0;
    if (archive_encryption_parse(data, size_bytes, "a", &encryption, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    archive_encryption_write(&encryption, again);
    if (size_bytes != sizeof again || memcmp(again, data, sizeof again) != 0 ||
        encryption.memory_kib > ARCHIVE_KDF_MAX_MEMORY_KIB ||
        encryption.passes > ARCHIVE_KDF_MAX_PASSES)
        abort();
    memcpy(&sealed_bytes, encryption.salt, sizeof sealed_bytes);
    sealed_bytes >>= 10; /* no file is larger */
    if (archive_payload_bytes(sealed_bytes, encryption.chunk_bytes, &payload_bytes) &&
        (payload_bytes >= sealed_bytes ||
         archive_sealed_bytes(payload_bytes, encryption.chunk_bytes) != sealed_bytes))
        abort();
    return 0;
}
