/* conv_pack_onednn.c - convolutions made and packed for oneDNN; see conv_onednn.c for how they run.
 *
 * Left to itself oneDNN asks for another layout of the weights for each size of the map, and the size
 * is not known here. But some layouts are as fast at every size: the first of `layouts` that is not
 * slow for all sample sizes is taken. [create-thread] */
#include "conv_onednn.h"

#include <omp.h>
#include <string.h>

/* In order of preference: processors with AVX-512, with AVX2; dense, then few channels, then
 * depthwise, then transposed. */
static const dnnl_format_tag_t layouts[] = {dnnl_ABcd16b16a, dnnl_Acdb16a,  dnnl_BAcd16a16b,
                                            dnnl_BAcd16b16a, dnnl_ABcd8b8a, dnnl_Acdb8a};
static const dnnl_format_tag_t group_layouts[] = {
    dnnl_aBCde16c16b, dnnl_Abcde16a,  dnnl_aBdec16b, dnnl_aCBde16b16c,
    dnnl_aCBde16c16b, dnnl_aBCde8c8b, dnnl_Abcde8a,  dnnl_aBdec8b};

static const int64_t sample_extents[] = {13, 28, 56};

#define N_SAMPLES (sizeof sample_extents / sizeof sample_extents[0])

/* What oneDNN calls padding behind: it may be negative, where the kernel does not reach the end. */
static int64_t padding_behind(const struct conv_geometry *g, size_t axis, int64_t x, int64_t y)
{
    const int64_t span = g->dilation[axis] * (g->kernel[axis] - 1) + 1;
    return (g->transposed ? (x - 1) * g->stride[axis] + span - y
                          : (y - 1) * g->stride[axis] + span - x) -
           g->padding[axis];
}

dnnl_status_t conv_describe(dnnl_engine_t engine, const struct conv_geometry *g,
                            const dnnl_memory_desc_t *weights, struct map_shape x,
                            dnnl_primitive_desc_t *ret)
{
    struct map_shape y;
    if (!conv_geometry_shape(g, x, &y))
        return dnnl_invalid_arguments;
    dnnl_dims_t from = {x.batch, x.channels, x.height, x.width};
    dnnl_dims_t to = {y.batch, y.channels, y.height, y.width}, out = {g->out};
    dnnl_dims_t stride = {g->stride[0], g->stride[1]}, before = {g->padding[0], g->padding[1]};
    dnnl_dims_t dilation = {g->dilation[0] - 1, g->dilation[1] - 1};
    dnnl_dims_t behind = {padding_behind(g, CONV_Y, x.height, y.height),
                          padding_behind(g, CONV_X, x.width, y.width)};
    dnnl_memory_desc_t x_desc, bias, y_desc;
    dnnl_convolution_desc_t desc; /* a deconvolution's is the same struct */
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&x_desc, 4, from, dnnl_f32, dnnl_nhwc);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_tag(&y_desc, 4, to, dnnl_f32, dnnl_nhwc);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_tag(&bias, 1, out, dnnl_f32, dnnl_a);
    if (status == dnnl_success && g->transposed)
        status = dnnl_dilated_deconvolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_deconvolution_direct, &x_desc, weights, &bias,
            &y_desc, stride, dilation, before, behind);
    else if (status == dnnl_success)
        status = dnnl_dilated_convolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_convolution_direct, &x_desc, weights, &bias,
            &y_desc, stride, dilation, before, behind);
    if (status == dnnl_success)
        status = linear_attributes(g->activation, g->accumulate, &attributes);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_desc_create(ret, &desc, attributes, engine, NULL);
    (void)dnnl_primitive_attr_destroy(attributes);
    return status;
}

/* Dimensions in oneDNN's order, and the strides that they have in the package. */
static int weight_dims(const struct conv_geometry *g, dnnl_dims_t dims, dnnl_dims_t strides)
{
    const int64_t out = g->out / g->groups, in = g->in / g->groups;
    const int64_t ky = g->kernel[CONV_Y], kx = g->kernel[CONV_X], taps = ky * kx;
    const int64_t all[] = {g->groups, out, in, ky, kx};
    const int64_t steps[] = {out * in * taps, g->transposed ? taps : in * taps,
                             g->transposed ? out * taps : taps, kx, 1};
    const int first = g->groups > 1 ? 0 : 1;
    for (int i = first; i < 5; i++) {
        dims[i - first] = all[i];
        strides[i - first] = steps[i];
    }
    return 5 - first;
}

dnnl_status_t conv_open_layout(const struct conv_geometry *geometry, dnnl_memory_desc_t *ret)
{
    dnnl_dims_t dims, strides;
    const int rank = weight_dims(geometry, dims, strides);
    return dnnl_memory_desc_init_by_tag(ret, rank, dims, dnnl_f32, dnnl_format_tag_any);
}

bool conv_is_slow(dnnl_primitive_desc_t description)
{
    const char *name = "ref";
    (void)dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, (void *)&name);
    return strstr(name, "ref") != NULL || strstr(name, "gemm") != NULL;
}

