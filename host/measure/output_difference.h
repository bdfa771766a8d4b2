/* output_difference.h - how far one model's outputs are from another's, over many samples. One thread. */
#ifndef OUTPUT_DIFFERENCE_H
#define OUTPUT_DIFFERENCE_H

#include "model_abi.h"

#include <stdbool.h>
#include <stddef.h>

struct output_difference {
    double min_cosine;           /* the least of all tensors that were added; begins with 1 */
    char worst[48];              /* whose it is */
    double max_abs;              /* of two numbers at the same place */
    uint64_t n_rows, n_agreeing; /* rows of logits, and those whose largest is at the same place */
    /* Of the tokens that were predicted: the sums of -log p */
    double exact_nll, other_nll;
    uint64_t n_predicted;
};

#define OUTPUT_DIFFERENCE_INIT                                                                     \
    {                                                                                              \
        .min_cosine = 1                                                                            \
    }

/* Whether one number of an output, F32, is finite: what a model answers else says nothing of another one. */
bool output_difference_has_numbers(const struct model_tensor *exact);
/* Two outputs of one name, F32: all numbers of a tensor are one vector. Two vectors of zeros have a cosine of 1; what is
 * not finite in the other model alone is as far away as can be (cosine -1). false, and nothing is added: they are not F32,
 * empty, or have different shapes. */
bool output_difference_add(struct output_difference *difference, const struct model_tensor *exact,
                           const struct model_tensor *other);
/* Rows along the last dimension: whether both have their largest number in the same place, and it is one. */
void output_difference_add_rows(struct output_difference *difference,
                                const struct model_tensor *exact, const struct model_tensor *other);
/* Logits (1, n, vocabulary) of the ids(n) themselves: row i predicts ids[i + 1]. Ids beyond the vocabulary are passed
 * over. */
void output_difference_add_predictions(struct output_difference *difference,
                                       const struct model_tensor *exact,
                                       const struct model_tensor *other, const int64_t *ids,
                                       size_t n);

#endif
