/* fuzz_coreml_graph.c - any bytes as a .mlmodel: what the reader lets through is translated, and run if it is small. Memory
 * follows the file's size. */
#include "fuzz_coreml_graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct coreml_model *file = NULL;
    if (coreml_model_parse(data, size_bytes, "fuzzed", &file, NULL) != MODEL_OK)
        return 0;
    translate(file, false);
    coreml_model_close(file);
    return 0;
}
