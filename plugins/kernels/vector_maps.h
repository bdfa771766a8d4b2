/* vector_maps.h - the inner loops of convolutions with int8 weights (conv_coarse_onednn.c), for one vector size;
 * included by vector_kernels_body.h alone. Each reads a map once, in order. */
#ifndef VECTOR_MAPS_H
#define VECTOR_MAPS_H

#include "vector_compact.h"

#define RANGE_VECTORS 4 /* at a time, so that none waits for the one before */

static struct map_range map_range(const float *x, size_t n)
{
    vfloat least[RANGE_VECTORS] = {0}, largest[RANGE_VECTORS] = {0}, nothing[RANGE_VECTORS] = {0};
    size_t i = 0;
    for (; i + RANGE_VECTORS * LANES <= n; i += RANGE_VECTORS * LANES)
        for (size_t v = 0; v < RANGE_VECTORS; v++) {
            const vfloat part = v_load(x + i + v * LANES);
            least[v] = v_min(part, least[v]);
            largest[v] = v_max(part, largest[v]);
            nothing[v] += part * 0.0f; /* NaN for what is not finite */
        }
    for (; i < n; i += LANES) {
        const vfloat part = n - i >= LANES ? v_load(x + i) : v_load_part(x + i, n - i, 0.0f);
        least[0] = v_min(part, least[0]);
        largest[0] = v_max(part, largest[0]);
        nothing[0] += part * 0.0f;
    }
    for (size_t v = 1; v < RANGE_VECTORS; v++) {
        least[0] = v_min(least[v], least[0]);
        largest[0] = v_max(largest[v], largest[0]);
        nothing[0] += nothing[v];
    }
    const bool is_finite = v_sum(nothing[0]) >= 0;
    return (struct map_range){-v_largest(-least[0]), is_finite ? v_largest(largest[0]) : NAN};
}

static void map_coarse(const float *x, size_t n, struct map_code code, uint8_t *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vbyte bytes =
            __builtin_convertvector(v_nearest(v_load(x + i) * code.factor) + code.zero, vbyte);
        memcpy(y + i, &bytes, sizeof bytes);
    }
    if (i < n) {
        const vfloat part = v_load_part(x + i, n - i, 0.0f);
        const vbyte bytes =
            __builtin_convertvector(v_nearest(part * code.factor) + code.zero, vbyte);
        memcpy(y + i, &bytes, n - i);
    }
}

ALWAYS void map_finish_rows(const int32_t *products, size_t n_rows, const float *scales,
                            const float *bias, size_t n, const bool accumulate, const bool relu,
                            float *y)
{
    const vfloat zero = {0};
    for (size_t row = 0; row < n_rows; row++, products += n, y += n) {
        size_t i = 0;
        for (; i + LANES <= n; i += LANES) {
            vint product;
            memcpy(&product, products + i, sizeof product);
            vfloat value =
                __builtin_convertvector(product, vfloat) * v_load(scales + i) + v_load(bias + i);
            if (accumulate)
                value += v_load(y + i);
            v_store(y + i, relu ? v_select(value < zero, zero, value) : value);
        }
        for (; i < n; i++) {
            int32_t product;
            memcpy(&product, products + i, sizeof product);
            float value = (float)product * scales[i] + bias[i];
            if (accumulate)
                value += y[i];
            y[i] = relu && value < 0 ? 0 : value;
        }
    }
}

static void map_finish(const int32_t *products, size_t n_rows, const float *scales,
                       const float *bias, size_t n, bool accumulate, bool relu, float *y)
{
    if (accumulate && relu)
        map_finish_rows(products, n_rows, scales, bias, n, true, true, y);
    else if (accumulate)
        map_finish_rows(products, n_rows, scales, bias, n, true, false, y);
    else if (relu)
        map_finish_rows(products, n_rows, scales, bias, n, false, true, y);
    else
        map_finish_rows(products, n_rows, scales, bias, n, false, false, y);
}

#endif
