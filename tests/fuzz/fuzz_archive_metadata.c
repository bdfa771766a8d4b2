/* fuzz_archive_metadata.c - metadata made of any bytes are refused, or describe entries that lie in the
 * file, do not overlap, have safe paths, and are the same when they are printed and read again. */
#include "archive_index.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define FILE_BYTES 8492 /* of the corpus */

static void check(const struct archive_index *index, const struct archive_header *header)
{
    uint64_t end = archive_entries_offset(header);
    for (size_t i = 0; i < index->n_entries; i++) {
        const struct archive_entry *entry = &index->entries[i];
        if (!path_is_safe(entry->path) || archive_index_find(index, entry->path) != entry ||
            entry->offset < end || entry->offset % ARCHIVE_ALIGNMENT != 0)
            abort();
        end = entry->offset + entry->stored_bytes;
    }
    if (end != header->file_bytes)
        abort();
    char *text = archive_index_print(index), *twice = NULL;
    struct archive_index again;
    if (text == NULL ||
        archive_index_parse(text, strlen(text), header, "a", &again, NULL) != MODEL_OK)
        abort();
    twice = archive_index_print(&again);
    if (twice == NULL || strcmp(text, twice) != 0)
        abort();
    archive_index_finish(&again);
    free(twice);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct archive_index index;
    struct model_error err = MODEL_ERROR_INIT;
    const struct archive_header header = {.file_bytes = FILE_BYTES, .metadata_bytes = 1000};
    if (archive_index_parse((const char *)data, size_bytes, &header, "a", &index, &err) ==
        MODEL_OK) {
        (void)archive_index_check_sizes(&index, "a", &err);
        check(&index, &header);
        archive_index_finish(&index);
    } else if (err.message[0] == '\0') {
        abort();
    }
    return 0;
}
