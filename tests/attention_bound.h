/* attention_bound.h - how far attention that multiplies in bf16 may be from the exact one, for tests of it.
 *
 * Rounding to bf16, to the nearest of 8 significant bits, changes a number by at most u = 2^-9 of it. A score is a sum of
 * products of two rounded numbers: off by at most delta = (2u + u^2) scale sum |q_d k_d|. The softmax turns that, to the
 * first order, into sum w_k delta_k |v_k - out|: what is common to all keys changes nothing. Weights and values are rounded,
 * too: u of each product. What is beyond the first order is within exp(4 max delta), by Gronwall's inequality. Sums are
 * float32, whose own error callers add. */
#ifndef ATTENTION_BOUND_H
#define ATTENTION_BOUND_H

#include <math.h>
#include <stddef.h>

/* weights(n): exact; sizes(n): scale * sum |q_d k_d| of each key; value(n), `stride` apart; out: the exact sum. */
static inline double attention_bf16_bound(const double *weights, const double *sizes,
                                          const float *value, size_t stride, size_t n, double out)
{
    const double u = 0x1p-9;
    double sum = 0, largest = 0;
    for (size_t k = 0; k < n; k++) {
        const double v = (double)value[k * stride], delta = (2 * u + u * u) * sizes[k];
        largest = fmax(largest, delta);
        sum +=
            weights[k] * (delta * fabs(v - out) + u * fmax(fabs(v), fabs(v - out)) + u * fabs(v));
    }
    return sum * exp(4 * largest);
}

#endif
