/* fuzz_coreml_weights.c - any bytes as a model and its weight.bin: what the reader lets through is translated, and run if it is
 * small. The first byte says whether numbers are rounded to float16, four more how long the model is; behind it are
 * the weights. */
#include "fuzz_coreml_graph.h"

#include <string.h>

#define HEAD_BYTES 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

struct part {
    const char *name;
    void *
        data; /* at a multiple of 64, as a host gives it; nothing of it may be read behind its end */
    size_t size_bytes;
};

static void put_part(struct part *part, const char *name, const uint8_t *data, size_t size_bytes)
{
    *part = (struct part){name, NULL, size_bytes};
    must(posix_memalign(&part->data, 64, size_bytes > 0 ? size_bytes : 1) == 0);
    memcpy(part->data, data, size_bytes);
}

static model_status map(void *context, const char *name, const void **ret_data, uint64_t *ret_bytes,
                        struct model_error *err)
{
    const struct part *parts = context;
    for (size_t i = 0; i < 2; i++)
        if (strcmp(name, parts[i].name) == 0) {
            *ret_data = parts[i].size_bytes > 0 ? parts[i].data : NULL;
            *ret_bytes = parts[i].size_bytes;
            return MODEL_OK;
        }
    return error_set(err, MODEL_NOT_FOUND, "%.100s is not there", name);
}

static void discard(void *context, const void *data, uint64_t size_bytes)
{
    const struct part *parts = context;
    const uint8_t *first = data;
    bool is_inside = false;
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *begin = parts[i].data;
        is_inside =
            is_inside || (first >= begin && first - begin <= (ptrdiff_t)parts[i].size_bytes &&
                          size_bytes <= parts[i].size_bytes - (size_t)(first - begin));
    }
    must(is_inside || size_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct coreml_model *file = NULL;
    struct part parts[2];
    uint32_t model_bytes = 0;
    if (size_bytes < HEAD_BYTES)
        return 0;
    memcpy(&model_bytes, data + 1, sizeof model_bytes);
    const size_t rest = size_bytes - HEAD_BYTES, n = model_bytes < rest ? model_bytes : rest;
    put_part(&parts[0], "m.mlmodel", data + HEAD_BYTES, n);
    put_part(&parts[1], "weights/weight.bin", data + HEAD_BYTES + n, rest - n);
    const struct model_backend_files files = {sizeof files, parts, map, discard, NULL};
    struct model_error err = MODEL_ERROR_INIT;
    const model_status status = coreml_model_open_from(&files, "m.mlmodel", &file, &err);
    must(status == MODEL_OK ||
         err.message[0] != '\0'); /* that a file is not there may be no error */
    if (status == MODEL_OK)
        translate(file, (data[0] & 1) != 0);
    coreml_model_close(file);
    free(parts[0].data);
    free(parts[1].data);
    return 0;
}
