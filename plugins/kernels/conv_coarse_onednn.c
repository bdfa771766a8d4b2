/* conv_coarse_onednn.c - convolutions in bf16 and int8 run on oneDNN; maps stay f32.
 *
 * In bf16 x is rounded and oneDNN does the rest. In int8 each map of the batch gets the code that its own range asks
 * for, so that what a batch answers for one does not depend on the others and nothing is known beforehand; then come
 * products of bytes, and the sums become y with bias, residual and activation. Where a map has numbers below zero the
 * code of zero is no 0, and it is written with its padding around it; elsewhere oneDNN passes over the padding. Of a
 * map that a pointwise convolution strides over only the places that it meets are read. Rows of places are spread over
 * the model's threads. */
#include "conv_onednn.h"

#include "plugin_call.h"

#include <math.h>
#include <string.h>

#define MIN_SPREAD 1e-30f /* of a map that is not all zeros; its reciprocal is finite */

struct coarse_job {
    const struct conv *conv;
    const float *x;
    float *y;
    struct map_shape whole;    /* x */
    struct map_shape from;     /* the places of x that are read, every step-th */
    struct map_shape bordered; /* from, with the padding around it */
    struct map_shape to;
    size_t step[CONV_AXES];
    size_t border[CONV_AXES]; /* places, of the bytes */
    void *bytes; /* x as the product wants it: (from) with its border, uint8_t or uint16_t */
    /* int8: */
    int32_t *products;        /* (to); where y is, unless that is added */
    struct map_range *ranges; /* (batch, height of from) */
    struct map_code *codes;   /* (batch) */
    float *scales, *bias;     /* (batch, out): y = products scales + bias */
};

static void layout(struct coarse_job *job, struct scratch *scratch)
{
    const struct conv_geometry *g = &job->conv->geometry;
    const size_t batch = (size_t)job->from.batch, columns = batch * (size_t)g->out;
    const bool is_int8 = g->dtype == COMPUTE_INT8;
    job->bytes = scratch_take(scratch, map_size(job->bordered), is_int8 ? 1 : sizeof(uint16_t));
    if (!is_int8)
        return;
    job->products = (int32_t *)(void *)job->y;
    if (g->accumulate)
        job->products = scratch_take(scratch, map_size(job->to), sizeof(int32_t));
    job->ranges = scratch_take(scratch, batch * (size_t)job->from.height, sizeof *job->ranges);
    job->codes = scratch_take(scratch, batch, sizeof *job->codes);
    job->scales = scratch_take(scratch, columns, sizeof *job->scales);
    job->bias = scratch_take(scratch, columns, sizeof *job->bias);
}

/* body for each row of places of all maps. */
static void each_row(struct coarse_job *job, struct map_shape shape,
                     void (*body)(void *argument, size_t row))
{
    const size_t n_rows = (size_t)(shape.batch * shape.height);
    if (map_size(shape) >= MIN_SHARED_NUMBERS)
        kernels_parallel(job->conv->kernels, n_rows, body, job);
    else
        for (size_t row = 0; row < n_rows; row++)
            body(job, row);
}

/* A row of x that is read, in n_pieces of n numbers, each `step` behind the one before. */
struct pieces {
    const float *x;
    size_t n, n_pieces, step;
};

static struct pieces row_pieces(const struct coarse_job *job, size_t item, size_t row)
{
    const size_t channels = (size_t)job->from.channels, width = (size_t)job->from.width;
    const size_t whole_row = item * (size_t)job->whole.height + row * job->step[CONV_Y];
    const float *x = job->x + whole_row * (size_t)job->whole.width * channels;
    return job->step[CONV_X] == 1
               ? (struct pieces){x, width * channels, 1, 0}
               : (struct pieces){x, channels, width, job->step[CONV_X] * channels};
}

static struct pieces index_pieces(const struct coarse_job *job, size_t index)
{
    const size_t height = (size_t)job->from.height;
    return row_pieces(job, index / height, index % height);
}

