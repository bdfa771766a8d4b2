/* conv_source.c - see conv_source.h. */
#include "kernels_internal.h"

#include "conv_source.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_EXTENT 65536 /* of kernels, strides, paddings and dilations */

static int64_t or_one(int64_t x)
{
    return x == 0 ? 1 : x;
}

static bool between(int64_t x, int64_t min, int64_t max)
{
    return x >= min && x <= max;
}

static model_status check(const struct conv_spec *spec, const struct conv_geometry *g,
                          struct model_error *err)
{
    if (!between(g->groups, 1, g->in) || g->in % g->groups != 0 || g->out % g->groups != 0)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "convolution '%s': %lld groups do not divide %lld channels in and %lld "
                            "out",
                            spec->weight, (long long)g->groups, (long long)g->in,
                            (long long)g->out);
    for (size_t a = 0; a < CONV_AXES; a++)
        if (!between(g->kernel[a], 1, MAX_EXTENT) || !between(g->stride[a], 1, MAX_EXTENT) ||
            !between(g->padding[a], 0, MAX_EXTENT) || !between(g->dilation[a], 1, MAX_EXTENT) ||
            !between(g->output_padding[a], 0, g->transposed ? g->stride[a] - 1 : 0) ||
            (g->transposed && g->dilation[a] != 1))
            return kernels_fail(
                err, MODEL_INVALID_ARGUMENT,
                "convolution '%s': kernel %lld, stride %lld, padding %lld, dilation "
                "%lld, output padding %lld make no %sconvolution",
                spec->weight, (long long)g->kernel[a], (long long)g->stride[a],
                (long long)g->padding[a], (long long)g->dilation[a],
                (long long)g->output_padding[a], g->transposed ? "transposed " : "");
    return MODEL_OK;
}

/* The weight, and out of it what the spec leaves open. */
static model_status find_weight(struct kernels *kernels, const struct conv_spec *spec,
                                struct conv_source *source, struct model_error *err)
{
    struct conv_geometry *g = &source->geometry;
    const struct model_services *services = kernels->services;
    struct model_tensor view = {.struct_size = sizeof view};
    const bool line =
        services->tensor_by_name(services->context, spec->weight, &view) == MODEL_OK &&
        view.rank == 3 && spec->kernel_height <= 1;
    const int64_t groups = spec->groups > 0 ? spec->groups : 1;
    int64_t first = spec->out_channels, second = spec->in_channels;
    if (spec->transposed) {
        first = spec->in_channels;
        second = spec->out_channels;
    }
    int64_t shape[4] = {first > 0 ? first : -1, second > 0 ? second / groups : -1,
                        spec->kernel_height > 0 ? spec->kernel_height : -1,
                        spec->kernel_width > 0 ? spec->kernel_width : -1};
    if (line)
        shape[2] = shape[3];
    model_status status =
        weight_find(kernels, spec->weight, line ? 3 : 4, shape, &source->weight, err);
    if (status != MODEL_OK)
        return status;
    const int64_t *have = source->weight.shape;
    if (!between(have[0], 1, INT32_MAX) || !between(have[1], 1, INT32_MAX / groups))
        return kernels_fail(err, MODEL_UNSUPPORTED, "weight '%s': too many channels", spec->weight);
    g->in = spec->transposed ? have[0] : have[1] * groups;
    g->out = spec->transposed ? have[1] * groups : have[0];
    g->kernel[CONV_Y] = line ? 1 : have[2];
    g->kernel[CONV_X] = line ? have[2] : have[3];
    return MODEL_OK;
}

/* Batch norm's numbers: y = (x - mean) / sqrt(variance + eps) * gamma + beta. */
struct norm {
    const float *gamma, *beta, *mean, *variance; /* (out); gamma and beta may be NULL */
};