static struct map_shape sample_shape(const struct conv_geometry *g, size_t sample)
{
    int64_t extents[CONV_AXES];
    for (size_t a = 0; a < CONV_AXES; a++)
        extents[a] = sample_extents[sample] + g->dilation[a] * (g->kernel[a] - 1);
    if (g->kernel[CONV_Y] == 1 && g->kernel[CONV_X] > 1)
        extents[CONV_Y] = 1;
    return (struct map_shape){1, extents[CONV_Y], extents[CONV_X], g->in};
}

/* Whether a layout is fast at every sample size. */
static bool is_fast(dnnl_engine_t engine, const struct conv_geometry *g,
                    const dnnl_memory_desc_t *layout)
{
    bool fast = true;
    for (size_t i = 0; i < N_SAMPLES && fast; i++) {
        dnnl_primitive_desc_t description = NULL;
        fast = conv_describe(engine, g, layout, sample_shape(g, i), &description) == dnnl_success &&
               !conv_is_slow(description);
        (void)dnnl_primitive_desc_destroy(description);
    }
    return fast;
}

static dnnl_status_t choose_layout(dnnl_engine_t engine, const struct conv_geometry *g,
                                   dnnl_memory_desc_t *ret)
{
    dnnl_dims_t dims, strides;
    const int rank = weight_dims(g, dims, strides);
    const dnnl_format_tag_t *tags = rank == 5 ? group_layouts : layouts;
    const size_t n_tags = rank == 5 ? sizeof group_layouts / sizeof group_layouts[0]
                                    : sizeof layouts / sizeof layouts[0];
    for (size_t i = 0; i < n_tags; i++)
        if (dnnl_memory_desc_init_by_tag(ret, rank, dims, dnnl_f32, tags[i]) == dnnl_success &&
            is_fast(engine, g, ret))
            return dnnl_success;
    dnnl_memory_desc_t open;
    dnnl_primitive_desc_t description = NULL;
    dnnl_status_t status = conv_open_layout(g, &open);
    if (status == dnnl_success)
        status = conv_describe(engine, g, &open, sample_shape(g, 1), &description);
    if (status == dnnl_success)
        *ret = *dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    (void)dnnl_primitive_desc_destroy(description);
    return status;
}

struct pack_job {
    const struct kernels *kernels;
    const struct conv_source *source;
    const dnnl_memory_desc_t *layout;
};

static model_status pack(void *argument, void *destination)
{
    const struct pack_job *job = argument;
    const struct conv_geometry *g = &job->source->geometry;
    const struct model_services *services = job->kernels->services;
    float *plain =
        services->allocate(services->context, conv_source_size(job->source) * sizeof *plain);
    if (plain == NULL)
        return MODEL_OUT_OF_MEMORY;
    conv_source_read(job->source, plain);
    dnnl_dims_t dims, strides;
    dnnl_memory_desc_t package;
    const int rank = weight_dims(g, dims, strides);
    dnnl_status_t status =
        dnnl_memory_desc_init_by_strides(&package, rank, dims, dnnl_f32, strides);
    if (status == dnnl_success)
        status = linear_reorder(job->kernels->backend->engine, &package, plain, job->layout,
                                destination);
    services->release(services->context, plain);
    if (status == dnnl_out_of_memory)
        return MODEL_OUT_OF_MEMORY;
    return status == dnnl_success ? MODEL_OK : MODEL_INTERNAL;
}

model_status conv_create(struct kernels *kernels, const struct conv_spec *spec,
                         const struct conv **ret, struct model_error *err)
{
    struct conv_source source;
    model_status status = conv_source_find(kernels, spec, &source, err);
    if (status != MODEL_OK)
        return status;
    struct conv *conv = kernels_allocate(kernels, sizeof *conv);
    if (conv == NULL)
        return kernels_no_memory(err, "a convolution");
    conv->geometry = source.geometry;
    conv->kernels = kernels;
    conv->bias = source.bias;
    if (winograd_suits(&source.geometry)) {
        status = winograd_create(kernels, &source, &conv->winograd, err);
        if (status == MODEL_OK)
            *ret = conv;
        return status;
    }
    const int threads_before = omp_get_max_threads();
    omp_set_num_threads((int)kernels->threads);
    dnnl_status_t found = choose_layout(kernels->backend->engine, &source.geometry, &conv->layout);
    if (found == dnnl_success) {
        struct pack_job job = {kernels, &source, &conv->layout};
        char layout[32];
        linear_layout_name(&conv->layout, layout, sizeof layout);
        status =
            conv_source_pack(kernels, &source, layout, dnnl_memory_desc_get_size(&conv->layout),
                             pack, &job, &conv->weights, err);
    } else {
        status = kernels_fail(err, MODEL_UNSUPPORTED,
                              "oneDNN has no convolution for weight '%s' (status %d)", spec->weight,
                              (int)found);
    }
    omp_set_num_threads(threads_before);
    if (status == MODEL_OK)
        *ret = conv;
    return status;
}

int64_t conv_in_channels(const struct conv *conv)
{
    return conv->geometry.in;
}

int64_t conv_out_channels(const struct conv *conv)
{
    return conv->geometry.out;
}

bool conv_shape(const struct conv *conv, struct map_shape x, struct map_shape *ret)
{
    return conv_geometry_shape(&conv->geometry, x, ret);
}
