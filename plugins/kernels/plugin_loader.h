/* plugin_loader.h - the parts of a model out of its weights, by name. [create-thread]
 *
 * A loader keeps its first error: load all parts, then look at `status` once. After an error the
 * functions do nothing and give NULL. Names are formats, so that a layer's number or a prefix goes
 * in: load_linear(&loader, shape, "%sencoder.layer.%d.output.dense", prefix, i). */
#ifndef PLUGIN_LOADER_H
#define PLUGIN_LOADER_H

#include "linear.h"

struct loader {
    struct kernels *kernels;
    struct model_error *err;
    model_status status; /* of the first error */
};

struct linear_shape {
    int64_t out_features, in_features;
    enum activation activation;
    bool accumulate, keep_view, transposed; /* as in struct linear_spec */
};

/* <name>.weight [out, in] and <name>.bias [out]. */
const struct linear *load_linear(struct loader *loader, struct linear_shape shape,
                                 const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Several of the same shape stacked: <name>.<part>.weight and .bias; shape is that of the stack.
 * `parts` ends with NULL. */
const struct linear *load_stacked(struct loader *loader, struct linear_shape shape,
                                  const char *const *parts, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A linear whose weight and bias have names of their own. */
const struct linear *load_linear_named(struct loader *loader, struct linear_shape shape,
                                       const char *weight, const char *bias);
/* <name>.weight and .bias, or .gamma and .beta as checkpoints out of TensorFlow have them. */
struct layer_norm load_layer_norm(struct loader *loader, int64_t width, double eps,
                                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/* <name>.weight [n_ids, width]. */
struct embedding load_embedding(struct loader *loader, int64_t n_ids, int64_t width,
                                const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
