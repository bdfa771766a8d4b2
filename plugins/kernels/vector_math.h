/* vector_math.h - exp, tanh and erf of a vector of f32, for vector_kernels_body.h.
 *
 * The polynomials are minimax fits made for this file (relative or absolute error below 1e-7 in
 * f32, which is what the tests check against the C library in double). VECTOR_BYTES says how wide. */
#ifndef VECTOR_MATH_H
#define VECTOR_MATH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef float vfloat __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t vint __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t vuint __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t vhalf __attribute__((vector_size(VECTOR_BYTES / 2)));

#define LANES    (VECTOR_BYTES / sizeof(float))
#define ALWAYS   static inline __attribute__((always_inline))
#define SPLAT(x) ((vfloat){0} + (x))

ALWAYS vfloat v_load(const float *x)
{
    vfloat v;
    memcpy(&v, x, sizeof v);
    return v;
}

ALWAYS void v_store(float *x, vfloat v)
{
    memcpy(x, &v, sizeof v);
}

/* The first n < LANES elements, the others `fill`. */
ALWAYS vfloat v_load_part(const float *x, size_t n, float fill)
{
    float part[LANES];
    for (size_t i = 0; i < LANES; i++)
        part[i] = i < n ? x[i] : fill;
    return v_load(part);
}

ALWAYS void v_store_part(float *x, size_t n, vfloat v)
{
    memcpy(x, &v, n * sizeof *x);
}

ALWAYS vfloat v_select(vint mask, vfloat yes, vfloat no)
{
    return (vfloat)((mask & (vint)yes) | (~mask & (vint)no));
}

ALWAYS vfloat v_from_bf16(vhalf x)
{
    return (vfloat)(__builtin_convertvector(x, vuint) << 16);
}

/* The product moves the exponent's bias, and is right for subnormals too; above it infinity, NaN. */
ALWAYS vfloat v_from_f16(vhalf x)
{
#if defined(__AVX512F__) && VECTOR_BYTES == 64
    return (vfloat)_mm512_cvtph_ps((__m256i)x);
#else
    vuint bits = __builtin_convertvector(x, vuint);
    vuint magnitude = (bits & 0x7FFFu) << 13, sign = (bits & 0x8000u) << 16;
    vint finite = (vint)magnitude < (int32_t)(0x7C00u << 13);
    vfloat y = v_select(finite, (vfloat)magnitude * 0x1p112f, (vfloat)(magnitude | 0x7F800000u));
    return (vfloat)((vuint)y | sign);
#endif
}

/* The second argument where one is no number, which is what x86 has an instruction for. */
ALWAYS vfloat v_max(vfloat a, vfloat b)
{
#if defined(__AVX512F__) && VECTOR_BYTES == 64
    return (vfloat)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX__) && VECTOR_BYTES == 32
    return (vfloat)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__) && VECTOR_BYTES == 16
    return (vfloat)_mm_max_ps((__m128)a, (__m128)b);
#else
    return v_select(a > b, a, b);
#endif
}

ALWAYS vfloat v_min(vfloat a, vfloat b)
{
#if defined(__AVX512F__) && VECTOR_BYTES == 64
    return (vfloat)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX__) && VECTOR_BYTES == 32
    return (vfloat)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__) && VECTOR_BYTES == 16
    return (vfloat)_mm_min_ps((__m128)a, (__m128)b);
#else
    return v_select(a < b, a, b);
#endif
}

ALWAYS vfloat v_abs(vfloat x)
{
    return (vfloat)((vuint)x & 0x7FFFFFFFu);
}

/* |x| with the sign of `sign`; x >= 0. */
ALWAYS vfloat v_copysign(vfloat x, vfloat sign)
{
    return (vfloat)((vuint)x | ((vuint)sign & 0x80000000u));
}

/* By quarters: a chain of single additions would keep the next row of a product waiting. */
#define FOUR(x, i) __builtin_shufflevector(x, x, i, i + 1, i + 2, i + 3)

