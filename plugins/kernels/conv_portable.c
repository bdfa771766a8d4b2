/* conv_portable.c - conv.h in plain C, on vector_kernels.h alone (KERNELS=portable).
 *
 * The patch of x under the kernel is gathered into a row (taps, in / groups), zeros where the kernel
 * hangs over; blocks of such rows are multiplied with panels of PANEL output channels, packed as in
 * linear_portable.c. A transposed convolution is the same with other places under the taps. A kernel
 * of one place with stride 1 needs no gathering. There are no plans. */
#include "conv_source.h"
#include "conv_winograd.h"

#include <stdatomic.h>
#include <string.h>

#define PANEL        64    /* output channels; a multiple of PRODUCT_COLUMNS */
#define DEPTH_BLOCK  256   /* of a patch: 64 KB of a panel */
#define BLOCK_FLOATS 49152 /* of gathered rows: they stay in the second-level cache */
#define MAX_ROWS     96    /* of a block; a multiple of PRODUCT_ROWS */

struct conv {
    struct conv_geometry geometry;
    const struct kernels *kernels;
    const struct winograd *winograd; /* or NULL, and then: */
    const float *packed;             /* (groups, n_panels, depth, PANEL) */
    const float *bias;               /* (out) */
    size_t depth;                    /* of a patch: taps * in / groups */
    size_t n_panels;                 /* of a group */
    size_t block_rows;
};

struct conv_plans {
    const struct kernels *kernels;
    float *rows; /* (threads, a block) */
    size_t rows_floats;
};

void conv_plans_destroy(struct conv_plans *plans)
{
    if (plans == NULL)
        return;
    const struct model_services *services = plans->kernels->services;
    services->release(services->context, plans->rows);
    services->release(services->context, plans);
}

struct pack_job {
    const struct kernels *kernels;
    const struct conv_source *source;
    const struct conv *conv;
};

/* Where the weight of (group, output channel of it, input channel of it, tap) is in the package. */
static size_t weight_index(const struct conv_geometry *g, size_t group, size_t out, size_t in,
                           size_t tap)
{
    const size_t n_out = (size_t)(g->out / g->groups), n_in = (size_t)(g->in / g->groups);
    const size_t taps = (size_t)(g->kernel[CONV_Y] * g->kernel[CONV_X]);
    const size_t row =
        g->transposed ? (group * n_in + in) * n_out + out : (group * n_out + out) * n_in + in;
    return row * taps + tap;
}

static model_status pack(void *argument, void *destination)
{
    const struct pack_job *job = argument;
    const struct conv_geometry *g = &job->source->geometry;
    const struct model_services *services = job->kernels->services;
    const size_t n_out = (size_t)(g->out / g->groups), n_in = (size_t)(g->in / g->groups);
    float *plain =
        services->allocate(services->context, conv_source_size(job->source) * sizeof *plain);
    float *packed = destination;
    if (plain == NULL)
        return MODEL_OUT_OF_MEMORY;
    conv_source_read(job->source, plain);
    for (size_t group = 0; group < (size_t)g->groups; group++)
        for (size_t panel = 0; panel < job->conv->n_panels; panel++)
            for (size_t k = 0; k < job->conv->depth; k++)
                for (size_t column = 0; column < PANEL; column++) {
                    const size_t out = panel * PANEL + column;
                    *packed++ =
                        out >= n_out ? 0 : plain[weight_index(g, group, out, k % n_in, k / n_in)];
                }
    services->release(services->context, plain);
    return MODEL_OK;
}

