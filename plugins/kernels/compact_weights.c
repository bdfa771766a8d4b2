/* compact_weights.c - see compact_weights.h. */
#include "compact_weights.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MIN_OUT_FEATURES 64
#define F16_NAN          0x7E00u

bool compact_weights_suit(const struct kernels *kernels, const struct linear_source *source)
{
    return kernels->dtype != COMPUTE_F32 && source->out_features >= MIN_OUT_FEATURES &&
           source->in_features <= COMPACT_MAX_IN_FEATURES;
}

static size_t panel_bytes(enum compute_dtype dtype, size_t in_features)
{
    switch (dtype) {
    case COMPUTE_BF16:
        return filled_up(in_features, 2) * COMPACT_COLUMNS * sizeof(uint16_t);
    case COMPUTE_INT8:
        return filled_up(in_features, 4) * COMPACT_COLUMNS;
    default:
        return filled_up(in_features, INT4_GROUP) / INT4_GROUP * INT4_GROUP_BYTES;
    }
}

struct pack_job {
    const struct kernels *kernels;
    const struct linear_source *source;
    size_t panel_bytes, n_panels;
    char *destination; /* panels, then of int8 the scales (n_panels, COMPACT_COLUMNS) */
    float *scales;
    _Atomic model_status status; /* of all threads */
};

/* (COMPACT_COLUMNS, in_features) of the panel's output features, zeros behind the last one. */
static void read_rows(const struct linear_source *source, size_t first, float *rows)
{
    const size_t in = source->in_features, out = source->out_features;
    const size_t n = out - first < COMPACT_COLUMNS ? out - first : COMPACT_COLUMNS;
    memset(rows + n * in, 0, (COMPACT_COLUMNS - n) * in * sizeof *rows);
    if (!source->transposed) {
        linear_source_read(source, first, n, rows);
        return;
    }
    float some[COMPACT_COLUMNS];
    for (size_t k = 0; k < in; k++) {
        weight_read_f32(&source->parts[0], k * out + first, n, some);
        for (size_t column = 0; column < n; column++)
            rows[column * in + k] = some[column];
    }
}

/* `space` has in_features numbers of 16 bits; their number is filled up with zeros. */
static void pack_bf16(const struct pack_job *job, const float *row, size_t column, void *space,
                      char *panel)
{
    const size_t in = job->source->in_features;
    uint16_t *halves = space;
    job->kernels->vector->to_bf16(row, in, halves);
    halves[in] = 0;
    for (size_t k = 0; k < in; k += 2)
        memcpy(panel + k * 2 * COMPACT_COLUMNS + 4 * column, halves + k, 4);
}

/* The nearest integer in [least, most]; 0 for what is no number. */
static int32_t rounded(float x, int32_t least, int32_t most)
{
    if (!(x >= (float)least))
        return x < 0 ? least : 0;
    return x > (float)most ? most : (int32_t)lrintf(x);
}

/* `space` has in_features bytes; their number is filled up with zeros. Of weights that are not finite the scale is
 * NaN, and so is what they answer. */
static void pack_int8(const struct pack_job *job, const float *row, size_t column, void *space,
                      char *panel, float *scale)
{
    const size_t in = job->source->in_features;
    int8_t *bytes = space;
    int32_t sum;
    *scale = job->kernels->vector->coarse_row(row, in, bytes, &sum);
    memset(bytes + in, 0, 3);
    for (size_t k = 0; k < in; k += 4)
        memcpy(panel + k * COMPACT_COLUMNS + 4 * column, bytes + k, 4);
}

/* The nearest f16 of a number from 0 on, at most the largest one. Adding 1/2 leaves a subnormal one's steps. */
static uint16_t to_f16(float x)
{
    const bool is_small = x < 0x1p-14f;
    uint32_t bits;
    x = is_small ? x + 0.5f : x > 65504.0f ? 65504.0f : x;
    memcpy(&bits, &x, sizeof bits);
    if (is_small)
        return (uint16_t)(bits - 0x3F000000u);
    bits += 0x0FFFu + ((bits >> 13) & 1u);
    return (uint16_t)((bits >> 13) - (112u << 10));
}

/* Finite, from 0 on; the product moves the exponent's bias. */
static float from_f16(uint16_t x)
{
    const uint32_t bits = (uint32_t)x << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value * 0x1p112f;
}

/* The number that is furthest from zero, of either sign; NaN where one is not finite. */
static float extreme_of(const float *row, size_t n)
{
    float extreme = 0, nothing = 0;
    for (size_t k = 0; k < n; k++) {
        extreme = fabsf(row[k]) > fabsf(extreme) ? row[k] : extreme;
        nothing += 0.0f * row[k];
    }
    return nothing == 0 ? extreme : NAN;
}

