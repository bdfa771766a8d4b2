/* vector_compact.h - the inner loops of compact_weights.h, for one vector size; included by
 * vector_kernels_body.h alone. All run at the speed at which the weights come from memory when there is
 * one row of x: a pass over a panel does little more per byte than loading it. */
#ifndef VECTOR_COMPACT_H
#define VECTOR_COMPACT_H

#include "vector_bf16.h"

#include <math.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define MIN_LARGEST 1e-30f

/* ---- integers */

ALWAYS vint i_max(vint a, vint b)
{
#if defined(__AVX512F__) && VECTOR_BYTES == 64
    return (vint)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__) && VECTOR_BYTES == 32
    return (vint)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
    return (vint)v_select(a > b, (vfloat)a, (vfloat)b);
#endif
}

/* The larger of largest and |x| by their bits, where infinity is above all numbers and NaN above infinity: what is not
 * finite stays, which a comparison of numbers loses. */
ALWAYS vfloat v_widen(vfloat largest, vfloat x)
{
    return (vfloat)i_max((vint)v_abs(x), (vint)largest);
}

/* NaN where a number is not finite. */
static float absolute_largest(const float *x, size_t n)
{
    vfloat largest = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        largest = v_widen(largest, v_load(x + i));
    if (i < n)
        largest = v_widen(largest, v_load_part(x + i, n - i, 0.0f));
    return v_sum(largest * 0.0f) >= 0 ? v_largest(largest) : NAN;
}

/* What one step of integers up to `steps` is worth. Rows below MIN_LARGEST are zeros: the reciprocal of a step would
 * not be finite. */
ALWAYS float step_of(float largest, float steps)
{
    return largest > MIN_LARGEST ? largest / steps : 1.0f;
}

/* The nearest integer, ties to even; |x| < 2^22. */
ALWAYS vint v_nearest(vfloat x)
{
    const float round = 0x1.8p23f;
    return (vint)(x + round) - (vint)SPLAT(round);
}

typedef int8_t vbyte __attribute__((vector_size(VECTOR_BYTES / 4)));
typedef uint16_t vshort __attribute__((vector_size(VECTOR_BYTES)));

ALWAYS int32_t i_sum(vint x)
{
    int32_t sum = 0;
    for (size_t i = 0; i < LANES; i++)
        sum += x[i];
    return sum;
}

/* n <= LANES numbers in q; their two parts are added to the sums. */
ALWAYS void fine_part(const float *x, size_t n, float factor, int8_t *high, int8_t *low,
                      vint *high_sum, vint *low_sum)
{
    const vint q = v_nearest((n == LANES ? v_load(x) : v_load_part(x, n, 0.0f)) * factor);
    const vint h = q >> 7, l = q & 127;
    const vbyte high_bytes = __builtin_convertvector(h, vbyte);
    const vbyte low_bytes = __builtin_convertvector(l, vbyte);
    memcpy(high, &high_bytes, sizeof high_bytes);
    memcpy(low, &low_bytes, sizeof low_bytes);
    *high_sum += h;
    *low_sum += l;
}

/* A row that is not finite has no integers. */
static void clear_fine(size_t n, struct fine_row *row)
{
    const size_t n_groups = (n + INT4_GROUP - 1) / INT4_GROUP;
    memset(row->high, 0, n_groups * INT4_GROUP);
    memset(row->low, 0, n_groups * INT4_GROUP);
    memset(row->group_sums, 0, n_groups * sizeof *row->group_sums);
    row->scale = NAN;
}

static void fine_row(const float *x, size_t n, struct fine_row *row)
{
    const float largest = absolute_largest(x, n), scale = step_of(largest, FINE_LARGEST);
    row->scale = scale;
    row->high_sum = row->low_sum = 0;
    if (isnan(largest)) {
        clear_fine(n, row);
        return;
    }
    for (size_t k = 0; k < n; k += INT4_GROUP) {
        vint high_sum = {0}, low_sum = {0};
        for (size_t i = k; i < k + INT4_GROUP; i += LANES)
            fine_part(x + i,
                      i >= n          ? 0
                      : n - i < LANES ? n - i
                                      : LANES,
                      1.0f / scale, row->high + i, row->low + i, &high_sum, &low_sum);
        const int32_t group_high = i_sum(high_sum), group_low = i_sum(low_sum);
        row->group_sums[k / INT4_GROUP] = 128 * group_high + group_low;
        row->high_sum += group_high;
        row->low_sum += group_low;
    }
}