model_status conv_create(struct kernels *kernels, const struct conv_spec *spec,
                         const struct conv **ret, struct model_error *err)
{
    struct conv_source source;
    model_status status = kernels_require_f32(kernels, "convolutions in plain C", err);
    if (status == MODEL_OK)
        status = conv_source_find(kernels, spec, &source, err);
    if (status != MODEL_OK)
        return status;
    struct conv *conv = kernels_allocate(kernels, sizeof *conv);
    if (conv == NULL)
        return kernels_no_memory(err, "a convolution");
    const struct conv_geometry *g = &source.geometry;
    conv->geometry = *g;
    conv->kernels = kernels;
    conv->bias = source.bias;
    if (winograd_suits(g)) {
        status = winograd_create(kernels, &source, &conv->winograd, err);
        if (status == MODEL_OK)
            *ret = conv;
        return status;
    }
    conv->depth = (size_t)(g->kernel[CONV_Y] * g->kernel[CONV_X] * (g->in / g->groups));
    conv->n_panels = ((size_t)(g->out / g->groups) + PANEL - 1) / PANEL;
    conv->block_rows = BLOCK_FLOATS / conv->depth / PRODUCT_ROWS * PRODUCT_ROWS;
    if (conv->block_rows < PRODUCT_ROWS)
        conv->block_rows = PRODUCT_ROWS;
    if (conv->block_rows > MAX_ROWS)
        conv->block_rows = MAX_ROWS;
    struct pack_job job = {kernels, &source, conv};
    const void *packed;
    status =
        conv_source_pack(kernels, &source, "panel64",
                         (size_t)g->groups * conv->n_panels * conv->depth * PANEL * sizeof(float),
                         pack, &job, &packed, err);
    conv->packed = packed;
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

struct run_job {
    const struct conv *conv;
    struct conv_plans *plans;
    const float *x;
    float *y;
    struct map_shape from, to;
    size_t n_rows;   /* places of the result, of all items */
    size_t n_blocks; /* of each group */
    size_t n_parts;  /* that the panels of a block are divided into */
    atomic_size_t next;
};

/* The place of x under a tap, or -1: none. */
static int64_t place_under(const struct conv_geometry *g, size_t axis, int64_t y, int64_t tap,
                           int64_t extent)
{
    int64_t place = y * g->stride[axis] - g->padding[axis] + tap * g->dilation[axis];
    if (g->transposed) {
        const int64_t reach = y + g->padding[axis] - tap;
        if (reach < 0 || reach % g->stride[axis] != 0)
            return -1;
        place = reach / g->stride[axis];
    }
    return place < extent ? place : -1;
}

/* The patch for one place of the result. */
static void gather(const struct run_job *job, size_t group, size_t row, float *patch)
{
    const struct conv_geometry *g = &job->conv->geometry;
    const size_t places = (size_t)(job->to.height * job->to.width),
                 n_in = (size_t)(g->in / g->groups);
    const int64_t y = (int64_t)(row % places) / job->to.width;
    const int64_t x = (int64_t)(row % places) % job->to.width;
    const float *item =
        job->x + row / places * (size_t)(job->from.height * job->from.width * g->in);
    for (int64_t i = 0; i < g->kernel[CONV_Y]; i++) {
        const int64_t from_y = place_under(g, CONV_Y, y, i, job->from.height);
        for (int64_t j = 0; j < g->kernel[CONV_X]; j++, patch += n_in) {
            const int64_t from_x = place_under(g, CONV_X, x, j, job->from.width);
            if (from_y < 0 || from_x < 0)
                memset(patch, 0, n_in * sizeof *patch);
            else
                memcpy(patch,
                       item + (size_t)((from_y * job->from.width + from_x) * g->in) + group * n_in,
                       n_in * sizeof *patch);
        }
    }
}

static void store_row(const struct conv_geometry *g, const float *sum, const float *bias,
                      size_t n_columns, bool first_block, float *y)
{
    if (!first_block)
        for (size_t i = 0; i < n_columns; i++)
            y[i] += sum[i];
    else if (g->accumulate)
        for (size_t i = 0; i < n_columns; i++)
            y[i] += bias[i] + sum[i];
    else
        for (size_t i = 0; i < n_columns; i++)
            y[i] = bias[i] + sum[i];
}

/* Rows [first, first + n) of the result for one panel; patches with stride lda. */
static void run_panel(const struct run_job *job, size_t group, size_t panel, const float *patches,
                      size_t lda, size_t first, size_t n)
{
    const struct conv *conv = job->conv;
    const struct conv_geometry *g = &conv->geometry;
    const struct vector_kernels *vector = conv->kernels->vector;
    const size_t n_out = (size_t)(g->out / g->groups), out = (size_t)g->out;
    const size_t column = group * n_out + panel * PANEL;
    const size_t n_columns = n_out - panel * PANEL < PANEL ? n_out - panel * PANEL : PANEL;
    const float *packed = conv->packed + (group * conv->n_panels + panel) * conv->depth * PANEL;
    float tile[PRODUCT_ROWS * PANEL], *y = job->y + first * out + column;
    for (size_t k = 0; k < conv->depth; k += DEPTH_BLOCK) {
        const size_t depth = conv->depth - k < DEPTH_BLOCK ? conv->depth - k : DEPTH_BLOCK;
        for (size_t row = 0; row < n; row += PRODUCT_ROWS) {
            const size_t n_rows = n - row < PRODUCT_ROWS ? n - row : PRODUCT_ROWS;
            vector->product(patches + row * lda + k, lda, n_rows, packed + k * PANEL, PANEL, depth,
                            tile, PANEL, product_columns(n_columns));
            for (size_t r = 0; r < n_rows; r++)
                store_row(g, tile + r * PANEL, conv->bias + column, n_columns, k == 0,
                          y + (row + r) * out);
        }
    }
    if (g->activation != ACTIVATION_NONE)
        for (size_t row = 0; row < n; row++)
            vector->activate(g->activation, y + row * out, n_columns);
}

static bool needs_gathering(const struct conv_geometry *g)
{
    return g->kernel[CONV_Y] * g->kernel[CONV_X] > 1 || g->groups > 1 ||
           g->stride[CONV_Y] * g->stride[CONV_X] > 1 || g->padding[CONV_Y] + g->padding[CONV_X] > 0;
}

/* One part of the panels of one block. */
static void run_block(const struct run_job *job, size_t index, float *rows)
{
    const struct conv *conv = job->conv;
    const size_t part = index % job->n_parts, block = index / job->n_parts % job->n_blocks;
    const size_t group = index / job->n_parts / job->n_blocks, first = block * conv->block_rows;
    const size_t n =
        job->n_rows - first < conv->block_rows ? job->n_rows - first : conv->block_rows;
    const float *patches = job->x + first * (size_t)conv->geometry.in;
    if (needs_gathering(&conv->geometry)) {
        for (size_t row = 0; row < n; row++)
            gather(job, group, first + row, rows + row * conv->depth);
        patches = rows;
    }
    for (size_t panel = part; panel < conv->n_panels; panel += job->n_parts)
        run_panel(job, group, panel, patches, conv->depth, first, n);
}

/* What one thread does: blocks as long as there are any. */
static void run_worker(void *argument, size_t worker)
{
    struct run_job *job = argument;
    const size_t n = job->n_blocks * job->n_parts * (size_t)job->conv->geometry.groups;
    float *rows = job->plans->rows + worker * job->conv->block_rows * job->conv->depth;
    size_t index;
    while ((index = atomic_fetch_add(&job->next, 1)) < n)
        run_block(job, index, rows);
}

/* Room for a block of patches per thread, or what else is gathered. */
static model_status grow_rows(struct linear_progress *progress, const struct conv *conv,
                              size_t floats)
{
    const struct model_services *services = conv->kernels->services;
    struct conv_plans *plans = progress->conv;
    if (plans == NULL) {
        plans = services->allocate(services->context, sizeof *plans);
        if (plans == NULL)
            return kernels_no_memory(progress->err, "an instance's convolutions");
        *plans = (struct conv_plans){.kernels = conv->kernels};
        progress->conv = plans;
    }
    if (floats <= plans->rows_floats)
        return MODEL_OK;
    float *rows = services->allocate(services->context, floats * sizeof *rows);
    if (rows == NULL)
        return kernels_no_memory(progress->err, "a convolution");
    services->release(services->context, plans->rows);
    plans->rows = rows;
    plans->rows_floats = floats;
    return MODEL_OK;
}

void conv_run(struct linear_runner *runner, const struct conv *conv, const float *x,
              struct map_shape shape, float *y)
{
    struct linear_progress *progress = (struct linear_progress *)runner;
    struct run_job job = {.conv = conv, .x = x, .y = y, .from = shape, .n_parts = 1};
    if (!conv_begin(runner, &conv->geometry, shape, &job.to))
        return;
    const size_t threads = conv->kernels->threads;
    size_t floats = 0;
    if (conv->winograd != NULL)
        floats = winograd_scratch_bytes(conv->winograd, job.to) / sizeof(float);
    else if (needs_gathering(&conv->geometry))
        floats = threads * conv->block_rows * conv->depth;
    progress->status = grow_rows(progress, conv, floats);
    if (progress->status != MODEL_OK)
        return;
    if (conv->winograd != NULL) {
        winograd_run(conv->winograd, x, shape, y, job.to, progress->conv->rows);
        return;
    }
    job.plans = progress->conv;
    job.n_rows = map_size(job.to) / (size_t)job.to.channels;
    job.n_blocks = (job.n_rows + conv->block_rows - 1) / conv->block_rows;
    if (job.n_blocks < 2 * threads && threads > 1)
        job.n_parts = conv->n_panels < 2 * threads ? conv->n_panels : 2 * threads;
    atomic_init(&job.next, 0);
    kernels_parallel(conv->kernels, threads, run_worker, &job);
}
