/* float_convert.c - see float_convert.h. Loops without branches over blocks that stay in the cache, for the
 * vectoriser: everything but F64 goes through float, which holds F16 and BF16 exactly. */
#include "float_convert.h"
#include "dtype.h"

#include <math.h>
#include <string.h>

#define BLOCK 1024

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- one element */

/* All that float can tell apart: numbers times 2^112, with the exponent of infinity put right. */
static float widen_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7FFF) << 13;
    float scaled = float_of(rest) * 0x1p112f;
    uint32_t bits = (half & 0x7C00) == 0x7C00 ? rest | 0x7F800000u : bits_of(scaled);
    return float_of(sign | bits);
}

/* The addition of a number whose last place is a half's last place rounds as wanted, also to subnormals;
 * all cases are computed and one is taken. */
static uint16_t narrow_f16(float value)
{
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7FFFFFFFu;
    uint32_t normal = (rest - 0x38000000u + 0x0FFFu + (rest >> 13 & 1)) >> 13;
    uint32_t small = bits_of(float_of(rest) + 0.5f) - bits_of(0.5f);
    uint32_t half = rest < 0x38800000u ? small : normal;
    half = rest >= 0x477FF000u ? 0x7C00u : half;
    half = rest > 0x7F800000u ? (0x7E00u | (rest >> 13 & 0x3FFu)) : half;
    return (uint16_t)(sign | half);
}

static uint16_t narrow_bf16(float value)
{
    uint32_t bits = bits_of(value);
    uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? (bits >> 16 | 0x40u) : rounded);
}

/* "Round to odd": what is lost leaves a mark in the last bit, so that rounding once more, to F16 or BF16, is
 * right (Boldo and Melquiond, 2008). */
static float narrow_to_odd(double value)
{
    float nearest = (float)value;
    uint32_t bits = bits_of(nearest);
    if (isnan(value) || (double)nearest == value)
        return nearest;
    if (fabs((double)nearest) > fabs(value))
        bits -= 1;
    return float_of(bits | 1);
}

/* ---- blocks */

static void to_floats(const uint8_t *from, int32_t dtype, size_t n, int32_t to_dtype, float *to)
{
    uint16_t halves[BLOCK];
    double doubles[BLOCK];
    if (dtype == MODEL_F32) {
        memcpy(to, from, n * sizeof *to);
    } else if (dtype == MODEL_F64) {
        memcpy(doubles, from, n * sizeof *doubles);
        for (size_t i = 0; i < n; i++)
            to[i] = to_dtype == MODEL_F32 ? (float)doubles[i] : narrow_to_odd(doubles[i]);
    } else {
        memcpy(halves, from, n * sizeof *halves);
        if (dtype == MODEL_F16)
            for (size_t i = 0; i < n; i++)
                to[i] = widen_f16(halves[i]);
        else
            for (size_t i = 0; i < n; i++)
                to[i] = float_of((uint32_t)halves[i] << 16);
    }
}

static void from_floats(const float *from, size_t n, uint8_t *to, int32_t dtype)
{
    uint16_t halves[BLOCK];
    double doubles[BLOCK];
    if (dtype == MODEL_F32) {
        memcpy(to, from, n * sizeof *from);
    } else if (dtype == MODEL_F64) {
        for (size_t i = 0; i < n; i++)
            doubles[i] = (double)from[i];
        memcpy(to, doubles, n * sizeof *doubles);
    } else {
        if (dtype == MODEL_F16)
            for (size_t i = 0; i < n; i++)
                halves[i] = narrow_f16(from[i]);
        else
            for (size_t i = 0; i < n; i++)
                halves[i] = narrow_bf16(from[i]);
        memcpy(to, halves, n * sizeof *halves);
    }
}

#define COUNT_INFINITE(name_, type_, infinity_, mask_)                                             \
    static size_t name_(const uint8_t *data, size_t n)                                             \
    {                                                                                              \
        size_t count = 0;                                                                          \
        for (size_t i = 0; i < n; i++) {                                                           \
            type_ bits;                                                                            \
            memcpy(&bits, data + i * sizeof bits, sizeof bits);                                    \
            count += (bits & (mask_)) == (infinity_);                                              \
        }                                                                                          \
        return count;                                                                              \
    }
COUNT_INFINITE(count_f16, uint16_t, 0x7C00, 0x7FFF)
COUNT_INFINITE(count_bf16, uint16_t, 0x7F80, 0x7FFF)
COUNT_INFINITE(count_f32, uint32_t, 0x7F800000u, 0x7FFFFFFFu)
COUNT_INFINITE(count_f64, uint64_t, 0x7FF0000000000000u, 0x7FFFFFFFFFFFFFFFu)