static float coarse_row(const float *x, size_t n, int8_t *y, int32_t *ret_sum)
{
    const float largest = absolute_largest(x, n);
    const float scale = step_of(largest, 127.0f), factor = 1.0f / scale;
    vint sum = {0};
    size_t i = 0;
    if (isnan(largest)) {
        memset(y, 0, n);
        *ret_sum = 0;
        return NAN;
    }
    for (; i + LANES <= n; i += LANES) {
        const vint q = v_nearest(v_load(x + i) * factor);
        const vbyte bytes = __builtin_convertvector(q, vbyte);
        memcpy(y + i, &bytes, sizeof bytes);
        sum += q;
    }
    if (i < n) {
        const vint q = v_nearest(v_load_part(x + i, n - i, 0.0f) * factor);
        const vbyte bytes = __builtin_convertvector(q, vbyte);
        memcpy(y + i, &bytes, n - i);
        sum += q;
    }
    *ret_sum = i_sum(sum);
    return scale;
}

/* sum + the products of four bytes in each lane, weights without sign and x with one. */
ALWAYS vint dot4(vint sum, vuint weights, int32_t x)
{
#if defined(__AVX512VNNI__) && VECTOR_BYTES == 64
    return (vint)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, _mm512_set1_epi32(x));
#else
    /* Pairs of 16 bits: bytes 0 and 2, 1 and 3. */
    const uint32_t u = (uint32_t)x;
    const int32_t even = (int32_t)(((u >> 16 & 255u) ^ 128u) - 128u) * 65536 +
                         (int32_t)((uint32_t)(int32_t)(int8_t)(u & 255u) & 0xFFFFu);
    const int32_t odd = (int32_t)(((u >> 24) ^ 128u) - 128u) * 65536 +
                        (int32_t)((uint32_t)(int32_t)(int8_t)(u >> 8 & 255u) & 0xFFFFu);
    const vuint low = weights & 0x00FF00FFu, high = (weights >> 8) & 0x00FF00FFu;
#if defined(__AVX512BW__) && VECTOR_BYTES == 64
    return sum + (vint)_mm512_madd_epi16((__m512i)low, _mm512_set1_epi32(even)) +
           (vint)_mm512_madd_epi16((__m512i)high, _mm512_set1_epi32(odd));
#elif defined(__AVX2__) && VECTOR_BYTES == 32
    return sum + (vint)_mm256_madd_epi16((__m256i)low, _mm256_set1_epi32(even)) +
           (vint)_mm256_madd_epi16((__m256i)high, _mm256_set1_epi32(odd));
#elif defined(__SSE2__) && VECTOR_BYTES == 16
    return sum + (vint)_mm_madd_epi16((__m128i)low, _mm_set1_epi32(even)) +
           (vint)_mm_madd_epi16((__m128i)high, _mm_set1_epi32(odd));
#else
    return sum + (vint)(low & 0xFFFFu) * (int32_t)(int16_t)(even & 0xFFFF) +
           (vint)(low >> 16) * (even >> 16) +
           (vint)(high & 0xFFFFu) * (int32_t)(int16_t)(odd & 0xFFFF) +
           (vint)(high >> 16) * (odd >> 16);
#endif
#endif
}

ALWAYS int32_t four_bytes(const int8_t *x)
{
    int32_t bytes;
    memcpy(&bytes, x, sizeof bytes);
    return bytes;
}

static void int8_row(const struct fine_row *x, const int8_t *panel, size_t depth, float *out)
{
    const int32_t high_offset = 128 * x->high_sum, low_offset = 128 * x->low_sum;
    for (size_t c = 0; c < COMPACT_COLUMNS; c += TILE_COLUMNS) {
        vint high[TILE_VECTORS] = {0}, low[TILE_VECTORS] = {0};
        for (size_t k = 0; k < depth; k += 4) {
            const int32_t x_high = four_bytes(x->high + k), x_low = four_bytes(x->low + k);
            for (size_t v = 0; v < TILE_VECTORS; v++) {
                const vuint w =
                    u_load(panel + k * COMPACT_COLUMNS + 4 * (c + v * LANES)) ^ 0x80808080u;
                high[v] = dot4(high[v], w, x_high);
                low[v] = dot4(low[v], w, x_low);
            }
        }
        for (size_t v = 0; v < TILE_VECTORS; v++)
            v_store(out + c + v * LANES,
                    x->scale * (128.0f * __builtin_convertvector(high[v] - high_offset, vfloat) +
                                __builtin_convertvector(low[v] - low_offset, vfloat)));
    }
}

