/* fuzz_archive_header.c - a header made of any bytes is refused with a sentence, or is written again to the
 * same bytes; and what it says fits the file. */
#include "archive_format.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct archive_header header;
    struct model_error err = MODEL_ERROR_INIT;
    uint8_t again[ARCHIVE_HEADER_BYTES];
    uint64_t file_bytes = size_bytes;
    if (size_bytes >= ARCHIVE_HEADER_BYTES) /* as large as it says: else none would fit */
        for (int i = 7; i >= 0; i--)
            file_bytes = (i == 7 ? 0 : file_bytes << 8) | data[24 + i];
    if (archive_header_parse(data, size_bytes, file_bytes, "a", &header, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    archive_header_write(&header, again);
    if (memcmp(again, data, sizeof again) != 0 || archive_entries_offset(&header) > file_bytes ||
        archive_entries_offset(&header) < archive_signature_offset(&header))
        abort();
    (void)archive_cipher_check(header.cipher_suite, "a", &err);
    return 0;
}
