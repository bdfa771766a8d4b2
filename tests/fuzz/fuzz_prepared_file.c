/* fuzz_prepared_file.c - any bytes as a file of prepared weights; then the same with a header that fits as far as it
 * can be made to (magic, version, length, key, checksum), so that the table is reached. What is accepted must lie inside
 * of the bytes. */
#include "prepared_file.h"
#include "prepared_hash.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void read_file(const uint8_t *file, size_t size)
{
    struct prepared_index index = {0};
    if (prepared_file_read(file, size, key, &index, NULL) != MODEL_OK)
        return;
    for (size_t i = 0; i < index.n_blobs; i++) {
        const struct prepared_blob *blob = &index.blobs[i];
        const uint8_t *start = blob->data;
        if (start < file || blob->size_bytes > size ||
            (size_t)(start - file) > size - (size_t)blob->size_bytes ||
            prepared_index_find(&index, blob->key, blob->size_bytes) == NULL)
            abort();
    }
    (void)prepared_file_check(&index, 1, NULL);
    prepared_index_finish(&index);
}

static void mend(uint8_t *file, size_t size)
{
    const uint32_t version = PREPARED_FILE_VERSION;
    const uint64_t file_bytes = size;
    uint64_t table_bytes = 0;
    memcpy(file, "\x89MHW\r\n\x1a\n", 8);
    memcpy(file + 8, &version, sizeof version);
    memcpy(file + 16, &file_bytes, sizeof file_bytes);
    memcpy(&table_bytes, file + 24, sizeof table_bytes);
    table_bytes %= size - PREPARED_HEADER_BYTES + 1;
    memcpy(file + 24, &table_bytes, sizeof table_bytes);
    memcpy(file + 32, key, sizeof key - 1);
    memset(file + 96, 0, 8);
    const uint64_t hashes[] = {prepared_hash(file, PREPARED_HEADER_BYTES),
                               prepared_hash(file + PREPARED_HEADER_BYTES, (size_t)table_bytes)};
    const uint64_t hash = prepared_hash(hashes, sizeof hashes);
    memcpy(file + 96, &hash, sizeof hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = calloc(1, size > 0 ? size : 1);
    if (file == NULL)
        return 0;
    if (size > 0)
        memcpy(file, data, size);
    read_file(file, size);
    (void)prepared_file_announced(file, size);
    if (size >= PREPARED_HEADER_BYTES) {
        mend(file, size);
        read_file(file, size);
    }
    free(file);
    return 0;
}