static void halve_row(void *argument, size_t index)
{
    const struct coarse_job *job = argument;
    const struct pieces pieces = index_pieces(job, index);
    uint16_t *y = (uint16_t *)job->bytes + index * (size_t)(job->from.width * job->from.channels);
    for (size_t i = 0; i < pieces.n_pieces; i++)
        job->conv->kernels->vector->to_bf16(pieces.x + i * pieces.step, pieces.n, y + i * pieces.n);
}

/* The first that is not finite stays. */
static struct map_range widen(struct map_range a, struct map_range b)
{
    return (struct map_range){b.least < a.least ? b.least : a.least,
                              b.largest > a.largest || isnan(b.largest) ? b.largest : a.largest};
}

static void measure_row(void *argument, size_t index)
{
    const struct coarse_job *job = argument;
    const struct pieces pieces = index_pieces(job, index);
    struct map_range range = {0, 0};
    for (size_t i = 0; i < pieces.n_pieces; i++)
        range = widen(range,
                      job->conv->kernels->vector->map_range(pieces.x + i * pieces.step, pieces.n));
    job->ranges[index] = range;
}

/* One map's code, and what its products are finished with. */
static void choose_code(struct coarse_job *job, size_t item)
{
    const struct conv_columns *columns = &job->conv->columns;
    const size_t height = (size_t)job->from.height, out = (size_t)job->to.channels;
    float scale = 0, *scales = job->scales + item * out;
    struct map_code code = {0, 0};
    struct map_range range = {0, 0};
    for (size_t i = 0; i < height; i++)
        range = widen(range, job->ranges[item * height + i]);
    /* Of the 255 steps one is left for rounding where zero lies between. */
    const float step =
        range.least < 0 ? range.largest / 254.0f - range.least / 254.0f : range.largest / 255.0f;
    if (!(step < MIN_SPREAD)) {
        scale = step;
        code.factor = 1.0f / step;
        code.zero = isfinite(step) ? (int32_t)lrintf(-range.least * code.factor) : 0;
    }
    job->codes[item] = code;
    for (size_t i = 0; i < out; i++) {
        scales[i] = scale * columns->scales[i];
        job->bias[item * out + i] =
            columns->bias[i] - scales[i] * (float)code.zero * (float)columns->sums[i];
    }
}

/* Whether all codes have 0 for zero: then no border needs to be written. */
static bool are_above_zero(const struct coarse_job *job)
{
    for (size_t item = 0; item < (size_t)job->from.batch; item++)
        if (job->codes[item].zero != 0)
            return false;
    return true;
}

/* A row of the bytes. */
static void code_row(void *argument, size_t index)
{
    const struct coarse_job *job = argument;
    const size_t channels = (size_t)job->from.channels, height = (size_t)job->from.height;
    const size_t n = (size_t)job->from.width * channels, before = job->border[CONV_X] * channels;
    const size_t all_rows = height + 2 * job->border[CONV_Y], item = index / all_rows;
    const size_t row = index % all_rows - job->border[CONV_Y]; /* beyond height above, too */
    const struct map_code code = job->codes[item];
    uint8_t *bytes = (uint8_t *)job->bytes + index * (n + 2 * before);
    if (row >= height) {
        memset(bytes, code.zero, n + 2 * before);
        return;
    }
    const struct pieces pieces = row_pieces(job, item, row);
    memset(bytes, code.zero, before);
    for (size_t i = 0; i < pieces.n_pieces; i++)
        job->conv->kernels->vector->map_coarse(pieces.x + i * pieces.step, pieces.n, code,
                                               bytes + before + i * pieces.n);
    memset(bytes + before + n, code.zero, before);
}

