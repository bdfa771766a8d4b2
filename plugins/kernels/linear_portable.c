/* linear_portable.c - linear.h in plain C, on vector_kernels.h alone (KERNELS=portable).
 *
 * Packed form: panels of PANEL output features; a panel is (in_features, PANEL), so that the register
 * tile of product() reads it in order. The last panel is filled up with zeros. A run takes panels in
 * parallel, and within one blocks of the inner dimension that stay in the second-level cache. There
 * are no plans: any row count runs at once. */
#include "linear_source.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define PANEL       64  /* output features; a multiple of PRODUCT_COLUMNS */
#define DEPTH_BLOCK 256 /* of in_features: 64 KB of a panel */

struct linear {
    const float *packed; /* (n_panels, in_features, PANEL); NULL: view is used */
    const float *view;   /* (out_features, in_features) of the package */
    const float *bias;   /* (out_features) */
    size_t in_features, out_features, n_panels;
    enum activation activation;
    bool accumulate;
};

struct linear_runner {
    struct linear_progress progress;
    const struct kernels *kernels;
    float *panels; /* (threads, DEPTH_BLOCK, PANEL): where a view is packed during a run */
};

model_status linear_backend_create(struct kernels *kernels, struct model_error *err)
{
    (void)err;
    (void)snprintf(kernels->build_key, sizeof kernels->build_key, "portable-1");
    return MODEL_OK;
}

void linear_backend_destroy(struct kernels *kernels)
{
    (void)kernels;
}

/* (n_columns, depth) with row stride `stride` -> (depth, PANEL), zeros behind n_columns. */
static void transpose(const float *x, size_t stride, size_t n_columns, size_t depth, float *panel)
{
    for (size_t column = 0; column < PANEL; column++)
        for (size_t k = 0; k < depth; k++)
            panel[k * PANEL + column] = column < n_columns ? x[column * stride + k] : 0.0f;
}

struct pack_job {
    const struct kernels *kernels;
    const struct linear_source *source;
};

static size_t panel_columns(size_t out_features, size_t panel)
{
    size_t left = out_features - panel * PANEL;
    return left < PANEL ? left : PANEL;
}

static model_status pack(void *argument, void *destination)
{
    const struct pack_job *job = argument;
    const struct linear_source *source = job->source;
    const struct model_services *services = job->kernels->services;
    size_t in = source->in_features, n_panels = (source->out_features + PANEL - 1) / PANEL;
    const float *view = linear_source_view(source);
    float *rows = NULL; /* (PANEL, in) */
    if (view == NULL) {
        rows = services->allocate(services->context, PANEL * in * sizeof *rows);
        if (rows == NULL)
            return MODEL_OUT_OF_MEMORY;
    }
    for (size_t panel = 0; panel < n_panels; panel++) {
        size_t n_columns = panel_columns(source->out_features, panel);
        if (rows != NULL)
            linear_source_read(source, panel * PANEL, n_columns, rows);
        transpose(rows != NULL ? rows : view + panel * PANEL * in, in, n_columns, in,
                  (float *)destination + panel * PANEL * in);
    }
    services->release(services->context, rows);
    return MODEL_OK;
}

model_status linear_create(struct kernels *kernels, const struct linear_spec *spec,
                           const struct linear **ret, struct model_error *err)
{
    struct linear_source source;
    model_status status = linear_source_find(kernels, spec, &source, err);
    if (status != MODEL_OK)
        return status;
    struct linear *linear = kernels_allocate(kernels, sizeof *linear);
    if (linear == NULL)
        return kernels_no_memory(err, "a linear layer");
    *linear = (struct linear){.bias = source.bias,
                              .in_features = source.in_features,
                              .out_features = source.out_features,
                              .n_panels = (source.out_features + PANEL - 1) / PANEL,
                              .activation = spec->activation,
                              .accumulate = spec->accumulate};
    if (spec->keep_view)
        linear->view = linear_source_view(&source);
    if (linear->view == NULL) {
        struct pack_job job = {kernels, &source};
        size_t size_bytes = linear->n_panels * PANEL * source.in_features * sizeof(float);
        char key[LINEAR_KEY_BYTES];
        const void *packed;
        status = kernels->services->packed_blob(kernels->services->context,
                                                linear_source_key(kernels, &source, "panel64", key),
                                                size_bytes, pack, &job, &packed);
        if (status != MODEL_OK)
            return kernels_fail(err, status, "weight '%s' cannot be packed (%zu bytes)",
                                spec->weights[0], size_bytes);
        kernels->memory_bytes += size_bytes;
        linear->packed = packed;
        if (!spec->keep_view)
            linear_source_discard(kernels, &source);
    }
    *ret = linear;
    return MODEL_OK;
}

