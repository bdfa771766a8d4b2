/* conv_pack_onednn.c - convolutions made and packed for oneDNN; see conv_onednn.c and conv_coarse_onednn.c for how they
 * run, conv_layout_onednn.c for the layouts. [create-thread]
 *
 * int8 weights are w = scale q, |q| <= 127, with a scale for each output channel; behind them lie the scales and the
 * sums of q, which x's zero is multiplied with. Of a channel with a weight that is not finite the scale is NaN. */
#include "conv_onednn.h"

#include <omp.h>
#include <stdio.h>

#define MIN_INT8_CHANNELS 32    /* of x; with fewer bf16 costs little, and is closer */
#define MAX_INT8_DEPTH    65536 /* 32-bit sums hold so many products of a byte and 127 */

struct pack_job {
    const struct kernels *kernels;
    const struct conv_source *source;
    const dnnl_memory_desc_t *layout;
};

/* plain(taps and channels of the package) in `dtype` -> the layout. */
static model_status reorder(const struct pack_job *job, const void *plain, dnnl_data_type_t dtype,
                            void *destination)
{
    dnnl_dims_t dims, strides;
    dnnl_memory_desc_t package;
    const int rank = conv_weight_dims(&job->source->geometry, dims, strides);
    dnnl_status_t status = dnnl_memory_desc_init_by_strides(&package, rank, dims, dtype, strides);
    if (status == dnnl_success)
        status = linear_reorder(job->kernels->backend->engine, &package, plain, job->layout,
                                destination);
    if (status == dnnl_out_of_memory)
        return MODEL_OUT_OF_MEMORY;
    return status == dnnl_success ? MODEL_OK : MODEL_INTERNAL;
}

/* Where the scales and the sums are behind the weights. */
static size_t columns_at(const dnnl_memory_desc_t *layout)
{
    return filled_up(dnnl_memory_desc_get_size(layout), 64);
}

static model_status pack_int8(const struct pack_job *job, const float *plain, void *destination)
{
    const struct conv_geometry *g = &job->source->geometry;
    const struct model_services *services = job->kernels->services;
    const size_t out = (size_t)g->out, n = conv_source_size(job->source) / out;
    float *scales = (float *)(void *)((char *)destination + columns_at(job->layout));
    int32_t *sums = (int32_t *)(void *)(scales + out);
    int8_t *rounded = services->allocate(services->context, out * n);
    if (rounded == NULL)
        return MODEL_OUT_OF_MEMORY;
    for (size_t i = 0; i < out; i++)
        scales[i] = job->kernels->vector->coarse_row(plain + i * n, n, rounded + i * n, &sums[i]);
    model_status status = reorder(job, rounded, dnnl_s8, destination);
    services->release(services->context, rounded);
    return status;
}

static model_status pack(void *argument, void *destination)
{
    const struct pack_job *job = argument;
    const struct model_services *services = job->kernels->services;
    float *plain =
        services->allocate(services->context, conv_source_size(job->source) * sizeof *plain);
    if (plain == NULL)
        return MODEL_OUT_OF_MEMORY;
    conv_source_read(job->source, plain);
    model_status status = job->source->geometry.dtype == COMPUTE_INT8
                              ? pack_int8(job, plain, destination)
                              : reorder(job, plain, dnnl_f32, destination);
    services->release(services->context, plain);
    return status;
}

static struct conv_geometry product_of(const struct conv_geometry *geometry)
{
    struct conv_geometry product = *geometry;
    if (conv_is_pointwise(geometry))
        product.stride[CONV_Y] = product.stride[CONV_X] = 1;
    return product;
}

/* The dtype that was asked for, or the next wider one that this processor is fast in; f32 is left for the caller. A
 * convolution's time goes into sums, so that int4 would bring nothing that int8 does not. */
static enum compute_dtype choose_dtype(const struct kernels *kernels, struct conv_geometry geometry,
                                       dnnl_memory_desc_t *layout)
{
    const int64_t in = geometry.in, taps = geometry.kernel[CONV_Y] * geometry.kernel[CONV_X];
    const bool is_coarse = in >= MIN_INT8_CHANNELS && in <= MAX_INT8_DEPTH / taps;
    if (geometry.transposed || geometry.groups > 1)
        return COMPUTE_F32;
    geometry.dtype = kernels->dtype;
    if (geometry.dtype > COMPUTE_BF16)
        geometry.dtype = is_coarse ? COMPUTE_INT8 : COMPUTE_BF16;
    for (; geometry.dtype != COMPUTE_F32; geometry.dtype--) {
        const struct conv_geometry product = product_of(&geometry);
        if (conv_fast_layout(kernels->backend->engine, &product, layout))
            break;
    }
    return geometry.dtype;
}

/* The layout is chosen. */
static model_status pack_weights(struct kernels *kernels, const struct conv_source *source,
                                 struct conv *conv, struct model_error *err)
{
    struct pack_job job = {kernels, source, &conv->layout};
    const size_t out = (size_t)conv->geometry.out;
    size_t size_bytes = dnnl_memory_desc_get_size(&conv->layout);
    const size_t columns = columns_at(&conv->layout);
    const bool is_int8 = conv->geometry.dtype == COMPUTE_INT8;
    char name[32], layout[40];
    linear_layout_name(&conv->layout, name, sizeof name);
    (void)snprintf(layout, sizeof layout, "%s%s", name, is_int8 ? "-2" : "");
    if (is_int8)
        size_bytes = columns + out * (sizeof(float) + sizeof(int32_t));
    model_status status =
        conv_source_pack(kernels, source, layout, size_bytes, pack, &job, &conv->weights, err);
    if (status == MODEL_OK && is_int8) {
        const float *scales = (const float *)(const void *)((const char *)conv->weights + columns);
        conv->columns =
            (struct conv_columns){.scales = scales,
                                  .bias = conv->bias,
                                  .sums = (const int32_t *)(const void *)(scales + out)};
    }
    return status;
}

static model_status prepare(struct kernels *kernels, struct conv_source *source, struct conv *conv,
                            struct model_error *err)
{
    source->geometry.dtype = choose_dtype(kernels, source->geometry, &conv->layout);
    conv->geometry = source->geometry;
    conv->product = product_of(&source->geometry);
    if (conv->geometry.dtype != COMPUTE_F32)
        return pack_weights(kernels, source, conv, err);
    if (winograd_suits(&source->geometry))
        return winograd_create(kernels, source, &conv->winograd, err);
    dnnl_status_t found =
        conv_choose_layout(kernels->backend->engine, &source->geometry, &conv->layout);
    if (found == dnnl_success)
        return pack_weights(kernels, source, conv, err);
    return kernels_fail(err, MODEL_UNSUPPORTED,
                        "oneDNN has no convolution for weight '%s' (status %d)",
                        source->weight.name, (int)found);
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
    conv->kernels = kernels;
    conv->bias = source.bias;
    const int threads_before = omp_get_max_threads();
    omp_set_num_threads((int)kernels->threads);
    status = prepare(kernels, &source, conv, err);
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
