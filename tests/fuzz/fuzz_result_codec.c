/* fuzz_result_codec.c - any bytes as a cached result of a call with two items. What is accepted is written as
 * the same bytes. */
#include "result_codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct model_dimension sizes[] = {{"batch", 1, 64}, {"any", 0, INT64_MAX}};
static const struct model_tensor_spec logits = {sizeof logits, "logits", MODEL_F32, 2, sizes, 0, 0};
static const struct model_tensor_spec flags = {sizeof flags, "flags", MODEL_BOOL, 1, sizes, 0, 0};
static const struct model_tensor_spec *const outputs[] = {&logits, &flags};
static const struct model_description description = {
    .struct_size = sizeof description, .outputs = outputs, .n_outputs = 2};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct schema_binding binding = {.dimensions = {{"batch", 2}}, .n_dimensions = 1};
    struct modelhost_result *result = NULL;
    struct buffer bytes = BUFFER_INIT(1 << 24);
    if (result_create(&description, NULL, 0, &result, NULL) != MODEL_OK)
        return 0;
    if (result_decode(data, size, &binding, result, NULL) == MODEL_OK &&
        (result_encode(result, &bytes) != MODEL_OK || bytes.size != size ||
         memcmp(bytes.data, data, size) != 0))
        abort();
    modelhost_result_destroy(result);
    buffer_finish(&bytes);
    return 0;
}