/* The extreme gets -8, so that all sixteen are used: scales may be negative. Of weights that are not finite the scale
 * is NaN, as in pack_int8(). */
static void pack_int4_group(const float *row, size_t n, size_t column, char *group)
{
    const float extreme = extreme_of(row, n);
    uint16_t half = isnan(extreme) ? F16_NAN : to_f16(fabsf(extreme) / 8.0f);
    const float size = isnan(extreme) ? NAN : from_f16(half), scale = extreme > 0 ? -size : size;
    half |= extreme > 0 ? 0x8000u : 0;
    memcpy(group + 2 * column, &half, sizeof half);
    for (size_t k = 0; k < INT4_GROUP; k++) {
        const uint32_t q = (uint32_t)(rounded(k < n ? row[k] / scale : 0, -8, 7) + 8);
        char *byte =
            group + INT4_SCALES_BYTES + k % 16 / 4 * 4 * COMPACT_COLUMNS + 4 * column + k % 4;
        *byte = (char)(k < 16 ? q : ((uint32_t)(uint8_t)*byte | q << 4));
    }
}

static void pack_int4(const struct pack_job *job, const float *row, size_t column, char *panel)
{
    const size_t in = job->source->in_features;
    for (size_t k = 0; k < in; k += INT4_GROUP, panel += INT4_GROUP_BYTES)
        pack_int4_group(row + k, in - k < INT4_GROUP ? in - k : INT4_GROUP, column, panel);
}

static void pack_panel(void *argument, size_t index)
{
    struct pack_job *job = argument;
    const struct model_services *services = job->kernels->services;
    const size_t in = job->source->in_features, first = index * COMPACT_COLUMNS;
    char *panel = job->destination + index * job->panel_bytes;
    /* The panel's rows, and one that is rounded. */
    float *rows =
        services->allocate(services->context, (COMPACT_COLUMNS + 1) * (in + 4) * sizeof *rows);
    if (rows == NULL) {
        job->status = MODEL_OUT_OF_MEMORY;
        return;
    }
    read_rows(job->source, first, rows);
    memset(panel, 0, job->panel_bytes);
    for (size_t column = 0; column < COMPACT_COLUMNS; column++) {
        const float *row = rows + column * in;
        void *space = rows + COMPACT_COLUMNS * in;
        if (job->kernels->dtype == COMPUTE_BF16)
            pack_bf16(job, row, column, space, panel);
        else if (job->kernels->dtype == COMPUTE_INT8)
            pack_int8(job, row, column, space, panel, &job->scales[first + column]);
        else
            pack_int4(job, row, column, panel);
    }
    services->release(services->context, rows);
}

static model_status pack(void *argument, void *destination)
{
    struct pack_job *job = argument;
    job->destination = destination;
    job->scales = (float *)(void *)(job->destination + job->n_panels * job->panel_bytes);
    kernels_parallel(job->kernels, job->n_panels, pack_panel, job);
    return job->status;
}

model_status compact_weights_prepare(struct kernels *kernels, const struct linear_source *source,
                                     struct compact_weights *ret, struct model_error *err)
{
    static const char *const layouts[] = {[COMPUTE_BF16] = "panels-bf16-3",
                                          [COMPUTE_INT8] = "panels-int8-3",
                                          [COMPUTE_INT4] = "panels-int4-2"};
    struct pack_job job = {.kernels = kernels,
                           .source = source,
                           .panel_bytes = panel_bytes(kernels->dtype, source->in_features),
                           .n_panels =
                               filled_up(source->out_features, COMPACT_COLUMNS) / COMPACT_COLUMNS,
                           .status = MODEL_OK};
    const size_t n_columns = kernels->dtype == COMPUTE_INT8 ? job.n_panels * COMPACT_COLUMNS : 0;
    const size_t size_bytes = job.n_panels * job.panel_bytes + n_columns * sizeof(float);
    char key[LINEAR_KEY_BYTES];
    const void *packed = NULL;
    model_status status = kernels->services->packed_blob(
        kernels->services->context,
        linear_source_key(kernels, source, layouts[kernels->dtype], key), size_bytes, pack, &job,
        &packed);
    if (status != MODEL_OK)
        return kernels_fail(err, status, "weight '%s' cannot be packed (%zu bytes)",
                            source->parts[0].name, size_bytes);
    kernels->memory_bytes += size_bytes;
    if (source->in_features > kernels->max_in_features)
        kernels->max_in_features = source->in_features;
    const float *scales =
        (const float *)(const void *)((const char *)packed + job.n_panels * job.panel_bytes);
    *ret = (struct compact_weights){.dtype = kernels->dtype,
                                    .panels = packed,
                                    .panel_bytes = job.panel_bytes,
                                    .in_features = source->in_features,
                                    .out_features = source->out_features,
                                    .scales = scales};
    return MODEL_OK;
}
