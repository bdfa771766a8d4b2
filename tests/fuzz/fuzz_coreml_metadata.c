/* fuzz_coreml_metadata.c - any bytes as a metadata.json are refused with a sentence, or features with names and sizes. */
#include "coreml_metadata.h"
#include "errors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check(const struct coreml_features *features)
{
    for (size_t i = 0; i < features->n; i++) {
        const struct coreml_feature *feature = &features->items[i];
        if (feature->name[0] == '\0' || feature->rank > MODEL_MAX_RANK)
            abort();
        for (size_t k = 0; k < feature->n_permitted * feature->rank; k++)
            if (feature->permitted[k] < -1)
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct coreml_interface interface;
    struct model_error err = MODEL_ERROR_INIT;
    if (coreml_metadata_parse((const char *)data, size_bytes, "m", &interface, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    check(&interface.inputs);
    check(&interface.outputs);
    coreml_interface_finish(&interface);
    return 0;
}
