/* infer_datatype.c - see infer_datatype.h. */
#include "infer_datatype.h"

#include <string.h>

static const struct {
    int32_t dtype;
    const char *name;
} datatypes[] = {
    {MODEL_BOOL, "BOOL"}, {MODEL_U8, "UINT8"},   {MODEL_I8, "INT8"},   {MODEL_U16, "UINT16"},
    {MODEL_I16, "INT16"}, {MODEL_U32, "UINT32"}, {MODEL_I32, "INT32"}, {MODEL_U64, "UINT64"},
    {MODEL_I64, "INT64"}, {MODEL_F16, "FP16"},   {MODEL_BF16, "BF16"}, {MODEL_F32, "FP32"},
    {MODEL_F64, "FP64"},
};

#define N_DATATYPES (sizeof datatypes / sizeof datatypes[0])

const char *infer_datatype_name(int32_t dtype)
{
    for (size_t i = 0; i < N_DATATYPES; i++)
        if (datatypes[i].dtype == dtype)
            return datatypes[i].name;
    return NULL;
}

int32_t infer_datatype_find(const char *name)
{
    for (size_t i = 0; i < N_DATATYPES; i++)
        if (name != NULL && strcmp(datatypes[i].name, name) == 0)
            return datatypes[i].dtype;
    return 0;
}
