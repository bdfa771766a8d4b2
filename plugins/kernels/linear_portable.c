/* linear_portable.c - linear.h in plain C, on linear_panels.h alone (KERNELS=portable).
 *
 * Packed form: panels of PANEL output features; a panel is (in_features, PANEL), so that the register
 * tile of product() reads it in order. The last panel is filled up with zeros. There are no plans: any
 * row count runs at once. */
#include "linear_blocks.h"
#include "linear_source.h"

#include <stdio.h>
#include <string.h>

struct linear {
    struct linear_panels panels;
};

struct linear_runner {
    struct linear_progress progress;
    const struct kernels *kernels;
    void *workspace; /* of linear_panels_run() */
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

struct pack_job {
    const struct kernels *kernels;
    const struct linear_source *source;
};

static size_t panel_columns(size_t out_features, size_t panel)
{
    size_t left = out_features - panel * PANEL;
    return left < PANEL ? left : PANEL;
}

/* A weight that lies (in, out): its rows are cut into the panels' rows. */
static void pack_transposed(const struct linear_source *source, float *destination)
{
    const size_t in = source->in_features, out = source->out_features;
    for (size_t first = 0; first < out; first += PANEL, destination += in * PANEL) {
        const size_t n_columns = panel_columns(out, first / PANEL);
        for (size_t k = 0; k < in; k++) {
            float *row = destination + k * PANEL;
            weight_read_f32(&source->parts[0], k * out + first, n_columns, row);
            memset(row + n_columns, 0, (PANEL - n_columns) * sizeof *row);
        }
    }
}

static model_status pack(void *argument, void *destination)
{
    const struct pack_job *job = argument;
    const struct linear_source *source = job->source;
    const struct model_services *services = job->kernels->services;
    size_t in = source->in_features, n_panels = (source->out_features + PANEL - 1) / PANEL;
    const float *view = linear_source_view(source);
    float *rows = NULL; /* (PANEL, in) */
    if (source->transposed) {
        pack_transposed(source, destination);
        return MODEL_OK;
    }
    if (view == NULL) {
        rows = services->allocate(services->context, PANEL * in * sizeof *rows);
        if (rows == NULL)
            return MODEL_OUT_OF_MEMORY;
    }
    for (size_t panel = 0; panel < n_panels; panel++) {
        size_t n_columns = panel_columns(source->out_features, panel);
        if (rows != NULL)
            linear_source_read(source, panel * PANEL, n_columns, rows);
        linear_panels_transpose(rows != NULL ? rows : view + panel * PANEL * in, in, n_columns, in,
                                (float *)destination + panel * PANEL * in);
    }
    services->release(services->context, rows);
    return MODEL_OK;
}

static model_status pack_weights(struct kernels *kernels, const struct linear_source *source,
                                 struct linear_panels *panels, struct model_error *err)
{
    struct pack_job job = {kernels, source};
    size_t n_panels = (source->out_features + PANEL - 1) / PANEL;
    size_t size_bytes = n_panels * panels->floats_per_panel * sizeof(float);
    char key[LINEAR_KEY_BYTES];
    const void *packed;
    model_status status = kernels->services->packed_blob(
        kernels->services->context, linear_source_key(kernels, source, "panel64", key), size_bytes,
        pack, &job, &packed);
    if (status != MODEL_OK)
        return kernels_fail(err, status, "weight '%s' cannot be packed (%zu bytes)",
                            source->parts[0].name, size_bytes);
    kernels->memory_bytes += size_bytes;
    panels->packed = packed;
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
    linear->panels = (struct linear_panels){.bias = source.bias,
                                            .columns = PANEL,
                                            .floats_per_panel = PANEL * source.in_features,
                                            .in_features = source.in_features,
                                            .out_features = source.out_features,
                                            .activation = spec->activation,
                                            .accumulate = spec->accumulate};
    if (compact_weights_suit(kernels, &source))
        status = compact_weights_prepare(kernels, &source, &linear->panels.compact, err);
    else if (spec->keep_view && linear_source_stays(&source))
        linear->panels.view = source.parts[0];
    else
        status = pack_weights(kernels, &source, &linear->panels, err);
    if (status != MODEL_OK)
        return status;
    linear_blocks_expect(kernels, &linear->panels);
    if (!spec->keep_view)
        linear_source_discard(kernels, &source);
    *ret = linear;
    return MODEL_OK;
}

int64_t linear_in_features(const struct linear *linear)
{
    return (int64_t)linear->panels.in_features;
}

int64_t linear_out_features(const struct linear *linear)
{
    return (int64_t)linear->panels.out_features;
}

model_status linear_runner_create(const struct kernels *kernels, struct linear_runner **ret,
                                  struct model_error *err)
{
    const struct model_services *services = kernels->services;
    struct linear_runner *runner = services->allocate(services->context, sizeof *runner);
    void *workspace = services->allocate(services->context, linear_panels_workspace_bytes(kernels));
    if (runner == NULL || workspace == NULL) {
        services->release(services->context, workspace);
        services->release(services->context, runner);
        return kernels_no_memory(err, "an instance's kernels");
    }
    *runner = (struct linear_runner){.kernels = kernels, .workspace = workspace};
    *ret = runner;
    return MODEL_OK;
}

void linear_runner_destroy(struct linear_runner *runner)
{
    if (runner == NULL)
        return;
    const struct model_services *services = runner->kernels->services;
    conv_plans_destroy(runner->progress.conv);
    services->release(services->context, runner->workspace);
    services->release(services->context, runner);
}

size_t linear_row_capacity(size_t n_rows)
{
    return n_rows;
}

void linear_run(struct linear_runner *runner, const struct linear *linear, const float *x,
                size_t n_rows, size_t row_capacity, float *y)
{
    (void)row_capacity;
    linear_runner_count(runner, n_rows * linear->panels.in_features * linear->panels.out_features);
    if (linear_progress_ask(&runner->progress))
        linear_panels_run(runner->kernels, &linear->panels, runner->workspace, x, n_rows, y);
}
