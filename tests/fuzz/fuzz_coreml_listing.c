/* fuzz_coreml_listing.c - any bytes as a model.mil are refused with a sentence, or counted: the sums agree. */
#include "coreml_listing.h"
#include "errors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct coreml_listing listing;
    struct model_error err = MODEL_ERROR_INIT;
    uint64_t sum = 0;
    if (coreml_listing_parse((const char *)data, size_bytes, "m", &listing, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    for (size_t i = 0; i < listing.n_operators; i++)
        sum += listing.operators[i].n;
    for (size_t i = 0; i < listing.n_functions; i++)
        sum -= listing.functions[i].n;
    if (sum != 0 || listing.n_functions == 0 || listing.opset == NULL)
        abort();
    coreml_listing_finish(&listing);
    return 0;
}