/* Those of columns [c, c + LANES). */
ALWAYS vfloat group_scales(const uint8_t *group, size_t c)
{
    vhalf halves;
    memcpy(&halves, group + c * sizeof(uint16_t), sizeof halves);
    return v_from_f16(halves);
}

static void int4_row(const struct fine_row *x, const uint8_t *panel, size_t depth, float *out)
{
    for (size_t c = 0; c < COMPACT_COLUMNS; c += TILE_COLUMNS) {
        const uint8_t *group = panel;
        vfloat sum[TILE_VECTORS] = {0};
        for (size_t k = 0; k < depth; k += INT4_GROUP, group += INT4_GROUP_BYTES) {
            vint high[TILE_VECTORS] = {0}, low[TILE_VECTORS];
            for (size_t v = 0; v < TILE_VECTORS; v++)
                low[v] = (vint){0} - 8 * x->group_sums[k / INT4_GROUP];
            for (size_t q = 0; q < INT4_GROUP / 2; q += 4) {
                const int32_t h0 = four_bytes(x->high + k + q), l0 = four_bytes(x->low + k + q);
                const int32_t h1 = four_bytes(x->high + k + q + INT4_GROUP / 2);
                const int32_t l1 = four_bytes(x->low + k + q + INT4_GROUP / 2);
                for (size_t v = 0; v < TILE_VECTORS; v++) {
                    const vuint both = u_load(group + INT4_SCALES_BYTES + q * COMPACT_COLUMNS +
                                              4 * (c + v * LANES));
                    const vuint first = both & 0x0F0F0F0Fu, second = (both >> 4) & 0x0F0F0F0Fu;
                    high[v] = dot4(dot4(high[v], first, h0), second, h1);
                    low[v] = dot4(dot4(low[v], first, l0), second, l1);
                }
            }
            for (size_t v = 0; v < TILE_VECTORS; v++)
                sum[v] += group_scales(group, c + v * LANES) *
                          __builtin_convertvector(128 * high[v] + low[v], vfloat);
        }
        for (size_t v = 0; v < TILE_VECTORS; v++)
            v_store(out + c + v * LANES, x->scale * sum[v]);
    }
}

/* n_tile_rows is a constant after inlining. Rows beyond n_rows repeat the last one and are not stored. */
ALWAYS void fours_tile(const int8_t *a, size_t lda, size_t n_rows, const int8_t *b, size_t n_fours,
                       int32_t *out, const size_t n_tile_rows)
{
    vint sum[PRODUCT_ROWS][VECTOR_COLUMNS] = {0};
    const int8_t *rows[PRODUCT_ROWS];
    for (size_t r = 0; r < n_tile_rows; r++)
        rows[r] = a + (r < n_rows ? r : n_rows - 1) * lda;
    for (size_t k = 0; k < n_fours; k++, b += 4 * COMPACT_COLUMNS) {
        vuint w[VECTOR_COLUMNS];
        for (size_t c = 0; c < VECTOR_COLUMNS; c++)
            w[c] = u_load(b + 4 * c * LANES) ^ 0x80808080u;
        for (size_t r = 0; r < n_tile_rows; r++)
            for (size_t c = 0; c < VECTOR_COLUMNS; c++)
                sum[r][c] = dot4(sum[r][c], w[c], four_bytes(rows[r] + 4 * k));
    }
    for (size_t r = 0; r < n_tile_rows; r++)
        for (size_t c = 0; c < VECTOR_COLUMNS; c++)
            if (r < n_rows)
                memcpy(out + r * COMPACT_COLUMNS + c * LANES, &sum[r][c], sizeof sum[r][c]);
}

