/* fuzz_coreml_blobs.c - any bytes as a weight.bin: what is given lies inside the file, whatever dtype and count a model
 * asks for. The first bytes choose those. */
#include "coreml_blobs.h"
#include "coreml_program.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct model_error err = MODEL_ERROR_INIT;
    const uint8_t *view = NULL;
    uint64_t n_bytes = 0, wanted;
    if (size_bytes < 9)
        return 0;
    const uint8_t *file = data + 9;
    const size_t file_bytes = size_bytes - 9;
    memcpy(&wanted, data + 1, sizeof wanted);
    (void)coreml_blob_check_file(file, file_bytes, "w", &err);
    for (uint64_t offset = 0; offset <= file_bytes; offset += 64) {
        const model_status status =
            coreml_blob_view(file, file_bytes, offset, data[0], wanted, "w", &view, &n_bytes, &err);
        if (status != MODEL_OK)
            continue;
        if (view < file || n_bytes > file_bytes || view + n_bytes > file + file_bytes ||
            n_bytes != (wanted * coreml_dtype_bits(data[0]) + 7) / 8)
            abort();
    }
    return 0;
}
