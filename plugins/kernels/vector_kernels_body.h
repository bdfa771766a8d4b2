/* vector_kernels_body.h - the code of vector_kernels.h, for one vector size.
 *
 * VECTOR_BYTES is the size of a vector, VECTOR_COLUMNS how many of them make a row of the register
 * tile of product(): PRODUCT_ROWS x VECTOR_COLUMNS accumulators, VECTOR_COLUMNS vectors of b and one
 * number of a must fit the registers. Included once by each vector_kernels_*.c. */
#include "vector_kernels.h"
#include "vector_math.h"
#include "vector_recurrent.h"

#include <math.h>

/* One register tile, n_vectors a constant after inlining. Rows beyond n_rows repeat the last one and
 * are not stored. */
ALWAYS void product_tile(const float *a, size_t lda, size_t n_rows, const float *b, size_t ldb,
                         size_t depth, float *out, size_t ldo, const size_t n_vectors)
{
    vfloat sum[PRODUCT_ROWS][VECTOR_COLUMNS] = {0};
    const float *rows[PRODUCT_ROWS];
    for (size_t r = 0; r < PRODUCT_ROWS; r++)
        rows[r] = a + (r < n_rows ? r : n_rows - 1) * lda;
    for (size_t k = 0; k < depth; k++) {
        vfloat column[VECTOR_COLUMNS];
        for (size_t c = 0; c < n_vectors; c++)
            column[c] = v_load(b + k * ldb + c * LANES);
        for (size_t r = 0; r < PRODUCT_ROWS; r++)
            for (size_t c = 0; c < n_vectors; c++)
                sum[r][c] += rows[r][k] * column[c];
    }
    for (size_t r = 0; r < PRODUCT_ROWS; r++)
        for (size_t c = 0; c < n_vectors; c++)
            if (r < n_rows)
                v_store(out + r * ldo + c * LANES, sum[r][c]);
}

static void product(const float *a, size_t lda, size_t n_rows, const float *b, size_t ldb,
                    size_t depth, float *out, size_t ldo, size_t columns)
{
    size_t left = columns / LANES;
    while (left >= VECTOR_COLUMNS) {
        product_tile(a, lda, n_rows, b, ldb, depth, out, ldo, VECTOR_COLUMNS);
        b += VECTOR_COLUMNS * LANES;
        out += VECTOR_COLUMNS * LANES;
        left -= VECTOR_COLUMNS;
    }
#if VECTOR_COLUMNS == 4 /* the others divide PRODUCT_COLUMNS */
    if (left == 3)
        product_tile(a, lda, n_rows, b, ldb, depth, out, ldo, 3);
    else if (left == 2)
        product_tile(a, lda, n_rows, b, ldb, depth, out, ldo, 2);
    else if (left == 1)
        product_tile(a, lda, n_rows, b, ldb, depth, out, ldo, 1);
#endif
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

ALWAYS vfloat activate_vector(const enum activation activation, vfloat x)
{
    const vfloat zero = {0};
    switch (activation) {
    case ACTIVATION_GELU:
        return gelu(x);
    case ACTIVATION_GELU_10:
        return v_min(v_max(gelu(x), SPLAT(-10.0f)), SPLAT(10.0f));
    case ACTIVATION_GELU_TANH:
        return gelu_tanh(x);
    case ACTIVATION_QUICK_GELU:
        return x * v_sigmoid(1.702f * x);
    case ACTIVATION_RELU:
        return v_max(x, zero);
    case ACTIVATION_RELU2:
        return v_max(x, zero) * v_max(x, zero);
    case ACTIVATION_RELU6:
        return v_min(v_max(x, zero), SPLAT(6.0f));
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

#define VECTOR_KERNELS(name_)                                                                      \
    {                                                                                              \
        name_, product, exp_row, layer_norm, activate, panel_row, lstm_gates, gru_gates            \
    }
