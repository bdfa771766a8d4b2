/* conv.h - convolutions, pooling and what goes with them, on feature maps.
 *
 * A feature map is an array of float (batch, height, width, channels), dense: the channels of one
 * place lie together. Every function here takes and gives that layout, so that nothing is reordered
 * between two convolutions; feature_map_from_planes() and _to_planes() convert from and to
 * [batch, channels, height, width] at the ends of a network. As each place is a row of `channels`,
 * linear.h and row_ops.h work on feature maps too. One-dimensional signals are maps of height 1.
 *
 * A convolution is made once: weights in any float dtype, batch norm folded into weights and bias,
 * reordered through packed_blob into the layout that the processor wants. At run time it adds a
 * residual and applies the activation before it writes its result. */
#ifndef CONV_H
#define CONV_H

#include "linear.h"

struct map_shape {
    int64_t batch, height, width, channels;
};

/* Numbers in a map. The host's checks bound inputs; conv_shape() bounds what is made of them. */
static inline size_t map_size(struct map_shape shape)
{
    return (size_t)shape.batch * (size_t)shape.height * (size_t)shape.width *
           (size_t)shape.channels;
}

struct conv; /* immutable, shared by all runners of the model, lives with its kernels */

/* What torch.nn.Conv2d, Conv1d and ConvTranspose2d are made with; zero stands for the usual value. */
struct conv_spec {
    /* [out, in / groups, kernel_height, kernel_width]; of rank 3 it is a 1-D convolution along the
     * width. Transposed: [in, out / groups, kernel_height, kernel_width]. */
    const char *weight;
    const char *bias; /* [out], or NULL */
    /* A batch norm that follows, or NULL: <norm>.weight and .bias [out] (both may be absent: affine
     * False), <norm>.running_mean and .running_var [out]. */
    const char *norm;
    double norm_eps;                /* 0: 1e-5 */
    int64_t in_channels;            /* 0: what the weight has */
    int64_t out_channels;           /* 0: what the weight has */
    int64_t kernel_height;          /* 0: what the weight has; for a 1-D weight 0 or 1 */
    int64_t kernel_width;           /* 0: what the weight has */
    int64_t stride_y, stride_x;     /* 0: 1 */
    int64_t padding_y, padding_x;   /* zeros on both sides */
    int64_t dilation_y, dilation_x; /* 0: 1; transposed: 1 only */
    int64_t output_padding_y, output_padding_x; /* transposed only; less than the stride */
    int64_t groups;                             /* 0: 1 */
    bool transposed;
    /* Adds what the destination holds, the residual connection, before the activation:
     * y = activation(conv(x) + bias + y). */
    bool accumulate;
    enum activation activation;
};

/* MODEL_NOT_FOUND, MODEL_CORRUPT, MODEL_UNSUPPORTED as in plugin_weights.h; MODEL_INVALID_ARGUMENT
 * for a stride, padding, dilation or number of groups that makes no sense. [create-thread] */
model_status conv_create(struct kernels *kernels, const struct conv_spec *spec,
                         const struct conv **ret, struct model_error *err);
/* The same for a plugin_loader.h: keeps the loader's first error. */
struct loader;
const struct conv *load_conv(struct loader *loader, const struct conv_spec *spec);
/* <conv>.weight and, if it is there, <conv>.bias, with the batch norm <norm> (NULL: none). */
const struct conv *load_conv_norm(struct loader *loader, struct conv_spec spec, const char *conv,
                                  const char *norm);

int64_t conv_in_channels(const struct conv *conv);
int64_t conv_out_channels(const struct conv *conv);

/* The shape of the result. false: there is none (the kernel is larger than the padded map), x has
 * other channels than the convolution, or the result exceeds MAP_MAX_SIZE numbers. */
#define MAP_MAX_SIZE ((int64_t)1 << 29)
bool conv_shape(const struct conv *conv, struct map_shape x, struct map_shape *ret);

/* x(shape) -> y(conv_shape()). x and y do not overlap. It asks the runner's token and keeps its first
 * error as linear_run() does. A shape that the runner meets for the first time makes plans (and may
 * allocate), one that it knows allocates nothing. [lane-thread] */
void conv_run(struct linear_runner *runner, const struct conv *conv, const float *x,
              struct map_shape shape, float *y);

/* Max or average pooling as torch.nn.MaxPool2d, AvgPool2d; zero stands for the usual value. */
struct pool_spec {
    int64_t kernel_height, kernel_width;
    int64_t stride_y, stride_x;   /* 0: the kernel */
    int64_t padding_y, padding_x; /* at most half the kernel */
    bool average;                 /* else the largest */
    bool count_inside_only;       /* average: padding does not count (count_include_pad False) */
};
/* false: there is no result. */
bool pool_shape(const struct pool_spec *pool, struct map_shape x, struct map_shape *ret);
/* x(shape) -> y(pool_shape()); both apart. [lane-thread] */
void pool_run(const struct kernels *kernels, const struct pool_spec *pool, const float *x,
              struct map_shape shape, float *y);
/* The mean of each channel: x(shape) -> y(batch, channels). [lane-thread] */
void pool_global_average(const struct kernels *kernels, const float *x, struct map_shape shape,
                         float *y);

/* [batch, channels, height, width] -> (batch, height, width, channels), and back; x and y apart.
 * `shape` is that of the map. Elementwise activation of a map: activation_rows(). [lane-thread] */
void feature_map_from_planes(const struct kernels *kernels, const float *x, struct map_shape shape,
                             float *y);
void feature_map_to_planes(const struct kernels *kernels, const float *x, struct map_shape shape,
                           float *y);

#endif
