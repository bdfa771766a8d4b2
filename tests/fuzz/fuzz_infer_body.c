/* fuzz_infer_body.c - any bytes as the body of an infer request; each byte of what was read is read again. */
#include "infer_body.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct infer_body body;
    unsigned sum = 0;
    if (infer_body_parse((const char *)data, size, 60000, &body, NULL) != MODEL_OK)
        return 0;
    for (uint32_t i = 0; i < body.n_inputs; i++)
        for (uint64_t k = 0; k < body.inputs[i]->size_bytes; k++)
            sum += ((const unsigned char *)body.inputs[i]->data)[k];
    infer_body_finish(&body);
    return sum == UINT32_MAX ? 1 : 0;
}
