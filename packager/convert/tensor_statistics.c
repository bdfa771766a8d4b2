/* tensor_statistics.c - see tensor_statistics.h.
 *
 * Each block is widened to doubles and looked at twice while it is in the cache: first its sum and extremes,
 * then the squares of distances to its mean. Blocks are joined by the formula of Chan, Golub and LeVeque
 * (1979), so that a large mean does not eat the variance. Loops have no branches and eight accumulators each,
 * for the vectoriser, which may not reorder sums by itself. */
#include "tensor_statistics.h"
#include "dtype.h"
#include "errors.h"
#include "float_convert.h"
#include "tensor_blocks.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096u
#define LANES 8u

/* A block of elements, gathered and widened; the tail is filled up to a multiple of LANES. */
struct block {
    uint8_t gathered[BLOCK * sizeof(double)];
    double values[BLOCK];
};

struct moments {
    double n, sum, min, max, mean, squares; /* of finite elements */
    double n_nan, n_zero;
};

/* Fills values up with NaN, which counts for nothing, and returns the multiple. */
static size_t pad(double *values, size_t n)
{
    size_t padded = (n + LANES - 1) / LANES * LANES;
    for (size_t i = n; i < padded; i++)
        values[i] = NAN;
    return padded;
}

static double sum_lanes(const double lanes[LANES])
{
    double sum = 0;
    for (size_t i = 0; i < LANES; i++)
        sum += lanes[i];
    return sum;
}

static void first_pass(const double *values, size_t n, struct moments *ret)
{
    double sum[LANES] = {0}, finite[LANES] = {0}, nan[LANES] = {0}, zero[LANES] = {0};
    double min[LANES], max[LANES];
    for (size_t j = 0; j < LANES; j++) {
        min[j] = DBL_MAX;
        max[j] = -DBL_MAX;
    }
    for (size_t i = 0; i < n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            double x = values[i + j];
            bool is_finite = fabs(x) <= DBL_MAX;
            double counted = is_finite ? x : 0;
            sum[j] += counted;
            finite[j] += is_finite ? 1 : 0;
            nan[j] += x != x ? 1 : 0;
            zero[j] += x == 0 ? 1 : 0;
            double low = is_finite ? x : DBL_MAX, high = is_finite ? x : -DBL_MAX;
            min[j] = low < min[j] ? low : min[j];
            max[j] = high > max[j] ? high : max[j];
        }
    *ret = (struct moments){.n = sum_lanes(finite),
                            .sum = sum_lanes(sum),
                            .min = min[0],
                            .max = max[0],
                            .n_nan = sum_lanes(nan),
                            .n_zero = sum_lanes(zero)};
    for (size_t j = 1; j < LANES; j++) {
        ret->min = min[j] < ret->min ? min[j] : ret->min;
        ret->max = max[j] > ret->max ? max[j] : ret->max;
    }
    ret->mean = ret->n > 0 ? ret->sum / ret->n : 0;
}

static double squares_around(const double *values, size_t n, double mean)
{
    double squares[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            double x = values[i + j], distance = x - mean;
            squares[j] += fabs(x) <= DBL_MAX ? distance * distance : 0;
        }
    return sum_lanes(squares);
}

static void join(struct moments *all, const struct moments *block)
{
    double n = all->n + block->n, delta = block->mean - all->mean;
    if (block->n > 0) {
        all->mean += delta * (block->n / n);
        all->squares += block->squares + delta * delta * (all->n * (block->n / n));
        all->min = all->n == 0 || block->min < all->min ? block->min : all->min;
        all->max = all->n == 0 || block->max > all->max ? block->max : all->max;
        all->n = n;
    }
    all->n_zero += block->n_zero;
}

/* The next elements as doubles; 0 at the end. */
static size_t next_block(struct tensor_blocks *blocks, struct block *block)
{
    size_t n = 0;
    const uint8_t *data = tensor_blocks_next(blocks, BLOCK, block->gathered, &n);
    if (n > 0)
        widen_to_double(data, blocks->tensor->dtype, n, block->values);
    return n;
}

