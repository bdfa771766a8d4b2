/* vector_kernels_body.h - the code of vector_kernels.h, for one vector size.
 *
 * VECTOR_BYTES is the size of a vector, VECTOR_COLUMNS how many of them make a row of the register
 * tile of product(): PRODUCT_ROWS x VECTOR_COLUMNS accumulators, VECTOR_COLUMNS vectors of b and one
 * number of a must fit the registers. Included once by each vector_kernels_*.c. */
#include "vector_blocks.h"
#include "vector_compact.h"
#include "vector_f16.h"
#include "vector_kernels.h"
#include "vector_maps.h"
#include "vector_math.h"
#include "vector_recurrent.h"

#include <math.h>

/* One register tile; n_tile_rows and n_vectors are constants after inlining. Rows beyond n_rows repeat the last
 * one and are not stored. */
ALWAYS void product_tile(const float *a, size_t lda, size_t n_rows, const float *b, size_t ldb,
                         size_t depth, float *out, size_t ldo, const size_t n_tile_rows,
                         const size_t n_vectors)
{
    vfloat sum[PRODUCT_ROWS][VECTOR_COLUMNS] = {0};
    const float *rows[PRODUCT_ROWS];
    for (size_t r = 0; r < n_tile_rows; r++)
        rows[r] = a + (r < n_rows ? r : n_rows - 1) * lda;
    for (size_t k = 0; k < depth; k++) {
        vfloat column[VECTOR_COLUMNS];
        for (size_t c = 0; c < n_vectors; c++)
            column[c] = v_load(b + k * ldb + c * LANES);
        for (size_t r = 0; r < n_tile_rows; r++)
            for (size_t c = 0; c < n_vectors; c++)
                sum[r][c] += rows[r][k] * column[c];
    }
    for (size_t r = 0; r < n_tile_rows; r++)
        for (size_t c = 0; c < n_vectors; c++)
            if (r < n_rows)
                v_store(out + r * ldo + c * LANES, sum[r][c]);
}

/* One row: as many columns at a time as there are registers, so that b is read in long pieces. */
#define ROW_VECTORS (VECTOR_BYTES == 64 ? 4 : 8)

ALWAYS void product_row_tile(const float *a, const float *b, size_t ldb, size_t depth, float *out,
                             const size_t n_vectors)
{
    vfloat sum[ROW_VECTORS] = {0};
    for (size_t k = 0; k < depth; k++)
        for (size_t c = 0; c < n_vectors; c++)
            sum[c] += a[k] * v_load(b + k * ldb + c * LANES);
    for (size_t c = 0; c < n_vectors; c++)
        v_store(out + c * LANES, sum[c]);
}

static void product_row(const float *a, const float *b, size_t ldb, size_t depth, float *out,
                        size_t columns)
{
    const size_t rest = PRODUCT_COLUMNS / LANES;
    size_t left = columns / LANES;
    for (; left >= ROW_VECTORS; left -= ROW_VECTORS) {
        product_row_tile(a, b, ldb, depth, out, ROW_VECTORS);
        b += ROW_VECTORS * LANES;
        out += ROW_VECTORS * LANES;
    }
    for (; left > 0; left -= rest) {
        product_row_tile(a, b, ldb, depth, out, rest);
        b += PRODUCT_COLUMNS;
        out += PRODUCT_COLUMNS;
    }
}

ALWAYS void product_rows_tile(const float *a, size_t lda, size_t n_rows, const float *b, size_t ldb,
                              size_t depth, float *out, size_t ldo, size_t columns,
                              const size_t n_tile_rows)
{
    size_t left = columns / LANES;
    while (left >= VECTOR_COLUMNS) {
        product_tile(a, lda, n_rows, b, ldb, depth, out, ldo, n_tile_rows, VECTOR_COLUMNS);
        b += VECTOR_COLUMNS * LANES;
        out += VECTOR_COLUMNS * LANES;
        left -= VECTOR_COLUMNS;
    }
#if VECTOR_COLUMNS == 4 /* the others divide PRODUCT_COLUMNS */
    if (left == 3)
        product_tile(a, lda, n_rows, b, ldb, depth, out, ldo, n_tile_rows, 3);
    else if (left == 2)
        product_tile(a, lda, n_rows, b, ldb, depth, out, ldo, n_tile_rows, 2);
    else if (left == 1)
        product_tile(a, lda, n_rows, b, ldb, depth, out, ldo, n_tile_rows, 1);
#endif
}