ALWAYS float v_sum(vfloat x)
{
    typedef float vfour __attribute__((vector_size(16)));
    vfour sum = FOUR(x, 0);
#if VECTOR_BYTES >= 32
    sum += FOUR(x, 4);
#endif
#if VECTOR_BYTES >= 64
    sum += FOUR(x, 8) + FOUR(x, 12);
#endif
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

ALWAYS float v_largest(vfloat x)
{
    float largest = x[0];
    for (size_t i = 1; i < LANES; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

/* x = k ln 2 + r, |r| <= ln 2 / 2; exp x = 2^k exp r. Clamped to the range of normal numbers;
 * NaN stays NaN (v_min and v_max give their second argument then). */
ALWAYS vfloat v_exp(vfloat x)
{
    const float round = 0x1.8p23f; /* adding it leaves the nearest integer in the low bits */
    x = v_min(SPLAT(88.0f), v_max(SPLAT(-87.0f), x));
    vfloat shifted = x * 1.44269504f + round;
    vfloat k = shifted - round;
    vfloat r = x - k * 0.693145752f;
    r = r - k * 1.42860677e-6f;
    vfloat p = SPLAT(0.001394111f);
    p = p * r + 0.008363175f;
    p = p * r + 0.041666374f;
    p = p * r + 0.16666576f;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    return (vfloat)((vuint)p + ((vuint)shifted << 23));
}

ALWAYS vfloat v_sigmoid(vfloat x)
{
    return 1.0f / (1.0f + v_exp(-x));
}

ALWAYS vfloat v_tanh(vfloat x)
{
    vfloat a = v_abs(x), u = x * x;
    vfloat p = SPLAT(-0.0061131357f);
    p = p * u + 0.021010032f;
    p = p * u - 0.053854056f;
    p = p * u + 0.13332795f;
    p = p * u - 0.33333328f;
    vfloat small = x + x * u * p;
    vfloat large = 1.0f - 2.0f / (v_exp(2.0f * a) + 1.0f);
    return v_select(a < 0.625f, small, v_copysign(large, x));
}

/* Below 1 a polynomial in x^2, above it 1 - exp(polynomial in |x|). */
ALWAYS vfloat v_erf(vfloat x)
{
    vfloat a = v_min(SPLAT(4.0f), v_abs(x)), u = x * x;
    vfloat p = SPLAT(7.853858e-05f);
    p = p * u - 0.00080101925f;
    p = p * u + 0.0051883277f;
    p = p * u - 0.026853811f;
    p = p * u + 0.112835854f;
    p = p * u - 0.37612626f;
    p = p * u + 1.1283791f;
    vfloat q = SPLAT(-1.3472481e-05f);
    q = q * a + 0.000320502f;
    q = q * a - 0.003458833f;
    q = q * a + 0.02271085f;
    q = q * a - 0.10352802f;
    q = q * a - 0.63880813f;
    q = q * a - 1.1261345f;
    q = q * a - 0.00069400726f;
    return v_select(a < 1.0f, x * p, v_copysign(1.0f - v_exp(q), x));
}

/* 2 Phi(x) - 1, and the same of the normal distribution's approximation by tanh: odd polynomials up to CUT and 1
 * from there on, by which GELU is wrong by 4e-5 at most. */
#define CUT 4.4f

ALWAYS vfloat v_odd(const float *p, vfloat x)
{
    const vfloat t = v_min(v_max(x, SPLAT(-CUT)), SPLAT(CUT)), u = t * t;
    vfloat sum = SPLAT(p[8]);
    for (size_t i = 8; i-- > 0;)
        sum = sum * u + p[i];
    return t * sum;
}

static const float erf_coarse[] = {0.797523123f,    -0.132152734f,    0.0192859944f,
                                   -0.0021099698f,  0.0001685839f,    -9.44955891e-06f,
                                   3.48160782e-07f, -7.50786765e-09f, 7.13860246e-11f};
static const float tanh_coarse[] = {0.79742201f,     -0.132603188f,    0.0196084245f,
                                    -0.00219337227f, 0.000179816786f,  -1.0324537e-05f,
                                    3.88001416e-07f, -8.49449464e-09f, 8.16637481e-11f};

#endif
