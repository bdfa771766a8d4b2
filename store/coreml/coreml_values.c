/* coreml_values.c - constants of an ML Program (coreml_program.h): read and checked against their type. As numbers:
 * coreml_numbers.c. */
#include "coreml_build.h"
#include "errors.h"
#include "size.h"

#include <string.h>

/* The member of "TensorValue" that holds a dtype's elements when they do not stand as bytes. */
static const char *member_of(int32_t dtype)
{
    switch (dtype) {
    case COREML_F32:
        return "floats";
    case COREML_F64:
        return "doubles";
    case COREML_I64:
    case COREML_U64:
        return "longInts";
    case COREML_BOOL:
        return "bools";
    case COREML_STRING:
        return "strings";
    case COREML_I16:
    case COREML_U16:
    case COREML_I32:
    case COREML_U32:
    case COREML_I8:
    case COREML_U8:
        return "ints";
    default:
        return "bytes";
    }
}

static model_status refuse_count(const struct coreml_build *build, const char *name, size_t found,
                                 uint64_t wanted)
{
    return coreml_build_refuse(build, "the value of '%.200s' has %zu elements, its type %llu", name,
                               found, (unsigned long long)wanted);
}

/* Whole numbers in the width of their dtype; of int32 as they lie, since an unsigned one bears the same bits. */
static model_status build_integers(const struct coreml_build *build, const coreml_message *list,
                                   const char *name, struct coreml_value *ret)
{
    const size_t width = coreml_dtype_bits(ret->type.dtype) / 8, n = (size_t)ret->n_elements;
    const bool is_bool = ret->type.dtype == COREML_BOOL;
    unsigned char *data = coreml_arena_take(build->arena, n, width);
    if (data == NULL)
        return coreml_build_no_memory(build);
    for (size_t i = 0; i < n; i++) {
        int64_t value =
            is_bool ? coreml_bool_at(list, "values", i) : coreml_int_at(list, "values", i);
        const bool is_signed = ret->type.dtype >= COREML_I8 && ret->type.dtype <= COREML_I64;
        const int64_t range = width < 4 ? (int64_t)1 << (8 * width) : INT64_MAX;
        if (width < 4 &&
            (is_signed ? value < -range / 2 || value >= range / 2 : value < 0 || value >= range))
            return coreml_build_refuse(build, "the value %lld of '%.200s' is no %s",
                                       (long long)value, name, coreml_dtype_name(ret->type.dtype));
        memcpy(data + i * width, &value, width); /* little endian */
    }
    ret->data = n > 0 ? data : NULL;
    ret->size_bytes = (uint64_t)n * width;
    return MODEL_OK;
}

static model_status build_bytes(const struct coreml_build *build, const coreml_message *list,
                                const char *name, struct coreml_value *ret)
{
    size_t n_bytes;
    uint64_t n_bits;
    const uint8_t *bytes = coreml_bytes(list, "values", &n_bytes);
    if (!size_multiply(ret->n_elements, coreml_dtype_bits(ret->type.dtype), &n_bits) ||
        n_bits > UINT64_MAX - 7 || (n_bits + 7) / 8 != n_bytes || (n_bits == 0 && n_bytes > 0))
        return coreml_build_refuse(
            build, "the value of '%.200s' has %zu bytes for %llu elements of %s", name, n_bytes,
            (unsigned long long)ret->n_elements, coreml_dtype_name(ret->type.dtype));
    ret->data = n_bytes > 0 ? bytes : NULL;
    ret->size_bytes = n_bytes;
    return MODEL_OK;
}

/* "TensorValue". */
static model_status build_tensor(const struct coreml_build *build, const coreml_message *message,
                                 const char *name, struct coreml_value *ret)
{
    const char *found = coreml_choice(message), *wanted = member_of(ret->type.dtype);
    const coreml_message *list = coreml_chosen(message);
    if (found == NULL)
        return ret->n_elements == 0 ? MODEL_OK : refuse_count(build, name, 0, ret->n_elements);
    if (strcmp(found, "bytes") == 0 && ret->type.dtype != COREML_STRING)
        return build_bytes(build, list, name, ret);
    if (strcmp(found, wanted) != 0)
        return coreml_build_refuse(build, "the value of '%.200s' is of %s, its type says %s", name,
                                   found, coreml_dtype_name(ret->type.dtype));
    const size_t n = coreml_count(list, "values");
    if (n != ret->n_elements)
        return refuse_count(build, name, n, ret->n_elements);
    if (ret->type.dtype == COREML_STRING) {
        size_t n_strings;
        return coreml_build_texts(build, list, "values", &ret->strings, &n_strings);
    }
    if (ret->type.dtype == COREML_F32 || ret->type.dtype == COREML_F64) {
        ret->data = coreml_elements(list, "values");
        ret->size_bytes = ret->n_elements * coreml_dtype_bits(ret->type.dtype) / 8;
        return MODEL_OK;
    }
    return build_integers(build, list, name, ret);
}

