/* fuzz_pickle.c - a pickle made of any bytes is refused with a sentence, or its values can be walked. */
#include "errors.h"
#include "pickle_reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_value(const struct pickle *pickle, const struct pickle_value *value,
                        const uint8_t *data, size_t size_bytes)
{
    const uint8_t *text = (const uint8_t *)value->text;
    switch (value->kind) {
    case PICKLE_TEXT:
    case PICKLE_BYTES:
    case PICKLE_BIG_INTEGER:
        if (text < data || text + value->n > data + size_bytes)
            abort();
        break;
    case PICKLE_TUPLE:
    case PICKLE_LIST:
    case PICKLE_DICT:
        for (uint32_t i = 0; i < value->n; i++)
            if (value->items[i] >= pickle->n_values)
                abort();
        break;
    case PICKLE_TENSOR:
        if (pickle_at(pickle, value->tensor->storage)->kind != PICKLE_STORAGE)
            abort();
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct pickle pickle;
    struct model_error err = MODEL_ERROR_INIT;
    size_t used = 0;
    if (pickle_read(data, size_bytes, "p", &pickle, &used, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    if (used == 0 || used > size_bytes || pickle.root >= pickle.n_values)
        abort();
    for (uint32_t i = 0; i < pickle.n_values; i++)
        check_value(&pickle, pickle_at(&pickle, i), data, size_bytes);
    pickle_finish(&pickle);
    return 0;
}
