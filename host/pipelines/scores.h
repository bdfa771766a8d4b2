/* scores.h - from logits to probabilities, in double precision. [any-thread] */
#ifndef SCORES_H
#define SCORES_H

#include "json_view.h"

#include <stddef.h>

/* scores[i] = exp(logits[i] - max) / sum. (n); NaN and all-minus-infinity give zeros. */
void scores_softmax(const float *logits, size_t n, double *scores);
/* 1 / (1 + exp(-x)) */
double scores_sigmoid(double x);
/* The indices of the k largest of n scores, the largest first, equal ones by index; returns how many
 * (the smaller of k and n). ret_indices has room for k. */
size_t scores_top(const double *scores, size_t n, size_t k, size_t *ret_indices);
/* A number with the digits that a float carries. */
json_node *scores_add(json_node *parent, const char *key, double value);

#endif
