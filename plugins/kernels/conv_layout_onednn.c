/* conv_layout_onednn.c - convolutions as oneDNN describes them, and layouts of their weights.
 *
 * Left to itself oneDNN asks for another layout of the weights for each size of the map, and the size
 * is not known here. In f32 some layouts are as fast at every size: the first that is not slow for all
 * sample sizes is taken. In bf16 and int8 it is the one that is fast at most of them; the other sizes
 * are left to the plans of conv_onednn.c. [create-thread] */
#include "conv_onednn.h"

#include <string.h>

/* In order of preference; a dtype has those of convolutions and those of groups. f32: processors with AVX-512, with
 * AVX2; dense, then few channels, then transposed. Of groups depthwise ones come first: dense blocks take them, too, and
 * multiply by 255 zeros for each weight. */
static const dnnl_format_tag_t f32_layouts[] = {dnnl_ABcd16b16a, dnnl_Acdb16a,  dnnl_BAcd16a16b,
                                                dnnl_BAcd16b16a, dnnl_ABcd8b8a, dnnl_Acdb8a};
static const dnnl_format_tag_t f32_group_layouts[] = {
    dnnl_Abcde16a,    dnnl_Abcde8a,     dnnl_aBCde16c16b, dnnl_aBdec16b,
    dnnl_aCBde16b16c, dnnl_aCBde16c16b, dnnl_aBCde8c8b,   dnnl_aBdec8b};
static const dnnl_format_tag_t bf16_layouts[] = {dnnl_AcdB32a2b, dnnl_AcdB64a2b, dnnl_AcdB48a2b,
                                                 dnnl_AcdB16a2b};
static const dnnl_format_tag_t int8_layouts[] = {dnnl_AcdB64a4b, dnnl_AcdB48a4b, dnnl_AcdB32a4b,
                                                 dnnl_AcdB16a4b};

#define TABLE(tags) tags, sizeof tags / sizeof tags[0]

static const struct {
    dnnl_data_type_t x, weights, y;
    const char *
        native; /* in the names of implementations that have instructions for it; NULL: all but slow ones */
    const dnnl_format_tag_t *tags;
    size_t n_tags;
    const dnnl_format_tag_t *group_tags;
    size_t n_group_tags;
} dtypes[] = {
    [COMPUTE_F32] = {dnnl_f32, dnnl_f32, dnnl_f32, NULL, TABLE(f32_layouts),
                     TABLE(f32_group_layouts)},
    [COMPUTE_BF16] = {dnnl_bf16, dnnl_bf16, dnnl_f32, "core_bf16", TABLE(bf16_layouts), NULL, 0},
    [COMPUTE_INT8] = {dnnl_u8, dnnl_s8, dnnl_s32, "vnni", TABLE(int8_layouts), NULL, 0},
};

static const int64_t sample_extents[] = {13, 28, 56}; /* of the result */
static const int64_t coarse_extents[] = {14, 7, 28, 56};

#define N_SAMPLES        (sizeof sample_extents / sizeof sample_extents[0])
#define N_COARSE_SAMPLES (sizeof coarse_extents / sizeof coarse_extents[0])

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
    const bool is_finished = g->dtype != COMPUTE_INT8;
    dnnl_memory_desc_t x_desc, bias, y_desc;
    dnnl_convolution_desc_t desc; /* a deconvolution's is the same struct */
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status =
        dnnl_memory_desc_init_by_tag(&x_desc, 4, from, dtypes[g->dtype].x, dnnl_nhwc);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_tag(&y_desc, 4, to, dtypes[g->dtype].y, dnnl_nhwc);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_tag(&bias, 1, out, dnnl_f32, dnnl_a);
    if (status == dnnl_success && g->transposed)
        status = dnnl_dilated_deconvolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_deconvolution_direct, &x_desc, weights, &bias,
            &y_desc, stride, dilation, before, behind);
    else if (status == dnnl_success)
        status = dnnl_dilated_convolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_convolution_direct, &x_desc, weights,
            is_finished ? &bias : NULL, &y_desc, stride, dilation, before, behind);
    if (status == dnnl_success)
        status = is_finished ? linear_attributes(g->activation, g->accumulate, &attributes)
                             : linear_attributes(ACTIVATION_NONE, false, &attributes);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_desc_create(ret, &desc, attributes, engine, NULL);
    (void)dnnl_primitive_attr_destroy(attributes);
    return status;
}

