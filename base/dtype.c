/* dtype.c - see dtype.h. */
#include "dtype.h"

#include <stdio.h>
#include <string.h>

static const struct {
    int32_t dtype;
    size_t size_bytes;
    const char *name;
} dtypes[] = {
    {MODEL_BOOL, 1, "BOOL"}, {MODEL_U8, 1, "U8"},           {MODEL_I8, 1, "I8"},
    {MODEL_U16, 2, "U16"},   {MODEL_I16, 2, "I16"},         {MODEL_U32, 4, "U32"},
    {MODEL_I32, 4, "I32"},   {MODEL_U64, 8, "U64"},         {MODEL_I64, 8, "I64"},
    {MODEL_F16, 2, "F16"},   {MODEL_BF16, 2, "BF16"},       {MODEL_F32, 4, "F32"},
    {MODEL_F64, 8, "F64"},   {MODEL_F8_E4M3, 1, "F8_E4M3"}, {MODEL_F8_E5M2, 1, "F8_E5M2"},
};

#define N_DTYPES (sizeof dtypes / sizeof dtypes[0])

size_t dtype_size_bytes(int32_t dtype)
{
    return dtype >= 1 && (size_t)dtype <= N_DTYPES ? dtypes[dtype - 1].size_bytes : 0;
}

const char *dtype_name(int32_t dtype)
{
    return dtype >= 1 && (size_t)dtype <= N_DTYPES ? dtypes[dtype - 1].name : "?";
}

int32_t dtype_from_name(const char *name)
{
    for (size_t i = 0; i < N_DTYPES; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return dtypes[i].dtype;
    return 0;
}

const char *shape_text(const int64_t *shape, uint32_t rank, char *text, size_t text_bytes)
{
    size_t used = 0;
    for (uint32_t i = 0; i < rank && used < text_bytes; i++) {
        int n = snprintf(text + used, text_bytes - used, "%s%lld", i == 0 ? "[" : ", ",
                         (long long)shape[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < text_bytes)
        (void)snprintf(text + used, text_bytes - used, rank == 0 ? "[]" : "]");
    return text;
}

void tensor_init(struct model_tensor *ret, const char *name, int32_t dtype, uint32_t rank,
                 const int64_t *shape, void *data)
{
    *ret = (struct model_tensor){
        .struct_size = sizeof *ret, .name = name, .data = data, .dtype = dtype, .rank = rank};
    uint64_t stride =
        1; /* unsigned: a product that nobody checked wraps, and is no more than wrong */
    for (uint32_t i = rank; i-- > 0;) {
        ret->shape[i] = shape[i];
        ret->strides[i] = (int64_t)stride;
        stride *= (uint64_t)shape[i];
    }
    ret->size_bytes = stride * dtype_size_bytes(dtype);
}

uint64_t tensor_elements(const struct model_tensor *tensor)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < tensor->rank; i++)
        n *= (uint64_t)tensor->shape[i];
    return n;
}