static void product(const float *a, size_t lda, size_t n_rows, const float *b, size_t ldb,
                    size_t depth, float *out, size_t ldo, size_t columns)
{
    if (n_rows == 1)
        product_row(a, b, ldb, depth, out, columns);
    else if (n_rows <= SMALL_TILE_ROWS)
        product_rows_tile(a, lda, n_rows, b, ldb, depth, out, ldo, columns, SMALL_TILE_ROWS);
    else
        product_rows_tile(a, lda, n_rows, b, ldb, depth, out, ldo, columns, PRODUCT_ROWS);
}

/* Weights [i, i + LANES) as f32. */
ALWAYS vfloat load_weights(const void *w, const int32_t dtype, size_t i)
{
    vhalf halves;
    if (dtype == MODEL_F32)
        return v_load((const float *)w + i);
    memcpy(&halves, (const uint16_t *)w + i, sizeof halves);
    return dtype == MODEL_F16 ? v_from_f16(halves) : v_from_bf16(halves);
}

/* The last n < LANES of a row, with zeros behind them. */
ALWAYS vfloat load_last_weights(const void *w, const int32_t dtype, size_t i, size_t n)
{
    uint16_t halves[LANES] = {0};
    if (dtype == MODEL_F32)
        return v_load_part((const float *)w + i, n, 0.0f);
    memcpy(halves, (const uint16_t *)w + i, n * sizeof *halves);
    return load_weights(halves, dtype, 0);
}

ALWAYS void dots_of(const void *w, const int32_t dtype, size_t n_rows, size_t depth, const float *x,
                    float *y)
{
    enum { CHAINS = 4 }; /* sums that do not wait for each other */
    for (size_t row = 0; row < n_rows; row++) {
        vfloat sum[CHAINS] = {0};
        size_t begin = row * depth, k = 0;
        for (; k + CHAINS * LANES <= depth; k += CHAINS * LANES)
            for (size_t c = 0; c < CHAINS; c++)
                sum[c] += v_load(x + k + c * LANES) * load_weights(w, dtype, begin + k + c * LANES);
        for (; k + LANES <= depth; k += LANES)
            sum[0] += v_load(x + k) * load_weights(w, dtype, begin + k);
        if (k < depth)
            sum[1] += v_load_part(x + k, depth - k, 0.0f) *
                      load_last_weights(w, dtype, begin + k, depth - k);
        y[row] = v_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
}

static void dots(const void *w, int32_t dtype, size_t n_rows, size_t depth, const float *x,
                 float *y)
{
    if (dtype == MODEL_F32)
        dots_of(w, MODEL_F32, n_rows, depth, x, y);
    else if (dtype == MODEL_F16)
        dots_of(w, MODEL_F16, n_rows, depth, x, y);
    else
        dots_of(w, MODEL_BF16, n_rows, depth, x, y);
}

static float exp_row(const float *x, size_t n, float scale, float *y)
{
    vfloat largest = SPLAT(-INFINITY), sum = {0};
    size_t i, whole = n / LANES * LANES;
    for (i = 0; i < whole; i += LANES)
        largest = v_max(largest, v_load(x + i));
    if (i < n)
        largest = v_max(largest, v_load_part(x + i, n - i, -INFINITY));
    float max = v_largest(largest);
    for (i = 0; i < whole; i += LANES) {
        vfloat e = v_exp((v_load(x + i) - max) * scale);
        sum += e;
        v_store(y + i, e);
    }
    if (i < n) {
        vfloat e = v_exp((v_load_part(x + i, n - i, max) - max) * scale);
        v_store_part(y + i, n - i, e);
        sum += v_load_part(y + i, n - i, 0.0f);
    }
    return v_sum(sum);
}

static void scale_add(const float *x, float scale, const float *add, size_t n, float *y)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(y + i, scale * v_load(x + i) + v_load(add + i));
    for (; i < n; i++)
        y[i] = scale * x[i] + add[i];
}

