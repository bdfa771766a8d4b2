/* coreml_numbers.c - elements of constants (coreml_program.h) as float32 and whole numbers. */
#include "coreml_build.h"
#include "errors.h"

#include <string.h>

model_status coreml_value_check(const struct coreml_value *value, struct model_error *err)
{
    if (value->file == NULL || value->data != NULL || value->n_elements == 0)
        return MODEL_OK;
    return error_set(
        err, MODEL_NOT_FOUND,
        "the weights in '%.200s' are not there: copy the weights folder beside the model",
        value->file);
}

float coreml_half_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, mantissa = half & 0x3ffu;
    const uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
    if (exponent == 0x1f)
        bits = sign | 0x7f800000u | (mantissa << 13);
    float value;
    memcpy(&value, &bits, sizeof value);
    if (exponent == 0) {
        value = (float)mantissa * 0x1p-24f;
        return sign != 0 ? -value : value;
    }
    return value;
}

/* The i-th element, n_bits wide, packed from the lowest bit on. */
static unsigned bits_at(const uint8_t *data, uint64_t i, unsigned n_bits)
{
    const uint64_t first = i * n_bits;
    unsigned value = 0;
    for (unsigned b = 0; b < n_bits; b++)
        value |= (unsigned)((data[(first + b) / 8] >> ((first + b) % 8)) & 1) << b;
    return value;
}

#define LOAD(type_)                                                                                \
    do {                                                                                           \
        type_ value_;                                                                              \
        memcpy(&value_, (const uint8_t *)data + i * sizeof value_, sizeof value_);                 \
        *ret = (double)value_;                                                                     \
        return true;                                                                               \
    } while (0)

/* false: the dtype is no number that is read. */
static bool number_at(int32_t dtype, const void *data, uint64_t i, double *ret)
{
    uint16_t half;
    uint32_t wide;
    float value;
    switch (dtype) {
    case COREML_F32:
        LOAD(float);
    case COREML_F64:
        LOAD(double);
    case COREML_I8:
        LOAD(int8_t);
    case COREML_I16:
        LOAD(int16_t);
    case COREML_I32:
        LOAD(int32_t);
    case COREML_I64:
        LOAD(int64_t);
    case COREML_BOOL:
    case COREML_U8:
        LOAD(uint8_t);
    case COREML_U16:
        LOAD(uint16_t);
    case COREML_U32:
        LOAD(uint32_t);
    case COREML_U64:
        LOAD(uint64_t);
    case COREML_F16:
        memcpy(&half, (const uint8_t *)data + i * 2, sizeof half);
        *ret = (double)coreml_half_to_float(half);
        return true;
    case COREML_BF16:
        memcpy(&half, (const uint8_t *)data + i * 2, sizeof half);
        wide = (uint32_t)half << 16;
        memcpy(&value, &wide, sizeof value);
        *ret = (double)value;
        return true;
    case COREML_I4: {
        const int raw = (int)bits_at(data, i, 4);
        *ret = raw < 8 ? raw : raw - 16;
        return true;
    }
    case COREML_U1:
    case COREML_U2:
    case COREML_U3:
    case COREML_U4:
    case COREML_U6:
        *ret = (double)bits_at(data, i, coreml_dtype_bits(dtype));
        return true;
    default:
        return false;
    }
}

static model_status check_numbers(const struct coreml_value *value, struct model_error *err)
{
    double ignored;
    const uint8_t nothing[8] = {0};
    if (value->type.kind != COREML_TYPE_TENSOR ||
        !number_at(value->type.dtype, nothing, 0, &ignored))
        return error_set(
            err, MODEL_UNSUPPORTED, "a constant of %s where a tensor of numbers is wanted",
            value->type.kind == COREML_TYPE_TENSOR ? coreml_dtype_name(value->type.dtype)
                                                   : "several values");
    return coreml_value_check(value, err);
}

model_status coreml_value_to_float32(const struct coreml_value *value, float *ret,
                                     struct model_error *err)
{
    model_status status = check_numbers(value, err);
    if (status != MODEL_OK || value->n_elements == 0)
        return status;
    if (value->type.dtype == COREML_F32) {
        memcpy(ret, value->data, (size_t)value->size_bytes);
        return MODEL_OK;
    }
    for (uint64_t i = 0; i < value->n_elements; i++) {
        double number;
        (void)number_at(value->type.dtype, value->data, i, &number);
        ret[i] = (float)number;
    }
    return MODEL_OK;
}

model_status coreml_value_to_int64(const struct coreml_value *value, int64_t *ret,
                                   struct model_error *err)
{
    model_status status = check_numbers(value, err);
    for (uint64_t i = 0; i < value->n_elements && status == MODEL_OK; i++) {
        double number;
        if (value->type.dtype == COREML_I64) { /* a double does not hold them all */
            memcpy(&ret[i], (const uint8_t *)value->data + i * 8, 8);
            continue;
        }
        (void)number_at(value->type.dtype, value->data, i, &number);
        if (!(number >= -0x1p63 && number < 0x1p63))
            return error_set(err, MODEL_UNSUPPORTED,
                             "the constant %g where a whole number is wanted", number);
        ret[i] = (int64_t)number;
    }
    return status;
}