static void finish_row(void *argument, size_t row)
{
    const struct coarse_job *job = argument;
    const struct conv_geometry *g = &job->conv->geometry;
    const struct vector_kernels *vector = job->conv->kernels->vector;
    const size_t out = (size_t)g->out, width = (size_t)job->to.width;
    const size_t item = row / (size_t)job->to.height, n = width * out;
    float *y = job->y + row * n;
    vector->map_finish(job->products + row * n, width, job->scales + item * out,
                       job->bias + item * out, out, g->accumulate, g->activation == ACTIVATION_RELU,
                       y);
    if (g->activation != ACTIVATION_NONE && g->activation != ACTIVATION_RELU)
        vector->activate(g->activation, y, n);
}

/* The job's memory, and `behind` bytes behind it; what is in it already stays. */
static model_status take_memory(struct conv_plans *plans, struct coarse_job *job, size_t behind,
                                void **ret_behind, struct model_error *err)
{
    struct scratch scratch = {NULL, 0};
    void *memory;
    layout(job, &scratch);
    model_status status = conv_plans_scratch(plans, scratch.used + behind, &memory, err);
    if (status != MODEL_OK)
        return status;
    scratch = (struct scratch){memory, 0};
    layout(job, &scratch);
    *ret_behind = scratch.memory + scratch.used;
    return MODEL_OK;
}

/* Codes, and whether there has to be a border. */
static bool choose_codes(struct coarse_job *job)
{
    const struct conv_geometry *g = &job->conv->geometry;
    each_row(job, job->from, measure_row);
    for (size_t item = 0; item < (size_t)job->from.batch; item++)
        choose_code(job, item);
    if (g->padding[CONV_Y] + g->padding[CONV_X] == 0 || are_above_zero(job))
        return false;
    for (size_t axis = 0; axis < CONV_AXES; axis++)
        job->border[axis] = (size_t)g->padding[axis];
    return true;
}

static struct coarse_job job_of(const struct conv *conv, const float *x, struct map_shape shape,
                                float *y, struct map_shape result)
{
    const struct conv_geometry *g = &conv->geometry;
    struct coarse_job job = {
        .conv = conv, .x = x, .y = y, .whole = shape, .from = shape, .to = result, .step = {1, 1}};
    if (conv_is_pointwise(g)) {
        job.from.height = result.height;
        job.from.width = result.width;
        job.step[CONV_Y] = (size_t)g->stride[CONV_Y];
        job.step[CONV_X] = (size_t)g->stride[CONV_X];
    }
    job.bordered = job.from;
    job.bordered.height += 2 * g->padding[CONV_Y];
    job.bordered.width += 2 * g->padding[CONV_X];
    return job;
}

model_status conv_coarse_run(struct conv_plans *plans, const struct conv *conv, const float *x,
                             struct map_shape shape, float *y, struct map_shape result,
                             struct model_error *err)
{
    const bool is_int8 = conv->geometry.dtype == COMPUTE_INT8;
    struct coarse_job job = job_of(conv, x, shape, y, result);
    struct conv_plan *plan;
    void *scratch = NULL;
    model_status status = take_memory(plans, &job, 0, &scratch, err);
    if (status != MODEL_OK)
        return status;
    const bool has_border = is_int8 && choose_codes(&job);
    struct map_shape planned = has_border ? job.bordered : job.from;
    if (conv_is_pointwise(&conv->geometry)) {
        planned.width *= planned.batch * planned.height;
        planned.batch = planned.height = 1;
    }
    status = conv_plan_find(plans, conv, planned, has_border, &plan, err);
    if (status == MODEL_OK)
        status = take_memory(plans, &job, conv_plan_scratch_bytes(plan), &scratch, err);
    if (status != MODEL_OK)
        return status;
    if (!is_int8) {
        each_row(&job, job.from, halve_row);
        return conv_plan_execute(plans, plan, job.bytes, y, scratch, err);
    }
    each_row(&job, has_border ? job.bordered : job.from, code_row);
    status = conv_plan_execute(plans, plan, job.bytes, job.products, scratch, err);
    if (status == MODEL_OK)
        each_row(&job, job.to, finish_row);
    return status;
}
