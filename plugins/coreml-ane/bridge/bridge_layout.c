/* bridge_layout.c - see bridge_layout.h. */
#include "bridge_layout.h"
#include "bridge_half.h"

static const int64_t element_bytes[BRIDGE_N_TYPES] = {
    [BRIDGE_F64] = 8, [BRIDGE_F32] = 4, [BRIDGE_F16] = 2, [BRIDGE_I32] = 4};

int64_t bridge_layout_count(const struct bridge_layout *layout, int64_t bytes)
{
    const int64_t size = element_bytes[layout->type];
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

static double get(const void *data, enum bridge_type type, int64_t i)
{
    switch (type) {
    case BRIDGE_F64:
        return ((const double *)data)[i];
    case BRIDGE_I32:
        return ((const int32_t *)data)[i];
    case BRIDGE_F16:
        return (double)((const bridge_half *)data)[i];
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

static void put(void *data, enum bridge_type type, int64_t i, double number)
{
    switch (type) {
    case BRIDGE_F64:
        ((double *)data)[i] = number;
        break;
    case BRIDGE_I32:
        ((int32_t *)data)[i] = to_int32(number);
        break;
    case BRIDGE_F16:
        ((bridge_half *)data)[i] = (bridge_half)number;
        break;
    default:
        ((float *)data)[i] = (float)number;
        break;
    }
}

static enum bridge_type dense_type(int32_t dtype)
{
    return dtype == MODEL_I32 ? BRIDGE_I32 : BRIDGE_F32;
}

bool bridge_gather(const struct bridge_layout *layout, const void *strided, int64_t bytes,
                   int32_t dtype, void *dense)
{
    const int64_t n = bridge_layout_count(layout, bytes);
    int64_t index[MODEL_MAX_RANK] = {0};
    for (int64_t i = 0, at = 0; i < n; i++, at = next(layout, index, at))
        put(dense, dense_type(dtype), i, get(strided, layout->type, at));
    return n > 0;
}

bool bridge_scatter(const struct bridge_layout *layout, void *strided, int64_t bytes, int32_t dtype,
                    const void *dense)
{
    const int64_t n = bridge_layout_count(layout, bytes);
    int64_t index[MODEL_MAX_RANK] = {0};
    for (int64_t i = 0, at = 0; i < n; i++, at = next(layout, index, at))
        put(strided, layout->type, at, get(dense, dense_type(dtype), i));
    return n > 0;
}
