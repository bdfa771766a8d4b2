/* result_codec.c - see result_codec.h. */
#include "result_codec.h"
#include "dtype.h"
#include "errors.h"
#include "size.h"

#include <string.h>

static const char magic[4] = {'M', 'H', 'R', '1'};

model_status result_encode(const struct modelhost_result *result, struct buffer *bytes)
{
    model_status status = buffer_append(bytes, magic, sizeof magic);
    if (status == MODEL_OK)
        status = buffer_append(bytes, &result->n_tensors, sizeof result->n_tensors);
    for (uint32_t i = 0; i < result->n_tensors && status == MODEL_OK; i++) {
        const struct model_tensor *tensor = &result->tensors[i];
        status = buffer_append(bytes, &tensor->dtype, sizeof tensor->dtype);
        if (status == MODEL_OK)
            status = buffer_append(bytes, &tensor->rank, sizeof tensor->rank);
        if (status == MODEL_OK)
            status = buffer_append(bytes, tensor->shape, tensor->rank * sizeof *tensor->shape);
        if (status == MODEL_OK)
            status = buffer_append(bytes, &tensor->size_bytes, sizeof tensor->size_bytes);
        if (status == MODEL_OK)
            status = buffer_append(bytes, tensor->data, (size_t)tensor->size_bytes);
    }
    return status;
}

struct reader {
    const unsigned char *at;
    size_t left;
};

static bool take(struct reader *reader, void *ret, size_t size_bytes)
{
    if (size_bytes > reader->left)
        return false;
    if (size_bytes > 0)
        memcpy(ret, reader->at, size_bytes);
    reader->at += size_bytes;
    reader->left -= size_bytes;
    return true;
}

static model_status corrupt(struct model_error *err, const char *what)
{
    return error_set(err, MODEL_CORRUPT, "a cached result: %s", what);
}

static model_status decode_tensor(struct reader *reader, uint32_t index,
                                  struct schema_binding *binding, struct modelhost_result *result,
                                  struct model_error *err)
{
    int32_t dtype = 0;
    uint32_t rank = 0;
    int64_t shape[MODEL_MAX_RANK];
    uint64_t size_bytes = 0;
    if (!take(reader, &dtype, sizeof dtype) || !take(reader, &rank, sizeof rank) ||
        rank > MODEL_MAX_RANK || !take(reader, shape, rank * sizeof *shape) ||
        !take(reader, &size_bytes, sizeof size_bytes) || size_bytes > reader->left)
        return corrupt(err, "it is cut short");
    if (schema_check_output(result->specs[index], dtype, rank, shape, binding, err) != MODEL_OK)
        return corrupt(err, "it does not fit the model's outputs");
    uint64_t wanted_bytes = dtype_size_bytes(dtype);
    for (uint32_t i = 0; i < rank; i++)
        if (!size_multiply(wanted_bytes, (uint64_t)shape[i], &wanted_bytes))
            wanted_bytes = UINT64_MAX;
    if (size_bytes != wanted_bytes)
        return corrupt(err, "its data is not as large as its shape says");
    model_status status = result_allocate(result, index, dtype, rank, shape, err);
    if (status == MODEL_OK)
        (void)take(reader, result->tensors[index].data, (size_t)size_bytes);
    return status;
}

model_status result_decode(const void *bytes, size_t size_bytes,
                           const struct schema_binding *binding, struct modelhost_result *result,
                           struct model_error *err)
{
    struct reader reader = {bytes, size_bytes};
    struct schema_binding sizes = *binding;
    char start[sizeof magic];
    uint32_t n_tensors = 0;
    if (!take(&reader, start, sizeof start) || memcmp(start, magic, sizeof magic) != 0)
        return corrupt(err, "it does not begin with MHR1");
    if (!take(&reader, &n_tensors, sizeof n_tensors) || n_tensors != result->n_tensors)
        return corrupt(err, "it has another number of tensors");
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < n_tensors && status == MODEL_OK; i++)
        status = decode_tensor(&reader, i, &sizes, result, err);
    if (status == MODEL_OK && reader.left > 0)
        status = corrupt(err, "there is more behind it");
    return status;
}
