/* vector_f16.h - rounding to float16 for one vector size; included by vector_kernels_body.h alone.
 *
 * Whole numbers do it as fast as memory delivers, the same on every processor. */
#ifndef VECTOR_F16_H
#define VECTOR_F16_H

#include "vector_math.h"

#define F16_OVERFLOW                                                                               \
    65520.0f /* halfway from the largest float16 to the next: infinity from here on */
#define F16_SUBNORMAL 0x1p-14f /* below it float16 are the multiples of 2^-24, */
#define F16_STEPS     0.5f     /* as float32 are from here to 1 */
#define F16_DROPPED   0x1FFFu  /* the bits of a float32's fraction that a float16 has not */

/* The nearest float16, halves to even; what is no number stays. */
ALWAYS vfloat v_round_f16(vfloat x)
{
    const vfloat size = v_abs(x);
    const vuint bits = (vuint)size;
    const vuint odd = bits >> 13 & 1u;
    vfloat y = (vfloat)((bits + (F16_DROPPED >> 1) + odd) & ~F16_DROPPED);
    y = v_select(size < F16_SUBNORMAL, (size + F16_STEPS) - F16_STEPS, y);
    y = v_select(size >= F16_OVERFLOW, SPLAT(__builtin_inff()), y);
    return v_select(x == x, v_copysign(y, x), x);
}

static void round_f16(const float *x, size_t n, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(y + i, v_round_f16(v_load(x + i)));
    if (i < n)
        v_store_part(y + i, n - i, v_round_f16(v_load_part(x + i, n - i, 0)));
}

#endif