/* Infinite ones among n elements. */
static size_t count_infinite(const uint8_t *data, int32_t dtype, size_t n)
{
    return dtype == MODEL_F16    ? count_f16(data, n)
           : dtype == MODEL_BF16 ? count_bf16(data, n)
           : dtype == MODEL_F32  ? count_f32(data, n)
                                 : count_f64(data, n);
}

bool float_is_convertible(int32_t dtype)
{
    return dtype == MODEL_F64 || dtype == MODEL_F32 || dtype == MODEL_F16 || dtype == MODEL_BF16;
}

size_t float_convert(const void *from, int32_t from_dtype, size_t n, void *to, int32_t to_dtype)
{
    const uint8_t *in = from;
    uint8_t *out = to;
    size_t in_size = dtype_size_bytes(from_dtype), out_size = dtype_size_bytes(to_dtype);
    size_t infinite = 0;
    if (from_dtype == to_dtype) {
        memcpy(to, from, n * in_size);
        return 0;
    }
    for (size_t done = 0, m; done < n; done += m) {
        float block[BLOCK];
        m = n - done < BLOCK ? n - done : BLOCK;
        to_floats(in + done * in_size, from_dtype, m, to_dtype, block);
        from_floats(block, m, out + done * out_size, to_dtype);
        size_t now = count_infinite(out + done * out_size, to_dtype, m);
        if (now > 0)
            infinite += now - count_infinite(in + done * in_size, from_dtype, m);
    }
    return infinite;
}

/* ---- to double */

/* Eight bits: sign, exponent, mantissa. E4M3 (finite only) has no infinity and one NaN; E5M2 is like F16. */
static float widen_f8(uint8_t byte, bool is_e5m2)
{
    if (is_e5m2)
        return widen_f16((uint16_t)(byte << 8));
    int exponent = byte >> 3 & 15, mantissa = byte & 7;
    float value =
        exponent == 0 ? ldexpf((float)mantissa, -9) : ldexpf((float)(8 + mantissa), exponent - 10);
    if ((byte & 0x7F) == 0x7F)
        value = NAN;
    return byte & 0x80 ? -value : value;
}

#define WIDEN(name_, type_)                                                                        \
    static void name_(const uint8_t *from, size_t n, double *to)                                   \
    {                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                           \
            type_ value;                                                                           \
            memcpy(&value, from + i * sizeof value, sizeof value);                                 \
            to[i] = (double)value;                                                                 \
        }                                                                                          \
    }
WIDEN(widen_u8, uint8_t)
WIDEN(widen_i8, int8_t)
WIDEN(widen_u16, uint16_t)
WIDEN(widen_i16, int16_t)
WIDEN(widen_u32, uint32_t)
WIDEN(widen_i32, int32_t)
WIDEN(widen_u64, uint64_t)
WIDEN(widen_i64, int64_t)
WIDEN(widen_f32, float)
WIDEN(widen_f64, double)

static void widen_bool(const uint8_t *from, size_t n, double *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] != 0;
}

static void widen_halves(const uint8_t *from, size_t n, double *to)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        to[i] = (double)widen_f16(half);
    }
}

static void widen_bf16(const uint8_t *from, size_t n, double *to)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        to[i] = (double)float_of((uint32_t)half << 16);
    }
}

static void widen_e4m3(const uint8_t *from, size_t n, double *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (double)widen_f8(from[i], false);
}

static void widen_e5m2(const uint8_t *from, size_t n, double *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (double)widen_f8(from[i], true);
}

void widen_to_double(const void *from, int32_t from_dtype, size_t n, double *to)
{
    static void (*const widen[])(const uint8_t *, size_t, double *) = {
        [MODEL_BOOL] = widen_bool,  [MODEL_U8] = widen_u8,        [MODEL_I8] = widen_i8,
        [MODEL_U16] = widen_u16,    [MODEL_I16] = widen_i16,      [MODEL_U32] = widen_u32,
        [MODEL_I32] = widen_i32,    [MODEL_U64] = widen_u64,      [MODEL_I64] = widen_i64,
        [MODEL_F16] = widen_halves, [MODEL_BF16] = widen_bf16,    [MODEL_F32] = widen_f32,
        [MODEL_F64] = widen_f64,    [MODEL_F8_E4M3] = widen_e4m3, [MODEL_F8_E5M2] = widen_e5m2,
    };
    if (from_dtype > 0 && (size_t)from_dtype < sizeof widen / sizeof widen[0])
        widen[from_dtype](from, n, to);
}