static void layer_norm(const float *x, const float *gamma, const float *beta, float eps, size_t n,
                       float *y)
{
    vfloat sum = {0}, squares = {0};
    size_t i, whole = n / LANES * LANES, rest = n - whole;
    for (i = 0; i < whole; i += LANES)
        sum += v_load(x + i);
    if (rest > 0)
        sum += v_load_part(x + i, rest, 0.0f);
    float mean = v_sum(sum) / (float)n;
    for (i = 0; i < whole; i += LANES) {
        vfloat d = v_load(x + i) - mean;
        squares += d * d;
    }
    if (rest > 0) {
        vfloat d = v_load_part(x + i, rest, mean) - mean;
        squares += d * d;
    }
    float factor = 1.0f / sqrtf(v_sum(squares) / (float)n + eps);
    for (i = 0; i < whole; i += LANES)
        v_store(y + i, (v_load(x + i) - mean) * factor * v_load(gamma + i) + v_load(beta + i));
    for (; i < n; i++)
        y[i] = (x[i] - mean) * factor * gamma[i] + beta[i];
}

ALWAYS vfloat gelu(vfloat x)
{
    return x * 0.5f * (1.0f + v_erf(x * 0.707106781f));
}

ALWAYS vfloat gelu_tanh(vfloat x)
{
    return x * 0.5f * (1.0f + v_tanh(0.797884561f * (x + 0.044715f * x * x * x)));
}

/* tanh(ln(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2); 1 in f32 from 20 on. */
ALWAYS vfloat mish(vfloat x)
{
    vfloat e = v_exp(v_min(x, SPLAT(20.0f))), n = e * (e + 2.0f);
    return v_select(x > 20.0f, x, x * (n / (n + 2.0f)));
}

/* A number that is none comes last in v_min and v_max, so that it stays. */
ALWAYS vfloat activate_vector(const enum activation activation, vfloat x)
{
    const vfloat zero = {0};
    switch (activation) {
    case ACTIVATION_GELU:
        return gelu(x);
    case ACTIVATION_GELU_10:
        return v_min(SPLAT(10.0f), v_max(SPLAT(-10.0f), gelu(x)));
    case ACTIVATION_GELU_TANH:
        return gelu_tanh(x);
    case ACTIVATION_QUICK_GELU:
        return x * v_sigmoid(1.702f * x);
    case ACTIVATION_RELU:
        return v_max(zero, x);
    case ACTIVATION_RELU2:
        return v_max(zero, x) * v_max(zero, x);
    case ACTIVATION_RELU6:
        return v_min(SPLAT(6.0f), v_max(zero, x));
    case ACTIVATION_LEAKY_RELU:
        return v_select(x > 0.0f, x, x * 0.01f);
    case ACTIVATION_SIGMOID:
        return v_sigmoid(x);
    case ACTIVATION_SILU:
        return x * v_sigmoid(x);
    case ACTIVATION_MISH:
        return mish(x);
    case ACTIVATION_TANH:
        return v_tanh(x);
    case ACTIVATION_LAPLACE:
        return 0.5f * (1.0f + v_erf((x - 0.707107f) * (1.0f / (0.282095f * 1.41421356f))));
    default:
        return x;
    }
}

ALWAYS void activate_all(const enum activation activation, float *x, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(x + i, activate_vector(activation, v_load(x + i)));
    if (i < n)
        v_store_part(x + i, n - i, activate_vector(activation, v_load_part(x + i, n - i, 0.0f)));
}

/* A loop of its own for each function: the choice stays outside the loop. */
#define ACTIVATION_CASE(activation)                                                                \
    case activation:                                                                               \
        activate_all(activation, x, n);                                                            \
        break

static void activate(enum activation activation, float *x, size_t n)
{
    switch (activation) {
        ACTIVATION_CASE(ACTIVATION_GELU);
        ACTIVATION_CASE(ACTIVATION_GELU_10);
        ACTIVATION_CASE(ACTIVATION_GELU_TANH);
        ACTIVATION_CASE(ACTIVATION_QUICK_GELU);
        ACTIVATION_CASE(ACTIVATION_RELU);
        ACTIVATION_CASE(ACTIVATION_RELU2);
        ACTIVATION_CASE(ACTIVATION_RELU6);
        ACTIVATION_CASE(ACTIVATION_LEAKY_RELU);
        ACTIVATION_CASE(ACTIVATION_SIGMOID);
        ACTIVATION_CASE(ACTIVATION_SILU);
        ACTIVATION_CASE(ACTIVATION_MISH);
        ACTIVATION_CASE(ACTIVATION_TANH);
        ACTIVATION_CASE(ACTIVATION_LAPLACE);
    default:
        break;
    }
}

