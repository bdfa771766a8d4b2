/* conv_coarse_onednn.c - convolutions in bf16 and int8 run on oneDNN; maps stay f32.
 *
 * In bf16 x is rounded and oneDNN does the rest. In int8 each map of the batch gets the code that its own range asks
 * for, so that what a batch answers for one does not depend on the others and nothing is known beforehand; it is
 * written with its padding around it, whose byte is the code of zero; then come products of bytes, and the sums become
 * y with bias, residual and activation. Rows of places are spread over the model's threads. */
#include "conv_onednn.h"

#include "plugin_call.h"

#include <math.h>
#include <string.h>

#define MIN_SHARED_NUMBERS 65536  /* fewer are over before another thread has begun */
#define MIN_SPREAD         1e-30f /* of a map that is not all zeros; its reciprocal is finite */

struct coarse_job {
    const struct conv *conv;
    const float *x;
    float *y;
    struct map_shape from, padded, to;
    struct conv_plan *plan;
    void *bytes; /* x as the product wants it: (padded), uint8_t or uint16_t */
    /* int8: */
    int32_t *products;        /* (to); where y is, unless that is added */
    struct map_range *ranges; /* (batch, height of x) */
    struct map_code *codes;   /* (batch) */
    float *scales, *bias;     /* (batch, out): y = products scales + bias */
};

static void layout(struct coarse_job *job, struct scratch *scratch)
{
    const struct conv_geometry *g = &job->conv->geometry;
    const size_t batch = (size_t)job->from.batch, columns = batch * (size_t)g->out;
    const bool is_int8 = g->dtype == COMPUTE_INT8;
    job->bytes = scratch_take(scratch, map_size(job->padded), is_int8 ? 1 : sizeof(uint16_t));
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

static void halve_row(void *argument, size_t row)
{
    const struct coarse_job *job = argument;
    const size_t n = (size_t)(job->from.width * job->from.channels);
    job->conv->kernels->vector->to_bf16(job->x + row * n, n, (uint16_t *)job->bytes + row * n);
}

static void measure_row(void *argument, size_t row)
{
    const struct coarse_job *job = argument;
    const size_t n = (size_t)(job->from.width * job->from.channels);
    job->ranges[row] = job->conv->kernels->vector->map_range(job->x + row * n, n);
}

/* One map's code, and what its products are finished with. */
static void choose_code(struct coarse_job *job, size_t item)
{
    const struct int8_columns *columns = &job->conv->columns;
    const size_t height = (size_t)job->from.height, out = (size_t)job->to.channels;
    float least = 0, largest = 0, scale = 0, *scales = job->scales + item * out;
    struct map_code code = {0, 0};
    for (size_t i = 0; i < height; i++) {
        const struct map_range range = job->ranges[item * height + i];
        least = range.least < least ? range.least : least;
        largest = range.largest > largest || isnan(range.largest) ? range.largest : largest;
    }
    /* Of the 255 steps one is left for rounding where zero lies between. */
    const float step = least < 0 ? largest / 254.0f - least / 254.0f : largest / 255.0f;
    if (!(step < MIN_SPREAD)) {
        scale = step;
        code.factor = 1.0f / step;
        code.zero = isfinite(step) ? (int32_t)lrintf(-least * code.factor) : 0;
    }
    job->codes[item] = code;
    for (size_t i = 0; i < out; i++) {
        scales[i] = scale * columns->scales[i];
        job->bias[item * out + i] =
            columns->bias[i] - scales[i] * (float)code.zero * (float)columns->sums[i];
    }
}

/* A row of the padded map. */
static void code_row(void *argument, size_t row)
{
    const struct coarse_job *job = argument;
    const struct conv_geometry *g = &job->conv->geometry;
    const size_t height = (size_t)job->padded.height, item = row / height;
    const size_t channels = (size_t)job->from.channels, n = (size_t)job->from.width * channels;
    const size_t n_padded = (size_t)job->padded.width * channels;
    const size_t before = (size_t)g->padding[CONV_X] * channels;
    const int64_t from_row = (int64_t)(row % height) - g->padding[CONV_Y];
    const struct map_code code = job->codes[item];
    uint8_t *bytes = (uint8_t *)job->bytes + row * n_padded;
    if (from_row < 0 || from_row >= job->from.height) {
        memset(bytes, code.zero, n_padded);
        return;
    }
    memset(bytes, code.zero, before);
    job->conv->kernels->vector->map_coarse(
        job->x + (item * (size_t)job->from.height + (size_t)from_row) * n, n, code, bytes + before);
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

static model_status run_int8(struct conv_plans *plans, struct coarse_job *job,
                             struct model_error *err)
{
    each_row(job, job->from, measure_row);
    for (size_t item = 0; item < (size_t)job->from.batch; item++)
        choose_code(job, item);
    each_row(job, job->padded, code_row);
    model_status status = conv_plan_execute(plans, job->plan, job->bytes, job->products, err);
    if (status == MODEL_OK)
        each_row(job, job->to, finish_row);
    return status;
}

model_status conv_coarse_run(struct conv_plans *plans, const struct conv *conv, const float *x,
                             struct map_shape shape, float *y, struct map_shape result,
                             struct model_error *err)
{
    const struct conv_geometry *g = &conv->geometry;
    struct coarse_job job = {
        .conv = conv, .x = x, .y = y, .from = shape, .padded = shape, .to = result};
    struct scratch scratch = {NULL, 0};
    void *memory;
    if (g->dtype == COMPUTE_INT8) {
        job.padded.height += 2 * g->padding[CONV_Y];
        job.padded.width += 2 * g->padding[CONV_X];
    }
    layout(&job, &scratch);
    model_status status =
        conv_plan_begin(plans, conv, job.padded, scratch.used, &job.plan, &memory, err);
    if (status != MODEL_OK)
        return status;
    scratch = (struct scratch){memory, 0};
    layout(&job, &scratch);
    if (g->dtype == COMPUTE_INT8)
        return run_int8(plans, &job, err);
    each_row(&job, job.from, halve_row);
    return conv_plan_execute(plans, job.plan, job.bytes, y, err);
}