static model_status build_items(const struct coreml_build *build, const coreml_message *message,
                                const char *name, struct coreml_value *ret)
{
    const bool is_dictionary = strcmp(coreml_message_name(message), "DictionaryValue") == 0;
    const size_t n = coreml_count(message, "values"), n_items = is_dictionary ? 2 * n : n;
    struct coreml_value *items = coreml_arena_take(build->arena, n_items, sizeof *items);
    model_status status = items != NULL ? MODEL_OK : coreml_build_no_memory(build);
    for (size_t i = 0; i < n_items && status == MODEL_OK; i++) {
        const coreml_message *item = coreml_child_at(message, "values", is_dictionary ? i / 2 : i);
        if (is_dictionary)
            item = coreml_child(item, i % 2 == 0 ? "key" : "value");
        status = coreml_build_value(build, item, name, &items[i]);
    }
    if (status != MODEL_OK)
        return status;
    ret->items = items;
    ret->n_items = n_items;
    return MODEL_OK;
}

/* "BlobFileValue". */
static model_status build_blob(const struct coreml_build *build, const coreml_message *message,
                               const char *name, struct coreml_value *ret)
{
    const struct coreml_blob_file *file = NULL;
    const uint8_t *data = NULL;
    model_status status = MODEL_OK;
    ret->file = coreml_text(message, "fileName");
    const int64_t offset = coreml_int(message, "offset");
    ret->offset = (uint64_t)offset;
    if (ret->type.kind != COREML_TYPE_TENSOR || coreml_dtype_bits(ret->type.dtype) == 0)
        return coreml_build_refuse(build, "'%.200s' is in a weight file and no tensor of numbers",
                                   name);
    if (build->blobs == NULL)
        return MODEL_OK;
    status = coreml_blobs_find(build->blobs, ret->file, &file, build->err);
    if (status == MODEL_OK && file->is_there)
        status = coreml_blob_view(file->data, file->size_bytes, ret->offset, ret->type.dtype,
                                  ret->n_elements, file->path, &data, &ret->size_bytes, build->err);
    if (status != MODEL_OK) {
        error_prefix(build->err, "'%.200s'", name);
        return status;
    }
    ret->data = ret->size_bytes > 0 ? data : NULL;
    return MODEL_OK;
}

static model_status count_elements(const struct coreml_build *build, const char *name,
                                   struct coreml_value *value)
{
    value->n_elements = 1;
    for (uint32_t i = 0; i < value->type.rank; i++)
        if (value->type.shape[i] < 0 ||
            !size_multiply(value->n_elements, (uint64_t)value->type.shape[i], &value->n_elements) ||
            value->n_elements > (uint64_t)INT64_MAX / 64)
            return coreml_build_refuse(build, "the value of '%.200s' has a dimension that is %s",
                                       name, value->type.shape[i] < 0 ? "unknown" : "too large");
    return MODEL_OK;
}

model_status coreml_build_value(const struct coreml_build *build, const coreml_message *message,
                                const char *name, struct coreml_value *ret)
{
    *ret = (struct coreml_value){.file = NULL};
    model_status status = coreml_build_type(build, coreml_child(message, "type"), name, &ret->type);
    if (status == MODEL_OK && ret->type.kind == COREML_TYPE_TENSOR)
        status = count_elements(build, name, ret);
    if (status != MODEL_OK)
        return status;
    const coreml_message *blob = coreml_child(message, "blobFileValue");
    const coreml_message *immediate = coreml_child(message, "immediateValue");
    const coreml_message *tensor = coreml_child(immediate, "tensor");
    if (blob != NULL)
        return build_blob(build, blob, name, ret);
    if (immediate == NULL)
        return coreml_build_refuse(build, "'%.200s' has no value", name);
    if ((tensor != NULL) != (ret->type.kind == COREML_TYPE_TENSOR))
        return coreml_build_refuse(build, "the value of '%.200s' is not of its type", name);
    return tensor != NULL ? build_tensor(build, tensor, name, ret)
                          : build_items(build, coreml_chosen(immediate), name, ret);
}

const char *coreml_value_text(const struct coreml_value *value)
{
    return value->strings != NULL && value->n_elements == 1 ? value->strings[0] : NULL;
}