static model_status find_norm(struct kernels *kernels, const char *name, int64_t n,
                              struct norm *norm, struct model_error *err)
{
    const struct {
        const char *part;
        const float **ret;
    } parts[] = {{"weight", &norm->gamma},
                 {"bias", &norm->beta},
                 {"running_mean", &norm->mean},
                 {"running_var", &norm->variance}};
    char full[WEIGHT_NAME_BYTES];
    const bool affine = weight_exists(kernels, weight_name(full, "%s.weight", name)) ||
                        weight_exists(kernels, weight_name(full, "%s.bias", name));
    for (size_t i = affine ? 0 : 2; i < 4; i++) {
        weight_name(full, "%s.%s", name, parts[i].part);
        model_status status = weight_vector(kernels, full, n, parts[i].ret, err);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

static model_status fold_norm(struct kernels *kernels, const struct conv_spec *spec,
                              const float *own_bias, struct conv_source *source,
                              struct model_error *err)
{
    const size_t n = (size_t)source->geometry.out;
    struct norm norm = {0};
    model_status status = find_norm(kernels, spec->norm, (int64_t)n, &norm, err);
    if (status != MODEL_OK)
        return status;
    float *scale = kernels_allocate(kernels, n * sizeof *scale);
    float *bias = kernels_allocate(kernels, n * sizeof *bias);
    if (scale == NULL || bias == NULL)
        return kernels_no_memory(err, "a batch norm");
    for (size_t i = 0; i < n; i++) {
        const double variance = (double)norm.variance[i] + source->norm_eps;
        if (!(variance > 0))
            return kernels_fail(err, MODEL_CORRUPT,
                                "weight '%s.running_var': element %zu is %g, want 0 or more",
                                spec->norm, i, (double)norm.variance[i]);
        const double factor = (norm.gamma != NULL ? (double)norm.gamma[i] : 1) / sqrt(variance);
        const double shift = (own_bias != NULL ? (double)own_bias[i] : 0) - (double)norm.mean[i];
        scale[i] = (float)factor;
        bias[i] = (float)(shift * factor + (norm.beta != NULL ? (double)norm.beta[i] : 0));
    }
    source->scale = scale;
    source->bias = bias;
    return MODEL_OK;
}

static model_status find_bias(struct kernels *kernels, const struct conv_spec *spec,
                              struct conv_source *source, struct model_error *err)
{
    const float *own = NULL;
    if (spec->bias != NULL) {
        model_status status = weight_vector(kernels, spec->bias, source->geometry.out, &own, err);
        if (status != MODEL_OK)
            return status;
    }
    if (spec->norm != NULL)
        return fold_norm(kernels, spec, own, source, err);
    source->bias = own;
    if (own == NULL)
        source->bias = kernels_allocate(kernels, (size_t)source->geometry.out * sizeof(float));
    return source->bias != NULL ? MODEL_OK : kernels_no_memory(err, "a bias");
}

model_status conv_source_find(struct kernels *kernels, const struct conv_spec *spec,
                              struct conv_source *ret, struct model_error *err)
{
    struct conv_source source = {
        .geometry = {.groups = or_one(spec->groups),
                     .stride = {or_one(spec->stride_y), or_one(spec->stride_x)},
                     .padding = {spec->padding_y, spec->padding_x},
                     .dilation = {or_one(spec->dilation_y), or_one(spec->dilation_x)},
                     .output_padding = {spec->output_padding_y, spec->output_padding_x},
                     .transposed = spec->transposed,
                     .accumulate = spec->accumulate,
                     .activation = spec->activation},
        .norm = spec->norm,
        .norm_eps = spec->norm_eps > 0 ? spec->norm_eps : 1e-5};
    model_status status = find_weight(kernels, spec, &source, err);
    if (status == MODEL_OK)
        status = check(spec, &source.geometry, err);
    if (status == MODEL_OK)
        status = find_bias(kernels, spec, &source, err);
    if (status == MODEL_OK)
        *ret = source;
    return status;
}

size_t conv_source_size(const struct conv_source *source)
{
    const struct conv_geometry *g = &source->geometry;
    return (size_t)g->in * (size_t)(g->out / g->groups) *
           (size_t)(g->kernel[CONV_Y] * g->kernel[CONV_X]);
}

void conv_source_read(const struct conv_source *source, float *ret)
{
    const struct conv_geometry *g = &source->geometry;
    const size_t taps = (size_t)(g->kernel[CONV_Y] * g->kernel[CONV_X]);
    weight_read_f32(&source->weight, 0, conv_source_size(source), ret);
    if (source->scale == NULL)
        return;
    const size_t first = (size_t)(g->transposed ? g->in : g->out);
    const size_t second = (size_t)(g->transposed ? g->out : g->in) / (size_t)g->groups;
    const size_t in_of_group = (size_t)(g->in / g->groups);
    for (size_t i = 0; i < first; i++)
        for (size_t j = 0; j < second; j++, ret += taps) {
            const float scale = source->scale[g->transposed ? i / in_of_group * second + j : i];
            for (size_t t = 0; t < taps; t++)
                ret[t] *= scale;
        }
}

const char *conv_source_key(const struct kernels *kernels, const struct conv_source *source,
                            const char *layout, char key[CONV_KEY_BYTES])
{
    const struct conv_geometry *g = &source->geometry;
    (void)snprintf(key, CONV_KEY_BYTES, "%s %s %s %sconv [%lld, %lld, %lld, %lld] / %lld %s %s %g",
                   kernels->build_key, layout, compute_dtype_name(g->dtype),
                   g->transposed ? "transposed " : "", (long long)g->out, (long long)g->in,
                   (long long)g->kernel[CONV_Y], (long long)g->kernel[CONV_X], (long long)g->groups,
                   source->weight.name, source->norm != NULL ? source->norm : "-",
                   source->norm_eps);
    return key;
}

model_status conv_source_pack(struct kernels *kernels, const struct conv_source *source,
                              const char *layout, size_t size_bytes,
                              model_status (*fill)(void *argument, void *destination),
                              void *argument, const void **ret, struct model_error *err)
{
    const struct model_services *services = kernels->services;
    char key[CONV_KEY_BYTES];
    model_status status =
        services->packed_blob(services->context, conv_source_key(kernels, source, layout, key),
                              size_bytes, fill, argument, ret);
    if (status != MODEL_OK)
        return kernels_fail(err, status, "weight '%s' cannot be packed (%zu bytes)",
                            source->weight.name, size_bytes);
    kernels->memory_bytes += size_bytes;
    services->discard_tensor(services->context, &source->weight);
    return MODEL_OK;
}

/* Places of the result along one axis; 0: none. */
static int64_t extent(const struct conv_geometry *g, size_t axis, int64_t x)
{
    const int64_t span = g->dilation[axis] * (g->kernel[axis] - 1) + 1;
    if (x < 1 || x > MAP_MAX_SIZE)
        return 0;
    if (g->transposed) {
        int64_t y =
            (x - 1) * g->stride[axis] - 2 * g->padding[axis] + span + g->output_padding[axis];
        return y < 0 ? 0 : y;
    }
    const int64_t padded = x + 2 * g->padding[axis];
    return padded < span ? 0 : (padded - span) / g->stride[axis] + 1;
}

static bool is_bounded(struct map_shape shape)
{
    const int64_t sizes[] = {shape.batch, shape.height, shape.width, shape.channels};
    int64_t left = MAP_MAX_SIZE;
    for (size_t i = 0; i < 4; i++) {
        if (sizes[i] < 1 || sizes[i] > left)
            return false;
        left /= sizes[i];
    }
    return true;
}

bool conv_geometry_shape(const struct conv_geometry *geometry, struct map_shape x,
                         struct map_shape *ret)
{
    struct map_shape y = {x.batch, extent(geometry, CONV_Y, x.height),
                          extent(geometry, CONV_X, x.width), geometry->out};
    if (x.channels != geometry->in || !is_bounded(x) || !is_bounded(y))
        return false;
    *ret = y;
    return true;
}

size_t conv_multiply_adds(const struct conv_geometry *geometry, struct map_shape x,
                          struct map_shape y)
{
    const struct map_shape shape = geometry->transposed ? x : y;
    const int64_t other = geometry->transposed ? geometry->out : geometry->in;
    return map_size(shape) * (size_t)(other / geometry->groups) *
           (size_t)(geometry->kernel[CONV_Y] * geometry->kernel[CONV_X]);
}

bool conv_begin(struct linear_runner *runner, const struct conv_geometry *geometry,
                struct map_shape x, struct map_shape *ret)
{
    struct linear_progress *progress = (struct linear_progress *)runner;
    if (!linear_progress_ask(progress))
        return false;
    if (conv_geometry_shape(geometry, x, ret)) {
        linear_runner_count(runner, conv_multiply_adds(geometry, x, *ret));
        return true;
    }
    progress->status = kernels_fail(
        progress->err, MODEL_INVALID_ARGUMENT,
        "a map of %lld x %lld x %lld with %lld channels does not go through a convolution of %lld "
        "x %lld over %lld channels: it is too small, too large or has other channels",
        (long long)x.batch, (long long)x.height, (long long)x.width, (long long)x.channels,
        (long long)geometry->kernel[CONV_Y], (long long)geometry->kernel[CONV_X],
        (long long)geometry->in);
    return false;
}

const struct conv *load_conv(struct loader *loader, const struct conv_spec *spec)
{
    const struct conv *conv = NULL;
    if (loader->status == MODEL_OK)
        loader->status = conv_create(loader->kernels, spec, &conv, loader->err);
    return conv;
}

const struct conv *load_conv_norm(struct loader *loader, struct conv_spec spec, const char *conv,
                                  const char *norm)
{
    char weight[WEIGHT_NAME_BYTES], bias[WEIGHT_NAME_BYTES];
    spec.weight = weight_name(weight, "%s.weight", conv);
    weight_name(bias, "%s.bias", conv);
    spec.bias = weight_exists(loader->kernels, bias) ? bias : NULL;
    spec.norm = norm;
    return load_conv(loader, &spec);
}
