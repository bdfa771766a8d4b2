/* bridge_layout.m - numbers between dense tensors and arrays with strides; see bridge_objects.h. No state, any
 * thread. */
#include "bridge_objects.h"

bool bridge_read_layout(MLMultiArray *array, NSArray<NSNumber *> *strides,
                        struct bridge_layout *ret)
{
    const NSUInteger rank = array.shape.count;
    if (rank > MODEL_MAX_RANK || strides.count != rank)
        return false;
    ret->type = array.dataType;
    ret->rank = (uint32_t)rank;
    for (NSUInteger i = 0; i < rank; i++) {
        ret->shape[i] = array.shape[i].integerValue;
        ret->strides[i] = strides[i].integerValue;
    }
    return true;
}

static int64_t element_bytes(MLMultiArrayDataType type)
{
    switch (type) {
    case MLMultiArrayDataTypeDouble:
        return 8;
    case MLMultiArrayDataTypeFloat32:
    case MLMultiArrayDataTypeInt32:
        return 4;
    case MLMultiArrayDataTypeFloat16:
        return 2;
    default:
        return 0;
    }
}

/* The number of elements, 0 also when the strides lead out of `bytes`. */
static int64_t count(const struct bridge_layout *layout, int64_t bytes)
{
    const int64_t size = element_bytes(layout->type);
    int64_t n = 1, last = 0;
    for (uint32_t i = 0; i < layout->rank; i++) {
        const int64_t extent = layout->shape[i], stride = layout->strides[i];
        int64_t reach;
        if (extent <= 0 || stride < 0 || __builtin_mul_overflow(n, extent, &n) ||
            __builtin_mul_overflow(extent - 1, stride, &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return 0;
    }
    return size > 0 && bytes >= size && last <= bytes / size - 1 ? n : 0;
}

/* Steps to the next element in row-major order; returns its place in the array. */
static int64_t next(const struct bridge_layout *layout, int64_t index[MODEL_MAX_RANK], int64_t at)
{
    for (uint32_t i = layout->rank; i-- > 0;) {
        at += layout->strides[i];
        if (++index[i] < layout->shape[i])
            return at;
        at -= layout->shape[i] * layout->strides[i];
        index[i] = 0;
    }
    return at;
}

static double get(const void *data, MLMultiArrayDataType type, int64_t i)
{
    switch (type) {
    case MLMultiArrayDataTypeDouble:
        return ((const double *)data)[i];
    case MLMultiArrayDataTypeInt32:
        return ((const int32_t *)data)[i];
    case MLMultiArrayDataTypeFloat16:
        return (double)((const __fp16 *)data)[i];
    default:
        return (double)((const float *)data)[i];
    }
}

static int32_t to_int32(double number)
{
    return number >= 2147483647.0    ? INT32_MAX
           : number <= -2147483648.0 ? INT32_MIN
           : number == number        ? (int32_t)number
                                     : 0;
}

static void put(void *data, MLMultiArrayDataType type, int64_t i, double number)
{
    switch (type) {
    case MLMultiArrayDataTypeDouble:
        ((double *)data)[i] = number;
        break;
    case MLMultiArrayDataTypeInt32:
        ((int32_t *)data)[i] = to_int32(number);
        break;
    case MLMultiArrayDataTypeFloat16:
        ((__fp16 *)data)[i] = (__fp16)number;
        break;
    default:
        ((float *)data)[i] = (float)number;
        break;
    }
}

static MLMultiArrayDataType dense_type(int32_t dtype)
{
    return dtype == MODEL_I32 ? MLMultiArrayDataTypeInt32 : MLMultiArrayDataTypeFloat32;
}

bool bridge_gather(const struct bridge_layout *layout, const void *strided, int64_t bytes,
                   int32_t dtype, void *dense)
{
    const int64_t n = count(layout, bytes);
    int64_t index[MODEL_MAX_RANK] = {0};
    for (int64_t i = 0, at = 0; i < n; i++, at = next(layout, index, at))
        put(dense, dense_type(dtype), i, get(strided, layout->type, at));
    return n > 0;
}

bool bridge_scatter(const struct bridge_layout *layout, void *strided, int64_t bytes, int32_t dtype,
                    const void *dense)
{
    const int64_t n = count(layout, bytes);
    int64_t index[MODEL_MAX_RANK] = {0};
    for (int64_t i = 0, at = 0; i < n; i++, at = next(layout, index, at))
        put(strided, layout->type, at, get(dense, dense_type(dtype), i));
    return n > 0;
}