static void int8_dots(const int8_t *a, size_t lda, size_t n_rows, const int8_t *b, size_t n_fours,
                      int32_t *out)
{
    const size_t step = VECTOR_COLUMNS * LANES;
    for (size_t c = 0; c < COMPACT_COLUMNS; c += step)
        if (n_rows <= SMALL_TILE_ROWS)
            fours_tile(a, lda, n_rows, b + 4 * c, n_fours, out + c, SMALL_TILE_ROWS);
        else
            fours_tile(a, lda, n_rows, b + 4 * c, n_fours, out + c, PRODUCT_ROWS);
}

/* Bytes 0 and 2 of each lane, then 1 and 3, as numbers of 16 bits with 8 behind the point: they are at most 127, and
 * are rounded half upwards, which is what 128, half of the 256 behind the point, is for. A nibble is a number from -8 to
 * 7 with 8 added to it: 8 ratio takes that off. */
ALWAYS vuint rescale(vuint nibbles, vshort ratio)
{
    const vshort half = 128 - 8 * ratio;
    const vshort even = (vshort)(nibbles & 0x000F000Fu) * ratio + half;
    const vshort odd = (vshort)((nibbles >> 8) & 0x000F000Fu) * ratio + half;
    return (((vuint)even >> 8) & 0x00FF00FFu) | ((vuint)odd & 0xFF00FF00u);
}

/* LANES columns. A number of int4 is -8 to 7 times its group's scale, one of int8 must lie within -127 to 127. So the
 * column's scale is 8 / 127 of its largest group's: that group's -8 becomes -127, and its ratio is 127 / 8, with 8 bits
 * behind the point 256 times as much. A group's scale that is NaN makes its column NaN. */
ALWAYS void unpack_columns(const uint8_t *panel, size_t c, size_t n_groups, int8_t *q,
                           float *scales)
{
    vfloat largest = {0};
    for (size_t g = 0; g < n_groups; g++)
        largest = v_widen(largest, group_scales(panel + g * INT4_GROUP_BYTES, c));
    const vfloat factor = v_select(largest > 0.0f, 256.0f * 127.0f / 8.0f / largest, SPLAT(0.0f));
    v_store(scales, largest * (8.0f / 127.0f));
    for (size_t g = 0; g < n_groups; g++, panel += INT4_GROUP_BYTES) {
        const vint one = v_nearest(group_scales(panel, c) * factor);
        const vshort ratio = (vshort)(((vuint)one & 0xFFFFu) | ((vuint)one << 16));
        for (size_t k = 0; k < INT4_GROUP / 2; k += 4, q += 4 * COMPACT_COLUMNS) {
            const vuint both = u_load(panel + INT4_SCALES_BYTES + k * COMPACT_COLUMNS + 4 * c);
            const vuint first = rescale(both, ratio), second = rescale(both >> 4, ratio);
            memcpy(q, &first, sizeof first);
            memcpy(q + INT4_GROUP / 2 * COMPACT_COLUMNS, &second, sizeof second);
        }
        q += INT4_GROUP / 2 * COMPACT_COLUMNS;
    }
}

static void int4_unpack(const uint8_t *panel, size_t n_groups, int8_t *q, float *scales)
{
    for (size_t c = 0; c < COMPACT_COLUMNS; c += LANES)
        unpack_columns(panel, c, n_groups, q + 4 * c, scales + c);
}

/* The panel's bytes were dotted with 128 added to each, since the instruction wants one factor without a sign
 * (fours_tile()): 128 times the sum of the row is too much in every product. */
static void int8_finish(const int32_t *products, const struct int8_columns *columns, float scale,
                        int32_t sum, size_t n, bool accumulate, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vint product;
        memcpy(&product, products + i, sizeof product);
        const vfloat value = __builtin_convertvector(product - 128 * sum, vfloat) *
                                 (scale * v_load(columns->scales + i)) +
                             v_load(columns->bias + i);
        v_store(y + i, accumulate ? v_load(y + i) + value : value);
    }
    for (; i < n; i++) {
        const float value =
            (float)(products[i] - 128 * sum) * (scale * columns->scales[i]) + columns->bias[i];
        y[i] = accumulate ? y[i] + value : value;
    }
}

static void bias_finish(const float *sums, const float *bias, size_t n, bool accumulate, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vfloat value = v_load(sums + i) + v_load(bias + i);
        v_store(y + i, accumulate ? v_load(y + i) + value : value);
    }
    for (; i < n; i++)
        y[i] = accumulate ? y[i] + (sums[i] + bias[i]) : sums[i] + bias[i];
}

#endif
