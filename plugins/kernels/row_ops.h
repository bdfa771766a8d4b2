/* row_ops.h - operations on the rows of a matrix: layer norm, softmax, embeddings, activations.
 *
 * Shapes stand beside the pointers, row-major, dense. x and y may be the same. [lane-thread] */
#ifndef ROW_OPS_H
#define ROW_OPS_H

#include "model_abi.h"

#include <stdbool.h>

struct kernels;

/* The functions that transformers' ACT2FN names for hidden_act, and those that heads need. */
enum activation {
    ACTIVATION_NONE = 0,   /* "linear" */
    ACTIVATION_GELU,       /* x Phi(x), exact: "gelu", "gelu_python" */
    ACTIVATION_GELU_10,    /* the same, cut to [-10, 10] */
    ACTIVATION_GELU_TANH,  /* "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_accurate" */
    ACTIVATION_QUICK_GELU, /* x sigmoid(1.702 x) */
    ACTIVATION_RELU,
    ACTIVATION_RELU2, /* max(x, 0)^2 */
    ACTIVATION_RELU6,
    ACTIVATION_LEAKY_RELU, /* slope 0.01 */
    ACTIVATION_SIGMOID,
    ACTIVATION_SILU, /* "silu", "swish" */
    ACTIVATION_MISH,
    ACTIVATION_TANH,
    ACTIVATION_LAPLACE, /* (1 + erf((x - sqrt(1/2)) / (0.282095 sqrt 2))) / 2 */
    N_ACTIVATIONS
};

/* By the name in config.json. MODEL_UNSUPPORTED names the value and lists what there is. */
model_status activation_by_name(const char *name, enum activation *ret, struct model_error *err);
void activation_rows(const struct kernels *kernels, enum activation activation, float *x,
                     size_t n_rows, size_t width);

/* y = (x - mean) / sqrt(variance + eps) * gamma + beta, each row by itself (Ba et al. 2016). */
struct layer_norm {
    const float *gamma; /* (width) */
    const float *beta;  /* (width) */
    size_t width;
    float eps;
};
void layer_norm_rows(const struct kernels *kernels, const struct layer_norm *norm, const float *x,
                     float *y, size_t n_rows);

/* y = exp(x) / sum(exp(x)), each row by itself; safe for any finite x. */
void softmax_rows(const struct kernels *kernels, const float *x, float *y, size_t n_rows,
                  size_t width);

/* y(n): of each x(n) the nearest number that a float16 can be, halves to even, infinity from 65520 on. */
void round_rows_f16(const struct kernels *kernels, const float *x, float *y, size_t n);

/* A table of rows in any float dtype; used as the package holds it, without a copy. */
struct embedding {
    struct model_tensor table; /* (n_ids, width) */
    size_t n_ids, width;
};
/* Weight `name` of shape [n_ids, width]. [create-thread] */
model_status embedding_find(const struct kernels *kernels, const char *name, int64_t n_ids,
                            int64_t width, struct embedding *ret, struct model_error *err);
/* y(width) = row `id`. id < n_ids. */
void embedding_read(const struct embedding *embedding, size_t id, float *y);
/* y(width) += row `id`. */
void embedding_add(const struct embedding *embedding, size_t id, float *y);

#endif