model_status tensor_statistics(const struct model_tensor *tensor,
                               statistics_cancelled_fn *cancelled, void *context,
                               struct tensor_statistics *ret, struct model_error *err)
{
    struct block *block = malloc(sizeof *block);
    if (block == NULL)
        return error_no_memory(err, "statistics");
    struct tensor_statistics result = {.n = tensor_elements(tensor)};
    struct moments all = {0};
    struct tensor_blocks blocks;
    tensor_blocks_init(&blocks, tensor);
    model_status status = MODEL_OK;
    for (size_t n; status == MODEL_OK && (n = next_block(&blocks, block)) > 0;) {
        struct moments moments;
        size_t padded = pad(block->values, n);
        first_pass(block->values, padded, &moments);
        moments.squares = squares_around(block->values, padded, moments.mean);
        uint64_t n_nan = (uint64_t)moments.n_nan - (padded - n);
        result.n_nan += n_nan;
        result.n_infinite += n - (uint64_t)moments.n - n_nan;
        join(&all, &moments);
        if (cancelled != NULL && cancelled(context))
            status = error_set(err, MODEL_CANCELLED, "interrupted");
    }
    free(block);
    if (status != MODEL_OK)
        return status;
    result.n_zero = (uint64_t)all.n_zero;
    result.min = all.min;
    result.max = all.max;
    result.mean = all.mean;
    result.std = all.n > 0 ? sqrt(all.squares / all.n) : 0;
    *ret = result;
    return MODEL_OK;
}

/* ---- differences */

struct sums {
    double n_different, n_unlike, max, sum, magnitude;
};

/* Pairs where only one is finite, or both are infinite with other signs, are unlike. */
static void compare(const double *a, const double *b, size_t n, struct sums *sums)
{
    double different[LANES] = {0}, unlike[LANES] = {0}, max[LANES] = {0}, sum[LANES] = {0};
    double magnitude[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            double x = a[i + j], y = b[i + j], distance = fabs(x - y);
            bool both_nan = (x != x) & (y != y);
            bool is_different = !(x == y) & !both_nan;
            bool are_finite = (fabs(x) <= DBL_MAX) & (fabs(y) <= DBL_MAX);
            double counted = are_finite ? distance : 0;
            different[j] += is_different ? 1 : 0;
            unlike[j] += (is_different & !are_finite) ? 1 : 0;
            sum[j] += counted;
            magnitude[j] += are_finite ? fabs(x) : 0;
            max[j] = counted > max[j] ? counted : max[j];
        }
    sums->n_different += sum_lanes(different);
    sums->n_unlike += sum_lanes(unlike);
    sums->sum += sum_lanes(sum);
    sums->magnitude += sum_lanes(magnitude);
    for (size_t j = 0; j < LANES; j++)
        sums->max = max[j] > sums->max ? max[j] : sums->max;
}

model_status tensor_difference(const struct model_tensor *a, const struct model_tensor *b,
                               statistics_cancelled_fn *cancelled, void *context,
                               struct tensor_difference *ret, struct model_error *err)
{
    struct block *block = malloc(2 * sizeof *block);
    if (block == NULL)
        return error_no_memory(err, "a comparison");
    struct sums sums = {0};
    struct tensor_blocks of_a, of_b;
    model_status status = MODEL_OK;
    tensor_blocks_init(&of_a, a);
    tensor_blocks_init(&of_b, b);
    for (size_t n; status == MODEL_OK && (n = next_block(&of_a, &block[0])) > 0;) {
        (void)next_block(&of_b, &block[1]);
        (void)pad(block[0].values, n);
        compare(block[0].values, block[1].values, pad(block[1].values, n), &sums);
        if (cancelled != NULL && cancelled(context))
            status = error_set(err, MODEL_CANCELLED, "interrupted");
    }
    free(block);
    if (status != MODEL_OK)
        return status;
    uint64_t n = tensor_elements(a), n_unlike = (uint64_t)sums.n_unlike;
    struct tensor_difference result = {
        .n = n, .n_different = (uint64_t)sums.n_different, .n_unlike = n_unlike, .max = sums.max};
    result.mean = n > n_unlike ? sums.sum / (double)(n - n_unlike) : 0;
    result.relative = sums.magnitude > 0 ? sums.sum / sums.magnitude : sums.sum > 0 ? INFINITY : 0;
    *ret = result;
    return MODEL_OK;
}
