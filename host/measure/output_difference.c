/* output_difference.c - see output_difference.h. Sums are in double precision. */
#include "output_difference.h"
#include "dtype.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool output_difference_has_numbers(const struct model_tensor *exact)
{
    const float *numbers = exact->data;
    for (uint64_t i = 0, n = tensor_elements(exact); i < n; i++)
        if (isfinite(numbers[i]))
            return true;
    return false;
}

static bool is_comparable(const struct model_tensor *a, const struct model_tensor *b)
{
    if (a->dtype != MODEL_F32 || b->dtype != MODEL_F32 || a->rank != b->rank ||
        tensor_elements(a) == 0)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i])
            return false;
    return true;
}

static double cosine_of(double product, double a, double b)
{
    if (!isfinite(product) || !isfinite(a) || !isfinite(b))
        return -1;
    if (a == 0 || b == 0)
        return a == b ? 1 : 0;
    const double cosine = product / sqrt(a) / sqrt(b);
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

bool output_difference_add(struct output_difference *difference, const struct model_tensor *exact,
                           const struct model_tensor *other)
{
    const float *a = exact->data, *b = other->data;
    double product = 0, a_square = 0, b_square = 0;
    if (!is_comparable(exact, other))
        return false;
    for (uint64_t i = 0, n = tensor_elements(exact); i < n; i++) {
        const double x = (double)a[i], y = (double)b[i], apart = fabs(x - y);
        if (!isfinite(x) && (x == y || (isnan(x) && isnan(y))))
            continue; /* both say the same */
        product += x * y;
        a_square += x * x;
        b_square += y * y;
        if (isfinite(apart) && apart > difference->max_abs)
            difference->max_abs = apart;
    }
    const double cosine = cosine_of(product, a_square, b_square);
    if (cosine < difference->min_cosine || difference->worst[0] == '\0') {
        difference->min_cosine = cosine;
        (void)snprintf(difference->worst, sizeof difference->worst, "%s", exact->name);
    }
    return true;
}

static size_t largest(const float *row, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = row[i] > row[best] ? i : best;
    return best;
}

void output_difference_add_rows(struct output_difference *difference,
                                const struct model_tensor *exact, const struct model_tensor *other)
{
    if (!is_comparable(exact, other) || exact->rank == 0)
        return;
    const size_t width = (size_t)exact->shape[exact->rank - 1];
    const uint64_t n = tensor_elements(exact);
    const float *a = exact->data, *b = other->data;
    for (uint64_t row = 0; width > 0 && row < n; row += width) {
        const size_t at = largest(a + row, width);
        difference->n_rows++;
        difference->n_agreeing +=
            largest(b + row, width) == at && (!isnan(b[row + at]) || isnan(a[row + at]));
    }
}

/* -log softmax(row)[id] */
static double loss(const float *row, size_t n, size_t id)
{
    const double top = (double)row[largest(row, n)];
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)row[i] - top);
    return log(sum) + top - (double)row[id];
}

void output_difference_add_predictions(struct output_difference *difference,
                                       const struct model_tensor *exact,
                                       const struct model_tensor *other, const int64_t *ids,
                                       size_t n)
{
    if (!is_comparable(exact, other) || exact->rank != 3 || exact->shape[0] != 1 ||
        exact->shape[1] != (int64_t)n)
        return;
    const size_t width = (size_t)exact->shape[2];
    const float *a = exact->data, *b = other->data;
    for (size_t i = 0; i + 1 < n; i++) {
        if (ids[i + 1] < 0 || ids[i + 1] >= (int64_t)width)
            continue;
        difference->exact_nll += loss(a + i * width, width, (size_t)ids[i + 1]);
        difference->other_nll += loss(b + i * width, width, (size_t)ids[i + 1]);
        difference->n_predicted++;
    }
}
