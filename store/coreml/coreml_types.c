/* coreml_types.c - types of an ML Program's values (coreml_program.h), read and named. */
#include "coreml_build.h"
#include "errors.h"

#include <string.h>

static const struct {
    int32_t dtype, model;
    unsigned n_bits;
    const char *name;
} dtypes[] = {
    {COREML_BOOL, MODEL_BOOL, 8, "bool"},
    {COREML_STRING, 0, 0, "string"},
    {COREML_F16, MODEL_F16, 16, "fp16"},
    {COREML_F32, MODEL_F32, 32, "fp32"},
    {COREML_F64, MODEL_F64, 64, "fp64"},
    {COREML_BF16, MODEL_BF16, 16, "bf16"},
    {COREML_I8, MODEL_I8, 8, "int8"},
    {COREML_I16, MODEL_I16, 16, "int16"},
    {COREML_I32, MODEL_I32, 32, "int32"},
    {COREML_I64, MODEL_I64, 64, "int64"},
    {COREML_I4, 0, 4, "int4"},
    {COREML_U8, MODEL_U8, 8, "uint8"},
    {COREML_U16, MODEL_U16, 16, "uint16"},
    {COREML_U32, MODEL_U32, 32, "uint32"},
    {COREML_U64, MODEL_U64, 64, "uint64"},
    {COREML_U4, 0, 4, "uint4"},
    {COREML_U2, 0, 2, "uint2"},
    {COREML_U1, 0, 1, "uint1"},
    {COREML_U6, 0, 6, "uint6"},
    {COREML_U3, 0, 3, "uint3"},
    {COREML_F8_E4M3, 0, 8, "fp8e4m3fn"},
    {COREML_F8_E5M2, 0, 8, "fp8e5m2"},
};

#define N_DTYPES (sizeof dtypes / sizeof dtypes[0])

static size_t find(int32_t dtype)
{
    size_t i = 0;
    while (i < N_DTYPES && dtypes[i].dtype != dtype)
        i++;
    return i;
}

const char *coreml_dtype_name(int32_t dtype)
{
    const size_t i = find(dtype);
    return i < N_DTYPES ? dtypes[i].name : "?";
}

int32_t coreml_dtype_named(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < N_DTYPES; i++)
        if (strlen(dtypes[i].name) == name_bytes && memcmp(dtypes[i].name, name, name_bytes) == 0)
            return dtypes[i].dtype;
    return 0;
}

int32_t coreml_dtype_model(int32_t dtype)
{
    const size_t i = find(dtype);
    return i < N_DTYPES ? dtypes[i].model : 0;
}

unsigned coreml_dtype_bits(int32_t dtype)
{
    const size_t i = find(dtype);
    return i < N_DTYPES ? dtypes[i].n_bits : 0;
}

/* "Dimension"; -1: unknown. */
static model_status build_dimension(const struct coreml_build *build, const coreml_message *message,
                                    const char *name, int64_t *ret)
{
    const coreml_message *constant = coreml_child(message, "constant");
    if (coreml_bool(coreml_child(message, "unknown"), "variadic"))
        return error_set(build->err, MODEL_UNSUPPORTED,
                         "%.250s: '%.200s' has an unknown number of dimensions", build->what, name);
    *ret = constant != NULL ? coreml_int(constant, "size") : -1;
    return *ret == INT64_MAX
               ? coreml_build_refuse(build, "a dimension of '%.200s' is too large", name)
               : MODEL_OK;
}

static model_status build_tensor(const struct coreml_build *build, const coreml_message *message,
                                 const char *name, struct coreml_type *ret)
{
    const int64_t rank = coreml_int(message, "rank");
    const size_t n = coreml_count(message, "dimensions");
    model_status status = MODEL_OK;
    ret->dtype = (int32_t)coreml_int(message, "dataType");
    if (find(ret->dtype) == N_DTYPES)
        return coreml_build_refuse(build, "'%.200s' is of the unknown data type %d", name,
                                   (int)ret->dtype);
    if (rank < 0 || (uint64_t)rank != n)
        return coreml_build_refuse(build, "'%.200s' has rank %lld and %zu dimensions", name,
                                   (long long)rank, n);
    if (n > MODEL_MAX_RANK)
        return error_set(build->err, MODEL_UNSUPPORTED,
                         "%.250s: '%.200s' has %zu dimensions, at most %d are read", build->what,
                         name, n, MODEL_MAX_RANK);
    ret->rank = (uint32_t)n;
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status =
            build_dimension(build, coreml_child_at(message, "dimensions", i), name, &ret->shape[i]);
    return status;
}

static model_status build_element(const struct coreml_build *build, const coreml_message *message,
                                  const char *name, struct coreml_type *ret)
{
    struct coreml_type *element = coreml_arena_take(build->arena, 1, sizeof *element);
    if (element == NULL)
        return coreml_build_no_memory(build);
    ret->element = element;
    return coreml_build_type(build, message, name, element);
}

model_status coreml_build_type(const struct coreml_build *build, const coreml_message *message,
                               const char *name, struct coreml_type *ret)
{
    const coreml_message *chosen = coreml_chosen(message);
    model_status status;
    *ret = (struct coreml_type){.kind = (enum coreml_type_kind)coreml_choice_number(message)};
    switch (ret->kind) {
    case COREML_TYPE_TENSOR:
        return build_tensor(build, chosen, name, ret);
    case COREML_TYPE_LIST:
        ret->length = -1;
        status = build_element(build, coreml_child(chosen, "type"), name, ret);
        return status == MODEL_OK && coreml_child(chosen, "length") != NULL
                   ? build_dimension(build, coreml_child(chosen, "length"), name, &ret->length)
                   : status;
    case COREML_TYPE_STATE:
        return build_element(build, coreml_child(chosen, "wrappedType"), name, ret);
    case COREML_TYPE_TUPLE:
    case COREML_TYPE_DICTIONARY:
        return MODEL_OK;
    default:
        return coreml_build_refuse(build, "'%.200s' has no type", name);
    }
}
