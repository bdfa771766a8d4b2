/* fuzz_archive_frames.c - any bytes as a zstd frame of a declared size (the first two bytes): refused, or
 * exactly so many bytes; never one beyond. */
#include "archive_zstd.h"
#include "errors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 2)
        return 0;
    struct model_error err = MODEL_ERROR_INIT;
    const size_t want_bytes = (size_t)data[0] | (size_t)data[1] << 8;
    uint8_t *content = malloc(want_bytes > 0 ? want_bytes : 1); /* the sanitizer guards its end */
    if (content == NULL)
        return 0;
    if (archive_zstd_decompress(data + 2, size_bytes - 2, content, want_bytes, &err) != MODEL_OK &&
        err.message[0] == '\0')
        abort();
    free(content);
    return 0;
}