int conv_weight_dims(const struct conv_geometry *g, dnnl_dims_t dims, dnnl_dims_t strides)
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
    const int rank = conv_weight_dims(geometry, dims, strides);
    return dnnl_memory_desc_init_by_tag(ret, rank, dims, dtypes[geometry->dtype].weights,
                                        dnnl_format_tag_any);
}

static const char *implementation(dnnl_primitive_desc_t description)
{
    const char *name = "ref";
    (void)dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, (void *)&name);
    return name;
}

bool conv_is_slow(dnnl_primitive_desc_t description)
{
    const char *name = implementation(description);
    return strstr(name, "ref") != NULL || strstr(name, "gemm") != NULL;
}

/* Fast, and not by other instructions: sums of bytes in 16 bits are not exact. */
static bool is_native(dnnl_primitive_desc_t description, enum compute_dtype dtype)
{
    const char *name = implementation(description), *native = dtypes[dtype].native;
    return !conv_is_slow(description) &&
           (native == NULL || strstr(name, native) != NULL || strstr(name, "amx") != NULL);
}

static struct map_shape sample_shape(const struct conv_geometry *g, size_t sample)
{
    int64_t extents[CONV_AXES];
    for (size_t a = 0; a < CONV_AXES; a++)
        extents[a] = g->dtype == COMPUTE_F32
                         ? sample_extents[sample] + g->dilation[a] * (g->kernel[a] - 1)
                         : coarse_extents[sample] * g->stride[a];
    if (g->kernel[CONV_Y] == 1 && g->kernel[CONV_X] > 1)
        extents[CONV_Y] = 1;
    if (conv_is_pointwise(g)) {
        extents[CONV_X] *= extents[CONV_Y];
        extents[CONV_Y] = 1;
    }
    return (struct map_shape){1, extents[CONV_Y], extents[CONV_X], g->in};
}

/* At how many sample sizes a layout is fast. */
static size_t count_fast(dnnl_engine_t engine, const struct conv_geometry *g,
                         const dnnl_memory_desc_t *layout)
{
    const size_t n_samples = g->dtype == COMPUTE_F32 ? N_SAMPLES : N_COARSE_SAMPLES;
    size_t n = 0;
    for (size_t i = 0; i < n_samples; i++) {
        dnnl_primitive_desc_t description = NULL;
        if (conv_describe(engine, g, layout, sample_shape(g, i), &description) == dnnl_success &&
            is_native(description, g->dtype))
            n++;
        (void)dnnl_primitive_desc_destroy(description);
    }
    return n;
}

bool conv_fast_layout(dnnl_engine_t engine, const struct conv_geometry *g, dnnl_memory_desc_t *ret)
{
    dnnl_dims_t dims, strides;
    const int rank = conv_weight_dims(g, dims, strides);
    const bool has_groups = rank == 5;
    const dnnl_format_tag_t *tags =
        has_groups ? dtypes[g->dtype].group_tags : dtypes[g->dtype].tags;
    const size_t n_tags = has_groups ? dtypes[g->dtype].n_group_tags : dtypes[g->dtype].n_tags;
    size_t most = g->dtype == COMPUTE_F32 ? N_SAMPLES - 1 : 0;
    bool found = false;
    for (size_t i = 0; i < n_tags; i++) {
        dnnl_memory_desc_t layout;
        if (dnnl_memory_desc_init_by_tag(&layout, rank, dims, dtypes[g->dtype].weights, tags[i]) !=
            dnnl_success)
            continue;
        const size_t n = count_fast(engine, g, &layout);
        if (n <= most)
            continue;
        *ret = layout;
        found = true;
        most = n;
    }
    return found;
}

dnnl_status_t conv_choose_layout(dnnl_engine_t engine, const struct conv_geometry *g,
                                 dnnl_memory_desc_t *ret)
{
    dnnl_memory_desc_t open;
    dnnl_primitive_desc_t description = NULL;
    if (conv_fast_layout(engine, g, ret))
        return dnnl_success;
    dnnl_status_t status = conv_open_layout(g, &open);
    if (status == dnnl_success)
        status = conv_describe(engine, g, &open, sample_shape(g, 1), &description);
    if (status == dnnl_success)
        *ret = *dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    (void)dnnl_primitive_desc_destroy(description);
    return status;
}
