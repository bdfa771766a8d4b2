/* fuzz_safetensors.c - a safetensors file made of any bytes is refused with a sentence, or read so that
 * every tensor lies inside the file. The same bytes are also read as a list of shards. */
#include "dtype.h"
#include "errors.h"
#include "safetensors.h"
#include "weights_index.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_file(const struct safetensors *file, size_t size_bytes)
{
    uint64_t total = 0;
    for (size_t i = 0; i < file->n_entries; i++) {
        const struct safetensors_entry *entry = &file->entries[i];
        struct model_tensor tensor;
        if (entry->offset > size_bytes || entry->size_bytes > size_bytes - entry->offset)
            abort();
        tensor_init(&tensor, entry->name, entry->dtype, entry->rank, entry->shape, NULL);
        if (tensor.size_bytes != entry->size_bytes)
            abort();
        total += entry->size_bytes;
    }
    if (total != file->data_bytes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct safetensors file;
    struct weights_index index;
    struct model_error err = MODEL_ERROR_INIT;
    if (safetensors_parse(data, size_bytes, "f", &file, &err) == MODEL_OK) {
        check_file(&file, size_bytes);
        safetensors_finish(&file);
    } else if (err.message[0] == '\0') {
        abort();
    }
    char *text = malloc(size_bytes > 0 ? size_bytes : 1);
    if (text == NULL)
        return 0;
    if (size_bytes > 0)
        memcpy(text, data, size_bytes);
    if (weights_index_parse(text, size_bytes, "i", &index, &err) == MODEL_OK)
        weights_index_finish(&index);
    else
        free(text);
    return 0;
}
