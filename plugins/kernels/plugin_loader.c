/* plugin_loader.c - see plugin_loader.h. */
#include "kernels.h"

#include <stdarg.h>
#include <stdio.h>

#define FORMAT_NAME(name, format)                                                                  \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        (void)vsnprintf(name, sizeof name, format, arguments);                                     \
        va_end(arguments);                                                                         \
    } while (0)

static const struct linear *create(struct loader *loader, const struct linear_spec *spec)
{
    const struct linear *linear = NULL;
    if (loader->status == MODEL_OK)
        loader->status = linear_create(loader->kernels, spec, &linear, loader->err);
    return linear;
}

static struct linear_spec spec_of(struct linear_shape shape, uint32_t n_parts)
{
    return (struct linear_spec){.n_parts = n_parts,
                                .in_features = shape.in_features,
                                .out_features = shape.out_features,
                                .activation = shape.activation,
                                .accumulate = shape.accumulate,
                                .keep_view = shape.keep_view,
                                .transposed = shape.transposed};
}

const struct linear *load_linear_named(struct loader *loader, struct linear_shape shape,
                                       const char *weight, const char *bias)
{
    struct linear_spec spec = spec_of(shape, 1);
    spec.weights[0] = weight;
    spec.biases[0] = bias;
    return create(loader, &spec);
}

const struct linear *load_linear(struct loader *loader, struct linear_shape shape,
                                 const char *format, ...)
{
    char name[WEIGHT_NAME_BYTES], weight[WEIGHT_NAME_BYTES + 8], bias[WEIGHT_NAME_BYTES + 8];
    FORMAT_NAME(name, format);
    (void)snprintf(weight, sizeof weight, "%s.weight", name);
    (void)snprintf(bias, sizeof bias, "%s.bias", name);
    return load_linear_named(loader, shape, weight, bias);
}

const struct linear *load_stacked(struct loader *loader, struct linear_shape shape,
                                  const char *const *parts, const char *format, ...)
{
    char name[WEIGHT_NAME_BYTES];
    char names[2 * LINEAR_MAX_PARTS][2 * WEIGHT_NAME_BYTES];
    FORMAT_NAME(name, format);
    struct linear_spec spec = spec_of(shape, 0);
    for (uint32_t i = 0; parts[i] != NULL && i < LINEAR_MAX_PARTS; i++, spec.n_parts++) {
        char *weight = names[2 * i], *bias = names[2 * i + 1];
        (void)snprintf(weight, sizeof names[0], "%s.%.64s.weight", name, parts[i]);
        (void)snprintf(bias, sizeof names[0], "%s.%.64s.bias", name, parts[i]);
        spec.weights[i] = weight;
        spec.biases[i] = bias;
    }
    return create(loader, &spec);
}

struct layer_norm load_layer_norm(struct loader *loader, int64_t width, double eps,
                                  const char *format, ...)
{
    struct layer_norm norm = {.width = (size_t)width, .eps = (float)eps};
    char name[WEIGHT_NAME_BYTES], weight[WEIGHT_NAME_BYTES + 8];
    FORMAT_NAME(name, format);
    (void)snprintf(weight, sizeof weight, "%s.gamma", name);
    bool old = weight_exists(loader->kernels, weight);
    (void)snprintf(weight, sizeof weight, "%s.%s", name, old ? "gamma" : "weight");
    if (loader->status == MODEL_OK)
        loader->status = weight_vector(loader->kernels, weight, width, &norm.gamma, loader->err);
    (void)snprintf(weight, sizeof weight, "%s.%s", name, old ? "beta" : "bias");
    if (loader->status == MODEL_OK)
        loader->status = weight_vector(loader->kernels, weight, width, &norm.beta, loader->err);
    return norm;
}

struct embedding load_embedding(struct loader *loader, int64_t n_ids, int64_t width,
                                const char *format, ...)
{
    struct embedding embedding = {.n_ids = 0};
    char name[WEIGHT_NAME_BYTES], weight[WEIGHT_NAME_BYTES + 8];
    FORMAT_NAME(name, format);
    (void)snprintf(weight, sizeof weight, "%s.weight", name);
    if (loader->status == MODEL_OK)
        loader->status =
            embedding_find(loader->kernels, weight, n_ids, width, &embedding, loader->err);
    return embedding;
}
