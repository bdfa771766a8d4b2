/* linear.h - y = activation(x W^T + b), with weights prepared once for the processor.
 *
 * Weights come as Hugging Face stores them, [out_features, in_features], in any float dtype; several
 * may be stacked (query, key and value in one product), one may lie transposed. The prepared form goes
 * through the host's packed_blob, and the source is given back with discard_tensor, so that both never
 * stay in memory. */
#ifndef LINEAR_H
#define LINEAR_H

#include "row_ops.h"

#define LINEAR_MAX_PARTS 8

struct linear; /* immutable, shared by all runners of the model, lives with its kernels */

struct linear_spec {
    const char *weights[LINEAR_MAX_PARTS]; /* each [out_features / n_parts, in_features] */
    const char *biases[LINEAR_MAX_PARTS];  /* each [out_features / n_parts]; all NULL: no bias */
    uint32_t n_parts;
    int64_t in_features, out_features; /* out_features 0: what the one weight has */
    enum activation activation;
    bool accumulate; /* y += instead of y =, the residual connection; without activation */
    /* The weight is also used elsewhere, or so large that a second form costs more than it brings
     * (tied embeddings): multiply from the package's view when it is one part in F32, F16 or BF16. */
    bool keep_view;
    bool transposed; /* the one weight is [in_features, out_features], as GPT-2's Conv1D has it */
};

/* MODEL_NOT_FOUND, MODEL_CORRUPT, MODEL_UNSUPPORTED as in plugin_weights.h. [create-thread] */
model_status linear_create(struct kernels *kernels, const struct linear_spec *spec,
                           const struct linear **ret, struct model_error *err);

int64_t linear_in_features(const struct linear *linear);
int64_t linear_out_features(const struct linear *linear);

/* What an instance needs to run linears: plans for the row counts that it has seen, and scratch.
 * Make it after the last linear_create(). [lane-thread] */
struct linear_runner;

model_status linear_runner_create(const struct kernels *kernels, struct linear_runner **ret,
                                  struct model_error *err);
void linear_runner_destroy(struct linear_runner *runner); /* NULL does nothing */

/* Begins a run. linear_run() asks `cancel` (NULL: never) each time; after the first error or when
 * the token is raised it does nothing more, and the status stays until the next begin. So a forward
 * pass needs no check after each product; its loop over layers asks linear_runner_status(). */
void linear_runner_begin(struct linear_runner *runner, const struct model_cancel *cancel,
                         struct model_error *err);
model_status linear_runner_status(const struct linear_runner *runner);

/* Counts multiply-adds of matrix products and attention that the caller computes itself, by their definition: whatever
 * is saved or rounded up does not count. */
void linear_runner_count(struct linear_runner *runner, size_t multiply_adds);
/* What has been added up since the run began. */
uint64_t linear_runner_counted(const struct linear_runner *runner);

/* Rows that a buffer for n_rows should have, so that linear_run() need not split: plans exist for
 * some row counts only. At most 1/16 more. */
size_t linear_row_capacity(size_t n_rows);

/* x(n_rows, in_features) -> y(n_rows, out_features). Both have room for row_capacity >= n_rows rows;
 * what is behind n_rows in x is read without effect, in y it is overwritten. Allocates only when it
 * meets a row count for the first time. [lane-thread] */
void linear_run(struct linear_runner *runner, const struct linear *linear, const float *x,
                size_t n_rows, size_t row_capacity, float *y);

#endif