ALWAYS void gelu_coarse(const float *p, float *x, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vfloat half = 0.5f * v_load(x + i);
        v_store(x + i, half + half * v_odd(p, v_load(x + i)));
    }
    if (i < n) {
        const vfloat all = v_load_part(x + i, n - i, 0.0f), half = 0.5f * all;
        v_store_part(x + i, n - i, half + half * v_odd(p, all));
    }
}

static void activate_coarse(enum activation activation, float *x, size_t n)
{
    if (activation == ACTIVATION_GELU)
        gelu_coarse(erf_coarse, x, n);
    else if (activation == ACTIVATION_GELU_TANH)
        gelu_coarse(tanh_coarse, x, n);
    else
        activate(activation, x, n);
}

/* B^T d B, rows and then columns, with B^T = (1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1). */
static void winograd_input(const float *const d[16], size_t n, float *v, size_t stride)
{
    for (size_t i = 0; i < n; i += LANES) {
        vfloat t[4][4];
        for (size_t c = 0; c < 4; c++) {
            vfloat d0 = v_load(d[c] + i), d1 = v_load(d[4 + c] + i);
            vfloat d2 = v_load(d[8 + c] + i), d3 = v_load(d[12 + c] + i);
            t[0][c] = d0 - d2;
            t[1][c] = d1 + d2;
            t[2][c] = d2 - d1;
            t[3][c] = d1 - d3;
        }
        for (size_t r = 0; r < 4; r++) {
            float *row = v + 4 * r * stride + i;
            v_store(row, t[r][0] - t[r][2]);
            v_store(row + stride, t[r][1] + t[r][2]);
            v_store(row + 2 * stride, t[r][2] - t[r][1]);
            v_store(row + 3 * stride, t[r][1] - t[r][3]);
        }
    }
}

/* A^T m A with A^T = (1 1 1 0; 0 1 -1 -1). */
static void winograd_output(const float *m, size_t stride, size_t n, const float *bias,
                            bool accumulate, bool relu, float *const y[4])
{
    const vfloat zero = {0};
    for (size_t i = 0; i < n; i += LANES) {
        vfloat t[2][4], sum[4];
        for (size_t c = 0; c < 4; c++) {
            const float *column = m + c * stride + i;
            vfloat m1 = v_load(column + 4 * stride), m2 = v_load(column + 8 * stride);
            t[0][c] = v_load(column) + m1 + m2;
            t[1][c] = m1 - m2 - v_load(column + 12 * stride);
        }
        for (size_t r = 0; r < 2; r++) {
            sum[2 * r] = t[r][0] + t[r][1] + t[r][2];
            sum[2 * r + 1] = t[r][1] - t[r][2] - t[r][3];
        }
        for (size_t p = 0; p < 4; p++) {
            if (y[p] == NULL)
                continue;
            vfloat value = sum[p] + v_load(bias + i);
            if (accumulate)
                value += v_load(y[p] + i);
            v_store(y[p] + i, relu ? v_max(zero, value) : value);
        }
    }
}

static void window_largest(const float *x, size_t n_rows, size_t row, size_t n_columns,
                           size_t column, size_t n, float *y)
{
    for (size_t c = 0; c < n; c += LANES) {
        vfloat most = SPLAT(-INFINITY);
        vint is_nan = {0}; /* beside the maximum, so that none waits for it */
        for (size_t i = 0; i < n_rows; i++)
            for (size_t j = 0; j < n_columns; j++) {
                const float *place = x + i * row + j * column + c;
                const vfloat v = n - c >= LANES ? v_load(place) : v_load_part(place, n - c, 0.0f);
                most = v_max(v, most);
                is_nan |= v != v;
            }
        most = v_select(is_nan, SPLAT(NAN), most);
        if (n - c >= LANES)
            v_store(y + c, most);
        else
            v_store_part(y + c, n - c, most);
    }
}

#define VECTOR_KERNELS(name_)                                                                      \
    {                                                                                              \
        name_, HAS_BF16, product, block_product, dots, exp_row, scale_add, layer_norm, activate,   \
            activate_coarse, winograd_input, winograd_output, window_largest, panel_row,           \
            lstm_gates, gru_gates, bf16_product, bf16_dots, int8_row, int4_row, fine_row, to_bf16, \
            coarse_row, int8_dots, int4_unpack, int8_finish, bias_finish, map_range, map_coarse,   \
            map_finish, round_f16                                                                  \
    }
