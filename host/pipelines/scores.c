/* scores.c - see scores.h. */
#include "scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void scores_softmax(const float *logits, size_t n, double *scores)
{
    double largest = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if ((double)logits[i] > largest)
            largest = (double)logits[i];
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        scores[i] = exp((double)logits[i] - largest);
        if (!(scores[i] >= 0)) /* NaN */
            scores[i] = 0;
        sum += scores[i];
    }
    for (size_t i = 0; i < n && sum > 0; i++)
        scores[i] /= sum;
}

double scores_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

size_t scores_top(const double *scores, size_t n, size_t k, size_t *ret_indices)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = count;
        while (at > 0 && scores[ret_indices[at - 1]] < scores[i])
            at--;
        if (at >= k)
            continue;
        if (count < k)
            count++;
        memmove(&ret_indices[at + 1], &ret_indices[at], (count - at - 1) * sizeof *ret_indices);
        ret_indices[at] = i;
    }
    return count;
}

json_node *scores_add(json_node *parent, const char *key, double value)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.7g", value);
    return isfinite(value) ? json_add_number(parent, key, strtod(text, NULL))
                           : json_add_null(parent, key);
}