int64_t linear_in_features(const struct linear *linear)
{
    return (int64_t)linear->in_features;
}

int64_t linear_out_features(const struct linear *linear)
{
    return (int64_t)linear->out_features;
}

model_status linear_runner_create(const struct kernels *kernels, struct linear_runner **ret,
                                  struct model_error *err)
{
    const struct model_services *services = kernels->services;
    struct linear_runner *runner = services->allocate(services->context, sizeof *runner);
    float *panels = services->allocate(services->context,
                                       kernels->threads * DEPTH_BLOCK * PANEL * sizeof *panels);
    if (runner == NULL || panels == NULL) {
        services->release(services->context, panels);
        services->release(services->context, runner);
        return kernels_no_memory(err, "an instance's kernels");
    }
    *runner = (struct linear_runner){.kernels = kernels, .panels = panels};
    *ret = runner;
    return MODEL_OK;
}

void linear_runner_destroy(struct linear_runner *runner)
{
    if (runner == NULL)
        return;
    const struct model_services *services = runner->kernels->services;
    conv_plans_destroy(runner->progress.conv);
    services->release(services->context, runner->panels);
    services->release(services->context, runner);
}

size_t linear_row_capacity(size_t n_rows)
{
    return n_rows;
}

struct run_job {
    const struct linear_runner *runner;
    const struct linear *linear;
    const float *x; /* (n_rows, in_features) */
    float *y;       /* (n_rows, out_features) */
    size_t n_rows;
    atomic_size_t next_panel;
};

/* y[0, n_columns) += sum, starting from the bias in the first block of the inner dimension. */
static void store_row(const struct linear *linear, const float *sum, size_t first_column,
                      size_t n_columns, bool first_block, float *y)
{
    const float *bias = linear->bias + first_column;
    if (!first_block)
        for (size_t i = 0; i < n_columns; i++)
            y[i] += sum[i];
    else if (linear->accumulate)
        for (size_t i = 0; i < n_columns; i++)
            y[i] += bias[i] + sum[i];
    else
        for (size_t i = 0; i < n_columns; i++)
            y[i] = bias[i] + sum[i];
}

/* All rows of one panel. */
static void run_panel(const struct run_job *job, size_t panel, float *own)
{
    const struct linear *linear = job->linear;
    const struct vector_kernels *vector = job->runner->kernels->vector;
    size_t in = linear->in_features, out = linear->out_features, first = panel * PANEL;
    size_t n_columns = panel_columns(out, panel);
    float tile[PRODUCT_ROWS * PANEL];
    for (size_t k = 0; k < in; k += DEPTH_BLOCK) {
        size_t depth = in - k < DEPTH_BLOCK ? in - k : DEPTH_BLOCK;
        const float *b = own;
        if (linear->packed != NULL)
            b = linear->packed + (panel * in + k) * PANEL;
        else
            transpose(linear->view + first * in + k, in, n_columns, depth, own);
        for (size_t row = 0; row < job->n_rows; row += PRODUCT_ROWS) {
            size_t n_rows = job->n_rows - row < PRODUCT_ROWS ? job->n_rows - row : PRODUCT_ROWS;
            vector->product(job->x + row * in + k, in, n_rows, b, PANEL, depth, tile, PANEL,
                            product_columns(n_columns));
            for (size_t r = 0; r < n_rows; r++)
                store_row(linear, tile + r * PANEL, first, n_columns, k == 0,
                          job->y + (row + r) * out + first);
        }
    }
    if (linear->activation != ACTIVATION_NONE)
        for (size_t row = 0; row < job->n_rows; row++)
            vector->activate(linear->activation, job->y + row * out + first, n_columns);
}

/* What one thread does: panels as long as there are any. */
static void run_worker(void *argument, size_t index)
{
    struct run_job *job = argument;
    float *own = job->runner->panels + index * DEPTH_BLOCK * PANEL;
    size_t panel;
    while ((panel = atomic_fetch_add(&job->next_panel, 1)) < job->linear->n_panels)
        run_panel(job, panel, own);
}

void linear_run(struct linear_runner *runner, const struct linear *linear, const float *x,
                size_t n_rows, size_t row_capacity, float *y)
{
    (void)row_capacity;
    if (!linear_progress_ask(&runner->progress))
        return;
    struct run_job job = {.runner = runner, .linear = linear, .x = x, .y = y, .n_rows = n_rows};
    atomic_init(&job.next_panel, 0);
    kernels_parallel(runner->kernels, runner->kernels->threads, run_worker, &job);
}
