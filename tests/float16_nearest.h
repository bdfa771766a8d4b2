/* float16_nearest.h - the float16 nearest to a number, by its definition in IEEE 754, in double precision. Pure. */
#ifndef FLOAT16_NEAREST_H
#define FLOAT16_NEAREST_H

#include <math.h>

static inline double float16_nearest(double x)
{
    if (isnan(x) || isinf(x) || x == 0)
        return x;
    const int exponent = ilogb(x) < -14 ? -14 : ilogb(x);
    const double y = ldexp(rint(ldexp(x, 10 - exponent)), exponent - 10); /* halves to even */
    return fabs(y) >= 65536 ? copysign(INFINITY, x) : y;
}

#endif
